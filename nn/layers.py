"""The dense layer: its parameters, and its two passes for one batch size.

Inside the engine an array of B examples is [n, B], features x examples, and carries one more row
of ones. The bias is then the weight of an input that is always one: with P = [W; b] of shape
[n_in + 1, n_out] and X of shape [n_in + 1, B],

    forward     Z  = P^T X          A = f(Z)
    backward    dP = X dZ^T         dX = W dZ        dZ = f'(Z) * dA

are one matrix product each, where the textbook's form needs a further pass for the biases both
ways. Every array above is contiguous, which is what BLAS likes best.
"""

from __future__ import annotations

import numpy as np

from nn.activations import Activation, Scratch
from nn.initializers import Initializer
from nn.typing import Array


class Dense:
    """a = f(W^T x + b), its parameters a view into the network's flat vector."""

    def __init__(
        self, inputs: int, outputs: int, activation: Activation, keeps_z: bool = False
    ) -> None:
        self.inputs, self.outputs, self.activation = inputs, outputs, activation
        self.keeps_z = keeps_z  # whether z is there after f has been applied
        self.size = (inputs + 1) * outputs
        self.parameters: Array  # [inputs + 1, outputs]: W above b
        self.gradients: Array  # likewise

    def bind(self, parameters: Array, gradients: Array) -> None:
        """Takes its place in the network's flat vectors: both of length `size`."""
        self.parameters = parameters.reshape(self.inputs + 1, self.outputs)
        self.gradients = gradients.reshape(self.inputs + 1, self.outputs)

    def initialize(self, initializer: Initializer, rng: np.random.Generator) -> None:
        """Draws the weights; the biases start at zero."""
        self.weights[:] = initializer(self.inputs, self.outputs, rng)
        self.biases[:] = 0.0

    @property
    def weights(self) -> Array:
        """W [inputs, outputs], a view."""
        return self.parameters[:-1]

    @property
    def biases(self) -> Array:
        """b [outputs], a view."""
        return self.parameters[-1]


class DensePass:
    """The arrays of one dense layer for one batch size, and its two passes over them.

    Args:
        layer: the layer whose parameters are used.
        x: its input [inputs + 1, B], the last row ones; overwritten by whoever feeds it.
        dx: where `backward` writes dC/dx [inputs, B], or None if nobody needs it.
    """

    def __init__(self, layer: Dense, x: Array, dx: Array | None) -> None:
        batch = x.shape[1]
        self.output = np.ones((layer.outputs + 1, batch), x.dtype)
        self.a = self.output[:-1]
        self.da = np.zeros((layer.outputs, batch), x.dtype)
        values = np.empty_like(self.a)
        slope = np.empty_like(self.a) if layer.activation.keeps_slope else values
        self._scratch = Scratch(values, np.empty(batch, x.dtype), slope)
        self.z = np.empty_like(self.a) if layer.keeps_z else self.a
        self._x, self._dx = x, dx
        self._activation = layer.activation
        # Views are made once: taking one costs as much as a small matrix product.
        self._parameters_t = layer.parameters.T
        self._weights, self._gradients = layer.weights, layer.gradients
        self._da_t = self.da.T

    def forward(self) -> None:
        """From x to a."""
        np.matmul(self._parameters_t, self._x, out=self.z)
        if self.z is not self.a:
            np.copyto(self.a, self.z)
        self._activation.forward(self.a, self._scratch)

    def backward(self, straight: bool = False) -> None:
        """From da, which it overwrites, to the layer's gradients and dx.

        Args:
            straight: `da` holds the gradient of the pre-activation already.
        """
        if not straight:
            self._activation.backward(self.a, self.da, self._scratch)
        np.matmul(self._x, self._da_t, out=self._gradients)
        if self._dx is not None:
            np.matmul(self._weights, self.da, out=self._dx)
