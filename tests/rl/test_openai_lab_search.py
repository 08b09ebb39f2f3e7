"""The searches of OpenAI Lab, and its end of a trial that has no solution."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.errors import UserError
from rl.openai_lab.searching import Line2017, Random2017
from rl.running.executors import Executor, Inline
from rl.search.opening import resume_search, start_search
from rl.search.space import Choice, Dimension, Numbers
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.specification.specification import Specification
from rl.storage.files import read_json, write_json
from tests.rl.conftest import Command, quick
from tests.rl.test_openai_lab import tables_restored  # noqa: F401
from tests.rl.test_search import Canned, results_of, specification, undrawn  # noqa: F401

SPACE: dict[str, Dimension] = {
    "a": Numbers(low=10.0, high=20.0),
    "b": Choice(("x", "y", "z", "w")),
    "c": Numbers(low=0, high=100, whole=True),
}


def anything(_: int) -> bool:
    return True


def shares(parameters: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Where parameters are in the unit cube; a list's middle stands for it."""
    a, b, c = parameters.values()
    return np.array([(a - 10) / 10, ("xyzw".index(b) + 0.5) / 4, c / 100])


def test_a_line_has_each_value_and_not_the_specification_itself() -> None:
    space = {"a": Choice((1, 2)), "b": Choice(("x", "y"))}
    found = [each for _, each in iter(Line2017(space, anything, None).propose, None)]
    assert found == [{"a": 1}, {"a": 2}, {"b": "x"}, {"b": "y"}]


def test_a_walk_moves_to_what_is_better_and_stays_there() -> None:
    """Each step is 5 / n away from the best point, where the cube does not cut it."""
    space: dict[str, Dimension] = {name: Numbers(low=0.0, high=1.0) for name in "abcdef"}
    method = Random2017(space, anything, 60, seed=3)
    points, best, score = [], None, -math.inf
    for number, parameters in iter(method.propose, None):
        point = np.array(list(parameters.values()))
        if best is not None and ((point > 0) & (point < 1)).all():
            radius = min(max(5 / number, 0.01), 0.5)
            assert np.linalg.norm(point - best) == pytest.approx(radius, abs=3e-4)
        points.append(point)
        worth = -float(np.abs(point - 0.4).max()) if number % 3 else None
        method.tell(number, {"score": worth})
        if worth is not None and worth > score:
            best, score = point, worth
    assert len(points) == 60
    assert score > -0.2


def test_values_are_rounded_and_lists_are_binned() -> None:
    method = Random2017(SPACE, anything, 200, seed=0)
    for number, parameters in iter(method.propose, None):
        assert parameters["a"] == round(parameters["a"], 4)
        assert isinstance(parameters["c"], int)
        point = shares(parameters)
        method.tell(number, {"score": float(number)})  # so that it wanders
        assert (point >= 0).all()
        assert (point <= 1).all()
    assert number == 199


def test_a_walk_ends_where_nothing_is_new() -> None:
    """Of one parameter two points are 0.5 away, one to each side; the third is tried once more."""
    found = iter(Random2017({"a": Choice((1, 2))}, anything, 9, seed=0).propose, None)
    assert [number for number, _ in found] == [0, 1, 2]


WALK: dict[str, Any] = {"method": "random_2017", "trials": 12}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.rl.test_search.SPACE", {
        "optimizer.learning_rate": {"low": 0.0, "high": 0.01}, "agent.gamma": [0.9, 0.98, 0.99],
    })  # fmt: skip
    import rl.openai_lab.parts  # noqa: F401


def walked(folder: Path, executor: Executor, **block: Any) -> list[Any]:
    search = start_search(specification(**{**WALK, **block}), folder, None, executor)
    search.run()
    return results_of(search.folder)


