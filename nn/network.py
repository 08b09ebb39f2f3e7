"""The feedforward network: layers over one flat parameter vector, and backpropagation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import checkpoint
from nn.activations import ACTIVATIONS, Activation, Identity, make_activation
from nn.costs import COSTS, Cost, make_cost
from nn.data import examples, pairs
from nn.initializers import Initializer, make_initializer
from nn.layers import Dense, DensePass
from nn.names import describe, rebuild
from nn.typing import Array, State

if TYPE_CHECKING:
    from nn.training import History


class NeuralNet:
    """A stack of dense layers with a cost.

        net = NeuralNet((784, 100, 10), output="softmax", cost="log_likelihood", seed=0)

    `feedforward`, `predict`, `accuracy`, `cost` and `backprop` take data as a person has them, and
    check them; `forward` and `backward` are the passes themselves, for a learning loop.

    All parameters are one flat vector, `parameters` [P], and their gradients another,
    `gradients` [P]; the layers hold views. So an optimizer step is a few passes over one vector,
    and copying, blending or saving a network is one operation.

    Args:
        sizes: units of each layer, from the input to the output, such as (8, 128, 128, 4).
        hidden: activation of the layers between, by name or as an object.
        output: activation of the last layer, likewise; by default the one that the cost is made
            for, or else the identity.
        cost: by name or as an object.
        initializer: of the weights, by name or as a function.
        seed: an integer or a generator.
        dtype: float32, or float64 for checking gradients.

    Raises:
        ValueError: fewer than two sizes, a size below 1, an unknown name, or an output activation
            that makes no sense with the cost.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str | Activation = "relu",
        output: str | Activation | None = None,
        *,
        cost: str | Cost = "quadratic",
        initializer: str | Initializer = "he",
        seed: int | np.random.Generator | None = None,
        dtype: Any = np.float32,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must be two or more layers of at least 1 unit, not {sizes}")
        self.sizes = tuple(int(size) for size in sizes)
        self.hidden, self.cost_function = make_activation(hidden), make_cost(cost)
        self.output = make_activation(output or (self.cost_function.made_for or Identity)())
        self.cost_function.require_output(self.output)
        self.layers = [
            Dense(inputs, outputs, self.hidden) for inputs, outputs in pairwise(self.sizes[:-1])
        ]
        self._straight = self.cost_function.made_for is not None
        before, last = self.sizes[-2:]
        self.layers.append(Dense(before, last, self.output, keeps_z=self._straight))
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

    def feedforward(self, x: Any) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in], an array of the caller's own.

        Raises:
            ValueError: x is not of that shape, is empty, or has a number that is not finite.
        """
        return self.forward(examples(x, self.sizes[0], self.parameters.dtype, "x")).copy("C")

    def predict(self, x: Any) -> Array:
        """The classes of inputs [B, n_in]: one-hot [B, n_out], or 0 and 1 [B, 1] for one output.

        Raises:
            ValueError: as for `feedforward`.
        """
        outputs = self.feedforward(x)
        if self.sizes[-1] == 1:
            return (outputs >= 0.5).astype(outputs.dtype)
        return np.eye(self.sizes[-1], dtype=outputs.dtype)[outputs.argmax(axis=1)]

    def accuracy(self, x: Any, y: Any) -> float:
        """The share of examples whose predicted class is that of y [B, n_out].

        Raises:
            ValueError: x or y has not its shape, or they differ in length.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        return float((self.predict(x) == y).all(axis=1).mean())

    def cost(self, x: Any, y: Any, l2: float = 0.0) -> float:
        """The cost of x [B, n_in] against y [B, n_out], averaged over the examples.

        Args:
            x: inputs.
            y: targets.
            l2: lmda of the penalty lmda / (2 B) * sum(w^2) over the weights, not the biases.

        Raises:
            ValueError: x or y has not its shape, or they differ in length.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        return self.cost_function.value(self._judged(x), y) + self._penalty(l2, len(x))

    def backprop(self, x: Any, y: Any, l2: float = 0.0) -> tuple[float, list[Array], list[Array]]:
        """The cost, and its gradients with respect to the weights and the biases of each layer.

        The gradients are copies, of the shapes of `weights` and `biases`. Arguments and errors are
        those of `cost`.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        cost = self.propagate(x, y)
        weights = [layer.gradients[:-1] + l2 / len(x) * layer.weights for layer in self.layers]
        biases = [layer.gradients[-1].copy() for layer in self.layers]
        return cost + self._penalty(l2, len(x)), weights, biases

    def propagate(self, x: Array, y: Array) -> float:
        """Both passes for x [B, n_in] and y [B, n_out]; the gradients are left in `gradients`.

        Unlike `backprop` it neither checks the data nor copies anything. Returns the cost.
        """
        judged = self._judged(x)
        cost = self.cost_function.gradient(judged, y, self.output_gradient)
        self.backpropagate(self._straight)
        return cost

    def fit(self, x: Any, y: Any, **settings: Any) -> History:
        """Mini-batch gradient descent; arguments and errors are those of `nn.training.fit`."""
        from nn.training import fit

        return fit(self, x, y, **settings)

    def _judged(self, x: Array) -> Array:
        """What the cost looks at: the outputs [B, n_out], or their pre-activations."""
        outputs = self.forward(x)
        assert self._latest is not None
        return self._latest.z if self._straight else outputs

    def _penalty(self, l2: float, examples: int) -> float:
        if not l2:
            return 0.0
        return l2 / (2 * examples) * sum(float(np.vdot(w, w)) for w in self.weights)

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

    def backpropagate(self, straight: bool = False) -> Array:
        """`backward` from the gradient that the caller has written into `output_gradient`.

        Args:
            straight: it is the gradient of the output's pre-activation, as it comes from a cost
                that is made for the output.
        """
        assert self._latest is not None, "backpropagate needs a forward before it"
        last, *others = self._latest.backward_layers
        last.backward(straight)
        for each in others:
            each.backward()
        return self.gradients

    @property
    def output_gradient(self) -> Array:
        """Where dC/doutput [B, n_out] of the latest `forward` goes; `backward` overwrites it."""
        assert self._latest is not None, "the output's gradient needs a forward before it"
        return self._latest.output_gradient

    @property
    def weights(self) -> list[Array]:
        """The layers' weights [inputs, outputs], views; settable as a list of arrays."""
        return [layer.weights for layer in self.layers]

    @weights.setter
    def weights(self, values: Sequence[Array]) -> None:
        _assign("weights", self.weights, values)

    @property
    def biases(self) -> list[Array]:
        """The layers' biases [outputs], views; settable as a list of arrays."""
        return [layer.biases for layer in self.layers]

    @biases.setter
    def biases(self, values: Sequence[Array]) -> None:
        _assign("biases", self.biases, values)

    def copy(self) -> NeuralNet:
        """A network of the same layers with parameters of its own, equal to these."""
        twin = NeuralNet(
            self.sizes, self.hidden, self.output,
            cost=self.cost_function, dtype=self.parameters.dtype,
        )  # fmt: skip
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole network to a file, for `nn.load`.

        Raises:
            ValueError: an activation or the cost is not in the engine's tables.
            OSError: the file cannot be written; what was there before still is.
        """
        parts = {
            "hidden": describe(ACTIVATIONS, self.hidden),
            "output": describe(ACTIVATIONS, self.output),
            "cost": describe(COSTS, self.cost_function),
        }
        checkpoint.save(path, {"parts": parts, "network": self.state()})

    def _allocate(self, x: Array) -> _Passes:
        if x.ndim != 2 or x.shape[1] != self.sizes[0] or not len(x):
            raise ValueError(
                f"the input must be examples x features, [B, {self.sizes[0]}], not {list(x.shape)}"
            )
        passes = self._passes[x.shape] = _Passes(self.layers, len(x), self.parameters.dtype)
        return passes


def load(path: str | os.PathLike[str]) -> NeuralNet:
    """The network that `NeuralNet.save` wrote; its outputs are equal to the bit.

    Raises:
        CheckpointError: the file is missing, damaged, or holds no network.
    """
    state = checkpoint.load(path)
    try:
        parts, saved = state["parts"], state["network"]
        net = NeuralNet(
            saved["sizes"],
            rebuild(ACTIVATIONS, parts["hidden"], "activation"),
            rebuild(ACTIVATIONS, parts["output"], "activation"),
            cost=rebuild(COSTS, parts["cost"], "cost"),
            dtype=saved["parameters"].dtype,
        )
        net.restore(saved)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise checkpoint.CheckpointError(f"{path}: holds no network of ours: {error}") from None
    return net


def _assign(name: str, views: list[Array], values: Sequence[Array]) -> None:
    shapes = [list(np.shape(value)) for value in values]
    if shapes != [list(view.shape) for view in views]:
        raise ValueError(
            f"{name} must have the shapes {[list(view.shape) for view in views]}, not {shapes}"
        )
    for view, value in zip(views, values, strict=True):
        view[...] = value


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
        self.output, self.z = self.layers[-1].a.T, self.layers[-1].z.T
        self.output_gradient = self.layers[-1].da.T
