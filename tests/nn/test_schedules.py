"""Numbers that change with the step."""

from __future__ import annotations

import pytest

import nn
from nn.schedules import Exponential, Linear

BY_HAND = {
    # 1.0 to 0.1 in 9 steps: 0.1 less at each.
    "linear": ((1.0, 0.1, 9), [(0, 1.0), (1, 0.9), (3, 0.7), (8, 0.2), (9, 0.1), (10, 0.1)]),
    # 8 to 0.5 in 4 steps: half at each.
    "exponential": ((8.0, 0.5, 4), [(0, 8.0), (1, 4.0), (3, 1.0), (4, 0.5), (99, 0.5)]),
}


def test_every_schedule_has_values_by_hand() -> None:
    assert set(BY_HAND) == set(nn.SCHEDULES)


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_values_by_hand(name: str) -> None:
    settings, points = BY_HAND[name]
    schedule = nn.make_schedule(name, *settings)
    for step, value in points:
        assert schedule(step) == pytest.approx(value, rel=1e-12), step


@pytest.mark.parametrize(("start", "end"), [(0.9, 0.1), (0.1, 0.9)])
@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_every_schedule_goes_one_way_from_its_start_to_its_end(
    name: str, start: float, end: float
) -> None:
    schedule = nn.make_schedule(name, start, end, 7)
    values = [schedule(step) for step in range(10)]
    assert values[0] == start
    assert values[7:] == [end, end, end]  # to the bit: a rate of 0 must be 0
    assert sorted(values, reverse=start > end) == values
    assert len(set(values)) == 8


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_the_value_depends_on_the_step_alone(name: str) -> None:
    schedule = nn.make_schedule(name, 1.0, 0.5, 10)
    assert [schedule(5), schedule(2), schedule(5)] == [schedule(5), schedule(2), schedule(5)]


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_a_constant_is_a_schedule_that_ends_where_it_starts(name: str) -> None:
    schedule = nn.make_schedule(name, 0.3, 0.3, 1)
    assert [schedule(step) for step in (0, 1, 1000)] == [0.3, 0.3, 0.3]


def test_linear_may_cross_zero() -> None:
    assert Linear(1.0, -1.0, 4)(3) == -0.5


@pytest.mark.parametrize("steps", [0, -1])
@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_no_steps_are_refused(name: str, steps: int) -> None:
    with pytest.raises(ValueError, match=f"steps must be at least 1, not {steps}"):
        nn.make_schedule(name, 1.0, 0.5, steps)


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-2.0, -1.0)])
def test_exponential_refuses_ends_that_are_not_positive(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Exponential(start, end, 10)
