"""Searches that several processes share, begin at the same moment, and rejoin after they died."""

from __future__ import annotations

import json
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from rl.search.opening import start_search
from rl.search.optuna_methods import open_study
from rl.search.storages import Journal
from rl.storage.files import read_json
from rl.storage.run_folder import RunFolder
from rl.verbs.search import _conclude_search
from tests.rl.conftest import LONGEST
from tests.rl.sharing import begin
from tests.rl.test_search import Canned, results_of, rows_of, specification

TRIALS = 24
SPACE = {
    "optimizer.learning_rate": {"low": 0.0003, "high": 0.03, "log": True},
    "agent.gamma": [0.5, 0.9, 0.99],
}
VALUES: dict[str, Any] = {
    "problem": "CartPole-v1", "network": {"hidden": [4]},
    "agent": {"name": "DQN", "learn_start": 20}, "memory": {"batch_size": 8},
    "train": {"steps": 60, "evaluate_every": 10, "evaluate_episodes": 1},
}  # fmt: skip


def write_specification(folder: Path, **block: Any) -> None:
    values = {**VALUES, "search": {"space": SPACE, "trials": TRIALS, **block}}
    (folder / "my.json").write_text(json.dumps({"pole": values}))


COMMAND = ("pole", "--spec", "my.json", "--storage", "st")


def runs_in(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent) for path in folder.glob("runs/pole/*/manifest.json")]


def check(folder: Path, trials: int = TRIALS) -> None:
    """No trial is lost, none is there twice, and the study knows each result."""
    (run,) = runs_in(folder)
    results = [read_json(trial.result) for trial in run.trials()]
    assert [trial.number for trial in run.trials()] == list(range(trials))
    assert {each["state"] for each in results} <= {"complete", "pruned"}
    assert sorted(int(row["trial"]) for row in rows_of(run)) == list(range(trials))
    assert {row["state"] for row in rows_of(run)} <= {"complete", "pruned"}
    assert sum(read_json(run.path / "search.json")["states"].values()) == trials
    told = open_study(folder / "st").trials
    assert [each.state.name.lower() for each in told] == [each["state"] for each in results]
    values = [each.value for each in told if each.state.name == "COMPLETE"]
    assert values == [each["score"] for each in results if each["state"] == "complete"]
    lines = (folder / "sessions.txt").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines)  # none was run twice


def end(process: BaseProcess) -> int:
    process.join(timeout=3 * LONGEST)
    assert process.exitcode is not None
    return process.exitcode


BY_SIGNAL = (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_no_trial_is_lost_and_none_is_run_twice(tmp_path: Path, seed: int) -> None:
    """Two to four processes begin, are killed and rejoin at moments that are drawn."""
    rng = random.Random(seed)
    write_specification(tmp_path, method=("random", "tpe")[seed % 2], pruner="median")
    running = [begin(tmp_path, *COMMAND) for _ in range(rng.randint(2, 4))]
    statuses = []
    for _ in range(rng.randint(3, 6)):
        time.sleep(rng.uniform(0.0, 0.6))
        process = running.pop(rng.randrange(len(running)))
        (process.kill if rng.random() < 0.5 else process.terminate)()
        if rng.random() < 0.5:
            statuses.append(end(process))  # else its successor begins while it ends
        else:
            running.insert(0, process)
        running.append(begin(tmp_path, *COMMAND))
    statuses += map(end, running)
    statuses.append(end(begin(tmp_path, *COMMAND)))  # those that were killed last may have left one
    said = (tmp_path / "said.txt").read_text()
    assert set(statuses) <= set(BY_SIGNAL), said
    assert statuses[-1] == 0
    check(tmp_path)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures would take most of the time."""
    monkeypatch.setattr("rl.search.conclusion.draw_trial", lambda *_: None)
    monkeypatch.setattr("rl.analysis.search_figures.draw", lambda *_, **__: None)


@pytest.mark.parametrize("method", ["random", "tpe"])
@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_another_process_is_faster(tmp_path: Path, method: str, moment: int) -> None:
    """It joins and does all that is left as this one is about to take or to conclude a trial."""
    search = specification(method=method, trials=4)
    storage = tmp_path / "st"
    first, second = Canned(1), Canned(1)
    found = start_search(search, tmp_path / "r", storage, first)
    place: Any = found._method._storage  # type: ignore[attr-defined]
    exclusive, moments = place.exclusive, iter(range(100))

    def interrupted() -> Any:
        if next(moments) == moment:
            start_search(search, None, storage, second).run()
        return exclusive()

    place.exclusive = interrupted
    found.run()
    assert second.started
    assert sorted([*first.started, *second.started]) == [(number, 0) for number in range(4)]
    alone = start_search(search, tmp_path / "alone", None, Canned(1))
    alone.run()
    assert results_of(found.folder) == results_of(alone.folder)  # TPE has not begun to learn
    assert {each.state.name for each in open_study(storage).trials} == {"COMPLETE"}
    assert len(rows_of(found.folder)) == 4


@pytest.mark.parametrize("method", ["grid", "tpe"])
def test_a_process_with_nothing_left_to_do_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """Although no trial has a score yet."""
    search, storage = specification(method=method, trials=1), tmp_path / "st"
    first = Canned(1)
    wait, statuses = first.wait, []

    def joined() -> Any:
        other = start_search(search, None, storage, Canned(1))
        other.run()
        statuses.append(_conclude_search(other, False, False))
        return wait()

    first.wait = joined  # type: ignore[method-assign]
    found = start_search(search, tmp_path / "r", storage, first)
    found.run()
    assert statuses == [0]
    assert "trial 0: another process is running it" in capsys.readouterr().out
    assert (found.elsewhere, _conclude_search(found, False, True)) == ([], 0)


def test_a_trial_whose_process_was_killed_goes_to_one_that_lives(tmp_path: Path) -> None:
    """At once, not only when the command is repeated."""
    search, storage = specification(method="grid", trials=3), tmp_path / "st"
    dead = start_search(search, tmp_path / "r", storage, Canned(1))
    assert dead._fill()
    other = Canned(1)
    wait = other.wait

    def waited() -> Any:
        if len(other.started) == 2:
            dead._claims.__exit__()  # as the system does for a process that is gone
        return wait()

    other.wait = waited  # type: ignore[method-assign]
    start_search(search, None, storage, other).run()
    assert [number for number, _ in other.started] == [1, 2, 0]


def test_a_start_that_was_killed_leaves_no_second_run(tmp_path: Path) -> None:
    """The storage names its run folder before that is there."""
    Journal(tmp_path / "st").give_to(tmp_path / "r", "an id")
    search = specification(method="tpe", trials=2)
    for _ in range(2):
        start_search(search, tmp_path / "r", tmp_path / "st", Canned(1)).run()
    assert len(results_of(RunFolder(tmp_path / "r"))) == 2


def test_a_line_that_a_killed_process_has_left_is_mended_by_the_others(tmp_path: Path) -> None:
    search, storage = specification(method="tpe", trials=3), tmp_path / "st"
    executor = Canned(1)
    wait = executor.wait

    def cut() -> Any:
        with open(storage, "ab") as file:
            file.write(b'{"op_code": 4, "worker')
        return wait()

    executor.wait = cut  # type: ignore[method-assign]
    start_search(search, tmp_path / "r", storage, executor).run()
    assert [each.state.name for each in open_study(storage).trials] == ["COMPLETE"] * 3
