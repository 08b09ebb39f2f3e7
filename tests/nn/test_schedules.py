"""Numbers that change with the step."""

from __future__ import annotations

import math
from typing import Any

import pytest

import nn
from nn.schedules import RAMPS, make_ramp

BY_HAND: dict[str, tuple[dict[str, Any], list[tuple[int, float]]]] = {
    "constant": ({"value": 0.3}, [(0, 0.3), (1, 0.3), (10**6, 0.3)]),
    # A fifth after each three steps.
    "step": (
        {"start": 5.0, "factor": 0.2, "every": 3},
        [(0, 5.0), (2, 5.0), (3, 1.0), (5, 1.0), (6, 0.2), (9, 0.04)],
    ),
    # 1.0 to 0.1 in 9 steps: 0.1 less at each.
    "linear": (
        {"start": 1.0, "end": 0.1, "steps": 9},
        [(0, 1.0), (1, 0.9), (3, 0.7), (8, 0.2), (9, 0.1), (10, 0.1)],
    ),
    # 8 to 0.5 in 4 steps: half at each.
    "exponential": (
        {"start": 8.0, "end": 0.5, "steps": 4},
        [(0, 8.0), (1, 4.0), (3, 1.0), (4, 0.5), (99, 0.5)],
    ),
    # (1 + cos(pi / 3)) / 2 = 3/4 and (1 + cos(2 pi / 3)) / 2 = 1/4 of the way from 1 to 9.
    "cosine": (
        {"start": 9.0, "end": 1.0, "steps": 6},
        [(0, 9.0), (2, 7.0), (3, 5.0), (4, 3.0), (6, 1.0), (7, 1.0)],
    ),
    # A quarter, a half, three quarters of what follows, which itself falls from 8 by 1 a step.
    "warmup": (
        {"steps": 4, "then": nn.Linear(start=8.0, end=0.0, steps=8)},
        [(0, 2.0), (1, 3.5), (2, 4.5), (3, 5.0), (4, 4.0), (8, 0.0)],
    ),
}


def test_every_schedule_has_values_by_hand() -> None:
    assert set(BY_HAND) == set(nn.SCHEDULES)


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_values_by_hand(name: str) -> None:
    settings, points = BY_HAND[name]
    schedule = nn.make_schedule(name, **settings)
    for step, value in points:
        assert schedule(step) == pytest.approx(value, rel=1e-12, abs=1e-12), step


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_the_value_depends_on_the_step_alone(name: str) -> None:
    schedule = nn.make_schedule(name, **BY_HAND[name][0])
    assert [schedule(5), schedule(2), schedule(5)] == [schedule(5), schedule(2), schedule(5)]


@pytest.mark.parametrize(("start", "end"), [(0.9, 0.1), (0.1, 0.9)])
@pytest.mark.parametrize("name", RAMPS)
def test_every_ramp_goes_one_way_from_its_start_to_its_end(
    name: str, start: float, end: float
) -> None:
    ramp = make_ramp(name, start, end, 7)
    values = [ramp(step) for step in range(10)]
    assert values[0] == start
    assert values[7:] == [end, end, end]  # to the bit: a rate of 0 must be 0
    assert sorted(values, reverse=start > end) == values
    assert len(set(values)) == 8


@pytest.mark.parametrize("name", RAMPS)
def test_a_ramp_that_ends_where_it_starts_is_constant(name: str) -> None:
    ramp = make_ramp(name, 0.3, 0.3, 1)
    assert [ramp(step) for step in (0, 1, 1000)] == [0.3, 0.3, 0.3]


def test_linear_may_cross_zero() -> None:
    assert nn.Linear(start=1.0, end=-1.0, steps=4)(3) == -0.5


def test_a_number_is_a_constant_schedule() -> None:
    assert nn.make_schedule(0.25)(7) == 0.25
    assert nn.Warmup(steps=2, then=0.5)(0) == 0.25


@pytest.mark.parametrize("steps", [0, -1])
@pytest.mark.parametrize("name", RAMPS)
def test_no_steps_are_refused(name: str, steps: int) -> None:
    with pytest.raises(ValueError, match=f"steps must be at least 1, not {steps}"):
        make_ramp(name, 1.0, 0.5, steps)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        nn.Warmup(steps=steps, then=1.0)
    with pytest.raises(ValueError, match="every must be at least 1"):
        nn.Step(start=1.0, factor=0.5, every=steps)


def test_a_stair_that_changes_sign_is_refused_and_one_without_end_is_infinite() -> None:
    with pytest.raises(ValueError, match="factor must not be negative, but is -2"):
        nn.Step(start=1.0, factor=-2.0, every=1)
    assert nn.Step(start=-1.0, factor=2.0, every=1)(10**6) == -math.inf


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-2.0, -1.0)])
def test_exponential_refuses_ends_that_are_not_positive(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        nn.Exponential(start=start, end=end, steps=10)
