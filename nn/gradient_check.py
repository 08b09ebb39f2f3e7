"""Backpropagation against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn.supervised import Supervised
from nn.typing import Array


def numerical_gradient(
    function: Callable[[], float], parameters: Array, step: float = 1e-6
) -> Array:
    """dfunction/dparameters [P] by (f(p + h) - f(p - h)) / 2h; `parameters` are restored."""
    gradient = np.empty_like(parameters)
    for i in range(parameters.size):
        kept = parameters[i]
        parameters[i] = kept + step
        above = function()
        parameters[i] = kept - step
        gradient[i] = (above - function()) / (2 * step)
        parameters[i] = kept
    return gradient


def relative_error(one: Array, other: Array) -> float:
    """|one - other| / (|one| + |other|) of two vectors; 0 where both are zero."""
    scale = np.linalg.norm(one) + np.linalg.norm(other)
    return float(np.linalg.norm(one - other) / scale) if scale else 0.0


def gradient_error(
    net: Supervised, x: Array, y: Array, l2: float = 0.0, *, l1: float = 0.0
) -> float:
    """The relative error of a float64 network's backpropagated gradient of its cost in training.

    Dropout drops the same units each time that the cost is computed.

    Args:
        net: in float64, since float32 has too few digits.
        x: inputs [B, n_in].
        y: targets [B, n_out].
        l2: penalty on the weights, as for `cost`.
        l1: likewise.

    Raises:
        ValueError: the network is not in float64.
    """
    if net.parameters.dtype != np.float64:
        raise ValueError("a gradient check needs a network of dtype float64")
    drawn = net.rng.bit_generator.state

    def cost() -> float:
        net.rng.bit_generator.state = drawn
        return net.cost(x, y, l2, l1=l1, training=True)

    net.backprop(x, y, l2, l1=l1)
    analytic = net.gradients.copy()
    return relative_error(analytic, numerical_gradient(cost, net.parameters))
