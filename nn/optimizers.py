"""Optimizers over one flat parameter vector, in place.

Every array of parameter size is allocated by the constructor. The moments are decayed sums,
m <- beta m + g, rather than averages, m <- beta m + (1 - beta) g: the factor 1 - beta goes into the
step size, which saves a pass over memory for each moment.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.names import lookup
from nn.schedules import Schedule, make_schedule
from nn.settings import BaseSettings, SettingError, setting
from nn.typing import Array, State

# The moment of a gradient that stays zero decays until it is denormal, and arithmetic on denormal
# numbers is about a hundred times slower. Adding and subtracting this constant rounds such numbers
# to zero and leaves larger ones as they are.
_FLUSH = 1e-30
_FLUSH_EVERY = 256


def rate(default: float) -> Any:
    """The setting `learning_rate`, with a default of each optimizer's own."""
    return setting("step size, or its schedule over the optimizer's own steps", default)


def epsilon(default: float) -> Any:
    """The setting `epsilon` of the adaptive optimizers."""
    return setting("added to the divisor to keep it from zero", default, above=0)


class Optimizer:
    """Moves the parameters [P] against their gradient, in place.

    Args:
        parameters: the vector to move [P].
        gradients: the vector that holds dC/dparameters [P] when `step` is called.
        settings: an object of the class's `Settings`, or
        given: the settings one by one.

    Raises:
        SettingError: a setting is out of its bounds.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """The settings of every optimizer."""

        learning_rate: float | Schedule = rate(1e-3)

        def __post_init__(self) -> None:
            super().__post_init__()
            schedule = make_schedule(self.learning_rate)
            for value in (schedule(0), schedule(sys.maxsize)):  # none between is below both
                if not value >= 0:
                    raise SettingError("learning_rate", f"must not be negative, but is {value}")

    settings: Settings

    def __init__(
        self, parameters: Array, gradients: Array, settings: Settings | None = None, **given: Any
    ) -> None:
        self.settings = settings or self.Settings(**given)
        self.parameters, self.gradients = parameters, gradients
        rate = self.settings.learning_rate
        self._schedule = rate if isinstance(rate, Schedule) else None
        self.learning_rate = rate(0) if isinstance(rate, Schedule) else rate
        self.steps = 0
        self._scratch = np.empty_like(parameters)
        self._moments: dict[str, Array] = {}
        self._prepare()

    def _prepare(self) -> None:
        """Makes the moments."""

    def _moment(self, name: str) -> Array:
        """A zero vector [P] that is saved under `name` and kept free of denormal numbers."""
        return self._moments.setdefault(name, np.zeros_like(self.parameters))

    def step(self) -> None:
        """Moves the parameters by one step."""
        if self._schedule is not None:
            self.learning_rate = self._schedule(self.steps)
        self.steps += 1
        self._update()
        if self.steps % _FLUSH_EVERY == 0:
            for moment in self._moments.values():
                np.add(moment, _FLUSH, out=moment)
                np.subtract(moment, _FLUSH, out=moment)

    def _update(self) -> None:
        raise NotImplementedError

    def _add_square(self, square: Array, decay: float) -> None:
        """square <- decay square + g^2."""
        np.multiply(square, decay, out=square)
        np.square(self.gradients, out=self._scratch)
        np.add(square, self._scratch, out=square)

    def _scaled_step(self, direction: Array, square: Array, rate: float, epsilon: float) -> None:
        """p <- p - rate direction / (sqrt(square) + epsilon)."""
        scratch = self._scaled(direction, square, epsilon)
        np.multiply(scratch, rate, out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)

    def _scaled(self, direction: Array, square: Array, epsilon: float) -> Array:
        """direction / (sqrt(square) + epsilon), in the scratch memory."""
        scratch = self._scratch
        np.sqrt(square, out=scratch)
        np.add(scratch, epsilon, out=scratch)
        return np.divide(direction, scratch, out=scratch)

    def state(self) -> State:
        """What `restore` needs."""
        moments = {name: moment.copy() for name, moment in self._moments.items()}
        return {"steps": self.steps, "moments": moments}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.steps = int(state["steps"])
        for name, moment in self._moments.items():
            np.copyto(moment, state["moments"][name])


class SGD(Optimizer):
    """Gradient descent with momentum: v <- mu v + g; p <- p - lr v.

    Nesterov's looks ahead along the velocity: p <- p - lr (g + mu v) (Sutskever et al. 2013).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Optimizer.Settings):
        learning_rate: float | Schedule = rate(1e-2)
        momentum: float = setting("mu; 0 is plain gradient descent", 0.0, least=0, below=1)
        nesterov: bool = setting("whether to look ahead along the velocity", False)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.nesterov and not self.momentum:
                raise SettingError("nesterov", "needs a momentum greater than 0")

    settings: Settings

    def _prepare(self) -> None:
        self._velocity = self._moment("velocity") if self.settings.momentum else None

    def _update(self) -> None:
        direction, mu = self.gradients, self.settings.momentum
        if self._velocity is not None:
            direction = self._velocity
            np.multiply(direction, mu, out=direction)
            np.add(direction, self.gradients, out=direction)
        if self.settings.nesterov:
            np.multiply(direction, mu, out=self._scratch)
            direction = np.add(self._scratch, self.gradients, out=self._scratch)
        np.multiply(direction, self.learning_rate, out=self._scratch)
        np.subtract(self.parameters, self._scratch, out=self.parameters)


