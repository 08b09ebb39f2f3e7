"""An agent really learns, from its spec as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

import rl


@pytest.mark.slow
def test_cartpole_is_learned(tmp_path: Path) -> None:
    stopping = ["train.stop_when_solved=true"]
    run = rl.train("cartpole_dqn", seed=0, overrides=stopping, output=tmp_path / "run")
    assert run.outcome["status"] == "solved"
    assert run.evaluate(100).mean >= 475
    first = (tmp_path / "run/trial_000/session_000/episodes.csv").read_text().splitlines()[1:21]
    assert sum(float(row.split(",")[2]) for row in first) / 20 < 60  # not so at the beginning
