"""What the lab asks of an explorer."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.schedules import make_ramp
from nn.typing import Array, State


class Explorer:
    """Chooses actions, more freely at first than later.

    The amount of exploration goes from `start` to `end` in `steps` environment steps. An explorer
    receives numbers and knows no agent and no environment.
    """

    def __init__(
        self, rng: np.random.Generator, start: float, end: float, steps: int, schedule: str
    ) -> None:
        self._rng = rng
        self._schedule = make_ramp(schedule, start, end, steps)

    def amount(self, step: int) -> float:
        """How much is explored at environment step `step`: epsilon, a temperature, a deviation."""
        return self._schedule(step)

    def choose(self, greedy: Array, step: int) -> Any:
        """Actions of N lanes at environment step `step`.

        Args:
            greedy: what the agent would go by: for discrete actions their values [N, A], of which
                the explorer gives [N] actions; for continuous ones the actions [N, k], each
                entry in [-1, 1], of which it gives others.
            step: environment steps so far.
        """
        raise NotImplementedError

    def ended(self, lane: int, total: float | None) -> None:
        """Is told that an episode of `lane` has ended, with its return; None if it was given up."""

    def state(self) -> State:
        """What `restore` needs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._rng.bit_generator.state = state["rng"]
