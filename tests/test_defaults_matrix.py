"""The program that compares defaults: which runs are due, and what its table says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs import program


@pytest.fixture(scope="module")
def matrix() -> Any:
    return program("defaults_matrix")


def row(matrix: Any, problem: Any, learner: str, seed: int, value: float) -> dict[str, str]:
    figures = dict.fromkeys(("mean_return", "last", "seconds"), f"{value:g}")
    return {
        "problem": problem.id, "learner": learner, "seed": str(seed), **figures,
        "steps": str(problem.steps), "settings": "now",
    }  # fmt: skip


@pytest.fixture
def rows(matrix: Any, tmp_path: Path) -> Any:
    return kept(matrix, tmp_path)


def kept(matrix: Any, folder: Path) -> Any:
    """The rows of the file in a folder."""
    return matrix.Rows(folder / "rows.csv", matrix.COLUMNS, matrix._key)


def test_a_run_is_due_until_its_row_is_there_with_these_settings(
    matrix: Any, rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"settings": "now"}
    monkeypatch.setattr(matrix, "settings_of", lambda *_: now["settings"])
    problem = matrix.PROBLEMS[0]
    rows.add(row(matrix, problem, "lab", 1, 5.0), row(matrix, problem, "lab", 0, 4.0))
    again = kept(matrix, tmp_path)
    assert matrix.returns(again, problem, "lab") == [4.0, 5.0]
    assert matrix.is_known(again, problem, "lab", 1)
    assert not matrix.is_known(again, problem._replace(steps=7), "lab", 1)
    assert not matrix.is_known(again, problem, "DQN", 1)
    now["settings"] = "later"
    assert not matrix.is_known(again, problem, "lab", 1)
    rows.add(row(matrix, problem, "lab", 1, 6.0))
    assert matrix.returns(kept(matrix, tmp_path), problem, "lab") == [4.0, 6.0]


def test_the_table_has_the_better_peer_of_each_problem_that_is_complete(
    matrix: Any, rows: Any
) -> None:
    first, second = matrix.PROBLEMS[:2]
    for seed in matrix.SEEDS:
        rows.add(row(matrix, first, "lab", seed, 300.0 + seed))
        rows.add(row(matrix, first, "DQN", seed, 100.0 * seed))
        rows.add(row(matrix, first, "PPO", seed, 200.0 + seed))
        rows.add(row(matrix, second, "lab", seed, 1.0))
    assert [*matrix.lines(rows)] == [
        (first.id, f"{first.steps:,}", "301.0", "300 301 302", "201.0 (PPO)", "200 201 202",
         "clearly above"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([3.0, 4.0], [1.0, 2.0], "clearly above"),
        ([3.0, 4.0], [1.0, 3.0], "above"),
        ([3.0, 4.0], [3.0, 4.0], "level"),
        ([-0.0001, -0.0001], [-0.0003, -0.0002], "level"),
        ([-0.0001, 0.0], [0.0001, 0.0002], "level"),
        ([1.0, 3.0], [2.0, 4.0], "below"),
        ([1.0, 2.0], [3.0, 4.0], "clearly below"),
    ],
)
def test_clearly_means_that_the_seeds_do_not_overlap(
    ours: list[float], theirs: list[float], said: str, matrix: Any
) -> None:
    assert matrix.verdict(ours, theirs) == said


def test_the_problems_are_learned_with_the_defaults_alone(matrix: Any) -> None:
    known = [each for each in matrix.PROBLEMS if not each.id.endswith("-v5")]  # those are MuJoCo's
    assert len({matrix.settings_of(each, "lab") for each in known}) == len(known)
