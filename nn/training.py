"""Mini-batch gradient descent on a data set."""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from nn.inspection import describe_update
from nn.names import suggestion
from nn.optimizers import OPTIMIZERS, Optimizer
from nn.regularization import Penalty, limit_norms
from nn.schedules import Schedule
from nn.settings import BaseSettings, SettingError, fields_of, setting
from nn.supervised import Supervised
from nn.typing import Array, IntArray

Pair = tuple[Any, Any]
Function = TypeVar("Function", bound=Callable[..., Any])
_TAKEN = 4096  # examples that are shuffled at once


@dataclass(frozen=True, kw_only=True)
class FitSettings(BaseSettings):
    """The settings of `fit`."""

    epochs: int = setting("passes over the examples", 10, least=1)
    batch_size: int = setting("examples per update", 32, least=1)
    learning_rate: float | Schedule = setting("step size, or its schedule over updates", 0.1)
    l2: float = setting("lmda of the penalty lmda / (2 n) * sum(w^2) on the weights", 0.0, least=0)
    l1: float = setting("lmda of the penalty lmda / n * sum(|w|) on the weights", 0.0, least=0)
    max_norm: float | None = setting("largest norm of a unit's incoming weights", None, above=0)
    optimizer: str = setting("a name in nn.OPTIMIZERS", "SGD", names=OPTIMIZERS)
    patience: int | None = setting(
        "epochs without a lower validation cost until training ends and restores the weights of "
        "the best epoch; None trains for all epochs", None, least=1
    )  # fmt: skip
    report_every: int = setting("epochs between printed lines; 0 prints none", 1, least=0)
    verbose: bool = setting("whether to print the internals of each update", False)


@dataclass
class History:
    """The results of each epoch.

    Those on validation data are empty without any, and accuracies if the targets are not classes.
    """

    cost: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = -1  # of the lowest validation cost, counted from 0; -1 without validation


def _listing_settings(function: Function) -> Function:
    """Adds what `FitSettings` says of each setting to the docstring of a function."""
    lines = [inspect.cleandoc(function.__doc__ or ""), "", "Settings:"]
    for name, each in fields_of(FitSettings).items():
        bounds = each.metadata["bounds"].describe()
        notes = "; ".join(filter(None, (bounds, f"default {each.default!r}")))
        text = f"{name}: {each.metadata['meaning']} ({notes})"
        lines.append(textwrap.indent(textwrap.fill(text, 88, subsequent_indent="    "), "    "))
    function.__doc__ = "\n".join(lines)
    return function


@_listing_settings
def fit(
    net: Supervised,
    x: Any,
    y: Any,
    *,
    validation: Pair | None = None,
    seed: int | np.random.Generator | None = None,
    **given: Any,
) -> History:
    """Trains a network on examples x [n, n_in] with targets y [n, n_out].

    Each epoch shuffles the examples and uses every one; the last batch may be short.

    Args:
        net: the network, changed in place.
        x: inputs.
        y: targets.
        validation: held-out inputs and targets, measured after each epoch.
        seed: of the shuffling, an integer or a generator.
        given: the settings below, and the optimizer's own, such as momentum=0.9.

    Returns:
        The cost, with its penalty, and the accuracy after each epoch, on x and on `validation`,
        whose cost is without.

    Raises:
        ValueError: data of the wrong shape or not finite, targets that do not fit the cost, a batch
            larger than the data, patience without validation, or a setting out of its bounds.
        TypeError: a setting that neither this function nor the optimizer has.
    """
    x, y = net.checked(x, y)
    held_out = validation and net.checked(*validation)
    settings, optimizer = _settings(net, given)
    if settings.batch_size > len(x):
        raise ValueError(
            f"batch_size must be at most the {len(x)} examples, not {settings.batch_size}"
        )
    if settings.patience is not None and held_out is None:
        raise SettingError("patience", "needs validation data, which show the best epoch")
    penalty = net.penalty(len(x), settings.l1, settings.l2)
    update = _Update(net, settings, optimizer, penalty)
    rng, history, best = np.random.default_rng(seed), History(), net.parameters.copy()
    for epoch in range(settings.epochs):
        for piece in _pieces(rng.permutation(len(x)), settings.batch_size):
            shuffled_x, shuffled_y = x[piece], y[piece]
            for start in range(0, len(piece), settings.batch_size):
                batch = slice(start, start + settings.batch_size)
                update(shuffled_x[batch], shuffled_y[batch])
        _measure(net, x, y, penalty.value(net.parameters), history.cost, history.accuracy)
        if held_out:
            _measure(net, *held_out, 0.0, history.validation_cost, history.validation_accuracy)
            if history.validation_cost[-1] < _best_cost(history):
                history.best_epoch = epoch
                np.copyto(best, net.parameters)
        if settings.report_every and (epoch + 1) % settings.report_every == 0:
            print(_line(history, epoch + 1, settings.epochs))
        if settings.patience is not None and epoch - history.best_epoch >= settings.patience:
            break
    if settings.patience is not None:
        np.copyto(net.parameters, best)
    return history


def _settings(net: Supervised, given: dict[str, Any]) -> tuple[FitSettings, Optimizer]:
    """The settings of `fit`, and the optimizer with its own."""
    known = fields_of(FitSettings)
    settings = FitSettings(**{name: given[name] for name in given if name in known})
    kind = OPTIMIZERS[settings.optimizer]
    own = {name: given[name] for name in given if name not in known}
    allowed = [*known, *fields_of(kind.Settings), "validation", "seed"]
    for name in own:
        if name not in allowed:
            raise TypeError(
                f"{name!r} is not a setting of fit or {kind.__name__}{suggestion(name, allowed)}"
            )
    rate = settings.learning_rate
    return settings, kind(net.parameters, net.gradients, learning_rate=rate, **own)


def _pieces(order: IntArray, batch_size: int) -> list[IntArray]:
    """The indices of some thousand examples each, in whole batches.

    Copying these at once is faster than batch by batch, and needs less memory than all.
    """
    step = batch_size * max(1, _TAKEN // batch_size)
    return [order[start : start + step] for start in range(0, len(order), step)]


@dataclass
class _Update:
    """One update of the parameters."""

    net: Supervised
    settings: FitSettings
    optimizer: Optimizer
    penalty: Penalty

    def __call__(self, x: Array, y: Array) -> None:
        cost = self.net.propagate(x, y)
        self.penalty.add_gradient(self.net.parameters, self.net.gradients)
        if self.settings.verbose:
            print(describe_update(self.net, x, y, cost))
        self.optimizer.step()
        if self.settings.max_norm is not None:
            for weights in self.net.weights:
                limit_norms(weights, self.settings.max_norm)


def _measure(
    net: Supervised, x: Array, y: Array, penalty: float, costs: list[float], accuracies: list[float]
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
