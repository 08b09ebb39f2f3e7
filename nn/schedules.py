"""Numbers that change with the step: pure functions of it, so that they have no state to save."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nn.names import lookup


class Schedule:
    """A number for each step."""

    def __call__(self, step: int) -> float:
        """The value at `step`, counted from 0."""
        raise NotImplementedError


class Constant(Schedule):
    """The same value at each step.

    Args:
        value: that value.
    """

    def __init__(self, *, value: float) -> None:
        self.value = value

    def __call__(self, step: int) -> float:
        return self.value


class Step(Schedule):
    """start * factor^(step // every): a stair.

    Args:
        start: the first value.
        factor: what each stair multiplies it by, at least 0.
        every: steps from one stair to the next.
    """

    def __init__(self, *, start: float, factor: float, every: int) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        if not factor >= 0:
            raise ValueError(f"factor must not be negative, but is {factor}")
        self.start, self.factor, self.every = start, factor, every

    def __call__(self, step: int) -> float:
        try:
            return float(self.start * self.factor ** (step // self.every))
        except OverflowError:  # Python's power has no infinity
            return math.copysign(math.inf, self.start)


class Ramp(Schedule):
    """Goes from `start` to `end` in `steps` steps and stays there.

    Args:
        start: the first value.
        end: the last one.
        steps: from the one to the other.
    """

    def __init__(self, *, start: float, end: float, steps: int) -> None:
        _require_steps(steps)
        self.start, self.end, self.steps = start, end, steps

    def __call__(self, step: int) -> float:
        return self.end if step >= self.steps else self.at(step / self.steps)

    def at(self, share: float) -> float:
        """The value after this share of the way, in [0, 1)."""
        raise NotImplementedError


class Linear(Ramp):
    """start + (end - start) step / steps."""

    def at(self, share: float) -> float:
        return self.start + (self.end - self.start) * share


class Exponential(Ramp):
    """start (end / start)^(step / steps): the same ratio at each step."""

    def __init__(self, *, start: float, end: float, steps: int) -> None:
        super().__init__(start=start, end=end, steps=steps)
        if start <= 0 or end <= 0:
            raise ValueError(f"start and end must be greater than 0, not {start} and {end}")

    def at(self, share: float) -> float:
        return float(self.start * (self.end / self.start) ** share)


class Cosine(Ramp):
    """end + (start - end) (1 + cos(pi step / steps)) / 2 (Loshchilov and Hutter 2017, eq. 5)."""

    def at(self, share: float) -> float:
        return self.start + (self.end - self.start) * 0.5 * (1.0 - math.cos(math.pi * share))


class Warmup(Schedule):
    """Rises linearly to another schedule: then(step) * (step + 1) / steps (Goyal et al. 2017).

    Args:
        steps: of the rise; at the last of them the value is `then`'s own.
        then: the other schedule, or a number that stays.
    """

    def __init__(self, *, steps: int, then: float | Schedule) -> None:
        _require_steps(steps)
        self.steps, self.then = steps, make_schedule(then)

    def __call__(self, step: int) -> float:
        return self.then(step) * min(1.0, (step + 1) / self.steps)


RAMPS: dict[str, type[Ramp]] = {"linear": Linear, "exponential": Exponential, "cosine": Cosine}
SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    **RAMPS,
    "warmup": Warmup,
}


def make_schedule(part: str | float | Mapping[str, Any] | Schedule, **settings: Any) -> Schedule:
    """A schedule by name with its settings; a number becomes a constant.

    A mapping holds the name and the settings: {"name": "cosine", "start": 0.1, ...}.
    """
    if isinstance(part, Schedule):
        return part
    if isinstance(part, Mapping):
        return make_schedule(**{"part" if key == "name" else key: part[key] for key in part})
    if isinstance(part, str):
        return lookup(SCHEDULES, part, "schedule")(**settings)
    return Constant(value=part)


def make_ramp(name: str, start: float, end: float, steps: int) -> Ramp:
    """The schedule called `name` from `start` to `end` in `steps` steps."""
    return lookup(RAMPS, name, "schedule")(start=start, end=end, steps=steps)


def _require_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
