"""The network as a person uses it: data in, answers out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from nn import checkpoint, training
from nn.activations import ACTIVATIONS
from nn.costs import COSTS
from nn.data import THRESHOLDS, examples, pieces, r_squared, require_classes
from nn.inspection import summary
from nn.names import describe, rebuild
from nn.normalization import BatchRenorm
from nn.supervised import Supervised
from nn.typing import Array, IntArray


class NeuralNet(Supervised):
    """A feedforward network that takes data as a person has them, and checks them.

        net = NeuralNet((784, 100, 10), cost="log_likelihood", dropout=0.5, seed=0)

        net = NeuralNet(((28, 28, 1), 100, 10), conv=[{"filters": 16}], cost="log_likelihood")

    Data are array-likes, examples x features; `checked` says what else is taken.

    Args:
        sizes: units of each layer, from the input to the output; the first may be a picture.
        hidden: activation of the hidden layers, by name or as an object.
        output: activation of the last layer, likewise; by default the one that the cost is made
            for, or else the identity.
        cost: by name or as an object.
        threshold: the outputs of a single unit that mean class 1, ">= 0.5" or "> 0.5".
        settings: those of `nn.Network`: initializer, bias_initializer, conv, pixel_scale,
            channels_first, joined, dropout, layer_norm, batch_norm, noisy, seed and dtype.

    Raises:
        ValueError: as for `nn.Network`, or an output activation that does not fit the cost.
    """

    def feedforward(self, x: Any) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in], an array of the caller's own.

        Raises:
            ValueError: x does not have that shape, is empty or is not finite.
        """
        x = examples(x, self._example, self.parameters.dtype, "x")
        outputs = np.empty((len(x), self.sizes[-1]), x.dtype)
        for piece in pieces(len(x), self._at_once):
            outputs[piece] = self.forward(x[piece])
        return outputs

    def predict(self, x: Any) -> Array:
        """The answers [B, n_out] for inputs [B, n_in].

        A network for regression gives its outputs. One whose output is a sigmoid or a softmax gives
        classes: one-hot rows, or 0 and 1 for a single output.

        Raises:
            ValueError: as for `feedforward`.
        """
        outputs = self.feedforward(x)
        return self._classes(outputs) if self.classifies else outputs

    def predict_labels(self, x: Any) -> IntArray:
        """The class labels [B], from 0, of inputs [B, n_in].

        Raises:
            ValueError: as for `predict_proba`.
        """
        self._require_probabilities("predict_labels")
        classes = self.predict(x)
        return classes.argmax(axis=1) if self.sizes[-1] > 1 else classes[:, 0].astype(np.int64)

    def predict_proba(self, x: Any) -> Array:
        """The probability of each class [B, classes], a single output being that of class 1 of two.

        Those of several sigmoids are independent and need not sum to 1.

        Raises:
            ValueError: as for `feedforward`, or the outputs are no probabilities.
        """
        self._require_probabilities("predict_proba")
        outputs = self.feedforward(x)
        return outputs if self.sizes[-1] > 1 else np.hstack([1 - outputs, outputs])

    def _require_probabilities(self, method: str) -> None:
        if not self.classifies:
            raise ValueError(
                f"{method} needs a sigmoid or softmax output, not {type(self.output).__name__}, "
                "whose values `predict` gives"
            )

    def accuracy(self, x: Any, y: Any) -> float:
        """The share of examples whose predicted class is that of y, [B, n_out] or labels [B].

        Raises:
            ValueError: as for `checked`, or y holds no classes: rows that are one-hot, or 0 and 1
                for one output.
        """
        x, y = self._pairs(x, y)
        require_classes(y)
        return float((self._classes(self.feedforward(x)) == y).all(axis=1).mean())

    def score(self, x: Any, y: Any) -> float:
        """The accuracy of a network for classification, else the coefficient of determination R^2.

        Raises:
            ValueError: as for `accuracy`, or for `checked`.
        """
        if self.classifies:
            return self.accuracy(x, y)
        x, y = self.checked(x, y)
        return r_squared(self.feedforward(x), y)

    def summary(self) -> str:
        """A table of the layers with their outputs and parameters; it prints as it is."""
        return summary(self)

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
            "threshold": self.threshold,
            "dropout": self.dropout,
            "layer_norm": self.layer_norm,
            "batch_norm": self.batch_norm and vars(self.batch_norm),
            "noisy": self.noisy,
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
            [saved.get("picture", saved["sizes"][0]), *saved["sizes"][1:]],
            rebuild(ACTIVATIONS, parts["hidden"], "activation"),
            rebuild(ACTIVATIONS, parts["output"], "activation"),
            cost=rebuild(COSTS, parts["cost"], "cost"),
            threshold=parts.get("threshold", THRESHOLDS[0]),
            conv=saved.get("conv", ()),
            pixel_scale=saved.get("pixel_scale", 1.0),
            channels_first=saved.get("channels_first", False),
            joined=saved.get("joined", 0),
            dropout=parts["dropout"],
            layer_norm=parts["layer_norm"],
            batch_norm=_batch_norm(parts.get("batch_norm", False)),
            noisy=parts.get("noisy", False),
            dtype=saved["parameters"].dtype,
        )
        net.restore(saved)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise checkpoint.CheckpointError(f"{path}: does not hold a network: {error}") from None
    return net


def _batch_norm(saved: Any) -> bool | BatchRenorm.Settings:
    """What a saved network says of it: its settings, or whether it has it with the default ones."""
    return BatchRenorm.Settings(**saved) if isinstance(saved, dict) else bool(saved)
