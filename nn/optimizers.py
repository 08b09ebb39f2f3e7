"""Optimizers over one flat parameter vector, in place.

Every array of parameter size is allocated by the constructor. The moments are kept as plain
decayed sums, m <- beta m + g, rather than as averages, m <- beta m + (1 - beta) g: the factor
1 - beta goes into the step size, which saves a pass over memory for each moment.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from nn.names import lookup
from nn.schedules import Schedule
from nn.typing import Array, State

# A moment whose gradient has died decays until it is denormal, and arithmetic on denormal numbers
# is about a hundred times slower. Adding and subtracting this constant rounds anything that small
# to zero and leaves every number that matters as it is.
_FLUSH = 1e-30
_FLUSH_EVERY = 256


class Optimizer:
    """Descends along the gradient of the parameters [P] it is given, in place.

    Args:
        parameters: the vector to move [P].
        gradients: the vector that holds dC/dparameters [P] when `step` is called.
        learning_rate: the step size, or a schedule of it over the optimizer's own steps.

    Raises:
        ValueError: a negative rate, a decay outside [0, 1), or an epsilon that is not above 0.
    """

    def __init__(
        self, parameters: Array, gradients: Array, *, learning_rate: float | Schedule = 1e-3
    ) -> None:
        self.parameters, self.gradients = parameters, gradients
        self._schedule = learning_rate if isinstance(learning_rate, Schedule) else None
        self.learning_rate = (
            learning_rate(0) if isinstance(learning_rate, Schedule) else learning_rate
        )
        for rate in (self.learning_rate, self._last_rate()):
            if not rate >= 0:
                raise ValueError(f"learning_rate must not be negative, but is {rate}")
        self.steps = 0
        self._scratch = np.empty_like(parameters)
        self._moments: dict[str, Array] = {}

    def _last_rate(self) -> float:
        """Where the schedule ends; between its ends none is lower than both."""
        return self._schedule(sys.maxsize) if self._schedule else self.learning_rate

    def _moment(self, name: str) -> Array:
        """A zeroed vector [P] that is saved under `name` and kept free of denormal numbers."""
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

    Args:
        momentum: mu, in [0, 1); 0 is plain gradient descent.
        nesterov: looks ahead along the velocity: p <- p - lr (g + mu v) (Sutskever et al. 2013).
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        *,
        learning_rate: float | Schedule = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, gradients, learning_rate=learning_rate)
        if nesterov and not momentum:
            raise ValueError("nesterov needs a momentum greater than 0")
        self.momentum, self.nesterov = _decay("momentum", momentum), nesterov
        self._velocity = self._moment("velocity") if momentum else None

    def _update(self) -> None:
        direction = self.gradients
        if self._velocity is not None:
            direction = self._velocity
            np.multiply(direction, self.momentum, out=direction)
            np.add(direction, self.gradients, out=direction)
        if self.nesterov:
            np.multiply(direction, self.momentum, out=self._scratch)
            direction = np.add(self._scratch, self.gradients, out=self._scratch)
        np.multiply(direction, self.learning_rate, out=self._scratch)
        np.subtract(self.parameters, self._scratch, out=self.parameters)


class AdaGrad(Optimizer):
    """p <- p - lr g / (sqrt(sum of g^2) + epsilon) (Duchi et al. 2011).

    Args:
        epsilon: keeps the divisor from zero.
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        *,
        learning_rate: float | Schedule = 1e-2,
        epsilon: float = 1e-10,
    ) -> None:
        super().__init__(parameters, gradients, learning_rate=learning_rate)
        self.epsilon = _positive("epsilon", epsilon)
        self._square = self._moment("square")

    def _update(self) -> None:
        np.square(self.gradients, out=self._scratch)
        np.add(self._square, self._scratch, out=self._square)
        _descend(
            self.parameters, self.gradients, self._square, self._scratch,
            self.learning_rate, self.epsilon,
        )  # fmt: skip


