"""Mini-batch gradient descent on a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn.data import pairs
from nn.network import NeuralNet
from nn.optimizers import Optimizer, make_optimizer
from nn.typing import Array

Pair = tuple[Any, Any]


@dataclass
class History:
    """What each epoch came to: a list entry an epoch; the validation's are empty without one."""

    cost: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = -1  # of the lowest validation cost, counted from 0; -1 without validation


def fit(
    net: NeuralNet,
    x: Any,
    y: Any,
    *,
    validation: Pair | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    learning_rate: float = 0.1,
    l2: float = 0.0,
    optimizer: str = "SGD",
    patience: int | None = None,
    report_every: int = 1,
    seed: int | np.random.Generator | None = None,
    **settings: float,
) -> History:
    """Trains a network on examples x [n, n_in] with targets y [n, n_out].

    Each epoch shuffles the examples and uses every one; the last batch may be short.

    Args:
        net: the network, changed in place.
        x: inputs.
        y: targets.
        validation: inputs and targets that are not learned from.
        epochs: how often to go through the examples.
        batch_size: examples an update.
        learning_rate: of the optimizer.
        l2: lmda of the penalty lmda / (2 n) * sum(w^2) on the weights.
        optimizer: by name.
        patience: epochs without a lower validation cost after which training ends; the weights of
            the best epoch are then restored. None trains for all epochs.
        report_every: epochs between two printed lines; 0 prints nothing.
        seed: of the shuffling, an integer or a generator.
        settings: further settings of the optimizer, such as momentum=0.9.

    Returns:
        The cost, with its penalty, and the accuracy after each epoch, on x and on `validation`.

    Raises:
        ValueError: data of the wrong shape or not finite, a batch that is larger than the data, a
            number that is not positive, patience without validation, or an unknown optimizer.
    """
    x, y = pairs(x, y, net.sizes, net.parameters.dtype)
    held_out = validation and pairs(*validation, net.sizes, net.parameters.dtype)
    _require(len(x), epochs, batch_size, l2, patience, held_out is not None)
    steps = make_optimizer(
        optimizer, net.parameters, net.gradients, learning_rate=learning_rate, **settings
    )
    rng, history, best = np.random.default_rng(seed), History(), net.parameters.copy()
    decay = _decay(net, l2 / len(x)) if l2 else None
    for epoch in range(epochs):
        _run_epoch(net, x, y, batch_size, steps, decay, rng)
        history.cost.append(net.cost(x, y, l2))
        history.accuracy.append(net.accuracy(x, y))
        if held_out:
            history.validation_cost.append(net.cost(*held_out))
            history.validation_accuracy.append(net.accuracy(*held_out))
            if history.validation_cost[-1] < _best_cost(history):
                history.best_epoch = epoch
                np.copyto(best, net.parameters)
        if report_every and (epoch + 1) % report_every == 0:
            print(_line(history, epoch + 1, epochs))
        if patience is not None and epoch - history.best_epoch >= patience:
            break
    if patience is not None:
        np.copyto(net.parameters, best)
    return history


def _run_epoch(
    net: NeuralNet,
    x: Array,
    y: Array,
    batch_size: int,
    optimizer: Optimizer,
    decay: Array | None,
    rng: np.random.Generator,
) -> None:
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    for start in range(0, len(x), batch_size):
        net.propagate(x[start : start + batch_size], y[start : start + batch_size])
        if decay is not None:
            net.gradients += decay * net.parameters
        optimizer.step()


def _decay(net: NeuralNet, rate: float) -> Array:
    """A vector [P] of `rate` for each weight and 0 for each bias."""
    return np.concatenate(
        [np.repeat([rate, 0.0], [layer.weights.size, layer.biases.size]) for layer in net.layers]
    ).astype(net.parameters.dtype)


def _best_cost(history: History) -> float:
    """The lowest validation cost before the latest epoch."""
    return history.validation_cost[history.best_epoch] if history.best_epoch >= 0 else math.inf


def _line(history: History, epoch: int, epochs: int) -> str:
    line = f"epoch {epoch}/{epochs}  cost {history.cost[-1]:.4f}"
    line += f"  accuracy {history.accuracy[-1]:.2%}"
    if history.validation_cost:
        line += f"  validation: cost {history.validation_cost[-1]:.4f}"
        line += f"  accuracy {history.validation_accuracy[-1]:.2%}"
    return line


def _require(
    examples: int, epochs: int, batch_size: int, l2: float, patience: int | None, validated: bool
) -> None:
    if not 1 <= batch_size <= examples:
        raise ValueError(f"batch_size must be from 1 to the {examples} examples, not {batch_size}")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {epochs}")
    if not l2 >= 0:
        raise ValueError(f"l2 must not be negative, but is {l2}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience must be at least 1, not {patience}")
    if patience is not None and not validated:
        raise ValueError("patience needs validation data, by which it tells the best epoch")
