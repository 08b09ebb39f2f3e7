"""The layers: their parameters, and their two passes for one batch size.

Inside the engine an array of B examples is [n, B], features x examples, and carries one more row
of ones. The bias is then the weight of an input that is always one: with P = [W; b] of shape
[n_in + 1, n_out] and X of shape [n_in + 1, B],

    forward     Z  = P^T X          A = f(Z)
    backward    dP = X dZ^T         dX = W dZ        dZ = f'(Z) * dA

are one matrix product each, where the textbook's form needs a further pass for the biases both
ways. Every array above is contiguous, as BLAS prefers.

A layer holds the parameters and knows no batch; `Layer.at` makes its `Pass` over the arrays of one
batch size, which are allocated once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.activations import Activation, Scratch
from nn.initializers import Initializer
from nn.typing import Array


class Pass:
    """The two passes of one layer over the arrays of one batch size.

    Args:
        layer: the layer.
        x: its input [inputs + 1, B], the last row ones.
        dx: where `backward` writes dC/dx [inputs, B]; None for the first layer.
        in_place: whether the output takes the place of the input.

    Attributes:
        output: the output [outputs + 1, B], the last row ones.
        doutput: dC/doutput [outputs, B], written by the next layer; `backward` may overwrite it.
    """

    def __init__(self, layer: Any, x: Array, dx: Array | None, in_place: bool = False) -> None:
        batch = x.shape[1]
        # Views are made once: taking one costs as much as a small matrix product.
        self._x, self._dx = x[:-1], np.empty_like(x[:-1]) if dx is None else dx
        self.output = x if in_place else np.ones((layer.outputs + 1, batch), x.dtype)
        self.doutput = self._dx if in_place else np.zeros((layer.outputs, batch), x.dtype)
        self._y = self.output[:-1]

    def forward(self, training: bool) -> None:
        """Computes `output` from the input."""
        raise NotImplementedError

    def backward(self) -> None:
        """Computes the layer's gradients and its input's from `doutput`."""
        raise NotImplementedError

    def backward_to_input(self) -> Array:
        """Computes and returns the input's gradient [inputs, B]; the layer's may be left out."""
        self.backward()
        return self._dx


class Layer:
    """A function of `inputs` features to `outputs` features.

    Attributes:
        passes: the class of its passes.
        size: the number of its parameters.
        weight_size: the number of weights among them, the first ones, which a penalty applies to.
        statistics_size: the number of values that it learns in forward passes, without gradients.
        units: those that have parameters of their own.
        parameters: [rows, units], the last row a bias; a view of the network's vector.
        gradients: likewise.
        statistics: [rows, outputs], likewise.
    """

    passes: type[Pass]
    size = 0
    weight_size = 0
    statistics_size = 0
    parameters: Array
    gradients: Array
    statistics: Array

    def __init__(self, inputs: int, outputs: int) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.units = outputs

    def bind(self, parameters: Array, gradients: Array, statistics: Array) -> None:
        """Takes its parts, of length `size` and `statistics_size`, of the network's vectors."""
        self.parameters = parameters.reshape(-1, self.units)
        self.gradients = gradients.reshape(-1, self.units)
        self.statistics = statistics.reshape(-1, self.outputs)

    def initialize(self, rng: np.random.Generator) -> None:
        """Draws the parameters."""

    def at(self, x: Array, dx: Array | None) -> Pass:
        """The pass over an input x [inputs + 1, B]; arguments are those of `Pass`."""
        return self.passes(self, x, dx)


class Affine(Layer):
    """Weights [fan_in, units] above biases [units], both drawn by initializers.

    Args:
        inputs: features.
        outputs: features of the output.
        fan_in: inputs of one unit.
        units: those that have weights of their own.
        initializer: of the weights.
        bias_initializer: of the biases.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        fan_in: int,
        units: int,
        initializer: Initializer,
        bias_initializer: Initializer,
    ) -> None:
        super().__init__(inputs, outputs)
        self.fan_in, self.units = fan_in, units
        self.size, self.weight_size = (fan_in + 1) * units, fan_in * units
        self._initializer, self._bias_initializer = initializer, bias_initializer

    def initialize(self, rng: np.random.Generator) -> None:
        self.weights[:] = self._initializer(self.fan_in, self.units, rng)
        self.biases[:] = self._bias_initializer(self.fan_in, self.units, rng)

    @property
    def weights(self) -> Array:
        """W [fan_in, units], a view."""
        return self.parameters[:-1]

    @property
    def biases(self) -> Array:
        """b [units], a view."""
        return self.parameters[-1]


class DensePass(Pass):
    """One product forward, two backward.

    Args:
        layer: the layer.
        x: as for `Pass`.
        dx: likewise.
        parameters: P, if not those of the layer.
    """

    def __init__(
        self, layer: Dense, x: Array, dx: Array | None, parameters: Array | None = None
    ) -> None:
        super().__init__(layer, x, dx)
        self._inputs, self._is_first = x, dx is None
        self._gradients = layer.gradients
        parameters = layer.parameters if parameters is None else parameters
        self._parameters_t, self._weights, self._dz = parameters.T, parameters[:-1], self.doutput
        self._single = self._column = self._weights
        if layer.outputs == 1:
            # NumPy computes outer products without BLAS, eight times as slowly. W dZ is none with a
            # column of zeros beside W and a row of them below dZ.
            self._dz = np.zeros((2, x.shape[1]), x.dtype)
            self._weights = np.zeros((layer.inputs, 2), x.dtype)
            self.doutput, self._column = self._dz[:1], self._weights[:, :1]
        self._is_single, self._dz_t = layer.outputs == 1, self.doutput.T

    def forward(self, training: bool) -> None:
        np.matmul(self._parameters_t, self._inputs, out=self._y)

    def backward(self) -> None:
        np.matmul(self._inputs, self._dz_t, out=self._gradients)
        if not self._is_first:  # whose input gradient is rarely needed
            self.backward_to_input()

    def backward_to_input(self) -> Array:
        if self._is_single:
            np.copyto(self._column, self._single)
        return np.matmul(self._weights, self._dz, out=self._dx)


class Dense(Affine):
    """z = W^T x + b, its parameters W [inputs, outputs] above b [outputs].

    Args:
        inputs: features.
        outputs: units.
        initializer: of W.
        bias_initializer: of b.
    """

    passes: type[Pass] = DensePass

    def __init__(
        self, inputs: int, outputs: int, initializer: Initializer, bias_initializer: Initializer
    ) -> None:
        super().__init__(inputs, outputs, inputs, outputs, initializer, bias_initializer)


class ActivatePass(Pass):
    def __init__(self, layer: Activate, z: Array, dz: Array | None) -> None:
        super().__init__(layer, z, dz, in_place=not layer.keeps_z)
        self._activation, self._keeps_z = layer.activation, layer.keeps_z
        self._scratch = Scratch(self._y, layer.activation.keeps_slope)

    def forward(self, training: bool) -> None:
        if self._keeps_z:
            np.copyto(self._y, self._x)
        self._activation.forward(self._y, self._scratch)

    def backward(self) -> None:
        self._activation.backward(self._y, self.doutput, self._scratch)
        if self._keeps_z:
            np.copyto(self._dx, self.doutput)


class Activate(Layer):
    """a = f(z).

    Args:
        units: inputs and outputs.
        activation: f.
        keeps_z: whether z outlasts the forward pass; otherwise a takes its place.
    """

    passes = ActivatePass

    def __init__(self, units: int, activation: Activation, keeps_z: bool = False) -> None:
        super().__init__(units, units)
        self.activation, self.keeps_z = activation, keeps_z
