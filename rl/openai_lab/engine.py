"""What Keras has and the engine has not: an initializer and a schedule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.schedules import Schedule
from nn.settings import BaseSettings, setting
from nn.typing import Array


def lecun_uniform(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on +-sqrt(3 / fan_in), with variance 1 / fan_in (LeCun et al. 1998)."""
    limit = np.sqrt(3.0 / fan_in)
    return rng.uniform(-limit, limit, (fan_in, fan_out))


@dataclass(frozen=True, kw_only=True)
class InverseTime(BaseSettings, Schedule):
    """start / (1 + decay step)."""

    start: float = setting("the first value", least=0)
    decay: float = setting("what the divisor grows by with each step", least=0)

    def __call__(self, step: int) -> float:
        return self.start / (1.0 + self.decay * step)
