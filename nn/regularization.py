"""Regularization: penalties, the max-norm constraint and dropout."""

from __future__ import annotations

import numpy as np

from nn.layers import Layer, Pass
from nn.typing import Array


class Penalty:
    """C = l1 / n sum |w| + l2 / (2 n) sum w^2, over the weights w of n examples' network.

    Args:
        is_weight: [P], 1 for each weight and 0 for any other parameter.
        examples: n.
        l1: lmda of the sum of magnitudes (Tibshirani 1996).
        l2: lmda of the sum of squares, "weight decay" (Krogh and Hertz 1992).

    Raises:
        ValueError: one of them is negative.
    """

    def __init__(self, is_weight: Array, examples: int, l1: float, l2: float) -> None:
        for name, value in (("l1", l1), ("l2", l2)):
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, but is {value}")
        self._l1, self._l2 = l1 / examples, l2 / examples
        self._is_weight = is_weight
        self._scratch = np.empty_like(is_weight)

    def value(self, parameters: Array) -> float:
        """The penalty of parameters [P]."""
        cost = 0.0
        weights = np.multiply(parameters, self._is_weight, out=self._scratch)
        if self._l2:
            cost += 0.5 * self._l2 * float(np.dot(weights, weights))
        if self._l1:
            cost += self._l1 * float(np.abs(weights, out=weights).sum())
        return cost

    def add_gradient(self, parameters: Array, gradients: Array) -> None:
        """Adds dC/dparameters [P] to `gradients` [P]; |w| has slope 0 at 0."""
        for rate, slope in ((self._l2, np.positive), (self._l1, np.sign)):
            if rate:
                slope(parameters, out=self._scratch)
                np.multiply(self._scratch, self._is_weight, out=self._scratch)
                np.multiply(self._scratch, rate, out=self._scratch)
                np.add(gradients, self._scratch, out=gradients)


def limit_norms(weights: Array, limit: float) -> None:
    """Scales each unit's incoming weights, a column of [n_in, n_out], to a norm of at most `limit`.

    The max-norm constraint of Srebro and Shraibman (2005), as in Srivastava et al. (2014).
    """
    norms = np.sqrt(np.einsum("ij,ij->j", weights, weights))
    weights *= limit / np.maximum(norms, limit)


class DropoutPass(Pass):
    def __init__(self, layer: Dropout, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        self._layer, self._mask = layer, np.empty_like(self._dx)
        self._dropped = False  # whether the latest forward pass was in training

    def forward(self, training: bool) -> None:
        self._dropped = training
        if not training:
            np.copyto(self._y, self._x)
            return
        mask, rate = self._mask, self._layer.rate
        self._layer.rng.random(dtype=mask.dtype.type, out=mask)
        np.subtract(mask, rate, out=mask)
        np.ceil(mask, out=mask)  # 1 where the draw is above the rate, else 0
        np.multiply(mask, 1.0 / (1.0 - rate), out=mask)
        np.multiply(self._x, mask, out=self._y)

    def backward(self) -> None:
        if self._dropped:
            np.multiply(self.doutput, self._mask, out=self._dx)
        else:
            np.copyto(self._dx, self.doutput)


class Dropout(Layer):
    """In training, each feature is 0 with probability `rate` and else divided by 1 - rate.

    Srivastava et al. (2014), in the inverted form, which leaves prediction as it is.

    Args:
        units: inputs and outputs.
        rate: in [0, 1).
        rng: draws the features to drop.
    """

    passes = DropoutPass

    def __init__(self, units: int, rate: float, rng: np.random.Generator) -> None:
        super().__init__(units, units)
        if isinstance(rate, str) or not 0 <= rate < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {rate}")
        self.rate, self.rng = rate, rng
