"""Figures where people read them: no scale makes a return 0.0."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from rl.formatting import figure_of
from tests.rl.conftest import Command

ZERO = re.compile(r"(?:return|mean|median|std|min|max|IQM|to)[ :(]+-?0\.0+(?!\d)|>-?0\.0+<")


@pytest.mark.parametrize(
    ("value", "text"),
    [(500.0, "500.0"), (-1234.56, "-1,234.6"), (9.5, "9.50"), (0.74, "0.74"), (-0.1, "-0.10"),
     (0.0217, "0.0217"), (-3.21e-7, "-3.21e-07"), (0.0, "0"), (-0.0, "0"), (1.5e9, "1.5e+09"),
     (9_999_999.0, "9,999,999.0"), (1e300, "1e+300"), (math.nan, "nan"), (-math.inf, "-inf")],
)  # fmt: skip
def test_a_figure(value: float, text: str) -> None:
    assert figure_of(value) == text


def thousandth(reward: float) -> float:
    return reward / 1000


@pytest.mark.slow
def test_small_returns_are_read_everywhere(tmp_path: Path, rl_here: Command) -> None:
    wrapper = {"name": "TransformReward", "func": f"{__name__}:thousandth"}
    values = {
        "environment": {"id": "CartPole-v1", "wrappers": [wrapper]}, "agent": {"name": "Random"},
        "train": {"steps": 300, "evaluate_every": 100, "evaluate_episodes": 3},
    }  # fmt: skip
    (tmp_path / "my.json").write_text(json.dumps({"small": values}))
    commands = [
        ("run", "small", "--spec", "my.json", "--sessions", 2, "--jobs", 1, "--output", "r"),
        ("analyze", "r"), ("evaluate", "r"), ("report", "r"),
        ("watch", "r", "--terminal", "--episodes", 1, "--slow", 0.01),
        ("run", "small", "--spec", "my.json", "--sessions", 2, "--jobs", 1, "--output", "s"),
        ("compare", "r", "s"),
    ]  # fmt: skip
    said = []
    for command in commands:
        answer = rl_here(*command)
        assert answer.returncode == 0, answer
        said.append(answer.stdout + answer.stderr)
    said.remove("report: r/report.html\n")
    said += [path.read_text() for path in tmp_path.rglob("*.html")]
    for text in said:
        assert "0.02" in text
        assert [found.group() for found in ZERO.finditer(text)] == []
