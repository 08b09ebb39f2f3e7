"""Schedules: pure functions of the step, so that they have no state to save."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nn.names import lookup
from nn.settings import BaseSettings, setting


class Schedule:
    """A number for each step."""

    def __call__(self, step: int) -> float:
        """The value at `step`, counted from 0."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Constant(BaseSettings, Schedule):
    """The same value at each step."""

    value: float = setting("the value")

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Step(BaseSettings, Schedule):
    """start * factor^(step // every): a stair."""

    start: float = setting("initial value")
    factor: float = setting("factor of each stair", least=0)
    every: int = setting("steps per stair", least=1)

    def __call__(self, step: int) -> float:
        try:
            return float(self.start * self.factor ** (step // self.every))
        except OverflowError:  # Python's power has no infinity
            return math.copysign(math.inf, self.start)


@dataclass(frozen=True, kw_only=True)
class Ramp(BaseSettings, Schedule):
    """Goes from `start` to `end` in `steps` steps and stays there."""

    start: float = setting("initial value")
    end: float = setting("final value")
    steps: int = setting("steps from `start` to `end`", least=1)

    def __call__(self, step: int) -> float:
        return self.end if step >= self.steps else self.at(step / self.steps)

    def at(self, share: float) -> float:
        """The value after this share of the way, in [0, 1)."""
        raise NotImplementedError


class Linear(Ramp):
    """start + (end - start) step / steps."""

    def at(self, share: float) -> float:
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, kw_only=True)
class Exponential(Ramp):
    """start (end / start)^(step / steps): the same ratio at each step."""

    start: float = setting("initial value", above=0)
    end: float = setting("final value", above=0)

    def at(self, share: float) -> float:
        return float(self.start * (self.end / self.start) ** share)


class Cosine(Ramp):
    """end + (start - end) (1 + cos(pi step / steps)) / 2 (Loshchilov and Hutter 2017, eq. 5)."""

    def at(self, share: float) -> float:
        return self.start + (self.end - self.start) * 0.5 * (1.0 - math.cos(math.pi * share))


@dataclass(frozen=True, kw_only=True)
class Warmup(BaseSettings, Schedule):
    """Rises linearly to another schedule: then(step) * (step + 1) / steps (Goyal et al. 2017)."""

    steps: int = setting("steps of the rise, after which `then` applies in full", least=1)
    then: float | Schedule = setting("schedule to follow, or a constant")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "then", make_schedule(self.then))

    def __call__(self, step: int) -> float:
        assert isinstance(self.then, Schedule)
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
