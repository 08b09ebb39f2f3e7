"""What is shown: episodes as they are evaluated, and the figures of a run under way."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.live import Live

from rl.environments import Environments
from rl.running.display import Lines, Redrawn, describe, describe_end
from rl.session.evaluation import Evaluation
from rl.session.job import Job
from rl.session.progress import Progress
from rl.specification.specification import load_specification
from rl.watching.frames import play_episode
from tests.rl.worlds import Counter


class Third:
    def act(self, observations: Any) -> Any:
        return np.full(len(observations), 2)


def test_an_episode_is_played_with_the_environments_own_actions() -> None:
    env = Counter(length=3)
    environments = Environments(lambda: env, 1, iter(()))
    for seed in (4, 9):
        episode = play_episode(environments, Third(), seed)
        assert (episode.seed, episode.length, episode.total) == (seed, 3, 1.0 + 2.0 + 3.0)
    assert env.actions == [7] * 6  # its actions start at 5


def halfway(seconds: float) -> Progress:
    progress = Progress(10_000, step=5000, episodes=40, seconds=seconds)
    progress.recent.extend([1.0, 4.0])
    progress.metrics = {"loss": 0.125, "exploration": 0.3}
    progress.evaluation = Evaluation([7.0, 9.0], [1, 1])
    return progress


def test_the_figures_of_a_run_under_way() -> None:
    assert describe(halfway(10.0)) == {
        "steps": "5,000 of 10,000",
        "steps/s": "500",
        "episodes": "40",
        "return (last 100)": "2.5",
        "greedy": "8.0 (2 episodes)",
        "exploration": "0.300",
        "loss": "0.125",
        "time left": "at most 10 s",
    }
    assert describe(Progress(10))["greedy"] == "-"


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [({"entropy": 0.5, "policy_loss": 1.0}, {"entropy": "0.500"}),
     ({"elite_return": 12.34, "std": 0.1}, {"elite_return": "12.3", "std": "0.1"})],
)  # fmt: skip
def test_the_figures_of_an_agent_without_a_loss(metrics: Any, shown: dict[str, str]) -> None:
    progress = halfway(10.0)
    progress.metrics = metrics
    figures = describe(progress)
    assert "loss" not in figures
    assert figures.items() >= shown.items()


def job(session: int, trial: int | None = None) -> Job:
    return Job(load_specification("cartpole_dqn"), 7 + session, Path("x"), session, trial)


def test_lines_are_occasional(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(1, lambda: now[0])
    for tenths in range(120):
        now[0] = tenths / 10
        lines.progressed(job(0), halfway(now[0]))
    assert capsys.readouterr().out.count("\n") == 2


def test_each_session_has_its_line_until_it_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(3, lambda: now[0])
    for session in (0, 1):
        lines.progressed(job(session), halfway(1.0))
    lines.ended(job(0), {"status": "failed", "reason": "no luck"})
    now[0] = 6.0
    lines.progressed(job(1), halfway(2.0))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "session 0 (seed 7): failed: no luck"
    assert [line.split(":")[0] for line in said[1:]] == ["session 1 (seed 8)"]
    assert lines.summary() == "1 of 3 sessions ended (1 failed)"


def test_how_a_job_ended() -> None:
    outcome = {
        "status": "solved",
        "steps": 25000,
        "seconds": 2.04,
        "evaluation": {"mean_return": 9},
    }
    assert describe_end(job(1, trial=4), outcome) == (
        "trial 4, session 1 (seed 8): solved after 25,000 steps and 2.0 s, mean return 9.0"
    )


def test_the_table_of_many_sessions_forgets_those_that_have_ended() -> None:
    console = Console(width=130, force_terminal=True, file=StringIO())
    with Live(console=console, auto_refresh=False) as live:
        redrawn = Redrawn(2, live)
        for session in (0, 1):
            redrawn.progressed(job(session), halfway(1.0))
        assert shown(redrawn) == ["session 0 (seed 7)", "session 1 (seed 8)"]
        redrawn.ended(job(0), {"status": "solved"})
        assert shown(redrawn) == ["session 1 (seed 8)"]
        redrawn.ended(job(1), {"status": "solved"})
        assert shown(redrawn) == []
    assert redrawn.summary() == "2 of 2 sessions ended (2 solved)"


def shown(redrawn: Redrawn) -> list[str]:
    """The first column of the table."""
    return [str(cell) for cell in redrawn._sessions().columns[0].cells]
