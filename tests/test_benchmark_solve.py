"""The benchmark of the time to a solved agent goes on where it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs import program

SOLVE = program("benchmark_solve")


def test_runs_that_a_file_has_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    began: list[tuple[str, int]] = []
    most = 3

    def run(learner: str, seed: int, limit: int) -> dict[str, Any]:
        if len(began) == most:
            raise KeyboardInterrupt
        began.append((learner, seed))
        steps = 1_000 + seed if learner == "this-lab" else limit
        return {"solved": learner == "this-lab", "steps": steps, "seconds": 0.1 * steps,
                "evaluating": 1 / 3, "mean_return": 200.0}  # fmt: skip

    def measure() -> str:
        SOLVE.main()
        return capsys.readouterr().out

    monkeypatch.setattr(SOLVE, "in_process", run)
    command = ["benchmark_solve.py", "--seeds", "2", "--rows", str(tmp_path / "new/rows.csv")]
    monkeypatch.setattr("sys.argv", command)
    assert "interrupted: the table is of the runs that ended" in measure()
    assert len(began) == most
    most = 99
    said = measure()
    assert began == [(learner, seed) for seed in (0, 1) for learner in SOLVE.LEARNERS]
    table = said[said.index("\n\n") :]
    assert "2 of 2" in table
    assert "0 of 2" in table
    monkeypatch.setattr("sys.argv", command[:-2])  # measures anew, and finds the same
    began.clear()
    anew = measure()
    assert len(began) == 4
    assert anew[anew.index("\n\n") :] == table
