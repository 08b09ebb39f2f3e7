"""Normalization: of each example over its features, and of each feature over the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.layers import Layer, Pass
from nn.settings import BaseSettings, setting
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


class BatchRenormPass(Pass):
    """With n the normalized input, y = g (r n + d) + b; the statistics are columns, [n, 1]."""

    def __init__(self, layer: BatchRenorm, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        self._layer, self._share = layer, 1.0 / x.shape[1]
        self._normal, self._spread = np.empty_like(self._dx), np.empty_like(self._dx)
        self._trains = False  # whether the latest forward pass was in training
        self._r: Any = 1.0
        self._d: Any = 0.0

    def forward(self, training: bool) -> None:
        self._trains = training
        mean, std = self._measure() if training else self._layer.statistics[:2]
        # r and d are constants to `backward`.
        self._r, self._d = self._layer.correction(mean, std) if training else (1.0, 0.0)
        self._inverse = 1.0 / std
        self._combine(np.subtract, self._x, mean, out=self._normal)
        self._combine(np.multiply, self._normal, self._inverse, out=self._normal)
        gain, bias = self._layer.parameters
        self._combine(np.multiply, self._normal, gain * self._r, out=self._y)
        self._combine(np.add, self._y, gain * self._d + bias, out=self._y)
        if training:
            self._layer.follow(mean, std)

    def _measure(self) -> tuple[Array, Array]:
        """The batch's mean and standard deviation of each feature [n]."""
        mean = np.add.reduce(self._x, axis=1) * self._share
        self._combine(np.subtract, self._x, mean, out=self._normal)
        np.multiply(self._normal, self._normal, out=self._spread)
        variance = np.add.reduce(self._spread, axis=1) * self._share
        return mean, np.sqrt(variance + self._layer.settings.epsilon)

    def backward(self) -> None:
        # dx = g r / std (dy - mean(dy) - n mean(n dy)) in training, where the batch's statistics
        # depend on x; dg = sum (r n + d) dy.
        dy, dx, normal = self.doutput, self._dx, self._normal
        dgain, dbias = self._layer.gradients
        np.add.reduce(dy, axis=1, out=dbias)
        np.multiply(dy, normal, out=self._spread)
        along = np.add.reduce(self._spread, axis=1)
        np.copyto(dgain, self._r * along + self._d * dbias)
        if self._trains:
            self._combine(np.multiply, normal, along * self._share, out=dx)
            np.subtract(dy, dx, out=dx)
            self._combine(np.subtract, dx, dbias * self._share, out=dx)
        else:
            np.copyto(dx, dy)
        slope = self._layer.parameters[0] * self._r * self._inverse
        self._combine(np.multiply, dx, slope, out=dx)

    def _combine(self, operation: np.ufunc, values: Array, column: Array, out: Array) -> None:
        """`operation` of values [n, B] and a number for each feature [n]."""
        np.copyto(self._spread, column[:, None])
        operation(values, self._spread, out=out)


class BatchRenorm(Layer):
    """Batch renormalization (Ioffe 2017), as CrossQ uses it (Bhatt et al. 2024).

        training    y = g ((x - mean_B) / std_B r + d) + b
                    r = clip(std_B / std, 1 / r_max, r_max)
                    d = clip((mean_B - mean) / std, -d_max, d_max)
        evaluation  y = g (x - mean) / std + b

    over the examples of a batch B, for each feature; mean and std are running averages. So, unless
    r or d is cut, training computes what evaluation does, and its gradient is still that of batch
    normalization: r and d count as constants in it. In the first `warmup` training passes, while
    the averages are young, r is 1 and d is 0, which is batch normalization (Ioffe and Szegedy
    2015). The gain g, the first row of the parameters, begins at one, the bias b at zero.

    Args:
        units: inputs and outputs.
        settings: of the class's own `Settings`.

    Attributes:
        statistics: the running mean, the running std, and the number of training passes behind
            them [3, units], a view of the network's vector.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those of `BatchRenorm`."""

        momentum: float = setting(
            "share of the running averages that a training pass keeps", 0.99, least=0, most=1
        )
        r_max: float = setting("keeps r in [1 / r_max, r_max]", 3.0, least=1)
        d_max: float = setting("keeps d in [-d_max, d_max]", 5.0, least=0)
        warmup: int = setting("training passes without r and d", 100_000, least=0)
        epsilon: float = setting("added to the variance of a batch", 1e-3, least=0)

    passes = BatchRenormPass

    def __init__(self, units: int, settings: Settings | None = None) -> None:
        super().__init__(units, units)
        self.size, self.statistics_size = 2 * units, 3 * units
        self.settings = settings or self.Settings()

    def initialize(self, rng: np.random.Generator) -> None:
        self.parameters[0], self.parameters[1] = 1.0, 0.0
        self.statistics[0], self.statistics[1], self.statistics[2] = 0.0, 1.0, 0.0

    def correction(self, mean: Array, std: Array) -> tuple[Any, Any]:
        """r and d of a batch with this mean and standard deviation [n]."""
        running_mean, running_std, passes = self.statistics
        if passes[0] < self.settings.warmup:
            return 1.0, 0.0
        r_max, d_max = self.settings.r_max, self.settings.d_max
        return (
            np.clip(std / running_std, 1.0 / r_max, r_max),
            np.clip((mean - running_mean) / running_std, -d_max, d_max),
        )

    def follow(self, mean: Array, std: Array) -> None:
        """Moves the running averages towards a batch's mean and standard deviation [n]."""
        for running, latest in zip(self.statistics[:2], (mean, std), strict=True):
            running += (1.0 - self.settings.momentum) * (latest - running)
        self.statistics[2] += 1

    def affine(self) -> tuple[Array, Array]:
        """The evaluation as one scale and one shift of each feature, each [n]."""
        (gain, bias), (mean, std, _) = self.parameters, self.statistics
        return gain / std, bias - gain * mean / std
