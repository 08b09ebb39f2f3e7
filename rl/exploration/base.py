"""What the lab asks of an explorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.schedules import RAMPS, Schedule, make_ramp
from nn.settings import BaseSettings, setting
from nn.typing import Array, State


class Explorer:
    """Chooses actions, more freely at first than later.

    An explorer receives numbers and knows no agent and no environment. How much it explores is
    epsilon, a temperature or a standard deviation, which follows a schedule.

    Args:
        rng: draws what is random.
        settings: of the class's own `Settings`.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """An explorer has none of its own."""

    settings: Settings
    follows_returns = False  # whether `amount` follows from returns, and not from the step alone

    def __init__(self, rng: np.random.Generator, settings: Settings | None = None) -> None:
        self.settings, self._rng = settings or self.Settings(), rng
        self._prepare()

    def _prepare(self) -> None:
        """Makes what a subclass keeps."""

    def amount(self, step: int) -> float:
        """How much is explored at environment step `step`; 0 unless a subclass says otherwise."""
        return 0.0

    def choose(self, greedy: Array, step: int) -> Any:
        """Actions of N lanes at environment step `step`.

        Args:
            greedy: of discrete actions, their values [N, A], -inf for those that are not allowed;
                the explorer returns [N] allowed ones. Of continuous actions, the greedy ones
                [N, k], each entry in [-1, 1]; it returns others.
            step: environment steps so far.
        """
        raise NotImplementedError

    def probabilities(self, values: Array, step: int) -> Array:
        """How likely `choose` takes each discrete action [N, A], given their values [N, A].

        Only agents that average over the actions call it.
        """
        raise NotImplementedError

    @classmethod
    def knows_probabilities(cls) -> bool:
        """Whether `probabilities` belongs to this `choose`: defined with it, or after it."""
        for each in cls.__mro__:
            if "probabilities" in vars(each):
                return each is not Explorer
            if "choose" in vars(each):
                return False
        return False

    def ended(self, lane: int, total: float | None) -> None:
        """Called when an episode of `lane` ends, with its return; None if it was abandoned."""

    def state(self) -> State:
        """What `restore` needs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._rng.bit_generator.state = state["rng"]


def expected(explorer: Explorer, values: Array, step: int) -> Array:
    """The mean value [N] of what an explorer would do, given action values [N, A].

    Actions that are not allowed, whose values are -inf, have no part in it.
    """
    finite = np.where(values == -np.inf, 0.0, values)
    mean = (explorer.probabilities(values, step) * finite).sum(axis=1)
    return mean.astype(values.dtype)


class Scheduled(Explorer):
    """An explorer whose amount goes from `start` to `end`; each kind has defaults of its own."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Explorer.Settings):
        """Those of a schedule."""

        start: float
        end: float
        steps: int = setting("environment steps from `start` to `end`", 10_000, least=1)
        schedule: str = setting('"linear", "exponential" or "cosine"', "linear", names=RAMPS)

        def __post_init__(self) -> None:
            super().__post_init__()
            self.ramp()

        def ramp(self) -> Schedule:
            """The amount at each environment step."""
            return make_ramp(self.schedule, self.start, self.end, self.steps)

    settings: Settings

    def _prepare(self) -> None:
        self._ramp = self.settings.ramp()

    def amount(self, step: int) -> float:
        return self._ramp(step)
