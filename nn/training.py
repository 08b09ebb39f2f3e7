"""Mini-batch gradient descent on a data set."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.inspection import describe_update
from nn.names import lookup, suggestion
from nn.optimizers import OPTIMIZERS, Optimizer, make_optimizer
from nn.regularization import Penalty, limit_norms
from nn.schedules import Schedule
from nn.settings import fields_of
from nn.typing import Array, IntArray

if TYPE_CHECKING:
    from nn.neural_net import NeuralNet

Pair = tuple[Any, Any]
_TAKEN = 4096  # examples taken out of the data at once


@dataclass
class History:
    """What each epoch came to: a list entry an epoch.

    The validation's are empty without one, the accuracies where the targets are no classes.
    """

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
    learning_rate: float | Schedule = 0.1,
    l2: float = 0.0,
    l1: float = 0.0,
    max_norm: float | None = None,
    optimizer: str = "SGD",
    patience: int | None = None,
    report_every: int = 1,
    verbose: bool = False,
    seed: int | np.random.Generator | None = None,
    **settings: Any,
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
        learning_rate: of the optimizer; a schedule of it counts updates.
        l2: lmda of the penalty lmda / (2 n) * sum(w^2) on the weights.
        l1: lmda of the penalty lmda / n * sum(|w|) on the weights.
        max_norm: the greatest norm that a unit's incoming weights may have after an update.
        optimizer: by name.
        patience: epochs without a lower validation cost after which training ends; the weights of
            the best epoch are then restored. None trains for all epochs.
        report_every: epochs between two printed lines; 0 prints nothing.
        verbose: prints the internals of each update, to follow a tiny network by hand.
        seed: of the shuffling, an integer or a generator.
        settings: further settings of the optimizer, such as momentum=0.9.

    Returns:
        The cost, with its penalty, and the accuracy after each epoch, on x and on `validation`,
        whose cost is without.

    Raises:
        ValueError: data of the wrong shape or not finite, targets that the cost does not take, a
            batch that is larger than the data, a number out of its range, patience without
            validation, or an unknown optimizer.
        TypeError: a setting that neither this function nor the optimizer has.
    """
    x, y = net.checked(x, y)
    held_out = validation and net.checked(*validation)
    _require(len(x), epochs, batch_size, max_norm, patience, held_out is not None)
    _require_known(settings, optimizer)
    penalty = net.penalty(len(x), l1, l2)
    update = _Update(
        net,
        make_optimizer(
            optimizer, net.parameters, net.gradients, learning_rate=learning_rate, **settings
        ),
        penalty if l1 or l2 else None,
        max_norm,
        verbose,
    )
    rng, history, best = np.random.default_rng(seed), History(), net.parameters.copy()
    for epoch in range(epochs):
        for piece in _pieces(rng.permutation(len(x)), batch_size):
            shuffled_x, shuffled_y = x[piece], y[piece]
            for start in range(0, len(piece), batch_size):
                batch = slice(start, start + batch_size)
                update(shuffled_x[batch], shuffled_y[batch])
        _measure(net, x, y, penalty.value(net.parameters), history.cost, history.accuracy)
        if held_out:
            _measure(net, *held_out, 0.0, history.validation_cost, history.validation_accuracy)
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


def _pieces(order: IntArray, batch_size: int) -> list[IntArray]:
    """Some thousand examples' numbers each, in whole batches.

    Taking these out at once is quicker than batch by batch, and needs less memory than all.
    """
    step = batch_size * max(1, _TAKEN // batch_size)
    return [order[start : start + step] for start in range(0, len(order), step)]


@dataclass
class _Update:
    """What is done with each batch."""

    net: NeuralNet
    optimizer: Optimizer
    penalty: Penalty | None
    max_norm: float | None
    verbose: bool

    def __call__(self, x: Array, y: Array) -> None:
        cost = self.net.propagate(x, y)
        if self.penalty is not None:
            self.penalty.add_gradient(self.net.parameters, self.net.gradients)
        if self.verbose:
            print(describe_update(self.net, x, y, cost))
        self.optimizer.step()
        if self.max_norm is not None:
            for weights in self.net.weights:
                limit_norms(weights, self.max_norm)


def _measure(
    net: NeuralNet, x: Array, y: Array, penalty: float, costs: list[float], accuracies: list[float]
) -> None:
    cost, accuracy = net.measure(x, y)
    costs.append(cost + penalty)
    if accuracy is not None:
        accuracies.append(accuracy)


def _best_cost(history: History) -> float:
    """The lowest validation cost before the latest epoch."""
    return history.validation_cost[history.best_epoch] if history.best_epoch >= 0 else math.inf


def _line(history: History, epoch: int, epochs: int) -> str:
    line = f"epoch {epoch}/{epochs}  cost {history.cost[-1]:.4f}"
    if history.accuracy:
        line += f"  accuracy {history.accuracy[-1]:.2%}"
    if history.validation_cost:
        line += f"  validation: cost {history.validation_cost[-1]:.4f}"
    if history.validation_accuracy:
        line += f"  accuracy {history.validation_accuracy[-1]:.2%}"
    return line


def _require(
    examples: int,
    epochs: int,
    batch_size: int,
    max_norm: float | None,
    patience: int | None,
    validated: bool,
) -> None:
    if not 1 <= batch_size <= examples:
        raise ValueError(f"batch_size must be from 1 to the {examples} examples, not {batch_size}")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {epochs}")
    if max_norm is not None and not max_norm > 0:
        raise ValueError(f"max_norm must be greater than 0, not {max_norm}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience must be at least 1, not {patience}")
    if patience is not None and not validated:
        raise ValueError("patience needs validation data, by which it tells the best epoch")


def _require_known(settings: dict[str, Any], optimizer: str) -> None:
    kind = lookup(OPTIMIZERS, optimizer, "optimizer")
    own = inspect.signature(fit).parameters.values()
    known = [each.name for each in own if each.kind is each.KEYWORD_ONLY]
    known += fields_of(kind.Settings)
    for name in settings:
        if name not in known:
            raise TypeError(
                f"{name!r} is no setting of fit or of {kind.__name__}{suggestion(name, known)}"
            )
