"""The layers: their parameters, and their two passes for one batch size.

Inside the engine an array of B examples is [n, B], features x examples, and carries one more row
of ones. The bias is then the weight of an input that is always one: with P = [W; b] of shape
[n_in + 1, n_out] and X of shape [n_in + 1, B],

    forward     Z  = P^T X          A = f(Z)
    backward    dP = X dZ^T         dX = W dZ        dZ = f'(Z) * dA

are one matrix product each, where the textbook's form needs a further pass for the biases both
ways. Every array above is contiguous, which is what BLAS likes best.

A layer holds the parameters and knows no batch; `Layer.at` makes its `Pass` over the arrays of one
batch size, which are allocated once.
"""

from __future__ import annotations

import numpy as np

from nn.activations import Activation, Scratch
from nn.initializers import Initializer
from nn.typing import Array


class Pass:
    """The two passes of one layer over the arrays of one batch size.

    Attributes:
        output: what the layer makes of its input [outputs + 1, B], the last row ones.
        doutput: where dC/doutput [outputs, B] is put; `backward` may overwrite it.
    """

    output: Array
    doutput: Array

    def forward(self, training: bool) -> None:
        """From the input to `output`."""
        raise NotImplementedError

    def backward(self) -> None:
        """From `doutput` to the layer's gradients, and to its input's."""
        raise NotImplementedError

    def backward_to_input(self) -> Array:
        """From `doutput` to the input's gradient [inputs, B], which is returned."""
        raise NotImplementedError


class Layer:
    """A function of `inputs` features to `outputs` features.

    Attributes:
        size: how many parameters it has.
        weight_size: how many of those, the first ones, are weights that a penalty applies to.
    """

    size = 0
    weight_size = 0
    parameters: Array  # of shape [rows, outputs], the last row a bias; if there are any
    gradients: Array  # likewise

    def __init__(self, inputs: int, outputs: int) -> None:
        self.inputs, self.outputs = inputs, outputs

    def bind(self, parameters: Array, gradients: Array) -> None:
        """Takes its place in the network's flat vectors: both of length `size`."""

    def initialize(self, rng: np.random.Generator) -> None:
        """Draws the parameters."""

    def at(self, x: Array, dx: Array | None) -> Pass:
        """The pass over an input x [inputs + 1, B].

        Args:
            x: its last row is ones; overwritten by whoever feeds it.
            dx: where `backward` writes dC/dx [inputs, B], or None if nobody needs it.
        """
        raise NotImplementedError


class Dense(Layer):
    """z = W^T x + b, its parameters W [inputs, outputs] above b [outputs].

    Args:
        initializer: of W.
        bias_initializer: of b.
    """

    def __init__(
        self, inputs: int, outputs: int, initializer: Initializer, bias_initializer: Initializer
    ) -> None:
        super().__init__(inputs, outputs)
        self.size = (inputs + 1) * outputs
        self.weight_size = inputs * outputs
        self._initializer, self._bias_initializer = initializer, bias_initializer

    def bind(self, parameters: Array, gradients: Array) -> None:
        self.parameters = parameters.reshape(self.inputs + 1, self.outputs)
        self.gradients = gradients.reshape(self.inputs + 1, self.outputs)

    def initialize(self, rng: np.random.Generator) -> None:
        self.weights[:] = self._initializer(self.inputs, self.outputs, rng)
        self.biases[:] = self._bias_initializer(self.inputs, self.outputs, rng)

    @property
    def weights(self) -> Array:
        """W [inputs, outputs], a view."""
        return self.parameters[:-1]

    @property
    def biases(self) -> Array:
        """b [outputs], a view."""
        return self.parameters[-1]

    def at(self, x: Array, dx: Array | None) -> Pass:
        return DensePass(self, x, dx)


class DensePass(Pass):
    def __init__(self, layer: Dense, x: Array, dx: Array | None) -> None:
        self.output, self.doutput = output_arrays(layer.outputs, x)
        self._x, self._dx, self._input_gradient = x, dx, dx
        # Views are made once: taking one costs as much as a small matrix product.
        self._z, self._dz_t = self.output[:-1], self.doutput.T
        self._parameters_t, self._weights = layer.parameters.T, layer.weights
        self._gradients = layer.gradients

    def forward(self, training: bool) -> None:
        np.matmul(self._parameters_t, self._x, out=self._z)

    def backward(self) -> None:
        np.matmul(self._x, self._dz_t, out=self._gradients)
        if self._dx is not None:
            np.matmul(self._weights, self.doutput, out=self._dx)

    def backward_to_input(self) -> Array:
        if self._input_gradient is None:  # only now and then is a first layer's wanted
            self._input_gradient = np.empty_like(self._x[:-1])
        return np.matmul(self._weights, self.doutput, out=self._input_gradient)


class Activate(Layer):
    """a = f(z).

    Args:
        units: inputs and outputs.
        activation: f.
        keeps_z: whether z is still there when a has been computed; otherwise a takes its place.
    """

    def __init__(self, units: int, activation: Activation, keeps_z: bool = False) -> None:
        super().__init__(units, units)
        self.activation, self.keeps_z = activation, keeps_z

    def at(self, x: Array, dx: Array | None) -> Pass:
        assert dx is not None, "an activation is no first layer"
        return ActivatePass(self, x, dx)


class ActivatePass(Pass):
    def __init__(self, layer: Activate, z: Array, dz: Array) -> None:
        self.output, self.doutput = output_arrays(layer.outputs, z) if layer.keeps_z else (z, dz)
        self._activation = layer.activation
        self._z, self._dz, self._a = z[:-1], dz, self.output[:-1]
        self._moves = layer.keeps_z
        self._scratch = Scratch(self._a, layer.activation.keeps_slope)

    def forward(self, training: bool) -> None:
        if self._moves:
            np.copyto(self._a, self._z)
        self._activation.forward(self._a, self._scratch)

    def backward(self) -> None:
        self._activation.backward(self._a, self.doutput, self._scratch)
        if self._moves:
            np.copyto(self._dz, self.doutput)

    def backward_to_input(self) -> Array:
        self.backward()
        return self._dz


def output_arrays(units: int, x: Array) -> tuple[Array, Array]:
    """An output [units + 1, B], all ones, and its gradient [units, B] for an input x [n, B]."""
    return np.ones((units + 1, x.shape[1]), x.dtype), np.zeros((units, x.shape[1]), x.dtype)
