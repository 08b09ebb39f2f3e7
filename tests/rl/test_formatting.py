"""Figures where people read them: no scale makes a return 0.0."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from rl.formatting import count_of, figure_of
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


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (12345, "12,345 steps")]
)
def test_a_count(number: int, text: str) -> None:
    assert count_of(number, "step") == text
    assert count_of(number, "entry", "entries") == text.replace("step", "entry").replace(
        "entrys", "entries"
    )


class Single(gymnasium.Env[Any, Any]):
    """One number is seen, one is done, and that was it."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012, as Gymnasium declares it
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, np.float32), -float(action[0] ** 2), True, False, {}

    def render(self) -> Any:
        return np.zeros((30, 30, 3), np.uint8)


def texts(commands: Iterable[tuple[object, ...]], rl_here: Command, folder: Path) -> list[str]:
    """What commands print, and the pages that they write."""
    answers = [rl_here(*command) for command in commands]
    assert [each for each in answers if each.returncode] == []
    printed = [answer.stdout + answer.stderr for answer in answers]
    return printed + [path.read_text() for path in folder.rglob("*.html")]


MANY = re.compile(r"(?<!of )(?<![\d.,])\b1 (?!s\b)[a-z]+s\b(?! ago)")


@pytest.mark.slow
def test_one_of_a_kind_is_not_many(tmp_path: Path, rl_here: Command) -> None:
    settings = ("--set", "train.evaluate_episodes=1", "--steps", 1500, "--agent", "PPO")
    single = f"{__name__}:Single"
    commands = [
        ("doctor", "--env", single),
        ("run", single, *settings, "--output", "runs/r"),
        ("evaluate", "runs/r", "--episodes", 1), ("analyze", "runs/r"),
        ("watch", "runs/r", "--gif", "w.gif"), ("film", "runs/r", "--output", "f.gif"),
        ("export", "runs/r", "--output", "e.npz"),
        ("search", single, *settings, "--set", "search.space.agent.gamma=[0.9]", "--trials", 1,
         "--output", "runs/s"),
        ("note", "runs/r", "seen"), ("site", "runs", "--output", "public"),
    ]  # fmt: skip
    for text in [*texts(commands, rl_here, tmp_path), (tmp_path / "e.py").read_text()]:
        assert [found.group() for found in MANY.finditer(text)] == []


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
    said = texts(commands, rl_here, tmp_path)
    said.remove("report: r/report.html\n")
    for text in said:
        assert "0.02" in text
        assert [found.group() for found in ZERO.finditer(text)] == []
