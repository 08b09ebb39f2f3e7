"""Prioritized replay as OpenAI Lab has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import BaseSettings, setting
from nn.typing import Array
from rl.memory.prioritized import Prioritized


class Prioritized2017(Prioritized):
    """A new transition has the priority (|r| + epsilon)^alpha, and all errors weigh the same."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Prioritized.Settings):
        """Those of `Prioritized2017`."""

        epsilon: float = setting(
            "added to errors, so that every transition can be sampled again", 0.01, above=0
        )

        def __post_init__(self) -> None:
            BaseSettings.__post_init__(self)  # a sample may have more transitions than there are

    settings: Settings

    def add(self, observation: Array, action: Any, reward: float, *more: Any, **named: Any) -> None:
        super().add(observation, action, reward, *more, **named)
        self._set_due()  # with the greatest priority so far, as the base class has it
        place = np.array([(self.added - 1) % self.capacity])
        first = (abs(reward) + self.settings.epsilon) ** self.settings.alpha
        self._tree.set(place, np.array([first]))

    def _choose(self) -> None:
        super()._choose()
        self._weights.fill(1.0)
