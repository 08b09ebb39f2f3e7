"""Initial weights by name. Each takes the two sizes of a layer and a generator.

A weight matrix is [fan_in, fan_out], a vector of biases [fan_out].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nn.names import lookup
from nn.typing import Array

Initializer = Callable[[int, int, np.random.Generator], Array]


def glorot(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def he(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Normal with variance 2 / fan_in, which suits ReLU (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out))


def lecun(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Normal with variance 1 / fan_in (LeCun et al. 1998, section 4.6)."""
    return rng.normal(0.0, np.sqrt(1.0 / fan_in), (fan_in, fan_out))


def uniform(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on +-1 / sqrt(fan_in) (Glorot and Bengio 2010, eq. 1, "the commonly used")."""
    limit = np.sqrt(1.0 / fan_in)
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def normal(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Standard normal divided by fan_out, for shallow networks."""
    return rng.standard_normal((fan_in, fan_out)) / fan_out


def orthogonal(fan_in: int, fan_out: int, rng: np.random.Generator, gain: float = 1.0) -> Array:
    """Orthonormal rows or columns, whichever are fewer, times `gain` (Saxe et al. 2014).

    From the QR decomposition of a normal matrix; fixing the signs of R's diagonal makes it uniform
    over all such matrices (Mezzadri 2007). Another gain is `functools.partial(orthogonal, gain=2)`.
    """
    tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(tall)
    q *= gain * np.sign(np.diagonal(r))
    return q if fan_in >= fan_out else q.T


def zero_biases(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """All zero."""
    return np.zeros(fan_out)


def normal_biases(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Standard normal: spreads the units' thresholds, for shallow networks."""
    return rng.standard_normal(fan_out)


def uniform_biases(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on +-1 / sqrt(fan_in), as the weights of `uniform`."""
    limit = np.sqrt(1.0 / fan_in)
    return rng.uniform(-limit, limit, fan_out)


def unit_biases(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on [-1, 1], whatever the size of the layer."""
    return rng.uniform(-1.0, 1.0, fan_out)


INITIALIZERS: dict[str, Initializer] = {
    "glorot": glorot,
    "he": he,
    "lecun": lecun,
    "uniform": uniform,
    "normal": normal,
    "orthogonal": orthogonal,
}

BIAS_INITIALIZERS: dict[str, Initializer] = {
    "zero": zero_biases,
    "normal": normal_biases,
    "uniform": uniform_biases,
    "unit": unit_biases,
}


def make_initializer(
    part: str | Initializer, table: Mapping[str, Initializer] = INITIALIZERS
) -> Initializer:
    """An initializer by name, or the function itself."""
    return part if callable(part) else lookup(table, part, "initializer")
