"""The network as a person uses it: data in, answers out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import checkpoint
from nn.activations import ACTIVATIONS, Activation, Identity, make_activation
from nn.costs import COSTS, Cost, make_cost
from nn.data import are_classes, examples, pairs, pieces, require_classes, to_classes
from nn.names import describe, rebuild
from nn.network import Network
from nn.regularization import Penalty
from nn.training import History, fit
from nn.typing import Array


class NeuralNet(Network):
    """A feedforward network that takes data as a person has them, and checks them.

        net = NeuralNet((784, 100, 10), cost="log_likelihood", dropout=0.5, seed=0)

    Data are 2D arrays, examples x features. It is a `Network`, which holds the passes themselves,
    with a cost.

    Args:
        sizes: units of each layer, from the input to the output.
        hidden: activation of the layers between, by name or as an object.
        output: activation of the last layer, likewise; by default the one that the cost is made
            for, or else the identity.
        cost: by name or as an object.
        settings: further ones of `Network`.

    Raises:
        ValueError: as for `Network`, or an output activation that makes no sense with the cost.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str | Activation = "relu",
        output: str | Activation | None = None,
        *,
        cost: str | Cost = "quadratic",
        **settings: Any,
    ) -> None:
        self.cost_function = make_cost(cost)
        self._keeps_logits = self.cost_function.made_for is not None
        output = make_activation(output or (self.cost_function.made_for or Identity)())
        self.cost_function.require_output(output)
        super().__init__(sizes, hidden, output, **settings)

    def _more(self) -> dict[str, Any]:
        return {"cost": self.cost_function}

    def feedforward(self, x: Any) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in], an array of the caller's own.

        Raises:
            ValueError: x is not of that shape, is empty, or has a number that is not finite.
        """
        x = examples(x, self.sizes[0], self.parameters.dtype, "x")
        outputs = np.empty((len(x), self.sizes[-1]), x.dtype)
        for piece in pieces(len(x)):
            outputs[piece] = self.forward(x[piece])
        return outputs

    def predict(self, x: Any) -> Array:
        """The classes of inputs [B, n_in]: one-hot [B, n_out], or 0 and 1 [B, 1] for one output.

        Raises:
            ValueError: as for `feedforward`.
        """
        return to_classes(self.feedforward(x))

    def accuracy(self, x: Any, y: Any) -> float:
        """The share of examples whose predicted class is that of y [B, n_out].

        Raises:
            ValueError: x or y has not its shape, they differ in length, or y holds no classes:
                rows that are one-hot, or 0 and 1 for one output.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        require_classes(y)
        return float((self.predict(x) == y).all(axis=1).mean())

    def cost(
        self, x: Any, y: Any, l2: float = 0.0, *, l1: float = 0.0, training: bool = False
    ) -> float:
        """The cost of x [B, n_in] against y [B, n_out], averaged over the examples.

        Args:
            x: inputs.
            y: targets.
            l2: lmda of the penalty lmda / (2 B) * sum(w^2) over the weights, not the biases.
            l1: lmda of the penalty lmda / B * sum(|w|) over the weights.
            training: whether dropout leaves units out.

        Raises:
            ValueError: x or y has not its shape, they differ in length, or y is no target for
                the cost.
        """
        x, y = self.checked(x, y)
        total = 0.0
        for piece in pieces(len(x)):
            judged = self._enter(x[piece]).judged
            judged.forward(training)
            total += self.cost_function.value(judged.output, y[piece]) * len(x[piece])
        return total / len(x) + self.penalty(len(x), l1, l2).value(self.parameters)

    def backprop(
        self, x: Any, y: Any, l2: float = 0.0, *, l1: float = 0.0
    ) -> tuple[float, list[Array], list[Array]]:
        """The cost in training, and its gradients for the weights and the biases of each layer.

        The gradients are copies, of the shapes of `weights` and `biases`; `gradients` holds them
        too, and those of a normalization. Arguments and errors are those of `cost`.
        """
        x, y = self.checked(x, y)
        penalty = self.penalty(len(x), l1, l2)
        cost = self.propagate(x, y) + penalty.value(self.parameters)
        penalty.add_gradient(self.parameters, self.gradients)
        weights = [layer.gradients[:-1].copy() for layer in self._dense]
        biases = [layer.gradients[-1].copy() for layer in self._dense]
        return cost, weights, biases

    def propagate(self, x: Array, y: Array) -> float:
        """Both passes of training for x [B, n_in] and y [B, n_out], into `gradients`.

        Unlike `backprop` it neither checks the data nor copies anything. Returns the cost.
        """
        judged = self._enter(x).judged
        judged.forward(training=True)
        cost = self.cost_function.gradient(judged.output, y, judged.gradient)
        judged.backward()
        return cost

    def measure(self, x: Array, y: Array) -> tuple[float, float | None]:
        """The cost, and the accuracy or None if y holds no classes, in a single forward pass.

        Like `propagate` it does not check the data.
        """
        total, right = 0.0, 0
        for piece in pieces(len(x)):
            outputs = self.forward(x[piece])
            assert self._latest is not None
            total += self.cost_function.value(self._latest.judged.output, y[piece]) * len(outputs)
            right += int((to_classes(outputs) == y[piece]).all(axis=1).sum())
        return total / len(x), right / len(x) if are_classes(y) else None

    def checked(self, x: Any, y: Any) -> tuple[Array, Array]:
        """x [B, n_in] and y [B, n_out] as the network's arrays.

        Raises:
            ValueError: as for `cost`.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        self.cost_function.require_targets(y)
        return x, y

    def penalty(self, examples: int, l1: float, l2: float) -> Penalty:
        """The penalty on this network's weights when it learns from so many examples."""
        return Penalty(self._is_weight, examples, l1, l2)

    def fit(self, x: Any, y: Any, **settings: Any) -> History:
        """Mini-batch gradient descent; arguments and errors are those of `nn.training.fit`."""
        return fit(self, x, y, **settings)

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
            "dropout": self.dropout,
            "layer_norm": self.layer_norm,
        }
        checkpoint.save(path, {"parts": parts, "network": self.state()})


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
            dropout=parts["dropout"],
            layer_norm=parts["layer_norm"],
            dtype=saved["parameters"].dtype,
        )
        net.restore(saved)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise checkpoint.CheckpointError(f"{path}: holds no network of ours: {error}") from None
    return net
