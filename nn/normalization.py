"""Layer normalization."""

from __future__ import annotations

import numpy as np

from nn.layers import Layer, Pass
from nn.typing import Array


class LayerNormPass(Pass):
    """Rows and columns are spread out before they are used: broadcasting takes a hidden buffer."""

    def __init__(self, layer: LayerNorm, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        self._units, self._epsilon = layer.outputs, layer.epsilon
        self._gain, self._bias = layer.parameters[0][:, None], layer.parameters[1][:, None]
        self._dgain, self._dbias = layer.gradients
        self._normal, self._spread = np.empty_like(self._dx), np.empty_like(self._dx)
        self._row, self._inverse = np.empty_like(self._dx[0]), np.empty_like(self._dx[0])

    def forward(self, training: bool) -> None:
        normal = self._normal
        self._subtract_mean(self._x, out=normal)
        np.multiply(normal, normal, out=self._spread)
        self._mean(self._spread)
        np.add(self._row, self._epsilon, out=self._inverse)
        np.sqrt(self._inverse, out=self._inverse)
        np.divide(1.0, self._inverse, out=self._inverse)
        np.copyto(self._spread, self._inverse)
        np.multiply(normal, self._spread, out=normal)
        np.copyto(self._y, self._gain)
        np.multiply(normal, self._y, out=self._y)
        np.copyto(self._spread, self._bias)
        np.add(self._y, self._spread, out=self._y)

    def backward(self) -> None:
        # With n the normalized input and s = 1 / sqrt(var + epsilon),
        # dx = s (dn - mean(dn) - n mean(n dn)), dn = g dy.
        dy, dx, normal = self.doutput, self._dx, self._normal
        np.add.reduce(dy, axis=1, out=self._dbias)
        np.multiply(dy, normal, out=self._spread)
        np.add.reduce(self._spread, axis=1, out=self._dgain)
        np.copyto(self._spread, self._gain)
        np.multiply(dy, self._spread, out=dy)
        np.multiply(dy, normal, out=dx)
        self._mean(dx)
        np.copyto(self._spread, self._row)
        np.multiply(normal, self._spread, out=self._spread)
        self._subtract_mean(dy, out=dx)
        np.subtract(dx, self._spread, out=dx)
        np.copyto(self._spread, self._inverse)
        np.multiply(dx, self._spread, out=dx)

    def _mean(self, values: Array) -> None:
        """The mean over the features [B], into `_row`."""
        np.add.reduce(values, axis=0, out=self._row)
        np.multiply(self._row, 1.0 / self._units, out=self._row)

    def _subtract_mean(self, values: Array, out: Array) -> None:
        self._mean(values)
        np.copyto(out, self._row)
        np.subtract(values, out, out=out)


class LayerNorm(Layer):
    """y = g * (x - mean(x)) / sqrt(var(x) + epsilon) + b, over the features of each example.

    Ba, Kiros and Hinton (2016), eq. 4. The gain g, the first row of the parameters, begins at one,
    the bias b at zero.
    """

    passes = LayerNormPass

    def __init__(self, units: int, epsilon: float = 1e-5) -> None:
        super().__init__(units, units)
        self.size, self.epsilon = 2 * units, epsilon

    def initialize(self, rng: np.random.Generator) -> None:
        self.parameters[0], self.parameters[1] = 1.0, 0.0
