"""Cost functions: the value, and the gradient with respect to the prediction.

Both are averaged over the examples, which are the first axis: [B] or [B, n]. `gradient` writes
into the caller's array and allocates nothing if that has the memory layout of the prediction.

Cross-entropy and log-likelihood are made for one output activation each, and are computed from its
input z rather than from its value: this avoids the logarithm of a value rounded to 0 and the
division by a slope of nearly 0. Their prediction is z, and their gradient is with respect to z.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from nn.activations import Activation, Sigmoid, Softmax, sigmoid
from nn.names import lookup
from nn.settings import BaseSettings, setting
from nn.typing import Array

_ROUNDING = 1e-4  # tolerance of the sum of an example's probabilities


class Cost:
    """C(prediction, target), averaged over examples and summed over outputs.

    `made_for` is the output activation whose input is the prediction; None if the prediction is
    the output itself, and any output activation fits.
    """

    made_for: type[Activation] | None = None

    @functools.cached_property
    def _kept(self) -> dict[str, Array]:
        return {}

    def _like(self, array: Array, name: str = "work") -> Array:
        """A work array with the layout of `array`, kept for the next call."""
        kept, layout = self._kept.get(name), (array.shape, array.strides, array.dtype)
        if kept is None or (kept.shape, kept.strides, kept.dtype) != layout:
            self._kept[name] = kept = np.empty_like(array)
        return kept

    def require_output(self, output: Activation) -> None:
        """Refuses an output activation that does not fit this cost.

        Raises:
            ValueError: the message names the one that does.
        """
        if self.made_for is not None and not isinstance(output, self.made_for):
            raise ValueError(
                f"the cost {type(self).__name__} goes with the output {self.made_for.__name__}, "
                f"not with {type(output).__name__}; Quadratic and Huber go with any output"
            )

    def require_targets(self, targets: Array) -> None:
        """Refuses targets [B, n] that do not fit this cost.

        Raises:
            ValueError: the message names the first.
        """

    def value(self, prediction: Array, target: Array) -> float:
        """The cost of predictions [B] or [B, n] against targets of the same shape."""
        return self.gradient(prediction, target, np.empty_like(prediction))

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        """Writes the gradient into `out`, of the prediction's shape, and returns the cost."""
        raise NotImplementedError


class Quadratic(Cost):
    """C = 1/2 sum (prediction - target)^2 / B."""

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        np.subtract(prediction, target, out=out)
        cost = 0.5 * _dot(out, out) / len(prediction)
        np.multiply(out, 1.0 / len(prediction), out=out)
        return cost


@dataclass(frozen=True)
class Huber(BaseSettings, Cost):
    """Quadratic up to an error of delta, linear beyond it (Huber 1964).

    C = 1/2 e^2 where |e| <= delta, else delta (|e| - delta / 2); its gradient is e clipped to
    +-delta, the "error clipping" of Mnih et al. (2015).
    """

    delta: float = setting("error at which the cost turns linear", 1.0, above=0)

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        error = self._like(out)
        np.subtract(prediction, target, out=error)
        np.minimum(error, self.delta, out=out)  # np.clip takes four times as long
        np.maximum(out, -self.delta, out=out)
        # With c = clip(e), both branches are c (e - c / 2).
        cost = (_dot(out, error) - 0.5 * _dot(out, out)) / len(prediction)
        np.multiply(out, 1.0 / len(prediction), out=out)
        return cost


class CrossEntropy(Cost):
    """C = -sum (y ln p + (1 - y) ln(1 - p)) / B, with p = sigmoid(z) and targets y in [0, 1].

    From z: sum (ln(1 + exp(z)) - y z) / B, and dC/dz = (p - y) / B (Bishop 2006, section 4.3.2).
    """

    made_for = Sigmoid

    def require_targets(self, targets: Array) -> None:
        _refuse(targets, (targets < 0) | (targets > 1), "lie in [0, 1]")

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        work = self._like(prediction)
        np.logaddexp(prediction, 0.0, out=work)
        total = _sum(work)
        np.multiply(prediction, target, out=work)
        sigmoid(prediction, out=out)
        np.subtract(out, target, out=out)
        np.multiply(out, 1.0 / len(prediction), out=out)
        return (total - _sum(work)) / len(prediction)


class LogLikelihood(Cost):
    """C = -sum y ln p / B, with p = softmax(z) and targets y of each example that sum to 1.

    From z: sum (ln sum_j exp(z_j) - sum_i y_i z_i) / B, and dC/dz = (p - y) / B (Bishop 2006,
    section 4.3.4).
    """

    made_for = Softmax

    def require_targets(self, targets: Array) -> None:
        _refuse(targets, targets < 0, "not be negative")
        sums = targets.sum(axis=1)
        if (wrong := np.abs(sums - 1) > _ROUNDING).any():
            row = int(wrong.argmax())
            raise ValueError(
                f"y[{row}] sums to {sums[row]:g}; with LogLikelihood, the probabilities of an "
                "example's classes must sum to 1"
            )

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        shifted, spread = self._like(prediction, "shifted"), self._like(prediction, "spread")
        row = self._like(prediction[:, 0], "row")
        np.maximum.reduce(prediction, axis=1, out=row)
        np.copyto(spread, row[:, None])
        with np.errstate(over="ignore"):  # the difference of two floats may overflow
            np.subtract(prediction, spread, out=shifted)  # the largest is 0: exp cannot overflow
        np.maximum(shifted, np.finfo(shifted.dtype).min, out=shifted)  # -inf * 0 would be nan
        np.exp(shifted, out=out)
        np.add.reduce(out, axis=1, out=row)
        np.copyto(spread, row[:, None])
        np.divide(out, spread, out=out)
        np.subtract(out, target, out=out)
        np.multiply(out, 1.0 / len(prediction), out=out)
        np.log(row, out=row)
        np.multiply(shifted, target, out=shifted)
        return (_sum(row) - _sum(shifted)) / len(prediction)


def _refuse(targets: Array, wrong: Array, what: str) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        value = targets[row, column]
        raise ValueError(f"y[{row}, {column}] is {value:g}; with this cost it must {what}")


def _sum(array: Array) -> float:
    return float(np.add.reduce(array, axis=None))


def _dot(one: Array, other: Array) -> float:
    """The sum of the products of two arrays of the same layout, in the order of memory.

    `np.vdot` would first copy an array that is not C-contiguous, such as a network's outputs.
    """
    return float(np.dot(one.ravel("K"), other.ravel("K")))


COSTS: dict[str, type[Cost]] = {
    "quadratic": Quadratic,
    "huber": Huber,
    "cross_entropy": CrossEntropy,
    "log_likelihood": LogLikelihood,
}


def make_cost(part: str | Cost) -> Cost:
    """A cost by name, or the object itself."""
    return part if isinstance(part, Cost) else lookup(COSTS, part, "cost")()
