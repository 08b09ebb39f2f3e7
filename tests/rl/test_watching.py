"""What is shown: episodes as they are evaluated, and the figures of a run under way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rl.display import LineWatcher, describe
from rl.environments import Environments
from rl.experiment.evaluation import Evaluation
from rl.experiment.session import Progress
from rl.experiment.watching import play_episode
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


def test_lines_are_occasional(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = LineWatcher()
    for tenths in range(120):
        watcher.progressed(halfway(tenths / 10))
    assert capsys.readouterr().out.count("\n") == 2
