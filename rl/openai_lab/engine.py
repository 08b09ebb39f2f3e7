"""What Keras has and the engine has not: an initializer, a schedule and two optimizers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn import Adam, Optimizer
from nn.optimizers import rate
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


class Adam2017(Adam):
    """Adam with epsilon beside the uncorrected root: "epsilon hat" of Kingma and Ba (2015), sec. 2.

    p <- p - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).
    """

    def _scaled_step(self, direction: Array, square: Array, rate: float, epsilon: float) -> None:
        # `square` is v without the factor 1 - beta2, so epsilon is divided by its root.
        epsilon = self.settings.epsilon / math.sqrt(1.0 - self.settings.beta2)
        super()._scaled_step(direction, square, rate, epsilon)


class SGD2017(Optimizer):
    """Momentum of steps, not of gradients: v <- mu v - lr g; p <- p + v.

    They are the same while lr is. Nesterov's: p <- p + mu v - lr g, with the new v.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Optimizer.Settings):
        """Those of `SGD2017`."""

        learning_rate: float | Schedule = rate(1e-2)
        momentum: float = setting("mu; 0 is plain gradient descent", 0.0, least=0, below=1)
        nesterov: bool = setting("whether to look ahead along the velocity", False)

    settings: Settings

    def _prepare(self) -> None:
        self._velocity = self._moment("velocity")

    def _update(self) -> None:
        mu, v = self.settings.momentum, self._velocity
        np.multiply(self.gradients, self.learning_rate, out=self._scratch)
        np.multiply(v, mu, out=v)
        np.subtract(v, self._scratch, out=v)
        if self.settings.nesterov:
            np.subtract(self.parameters, self._scratch, out=self.parameters)
            np.multiply(v, mu, out=self._scratch)
            np.add(self.parameters, self._scratch, out=self.parameters)
        else:
            np.add(self.parameters, v, out=self.parameters)