class AdaGrad(Optimizer):
    """p <- p - lr g / (sqrt(sum of g^2) + epsilon) (Duchi et al. 2011)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Optimizer.Settings):
        learning_rate: float | Schedule = rate(1e-2)
        epsilon: float = epsilon(1e-10)

    settings: Settings

    def _prepare(self) -> None:
        self._square = self._moment("square")

    def _update(self) -> None:
        np.square(self.gradients, out=self._scratch)
        np.add(self._square, self._scratch, out=self._square)
        rate, epsilon = self.learning_rate, self.settings.epsilon
        self._scaled_step(self.gradients, self._square, rate, epsilon)


class RMSProp(Optimizer):
    """p <- p - lr g / (sqrt(mean of g^2) + epsilon) (Tieleman and Hinton 2012, lecture 6.5).

    Centred, it divides by the standard deviation of g, sqrt(mean of g^2 - (mean of g)^2) (Graves
    2013, eq. 38 to 45; he has epsilon within the root). With momentum that quotient q moves a
    velocity: v <- mu v + q; p <- p - lr v.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Optimizer.Settings):
        decay: float = setting("decay of the running mean of g^2", 0.99, least=0, below=1)
        epsilon: float = epsilon(1e-8)
        centered: bool = setting("whether the running mean of g is subtracted from g", False)
        momentum: float = setting("mu; 0 is without", 0.0, least=0, below=1)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.centered and not self.decay:
                raise SettingError("centered", "needs a decay greater than 0: one g has no spread")

    settings: Settings

    def _prepare(self) -> None:
        self._square = self._moment("square")
        self._mean = self._moment("mean") if self.settings.centered else None
        self._velocity = self._moment("velocity") if self.settings.momentum else None

    def _update(self) -> None:
        decay, epsilon, mu = self.settings.decay, self.settings.epsilon, self.settings.momentum
        self._add_square(self._square, decay)
        square = self._square if self._mean is None else self._spread(self._mean, decay)
        # `square` lacks the factor 1 - decay, so its root and epsilon are scaled alike.
        scale = 1.0 / math.sqrt(1.0 - decay)
        rate = self.learning_rate * scale
        if self._velocity is None:
            self._scaled_step(self.gradients, square, rate, epsilon * scale)
            return
        np.multiply(self._velocity, mu, out=self._velocity)
        step = self._scaled(self.gradients, square, epsilon * scale)
        np.add(self._velocity, step, out=self._velocity)
        np.multiply(self._velocity, rate, out=self._scratch)
        np.subtract(self.parameters, self._scratch, out=self.parameters)

    def _spread(self, mean: Array, decay: float) -> Array:
        """The variance of g but for the factor 1 - decay, in the scratch memory."""
        np.multiply(mean, decay, out=mean)
        np.add(mean, self.gradients, out=mean)
        np.square(mean, out=self._scratch)
        np.multiply(self._scratch, 1.0 - decay, out=self._scratch)
        np.subtract(self._square, self._scratch, out=self._scratch)
        return np.maximum(self._scratch, 0.0, out=self._scratch)  # rounding goes below


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba 2015, algorithm 1)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Optimizer.Settings):
        beta1: float = setting("decay of the running mean of g", 0.9, least=0, below=1)
        beta2: float = setting("decay of the running mean of g^2", 0.999, least=0, below=1)
        epsilon: float = epsilon(1e-8)

    settings: Settings

    def _prepare(self) -> None:
        self._mean, self._square = self._moment("mean"), self._moment("square")

    def _update(self) -> None:
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        np.multiply(self._mean, beta1, out=self._mean)
        np.add(self._mean, self.gradients, out=self._mean)
        self._add_square(self._square, beta2)
        # m_hat = mean * mean_scale and sqrt(v_hat) = sqrt(square) / root_scale.
        mean_scale = (1.0 - beta1) / (1.0 - beta1**self.steps)
        root_scale = math.sqrt((1.0 - beta2**self.steps) / (1.0 - beta2))
        rate = self.learning_rate * mean_scale * root_scale
        self._scaled_step(self._mean, self._square, rate, self.settings.epsilon * root_scale)


class AdamW(Adam):
    """Adam with decoupled weight decay: p <- (1 - lr decay) p first.

    Loshchilov and Hutter (2019), algorithm 2. It decays every parameter, biases too.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Adam.Settings):
        weight_decay: float = setting("the decay, in units of 1 / learning_rate", 0.01, least=0)

    settings: Settings

    def _update(self) -> None:
        kept = 1.0 - self.learning_rate * self.settings.weight_decay
        np.multiply(self.parameters, kept, out=self.parameters)
        super()._update()


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "SGD": SGD,
    "AdaGrad": AdaGrad,
    "RMSProp": RMSProp,
    "Adam": Adam,
    "AdamW": AdamW,
}


def make_optimizer(name: str, parameters: Array, gradients: Array, **settings: Any) -> Optimizer:
    """The optimizer called `name`, with its own settings, over the two flat vectors."""
    return lookup(OPTIMIZERS, name, "optimizer")(parameters, gradients, **settings)


def clip_norm(gradients: Array, limit: float) -> float:
    """Scales the gradients [P] in place to a norm of at most `limit`; returns their norm before.

    Pascanu et al. (2013), algorithm 1. Gradients whose norm is not finite are left alone.
    """
    norm = math.sqrt(float(np.dot(gradients, gradients)))
    if limit < norm < math.inf:
        np.multiply(gradients, limit / norm, out=gradients)
    return norm
