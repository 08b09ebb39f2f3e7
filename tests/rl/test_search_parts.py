"""Searches by trial and session: processes in any order fill one run folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from rl.running.executors import Inline
from rl.storage import session_folder
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import Command
from tests.rl.test_executors import TINY
from tests.rl.test_shared_run import during_the_evaluation

SPACE = {"memory.capacity": [300, 10000], "memory.batch_size": [16, 500]}
SEARCH = ("cartpole_dqn", "--spec", "mine.yaml", "--set", *TINY, "--sessions", 2)


@pytest.fixture
def spec(tmp_path: Path) -> None:
    """An experiment with a grid of four trials, of which the second is refused."""
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "search": {"space": SPACE}}
    (tmp_path / "mine.yaml").write_text(json.dumps({"cartpole_dqn": values}))


def results(run: Path) -> list[tuple[str, ...]]:
    """The trials in order, without their times."""
    with open(run / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(tuple(v for k, v in each.items() if "second" not in k) for each in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("spec")
def test_trials_and_sessions_in_any_order_are_the_search_of_one_process(
    rl_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("search", "part"):  # to spare the time that processes take to begin
        monkeypatch.setattr(
            f"rl.verbs.{verb}.processes", lambda jobs, callback, *_: Inline(callback)
        )
    search = ("search", *SEARCH, "--method", "grid", "--trials", 3)
    parts = [("--only-trial", 2, "--only-session", 1), ("--only-trial", 0, "--jobs", 1),
             ("--only-trial", 1), ("--only-trial", 2, "--only-session", 0)]  # fmt: skip
    for part in parts:
        answer = rl_here(*search, *part, "--output", "r")
        assert (answer.returncode, answer.stderr) == (1 if part[1] == 1 else 0, ""), answer
        assert (tmp_path / "r/search.json").exists() == (part == parts[-1])
    assert rl_here(*search, "--output", "whole", "--jobs", 1).returncode == 0
    assert results(tmp_path / "r") == results(tmp_path / "whole")
    answer = rl_here(*search, *parts[0], "--output", "r")
    assert "r/trial_002: has ended already; nothing is left to do" in answer.stdout
    assert rl_here("resume", "r").returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("spec")
def test_a_session_that_is_being_evaluated_is_waited_for(
    rl_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session 0 ends while session 1 is evaluated, so session 1 is the last one."""
    search = ("search", *SEARCH, "--method", "grid", "--only-trial", 0, "--output", "r")
    states = []

    def run(number: int) -> None:
        answer = rl_here(*search, "--only-session", number)
        assert (answer.returncode, answer.stderr) == (0, "")
        states.append(RunFolder(tmp_path / "r").trial(0).read_result()["state"])

    during_the_evaluation(monkeypatch, lambda: run(0))
    run(1)
    assert states == ["running", "complete"]
    assert RunFolder(tmp_path / "r").trial(0).read_result()["counted"] == 2


REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "tpe": (("--method", "tpe"), "--only-trial: tpe proposes a trial from the results of others; "
            "start processes that share its study instead: rl search NAME --storage FILE"),
    "cmaes": (("--method", "cmaes"), "cmaes"),
    "a pruner": (("--pruner", "median"), "the pruner median compares a trial with those before"),
    "a trial too large": (("--only-trial", 4), "there is no trial 4; they are from 0 to 3"),
    "a session too large": (("--only-session", 2), "there is no session 2; they are from 0 to 1"),
    "jobs of one session": (("--only-session", 1, "--jobs", 2), "leave out --jobs"),
    "Ray": (("--executor", "ray"), "leave out --executor ray"),
    "a storage": (("--storage", "st"), "leave out --storage"),
}  # fmt: skip


@pytest.mark.usefixtures("spec")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_part_is_refused_in_one_line(
    case: str, rl_here: Command, tmp_path: Path
) -> None:
    options, complaint = REFUSED[case]
    answer = rl_here("search", *SEARCH, "--method", "grid", "--only-trial", 1, "--output", "r",
                     *options)  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert complaint in answer.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.usefixtures("spec")
def test_a_session_needs_its_trial_and_the_folder_its_search(
    rl_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_folder, "SECONDS_TO_WAIT", 0.0)
    part = ("search", *SEARCH, "--method", "grid", "--only-session", 0, "--output", "r")
    assert "give the trial too, with --only-trial" in rl_here(*part).stderr
    assert rl_here(*part, "--only-trial", 0).returncode == 0
    answer = rl_here(*part, "--only-trial", 0, "--trials", 2)
    assert "was begun with other settings: search.trials" in answer.stderr
    answer = rl_here("run", *SEARCH, "--only-session", 0, "--output", "r")
    assert "r: is a search already; name another folder" in answer.stderr
    taken = SessionFolder(tmp_path / "r/trial_002/session_000")
    taken.create()
    with taken.lock():
        answer = rl_here(*part, "--only-trial", 2)
    assert answer.returncode == 2
    assert "another process is at work there" in answer.stderr
    assert not taken.outcome.exists()