class RMSProp(Optimizer):
    """p <- p - lr g / (sqrt(mean of g^2) + epsilon) (Tieleman and Hinton 2012, lecture 6.5).

    Args:
        decay: of the running mean of g^2, in [0, 1).
        epsilon: keeps the divisor from zero.
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        *,
        learning_rate: float | Schedule = 1e-3,
        decay: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, gradients, learning_rate=learning_rate)
        self.decay, self.epsilon = _decay("decay", decay), _positive("epsilon", epsilon)
        self._square = self._moment("square")

    def _update(self) -> None:
        _add_square(self._square, self.decay, self.gradients, self._scratch)
        # `square` lacks the factor 1 - decay, so its root, and epsilon, are scaled alike.
        scale = 1.0 / math.sqrt(1.0 - self.decay)
        _descend(
            self.parameters, self.gradients, self._square, self._scratch,
            self.learning_rate * scale, self.epsilon * scale,
        )  # fmt: skip


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba 2015, algorithm 1).

    Args:
        beta1: decay of the running mean of g, in [0, 1).
        beta2: decay of the running mean of g^2, in [0, 1).
        epsilon: keeps the divisor from zero.
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        *,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, gradients, learning_rate=learning_rate)
        self.beta1, self.beta2 = _decay("beta1", beta1), _decay("beta2", beta2)
        self.epsilon = _positive("epsilon", epsilon)
        self._mean, self._square = self._moment("mean"), self._moment("square")

    def _update(self) -> None:
        np.multiply(self._mean, self.beta1, out=self._mean)
        np.add(self._mean, self.gradients, out=self._mean)
        _add_square(self._square, self.beta2, self.gradients, self._scratch)
        # m_hat = mean * mean_scale and sqrt(v_hat) = sqrt(square) / root_scale.
        mean_scale = (1.0 - self.beta1) / (1.0 - self.beta1**self.steps)
        root_scale = math.sqrt((1.0 - self.beta2**self.steps) / (1.0 - self.beta2))
        _descend(
            self.parameters, self._mean, self._square, self._scratch,
            self.learning_rate * mean_scale * root_scale, self.epsilon * root_scale,
        )  # fmt: skip


class AdamW(Adam):
    """Adam with weight decay that is not adapted: p <- (1 - lr decay) p first.

    Loshchilov and Hutter (2019), algorithm 2. It decays every parameter, biases too.

    Args:
        weight_decay: the decay, in units of 1 / learning_rate.
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        *,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(
            parameters, gradients,
            learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon,
        )  # fmt: skip
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, but is {weight_decay}")
        self.weight_decay = weight_decay

    def _update(self) -> None:
        kept = 1.0 - self.learning_rate * self.weight_decay
        np.multiply(self.parameters, kept, out=self.parameters)
        super()._update()


def _add_square(square: Array, decay: float, gradients: Array, scratch: Array) -> None:
    """square <- decay square + g^2."""
    np.multiply(square, decay, out=square)
    np.square(gradients, out=scratch)
    np.add(square, scratch, out=square)


def _descend(
    parameters: Array, direction: Array, square: Array, scratch: Array, rate: float, epsilon: float
) -> None:
    """p <- p - rate direction / (sqrt(square) + epsilon)."""
    np.sqrt(square, out=scratch)
    np.add(scratch, epsilon, out=scratch)
    np.divide(direction, scratch, out=scratch)
    np.multiply(scratch, rate, out=scratch)
    np.subtract(parameters, scratch, out=parameters)


def _decay(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must lie in [0, 1), not {value}")
    return value


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be greater than 0, not {value}")
    return value


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
    """Scales the gradients [P] in place to a norm of at most `limit` and returns their norm.

    Pascanu et al. (2013), algorithm 1. A norm that is not finite is returned as it is, and the
    gradients are left alone.
    """
    norm = math.sqrt(float(np.dot(gradients, gradients)))
    if limit < norm < math.inf:
        np.multiply(gradients, limit / norm, out=gradients)
    return norm