@pytest.mark.usefixtures("registered")
def test_a_walk_does_not_depend_on_which_trial_ends_first_or_on_a_break(tmp_path: Path) -> None:
    whole = walked(tmp_path / "a", Canned(2))
    assert whole == walked(tmp_path / "b", Canned(2, newest_first=True))
    assert len({str(each["parameters"]) for each in whole}) == 12
    assert whole != walked(tmp_path / "c", Canned(2), seed=1)
    walked(tmp_path / "d", Canned(2), trials=5)
    resumed = resume_search(tmp_path / "d", Canned(2), trials=12)
    resumed.run()
    # Draws that are left over end a search: the number of trials does not matter before that.
    assert results_of(resumed.folder) == whole


@pytest.mark.usefixtures("registered")
def test_a_walk_cannot_be_shared(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot share a search by random_2017"):
        start_search(specification(**WALK), tmp_path / "r", tmp_path / "s.journal", Canned(1))


def patient(**block: Any) -> Specification:
    block = {"method": "grid", "sessions": 4, **block}
    found = specification(**{**block, "space": {"agent.gamma": [0.9, 0.99]}})
    return found.assign({"train.give_up_after": 2})


class Talented(Canned):
    """The second session of the second trial solves the problem."""

    def wait(self) -> list[tuple[Job, Outcome]]:
        ((job, outcome),) = super().wait()
        outcome["evaluation"]["solved"] = (job.trial, job.session) == (1, 1)
        write_json(job.folder / "session.json", outcome)
        return [(job, outcome)]


def test_a_search_says_what_it_approximates(tmp_path: Path) -> None:
    said: list[str] = []

    class Noting(Callback):
        def noted(self, text: str) -> None:
            said.append(text)

    executor = Canned(1)
    executor.callback = Noting()
    start_search(replace(patient(), note="approximates it"), tmp_path / "r", None, executor)
    assert said == ["approximates it"]


@pytest.mark.parametrize("capacity", [1, 3])
def test_a_trial_ends_after_two_sessions_without_a_solution(tmp_path: Path, capacity: int) -> None:
    executor = Talented(capacity)
    start_search(patient(), tmp_path / "r", None, executor).run()
    begun = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert sorted(executor.started) == begun
    results = [read_json(tmp_path / f"r/trial_{n:03d}/trial.json") for n in range(2)]
    assert [each["state"] for each in results] == ["complete"] * 2
    statuses = [[each["status"] for each in result["outcomes"]] for result in results]
    assert statuses == [["finished"] * 2 + ["pruned"] * 2, ["finished"] * 4]
    reason = "it did not begin: none of the first 2 sessions solved the problem"
    assert results[0]["outcomes"][2]["reason"] == reason


def test_a_pruner_does_not_go_with_that(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not go with train"):
        start_search(patient(pruner="median"), tmp_path / "r", None, Canned(1))


@pytest.mark.parametrize("solved", quick(1, [400.0, 9.0]))
def test_a_run_too_ends_after_two_sessions_without_a_solution(
    tmp_path: Path, rl_here: Command, monkeypatch: pytest.MonkeyPatch, solved: float
) -> None:
    """The mean of the training episodes decides, each of which is worth more than 9."""
    monkeypatch.setattr("rl.verbs.run.processes", lambda jobs, callback, *_: Inline(callback))
    file = {"it": {**patient().values, "agent": {"name": "Random"}}}
    for key in ("search", "network"):
        file["it"].pop(key, None)
    (tmp_path / "mine.json").write_text(json.dumps(file))
    answer = rl_here(
        "run", "it", "--spec", "mine.json", "--sessions", 4, "--steps", 60, "--output", "r",
        "--set", f"environment.solved={solved}", "train.stop_at_training_mean=true",
        "train.evaluate_every=null", "train.stop_when_solved=false",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found = [read_json(tmp_path / f"r/trial_000/session_{n:03d}/session.json") for n in range(4)]
    expected = ["stopped"] * 4 if solved == 9.0 else ["finished", "finished", "pruned", "pruned"]
    assert [each["status"] for each in found] == expected
    assert ("none of the first 2 sessions" in answer.stdout) == (solved == 400.0)
    assert rl_here("resume", "r").returncode == 0
