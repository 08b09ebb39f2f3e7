"""Training that ends after a number of episodes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from rl.errors import UserError
from rl.running.display import describe
from rl.running.executors import Inline
from rl.running.view import budget
from rl.saved.run import Run
from rl.search.settings import read_search
from rl.session.progress import Progress
from rl.specification.build import build
from rl.specification.notes import notes_of
from rl.specification.specification import Specification
from tests.rl.conftest import Command, run_trial


def specification(train: dict[str, Any], **blocks: Any) -> Specification:
    """Episodes of at most five steps, so that their number says how many steps there are."""
    given = {
        "problem": "Steady-v0",
        "import": "tests.rl.worlds",
        "agent": {"name": "DQN", "learn_start": 10, "learn_every": 2},
        "network": {"hidden": [4]},
        "memory": {"capacity": 50, "batch_size": 4},
        "train": {"evaluate_every": None, **train},
    }
    return Specification("few", "few.yaml", {**given, **blocks})


def run(folder: Path, **train: Any) -> Run:
    return run_trial(specification(train), [0], folder, Inline(), draw=False)


ENDS = {
    "episodes": ({"episodes": 12}, 60, 12),
    "steps first": ({"episodes": 12, "steps": 42}, 42, 8),
    "episodes first": ({"episodes": 12, "steps": 900}, 60, 12),
    "the last of a step": ({"episodes": 11, "lanes": 3}, 60, 12),
    "within a step": ({"episodes": 10, "lanes": 3}, 60, 12),
}


@pytest.mark.parametrize("case", ENDS)
def test_it_ends_after_the_step_in_which_the_last_episode_ends(case: str, tmp_path: Path) -> None:
    train, steps, episodes = ENDS[case]
    outcome = run(tmp_path / "r", **train).outcome
    assert (outcome["status"], outcome["steps"], outcome["episodes"]) == (
        "finished", steps, episodes,
    )  # fmt: skip
    assert outcome["best_step"] == steps


def test_evaluations_are_due_at_steps(tmp_path: Path) -> None:
    found = run(tmp_path / "r", episodes=12, evaluate_every=25, evaluate_episodes=1)
    with found.session.evaluations.open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["25", "50", "60"]


def test_an_update_has_a_row_once_an_episode_has_ended(tmp_path: Path) -> None:
    found = run(tmp_path / "r", episodes=12)
    with found.session.updates.open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == [12, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "neither": ({}, "train.steps is missing; give it, or episodes, or both"),
    "both null": ({"steps": None, "episodes": None}, "train.steps is missing"),
    "none": ({"episodes": 0}, "train.episodes must be at least 1"),
    "no number": ({"episodes": "many"}, "train.episodes must be an integer or null"),
    "too few": ({"episodes": 2}, "train.episodes is 2, 10 steps at most, but the agent first"),
    "too short": (
        {"episodes": 5, "max_episode_steps": 2},
        "train.episodes is 5, 10 steps at most",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_trains_nothing_is_refused(case: str) -> None:
    train, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        build(specification(train), 0)


def test_a_pruner_wants_steps() -> None:
    pytest.importorskip("optuna")
    search = {"pruner": "median", "space": {"agent.gamma": [0.9, 0.99]}}
    with pytest.raises(UserError, match=r"search.pruner is median, which needs the steps"):
        read_search(specification({"episodes": 12}, search=search))
    assert read_search(specification({"episodes": 12, "steps": 99}, search=search))


def test_schedules_have_steps_of_their_own() -> None:
    """Whether they come to their end is not known, and nothing is said of it."""
    rate = {"name": "linear", "start": 0.01, "end": 0.0, "steps": 5}
    given = specification(
        {"episodes": 12},
        optimizer={"learning_rate": rate},
        exploration={"steps": 10**6},
    )
    assert notes_of(build(given, 0)) == []


def test_the_command_line_takes_episodes(rl_here: Command) -> None:
    answer = rl_here("run", "cartpole_dqn", "--episodes", 60, "--quiet", "--output", "r",
                     "--set", "train.evaluate_every=null", "network.hidden=[4]")  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    outcome = Run.open("r").outcome
    assert (outcome["status"], outcome["episodes"]) == ("finished", 60)


def test_the_display_counts_what_ends_the_run() -> None:
    progress = Progress(None, step=500, episodes=20, seconds=10.0, total_episodes=80)
    shown = describe(progress)
    assert (shown["steps"], shown["episodes"]) == ("500", "20 of 80")
    assert (progress.fraction, budget(progress)) == (0.25, "20 of 80 episodes")
    progress.total_steps = 1000
    assert (progress.fraction, budget(progress)) == (0.5, "500 of 1,000 steps")
