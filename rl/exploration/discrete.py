"""Exploration among discrete actions: from action values to actions."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from nn.typing import Array, IntArray, State
from rl.exploration.base import Explorer


class EpsilonGreedy(Explorer):
    """A uniformly random action with probability epsilon, else the best one.

    Sutton and Barto (2018), section 2.2.

    Args:
        start: epsilon at first, in [0, 1].
        end: epsilon at last, in [0, 1].
        steps: environment steps from the one to the other.
        schedule: "linear", "exponential" or "cosine".
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        start: float = 1.0,
        end: float = 0.05,
        steps: int = 10_000,
        schedule: str = "linear",
    ) -> None:
        for name, value in (("start", start), ("end", end)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is a probability, from 0 to 1, not {value}")
        super().__init__(rng, start, end, steps, schedule)

    def choose(self, greedy: Array, step: int) -> IntArray:
        actions = greedy.argmax(axis=1)
        epsilon = self.amount(step)
        for lane, drawn in enumerate(self._rng.random(len(greedy)).tolist()):
            if drawn < epsilon:
                actions[lane] = self._rng.integers(greedy.shape[1])
        return actions


class PeriodicEpsilonGreedy(EpsilonGreedy):
    """Epsilon swings between its ramp and `end`: end + (ramp - end) (1 + cos(2 pi t / period)) / 2.

    So that an agent looks around again after it has settled.

    Args:
        start: epsilon at first, in [0, 1].
        end: epsilon at last and between two swings, in [0, 1].
        steps: environment steps from the one to the other.
        schedule: of the ramp: "linear", "exponential" or "cosine".
        period: environment steps of a swing.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        start: float = 1.0,
        end: float = 0.05,
        steps: int = 10_000,
        schedule: str = "linear",
        period: int = 2_000,
    ) -> None:
        super().__init__(rng, start=start, end=end, steps=steps, schedule=schedule)
        if period < 1:
            raise ValueError(f"period must be at least 1, not {period}")
        self._end, self._period = end, period

    def amount(self, step: int) -> float:
        swing = 0.5 * (1.0 + math.cos(2.0 * math.pi * step / self._period))
        return self._end + (super().amount(step) - self._end) * swing


class TargetEpsilonGreedy(EpsilonGreedy):
    """Epsilon falls as the mean return of the latest episodes nears a target.

    From `start` at the mean of the first `episodes` episodes to `end` at the target, linearly in
    between; so it falls as fast as the agent learns.

    Args:
        start: epsilon at first, in [0, 1].
        end: epsilon at the target, in [0, 1].
        target: the mean return at which `end` is reached.
        episodes: how many of the latest are averaged.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        target: float,
        start: float = 1.0,
        end: float = 0.05,
        episodes: int = 20,
    ) -> None:
        super().__init__(rng, start=start, end=end, steps=1)
        if episodes < 1:
            raise ValueError(f"episodes must be at least 1, not {episodes}")
        self._start, self._end, self._target = start, end, target
        self._returns: deque[float] = deque(maxlen=episodes)
        self._first: float | None = None  # the mean of the first ones

    def ended(self, lane: int, total: float | None) -> None:
        if total is None:
            return
        self._returns.append(total)
        if self._first is None and len(self._returns) == self._returns.maxlen:
            self._first = float(np.mean(self._returns))

    def amount(self, step: int) -> float:
        if self._first is None:
            return self._start
        way = self._target - self._first
        covered = float(np.mean(self._returns)) - self._first
        share = min(max(covered / way, 0.0), 1.0) if way > 0 else 1.0
        return self._start + (self._end - self._start) * share

    def state(self) -> State:
        return {**super().state(), "returns": list(self._returns), "first": self._first}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._returns.clear()
        self._returns.extend(state["returns"])
        self._first = state["first"]


class Greedy(Explorer):
    """The best action, always."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng, 0.0, 0.0, 1, "linear")

    def choose(self, greedy: Array, step: int) -> IntArray:
        return greedy.argmax(axis=1)


class Boltzmann(Explorer):
    """Action a with probability proportional to exp(Q(a) / temperature).

    Sutton and Barto (2018), eq. 2.11. Sampled by the Gumbel trick: the largest of
    Q(a) / temperature + G(a), with G standard Gumbel noise, has that distribution, and no
    exponential can overflow.

    Args:
        start: temperature at first, in units of the values, greater than 0.
        end: temperature at last, likewise.
        steps: environment steps from the one to the other.
        schedule: "linear", "exponential" or "cosine".
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        start: float = 1.0,
        end: float = 0.05,
        steps: int = 10_000,
        schedule: str = "exponential",
    ) -> None:
        for name, value in (("start", start), ("end", end)):
            if not value > 0:
                raise ValueError(f"{name} is a temperature, greater than 0, not {value}")
        super().__init__(rng, start, end, steps, schedule)

    def choose(self, greedy: Array, step: int) -> IntArray:
        return (greedy / self.amount(step) + self._rng.gumbel(size=greedy.shape)).argmax(axis=1)
