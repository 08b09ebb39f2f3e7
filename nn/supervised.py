"""A network with a cost: what training on a data set needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.activations import Activation, Identity, Sigmoid, Softmax, make_activation
from nn.costs import Cost, make_cost
from nn.data import THRESHOLDS, are_classes, pairs, pieces, to_classes
from nn.network import Network
from nn.regularization import Penalty
from nn.typing import Array


class Supervised(Network):
    """A `Network` that is trained on inputs x [B, n_in] and targets y [B, n_out] by a cost.

    Arguments and errors are those of `NeuralNet`.
    """

    def __init__(
        self,
        sizes: Sequence[Any],
        hidden: str | Activation = "relu",
        output: str | Activation | None = None,
        *,
        cost: str | Cost = "quadratic",
        threshold: str = THRESHOLDS[0],
        **settings: Any,
    ) -> None:
        if threshold not in THRESHOLDS:
            raise ValueError(f"threshold must be one of {THRESHOLDS}, not {threshold!r}")
        self.threshold = threshold
        self.cost_function = make_cost(cost)
        self._keeps_logits = self.cost_function.made_for is not None
        output = make_activation(output or (self.cost_function.made_for or Identity)())
        self.cost_function.require_output(output)
        super().__init__(sizes, hidden, output, **settings)

    def _more(self) -> dict[str, Any]:
        return {"cost": self.cost_function, "threshold": self.threshold}

    @property
    def classifies(self) -> bool:
        """Whether the outputs are probabilities of classes, those of a sigmoid or a softmax."""
        return isinstance(self.output, (Sigmoid, Softmax))

    def checked(self, x: Any, y: Any) -> tuple[Array, Array]:
        """x and y as arrays [B, n_in] and [B, n_out] of the network's dtype.

        Pictures [B, height, width, channels], without the last axis if it is 1, are flattened.
        Where a network has one input or one output, an array [B] is taken for it; where the outputs
        are classes, labels [B] from 0 to n_out - 1 are taken for one-hot rows.

        Raises:
            ValueError: x or y does not have its shape, is not finite, or is empty, they differ in
                length, or y does not fit the cost.
        """
        x, y = self._pairs(x, y)
        self.cost_function.require_targets(y)
        return x, y

    def _pairs(self, x: Any, y: Any) -> tuple[Array, Array]:
        """As `checked`, but for what the cost says of y."""
        shape, outputs = self._example, self.sizes[-1]
        return pairs(x, y, shape, outputs, self.parameters.dtype, self.classifies)

    def penalty(self, examples: int, l1: float, l2: float) -> Penalty:
        """The penalty on this network's weights when it learns from this many examples."""
        return Penalty(self._is_weight, examples, l1, l2)

    def propagate(self, x: Array, y: Array) -> float:
        """Both passes of training, into `gradients`; returns the cost.

        Unlike `backprop` it neither checks the data nor copies anything.
        """
        path = self._enter(x).to_cost
        path.forward(training=True)
        cost = self.cost_function.gradient(path.output, y, path.gradient)
        path.backward()
        return cost

    def _classes(self, outputs: Array) -> Array:
        """The classes [B, n_out] of outputs [B, n_out]."""
        return to_classes(outputs, self.threshold)

    def measure(self, x: Array, y: Array) -> tuple[float, float | None]:
        """The cost, and the accuracy or None if y holds no classes, in a single forward pass.

        Like `propagate` it does not check the data.
        """
        total, right = 0.0, 0
        for piece in pieces(len(x), self._at_once):
            workspace = self._enter(x[piece])
            workspace.whole.forward(training=False)
            prediction, outputs = workspace.to_cost.output, workspace.whole.output
            total += self.cost_function.value(prediction, y[piece]) * len(outputs)
            right += int((self._classes(outputs) == y[piece]).all(axis=1).sum())
        return total / len(x), right / len(x) if are_classes(y) else None

    def cost(
        self, x: Any, y: Any, l2: float = 0.0, *, l1: float = 0.0, training: bool = False
    ) -> float:
        """The cost of x against y, averaged over the examples, with its penalties.

        Args:
            x: inputs.
            y: targets.
            l2: lmda of the penalty lmda / (2 B) * sum(w^2) over the weights, not the biases.
            l1: lmda of the penalty lmda / B * sum(|w|) over the weights.
            training: whether dropout applies.

        Raises:
            ValueError: as for `checked`.
        """
        x, y = self.checked(x, y)
        total = 0.0
        for piece in pieces(len(x), self._at_once):
            path = self._enter(x[piece]).to_cost
            path.forward(training)
            total += self.cost_function.value(path.output, y[piece]) * len(x[piece])
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
        weights = [layer.gradients[: layer.fan_in].copy() for layer in self._affine]
        biases = [layer.gradients[layer.fan_in].copy() for layer in self._affine]
        return cost, weights, biases
