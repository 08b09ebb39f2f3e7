"""Exploration: from action values to actions. Explorers know no agent and no environment."""

from __future__ import annotations

import numpy as np

from nn.schedules import make_ramp
from nn.typing import Array, IntArray, State


class Explorer:
    """Chooses actions, more freely at first than later.

    The amount of exploration goes from `start` to `end` in `steps` environment steps.
    """

    def __init__(
        self, rng: np.random.Generator, start: float, end: float, steps: int, schedule: str
    ) -> None:
        self._rng = rng
        self._schedule = make_ramp(schedule, start, end, steps)

    def amount(self, step: int) -> float:
        """How much is explored at environment step `step`: epsilon, or the temperature."""
        return self._schedule(step)

    def choose(self, values: Array, step: int) -> IntArray:
        """Actions [N] for action values [N, A] at environment step `step`."""
        raise NotImplementedError

    def state(self) -> State:
        """What `restore` needs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._rng.bit_generator.state = state["rng"]


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

    def choose(self, values: Array, step: int) -> IntArray:
        actions = values.argmax(axis=1)
        epsilon = self.amount(step)
        for lane, drawn in enumerate(self._rng.random(len(values)).tolist()):
            if drawn < epsilon:
                actions[lane] = self._rng.integers(values.shape[1])
        return actions


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

    def choose(self, values: Array, step: int) -> IntArray:
        return (values / self.amount(step) + self._rng.gumbel(size=values.shape)).argmax(axis=1)
