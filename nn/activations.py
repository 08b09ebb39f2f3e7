"""Activation functions: the value in place, and the gradient in place from the value.

Arrays are [n, B]: features x examples, the engine's inner orientation (see `layers`). Each
derivative is written in terms of the function's value, so that the pre-activation need not be kept;
only SiLU, whose value does not determine its slope, stores the slope for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from nn.names import lookup
from nn.settings import BaseSettings, setting
from nn.typing import Array

_INTEGERS = {4: np.int32, 8: np.int64}  # of as many bytes as the floats
_CONSTANTS: WeakValueDictionary[Any, Array] = WeakValueDictionary()  # while a `Scratch` holds them


class Scratch:
    """Memory for intermediate values, so that an activation allocates nothing.

    Args:
        a: the array [n, B] that the activation works on.
        keeps_slope: whether `slope` must last from forward to backward.
    """

    def __init__(self, a: Array, keeps_slope: bool = False) -> None:
        self.values = np.empty_like(a)  # [n, B]
        self.row = np.empty_like(a[0])  # [B]
        self.slope = np.empty_like(a) if keeps_slope else self.values  # [n, B]
        self.bits = self.values.view(_INTEGERS[a.itemsize])  # the values, read as integers
        self.zeros = _constant(0, a.shape, a.dtype)
        self.ones = _constant(1, a.shape, self.bits.dtype)


def _constant(value: int, shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of one value, read only; those of a size share it, so that it stays in the cache."""
    found = _CONSTANTS.get((value, shape, dtype))
    if found is None:
        found = _CONSTANTS[value, shape, dtype] = np.full(shape, value, dtype)
        found.flags.writeable = False
    return found


class Activation:
    """a = f(z), elementwise or along the features."""

    keeps_slope = False  # whether `forward` leaves f'(z) in `scratch.slope`

    def forward(self, z: Array, scratch: Scratch) -> None:
        """Replaces z [n, B] by f(z)."""
        raise NotImplementedError

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        """Replaces dC/da [n, B] by dC/dz, given a = f(z)."""
        raise NotImplementedError


class Identity(Activation):
    """f(z) = z."""

    def forward(self, z: Array, scratch: Scratch) -> None:
        pass

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        pass


