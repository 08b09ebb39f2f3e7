"""Cost functions: the value, and the gradient with respect to the prediction.

Both are averaged over the examples, which are the first axis: [B] or [B, n]. `gradient` writes
into the caller's array, and allocates nothing where that is laid out in memory as the prediction.
"""

from __future__ import annotations

import numpy as np

from nn.names import lookup
from nn.typing import Array


class Cost:
    """C(prediction, target), averaged over examples and summed over outputs."""

    def value(self, prediction: Array, target: Array) -> float:
        """The cost of predictions [B] or [B, n] against targets of the same shape."""
        raise NotImplementedError

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        """Writes dC/dprediction into `out`, of the prediction's shape, and returns the cost."""
        raise NotImplementedError


class Quadratic(Cost):
    """C = 1/2 sum (prediction - target)^2 / B."""

    def value(self, prediction: Array, target: Array) -> float:
        error = prediction - target
        return 0.5 * _dot(error, error) / len(prediction)

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        np.subtract(prediction, target, out=out)
        cost = 0.5 * _dot(out, out) / len(prediction)
        np.multiply(out, 1.0 / len(prediction), out=out)
        return cost


class Huber(Cost):
    """Quadratic up to an error of delta, linear beyond it (Huber 1964).

    C = 1/2 e^2 where |e| <= delta, else delta (|e| - delta / 2); its gradient is e clipped to
    +-delta, the "error clipping" of Mnih et al. (2015).

    Args:
        delta: the error, in units of the prediction, at which the cost turns linear.
    """

    def __init__(self, delta: float = 1.0) -> None:
        if not delta > 0:
            raise ValueError(f"delta must be greater than 0, not {delta}")
        self.delta = delta
        self._error = np.empty(0)  # kept for the next gradient of the same shape and layout

    def value(self, prediction: Array, target: Array) -> float:
        return self.gradient(prediction, target, np.empty_like(prediction))

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        alike = (self._error.shape, self._error.strides) == (out.shape, out.strides)
        if not alike or self._error.dtype != out.dtype:
            self._error = np.empty_like(out)
        error = self._error
        np.subtract(prediction, target, out=error)
        np.minimum(error, self.delta, out=out)  # np.clip takes four times as long
        np.maximum(out, -self.delta, out=out)
        # With c = clip(e), both branches are c (e - c / 2).
        cost = (_dot(out, error) - 0.5 * _dot(out, out)) / len(prediction)
        np.multiply(out, 1.0 / len(prediction), out=out)
        return cost


def _dot(one: Array, other: Array) -> float:
    """The sum of the products of two arrays laid out alike, in the order they lie in memory.

    `np.vdot` would first copy what does not lie row by row, such as a network's outputs.
    """
    return float(np.dot(one.ravel("K"), other.ravel("K")))


COSTS: dict[str, type[Cost]] = {"quadratic": Quadratic, "huber": Huber}


def make_cost(part: str | Cost) -> Cost:
    """A cost by name, or the object itself."""
    return part if isinstance(part, Cost) else lookup(COSTS, part, "cost")()
