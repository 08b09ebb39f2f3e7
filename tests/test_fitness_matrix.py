"""The fitness matrix: its rows, what it keeps, and where it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rl.specification.specification import Specification, all_specifications
from tests.programs import program
from tests.rl.conftest import evaluation


@pytest.fixture
def matrix() -> Any:
    """The program as a module."""
    return program("fitness_matrix")


def outcome(mean_return: float, steps: int = 1000, seconds: float = 2.0) -> dict[str, Any]:
    evaluation = {"mean_return": mean_return}
    final = {"mean_return": mean_return - 10}
    return {"evaluation": evaluation, "final": final, "steps": steps, "seconds": seconds}


def test_a_row_by_hand(matrix: Any) -> None:
    """Returns 100, 200, 300, 400 and 1,000; solved at 475. A quarter of five is one at each end."""
    outcomes = [outcome(each) for each in (300, 100, 1000, 200)] + [outcome(400, 3000, 1.0)]
    cells = matrix.row(all_specifications()["cartpole_dqn"], outcomes).strip("| ").split(" | ")
    assert cells[:3] == ["cartpole_dqn", "400.0", "300.0"]
    low, high = map(float, cells[3].split(" to "))
    assert 100 < low < 400 < high < 1000
    assert cells[4:] == ["300 100 1000 200 400", "390.0", "1 of 5", "1,000, 3,000", "2", "500",
                         "500 in 50k"]  # fmt: skip


def test_every_experiment_has_its_published_figure(matrix: Any) -> None:
    assert set(all_specifications()) == set(matrix.PUBLISHED)


class Commands:
    """Stands in for `rl`, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, verb: str, *arguments: Any) -> str:
        self.asked.append(verb)
        folder = Path(arguments[-1]) / "trial_000/session_000"
        folder.mkdir(parents=True)
        outcome = {"status": "finished", "final": evaluation(9.0)}
        (folder / "session.json").write_text(json.dumps(outcome))
        return ""


def test_a_session_is_run_once_and_again_if_its_spec_changes(
    matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands()
    monkeypatch.setattr(matrix.common, "rl", commands)
    specification = all_specifications()["cartpole_dqn"]
    for _ in range(2):
        result = matrix.session(specification, 3, tmp_path)
        assert result["final"]["mean_return"] == 9.0
    assert commands.asked == ["run"]
    values = {**specification.values, "description": "another"}
    matrix.session(Specification("cartpole_dqn", "test", values), 3, tmp_path)
    assert commands.asked == ["run"] * 2


def test_what_an_interrupted_session_has_left_is_run_again(
    matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands()
    monkeypatch.setattr(matrix.common, "rl", commands)
    specification = all_specifications()["cartpole_dqn"]
    matrix.session(specification, 0, tmp_path)
    (outcome_file,) = tmp_path.rglob("session.json")
    outcome_file.write_text(json.dumps({"status": "interrupted"}))
    matrix.session(specification, 0, tmp_path)
    assert commands.asked == ["run"] * 2


def test_the_grid_has_the_best_scores_of_each_pair(matrix: Any, tmp_path: Path) -> None:
    """Two sessions solve CartPole (475) in their third episode, of the returns 0, 0, 1600.

    fitness_2017: power 1600 / 3 / 3, no stability, as the last episode is the only one above, and
    consistency 1. fitness: power 300 / 3, as no evaluation came near 475. An experiment without a
    session has no cell.
    """
    some = {name: all_specifications()[name] for name in ("cartpole_dqn", "pendulum_sac")}
    for seed in range(2):
        folder = matrix.place(some["cartpole_dqn"], seed, tmp_path)
        folder.path.mkdir(parents=True)
        outcome = {"status": "finished", "episodes": 3, "steps": 9, "seconds": 1.0, "best_step": 9,
                   "evaluation": {**evaluation(300.0), "solved": False}}  # fmt: skip
        folder.outcome.write_text(json.dumps(outcome))
        folder.episodes.write_text("return\n0\n0\n1600\n")
        folder.evaluations.write_text("step,mean_return\n5,100\n9,300\n")
    expected = 1600 / 9 * 4
    lines = matrix.grid(some.values(), tmp_path).splitlines()
    assert lines[0] == "| problem | DQN |"
    assert lines[2] == f"| CartPole-v1 | {expected:.4g} (100) |"
    assert len(lines) == 3


@pytest.mark.parametrize("name", ["fitness matrix", "fitness grid", "defaults matrix"])
def test_the_table_goes_between_its_marks(
    name: str, matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = f"<!-- {name} -->", f"<!-- end of the {name} -->"
    text = matrix.common.RESULTS.read_text()
    assert text.index(begin) < text.index(end)
    results = tmp_path / "RESULTS.md"
    results.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(matrix.common, "RESULTS", results)
    matrix.common.put_into_results(name, "| new |")
    assert results.read_text() == f"before\n{begin}\n| new |\n{end}\nafter\n"
