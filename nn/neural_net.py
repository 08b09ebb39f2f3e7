"""The network as a person uses it: data in, answers out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from nn import checkpoint, training
from nn.activations import ACTIVATIONS
from nn.costs import COSTS
from nn.data import examples, pairs, pieces, require_classes, to_classes
from nn.names import describe, rebuild
from nn.supervised import Supervised
from nn.typing import Array


class NeuralNet(Supervised):
    """A feedforward network that takes data as a person has them, and checks them.

        net = NeuralNet((784, 100, 10), cost="log_likelihood", dropout=0.5, seed=0)

    Data are 2D arrays, examples x features.

    Args:
        sizes: units of each layer, from the input to the output.
        hidden: activation of the hidden layers, by name or as an object.
        output: activation of the last layer, likewise; by default the one that the cost is made
            for, or else the identity.
        cost: by name or as an object.
        settings: those of `nn.Network`: initializer, bias_initializer, dropout, layer_norm, seed
            and dtype.

    Raises:
        ValueError: as for `nn.Network`, or an output activation that does not fit the cost.
    """

    def feedforward(self, x: Any) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in], an array of the caller's own.

        Raises:
            ValueError: x does not have that shape, is empty or is not finite.
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
            ValueError: as for `checked`, or y holds no classes: rows that are one-hot, or 0 and 1
                for one output.
        """
        x, y = pairs(x, y, self.sizes, self.parameters.dtype)
        require_classes(y)
        return float((self.predict(x) == y).all(axis=1).mean())

    fit = training.fit

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole network to a file, for `nn.load`.

        Raises:
            ValueError: an activation or the cost is not in the engine's tables.
            OSError: the file cannot be written; an existing one is unchanged.
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
        raise checkpoint.CheckpointError(f"{path}: does not hold a network: {error}") from None
    return net
