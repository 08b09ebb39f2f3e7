"""The feedforward network: layers over one flat parameter vector, and backpropagation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.activations import Activation, make_activation
from nn.initializers import Initializer, make_initializer
from nn.layers import Dense, DensePass
from nn.typing import Array, State


class NeuralNet:
    """A stack of dense layers.

    All parameters are one flat vector, `parameters` [P], and their gradients another,
    `gradients` [P]; the layers hold views. So an optimizer step is a few passes over one vector,
    and copying, blending or saving a network is one operation.

    Args:
        sizes: units of each layer, from the input to the output, such as (8, 128, 128, 4).
        hidden: activation of the layers between, by name or as an object.
        output: activation of the last layer, likewise.
        initializer: of the weights, by name or as a function.
        seed: an integer or a generator.
        dtype: float32, or float64 for checking gradients.

    Raises:
        ValueError: fewer than two sizes, a size below 1, or an unknown name.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str | Activation = "relu",
        output: str | Activation = "identity",
        initializer: str | Initializer = "he",
        seed: int | np.random.Generator | None = None,
        dtype: Any = np.float32,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be two or more layers of at least 1 unit, not {sizes}")
        self.sizes = tuple(int(size) for size in sizes)
        self.hidden, self.output = make_activation(hidden), make_activation(output)
        activations = [self.hidden] * (len(sizes) - 2) + [self.output]
        self.layers = [
            Dense(inputs, outputs, activation)
            for inputs, outputs, activation in zip(
                self.sizes, self.sizes[1:], activations, strict=False
            )
        ]
        total = sum(layer.size for layer in self.layers)
        self.parameters = np.zeros(total, dtype)
        self.gradients = np.zeros(total, dtype)
        self._bind_layers()
        rng, draw = np.random.default_rng(seed), make_initializer(initializer)
        for layer in self.layers:
            layer.initialize(draw, rng)
        self._passes: dict[tuple[int, ...], _Passes] = {}
        self._latest: _Passes | None = None
        self._scratch: Array | None = None

    def _bind_layers(self) -> None:
        start = 0
        for layer in self.layers:
            end = start + layer.size
            layer.bind(self.parameters[start:end], self.gradients[start:end])
            start = end

    def forward(self, x: Array) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in].

        The result is a view which the next `forward` of the same batch size overwrites.

        Raises:
            ValueError: x is not of shape [B, n_in].
        """
        passes = self._passes.get(x.shape) or self._allocate(x)
        self._latest = passes
        np.copyto(passes.x, x.T)
        for each in passes.layers:
            each.forward()
        return passes.output

    def backward(self, gradient: Array) -> Array:
        """Backpropagates dC/doutput [B, n_out] through the latest `forward`.

        Overwrites `gradients` with dC/dparameters and returns them.

        Raises:
            ValueError: the gradient has not the shape of the output.
        """
        if gradient.shape != self.output_gradient.shape:
            raise ValueError(
                f"the gradient must have the output's shape, {list(self.output_gradient.shape)}, "
                f"not {list(gradient.shape)}"
            )
        np.copyto(self.output_gradient, gradient)
        return self.backpropagate()

    def backpropagate(self) -> Array:
        """`backward` from the gradient that the caller has written into `output_gradient`."""
        assert self._latest is not None, "backpropagate needs a forward before it"
        for each in self._latest.backward_layers:
            each.backward()
        return self.gradients

    @property
    def output_gradient(self) -> Array:
        """Where dC/doutput [B, n_out] of the latest `forward` goes; `backward` overwrites it."""
        assert self._latest is not None, "the output's gradient needs a forward before it"
        return self._latest.output_gradient

    @property
    def weights(self) -> list[Array]:
        """The layers' weights [inputs, outputs], views."""
        return [layer.weights for layer in self.layers]

    @property
    def biases(self) -> list[Array]:
        """The layers' biases [outputs], views."""
        return [layer.biases for layer in self.layers]

    def copy(self) -> NeuralNet:
        """A network of the same layers with parameters of its own, equal to these."""
        twin = NeuralNet(self.sizes, self.hidden, self.output, dtype=self.parameters.dtype)
        twin.follow(self, blend=1.0)
        return twin

    def follow(self, other: NeuralNet, blend: float) -> None:
        """p <- (1 - blend) p + blend p_other: copies at 1, else a moving average.

        The average is Polyak and Juditsky's (1992), as Lillicrap et al. (2016) use it for targets.
        """
        if blend == 1:
            np.copyto(self.parameters, other.parameters)
            return
        if self._scratch is None:
            self._scratch = np.empty_like(self.parameters)
        np.subtract(other.parameters, self.parameters, out=self._scratch)
        np.multiply(self._scratch, blend, out=self._scratch)
        np.add(self.parameters, self._scratch, out=self.parameters)

    def state(self) -> State:
        """What `restore` needs."""
        return {"sizes": list(self.sizes), "parameters": self.parameters.copy()}

    def restore(self, state: State) -> None:
        """Takes over a saved state.

        Raises:
            ValueError: the state is of a network of other sizes.
        """
        if list(state["sizes"]) != list(self.sizes):
            raise ValueError(
                f"the saved network has layers {tuple(state['sizes'])}, this one {self.sizes}"
            )
        np.copyto(self.parameters, state["parameters"])

    def _allocate(self, x: Array) -> _Passes:
        if x.ndim != 2 or x.shape[1] != self.sizes[0] or not len(x):
            raise ValueError(
                f"the input must be examples x features, [B, {self.sizes[0]}], not {list(x.shape)}"
            )
        passes = self._passes[x.shape] = _Passes(self.layers, len(x), self.parameters.dtype)
        return passes


class _Passes:
    """The workspaces of all layers for one batch size."""

    def __init__(self, layers: list[Dense], batch: int, dtype: Any) -> None:
        x, dx = np.ones((layers[0].inputs + 1, batch), dtype), None
        self.x = x[:-1]
        self.layers: list[DensePass] = []
        for layer in layers:
            self.layers.append(DensePass(layer, x, dx))
            x, dx = self.layers[-1].output, self.layers[-1].da
        self.backward_layers = self.layers[::-1]
        self.output = self.layers[-1].a.T
        self.output_gradient = self.layers[-1].da.T