def sigmoid(z: Array, out: Array) -> None:
    """Writes 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2, which cannot overflow, into `out`."""
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)); f' = f (1 - f)."""

    def forward(self, z: Array, scratch: Scratch) -> None:
        sigmoid(z, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        slope = scratch.values
        np.subtract(1.0, a, out=slope)
        np.multiply(slope, a, out=slope)
        np.multiply(gradient, slope, out=gradient)


class Tanh(Activation):
    """f(z) = tanh(z); f' = 1 - f^2."""

    def forward(self, z: Array, scratch: Scratch) -> None:
        np.tanh(z, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        slope = scratch.values
        np.multiply(a, a, out=slope)
        np.subtract(1.0, slope, out=slope)
        np.multiply(gradient, slope, out=gradient)


class ReLU(Activation):
    """f(z) = max(z, 0); f' = 1 where z > 0, else 0 (Nair and Hinton 2010)."""

    def forward(self, z: Array, scratch: Scratch) -> None:
        np.maximum(z, scratch.zeros, out=z)  # the number 0 takes three times as long

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        # The bits of a >= 0, read as an integer, are at least 1 where a > 0, so the lesser of them
        # and 1 is f', and its product with the gradient's bits is the gradient or 0. A mask of
        # booleans would be cast to floats, through a buffer, for the product.
        keep = scratch.bits
        np.minimum(a.view(keep.dtype), scratch.ones, out=keep)
        slope = gradient.view(keep.dtype)
        np.multiply(slope, keep, out=slope)


@dataclass(frozen=True)
class LeakyReLU(BaseSettings, Activation):
    """f(z) = z where z > 0, else slope * z (Maas et al. 2013)."""

    slope: float = setting("factor of negative z", 0.1, above=0, below=1)

    def forward(self, z: Array, scratch: Scratch) -> None:
        np.multiply(z, self.slope, out=scratch.values)
        np.maximum(z, scratch.values, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        # sign(a) (1 - slope) / 2 + (1 + slope) / 2 is 1 where z > 0 and slope where z < 0.
        np.sign(a, out=scratch.values)
        np.multiply(scratch.values, 0.5 * (1.0 - self.slope), out=scratch.values)
        np.add(scratch.values, 0.5 * (1.0 + self.slope), out=scratch.values)
        np.multiply(gradient, scratch.values, out=gradient)


class ELU(Activation):
    """f(z) = z where z > 0, else exp(z) - 1; f' = min(f, 0) + 1 (Clevert et al. 2016, alpha 1)."""

    def forward(self, z: Array, scratch: Scratch) -> None:
        np.minimum(z, scratch.zeros, out=scratch.values)
        np.expm1(scratch.values, out=scratch.values)
        np.maximum(z, scratch.zeros, out=z)
        np.add(z, scratch.values, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        slope = scratch.values
        np.minimum(a, scratch.zeros, out=slope)
        np.add(slope, 1.0, out=slope)
        np.multiply(gradient, slope, out=gradient)


class Softplus(Activation):
    """f(z) = ln(1 + exp(z)) = max(z, 0) + ln(1 + exp(-|z|)), which cannot overflow.

    f' = 1 - exp(-f), the sigmoid (Dugas et al. 2001).
    """

    def forward(self, z: Array, scratch: Scratch) -> None:
        tail = scratch.values
        np.abs(z, out=tail)
        np.negative(tail, out=tail)
        np.exp(tail, out=tail)
        np.log1p(tail, out=tail)
        np.maximum(z, scratch.zeros, out=z)
        np.add(z, tail, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        slope = scratch.values
        np.negative(a, out=slope)
        np.expm1(slope, out=slope)
        np.negative(slope, out=slope)
        np.multiply(gradient, slope, out=gradient)


class SiLU(Activation):
    """f(z) = z s(z), with s the sigmoid; f' = s + f (1 - s) (Elfwing et al. 2018)."""

    keeps_slope = True

    def forward(self, z: Array, scratch: Scratch) -> None:
        s, slope = scratch.values, scratch.slope
        sigmoid(z, out=s)
        np.multiply(z, s, out=z)
        np.subtract(1.0, s, out=slope)
        np.multiply(slope, z, out=slope)
        np.add(slope, s, out=slope)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        np.multiply(gradient, scratch.slope, out=gradient)


class Softmax(Activation):
    """f(z)_i = exp(z_i) / sum_j exp(z_j), along the features, shifted by max(z) for safety.

    The gradient is f_i (g_i - sum_j f_j g_j).
    """

    def forward(self, z: Array, scratch: Scratch) -> None:
        # The row is copied to all rows first: broadcasting would allocate a hidden buffer.
        np.max(z, axis=0, out=scratch.row)
        np.copyto(scratch.values, scratch.row)
        with np.errstate(over="ignore"):  # the difference of two floats may overflow
            np.subtract(z, scratch.values, out=z)
        np.exp(z, out=z)
        np.sum(z, axis=0, out=scratch.row)
        np.copyto(scratch.values, scratch.row)
        np.divide(z, scratch.values, out=z)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        np.multiply(a, gradient, out=scratch.values)
        np.sum(scratch.values, axis=0, out=scratch.row)
        np.copyto(scratch.values, scratch.row)
        np.subtract(gradient, scratch.values, out=gradient)
        np.multiply(gradient, a, out=gradient)


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "softplus": Softplus,
    "silu": SiLU,
    "softmax": Softmax,
}


def make_activation(part: str | Activation) -> Activation:
    """An activation by name, or the object itself."""
    return part if isinstance(part, Activation) else lookup(ACTIVATIONS, part, "activation")()
