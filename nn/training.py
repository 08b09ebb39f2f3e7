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
Arrays = tuple[Array, Array]
Function = TypeVar("Function", bound=Callable[..., Any])
Augmentation = Callable[[Array, np.random.Generator], Array]
LAST_BATCHES = ("keep", "drop_short", "drop")
DIVISORS = ("examples", "batch")
_TAKEN = 1 << 16  # numbers that are shuffled at once
_ALL, _SOME, _SHARE = 2048, 1024, 16  # examples that an epoch's measurement takes


@dataclass(frozen=True, kw_only=True)
class FitSettings(BaseSettings):
    """The settings of `fit`."""

    epochs: int = setting("passes over the examples", 10, least=1)
    batch_size: int = setting("examples per update", 32, least=1)
    learning_rate: float | Schedule = setting("step size, or its schedule over updates", 0.1)
    l2: float = setting("lmda of the penalty lmda / (2 n) * sum(w^2) on the weights", 0.0, least=0)
    l1: float = setting("lmda of the penalty lmda / n * sum(|w|) on the weights", 0.0, least=0)
    penalty_per: str = setting("the n of l1 and l2: all examples, or a batch's", "examples",
                               names=DIVISORS)  # fmt: skip
    max_norm: float | None = setting("largest norm of a unit's incoming weights", None, above=0)
    optimizer: str = setting("a name in nn.OPTIMIZERS", "SGD", names=OPTIMIZERS)
    last_batch: str = setting(
        "the last batch of an epoch: keep it, drop_short drops it if it is short, drop always",
        "keep", names=LAST_BATCHES,
    )  # fmt: skip
    validation_split: float | None = setting(
        "share of the examples that is held out as validation data, chosen by the seed", None,
        above=0, below=1,
    )  # fmt: skip
    patience: int | None = setting(
        "epochs without a lower validation cost until training ends and restores the weights of "
        "the best epoch; None trains for all epochs", None, least=1
    )  # fmt: skip
    report_every: int = setting("epochs between printed lines; 0 prints none", 1, least=0)
    verbose: bool | None = setting(
        "False prints nothing at all, True the internals of each update too", None
    )
    each_batch: bool = setting("whether History keeps the cost of each batch too", False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, each in fields_of(type(self)).items():
            value, kind = getattr(self, name), str(each.type)
            whole = value is None or hasattr(value, "__index__")
            if kind.startswith("int") and not whole:
                raise SettingError(name, f"must be a whole number, not {value!r}")
            if kind == "str" and not isinstance(value, str):
                raise SettingError(name, f"must be a name, not {value!r}")
            if value is None and "None" not in kind:
                raise SettingError(name, "must be a number, not None")


@dataclass
class History:
    """The results of each epoch.

    Those on validation data are empty without any, and accuracies if the targets are not classes.
    Those of each batch, on request, are the cost that it was learned from and the validation cost
    after it.
    """

    cost: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = -1  # of the lowest validation cost, counted from 0; -1 without validation
    batch_cost: list[float] = field(default_factory=list)
    batch_validation_cost: list[float] = field(default_factory=list)


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
    augment: Augmentation | None = None,
    callback: Callable[[History], object] | None = None,
    **given: Any,
) -> History:
    """Trains a network on examples x [n, n_in] with targets y [n, n_out].

    Each epoch shuffles the examples and uses every one; the last batch may be short.

    Args:
        net: the network, changed in place.
        x: inputs.
        y: targets; `checked` says what is taken.
        validation: held-out inputs and targets, measured after each epoch.
        seed: of the shuffling, an integer or a generator.
        augment: called with the inputs [B, n_in] of each batch and the generator; returns the
            inputs to learn from.
        callback: called with the history after each epoch; training ends if it returns True.
        given: the settings below, and the optimizer's own, such as momentum=0.9.

    Returns:
        The cost, with its penalty, and the accuracy after each epoch, on x and on `validation`,
        whose cost is without. Of more than 2,048 examples x only a part is measured, evenly spaced:
        a sixteenth, but at least 1,024.

    Raises:
        ValueError: data of the wrong shape or not finite, targets that do not fit the cost, a batch
            larger than the data, patience without validation, or a setting out of its bounds.
        TypeError: a setting that neither this function nor the optimizer has.
    """
    x, y = net.checked(x, y)
    held_out = validation and _validation(net, validation)
    settings, optimizer = _settings(net, given)
    rng = np.random.default_rng(seed)
    if settings.validation_split is not None:
        if held_out:
            raise SettingError("validation_split", "and validation exclude each other")
        (x, y), held_out = _split(x, y, settings.validation_split, rng)
    batches = _batches(len(x), settings)
    if settings.patience is not None and held_out is None:
        raise SettingError(
            "patience", "needs validation data, which show the best epoch: validation=(x, y) or "
            "validation_split=0.1"
        )  # fmt: skip
    share = len(x) if settings.penalty_per == "examples" else settings.batch_size
    penalty = net.penalty(share, settings.l1, settings.l2)
    history, best = History(), net.parameters.copy()
    update = _Update(net, settings, optimizer, penalty, augment, rng, held_out, history)
    reports = settings.report_every if settings.verbose in (None, True) else 0
    part = _part(x, y)
    if reports:
        print(_line(_measure(net, part, held_out, penalty, History()), 0, settings.epochs))
    for epoch in range(settings.epochs):
        for piece in _pieces(rng.permutation(len(x))[:batches], settings.batch_size, x.shape[1]):
            shuffled_x, shuffled_y = x.take(piece, axis=0), y.take(piece, axis=0)
            for start in range(0, len(piece), settings.batch_size):
                batch = slice(start, start + settings.batch_size)
                update(shuffled_x[batch], shuffled_y[batch])
        _measure(net, part, held_out, penalty, history)
        if held_out and history.validation_cost[-1] < _best_cost(history):
            history.best_epoch = epoch
            np.copyto(best, net.parameters)
        if reports and (epoch + 1) % reports == 0:
            print(_line(history, epoch + 1, settings.epochs))
        if settings.patience is not None and epoch - history.best_epoch >= settings.patience:
            break
        if callback is not None and callback(history) is True:
            break
    if settings.patience is not None:
        np.copyto(net.parameters, best)
    return history


def _validation(net: Supervised, validation: Any) -> Arrays:
    """The validation data, checked.

    Raises:
        ValueError: they are no pair, or something is wrong with them; the message says that it is
            about validation.
    """
    try:
        x, y = validation
    except (TypeError, ValueError):
        raise SettingError("validation", "must be a pair (x, y)") from None
    try:
        return net.checked(x, y)
    except ValueError as error:
        raise SettingError("validation", f"data: {error}") from None


def _split(x: Array, y: Array, share: float, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    """The examples to learn from, and those held out, at least one of each."""
    if len(x) < 2:
        raise SettingError("validation_split", "needs two or more examples")
    order, held = rng.permutation(len(x)), min(max(1, round(share * len(x))), len(x) - 1)
    return (x[order[held:]], y[order[held:]]), (x[order[:held]], y[order[:held]])


def _batches(examples: int, settings: FitSettings) -> int:
    """The examples of an epoch, of which its last batch may be left out.

    Raises:
        ValueError: none are left.
    """
    size, last = settings.batch_size, settings.last_batch
    if size > examples:
        raise ValueError(f"batch_size must be at most the {examples} examples, not {size}")
    left_out = {"keep": 0, "drop_short": examples % size, "drop": (examples - 1) % size + 1}[last]
    if left_out == examples:
        raise SettingError("last_batch", "leaves no batch: choose a smaller batch_size")
    return examples - left_out


def _part(x: Array, y: Array) -> Arrays:
    """The examples that are measured after each epoch, so that it takes little of its time."""
    step = 1 if len(x) <= _ALL else min(_SHARE, len(x) // _SOME)
    return np.ascontiguousarray(x[::step]), np.ascontiguousarray(y[::step])


def _settings(net: Supervised, given: dict[str, Any]) -> tuple[FitSettings, Optimizer]:
    """The settings of `fit`, and the optimizer with its own."""
    known = fields_of(FitSettings)
    settings = FitSettings(**{name: given[name] for name in given if name in known})
    kind = OPTIMIZERS[settings.optimizer]
    own = {name: given[name] for name in given if name not in known}
    allowed = [*known, *fields_of(kind.Settings), "validation", "seed", "augment", "callback"]
    for name in own:
        if name not in allowed:
            raise TypeError(
                f"{name!r} is not a setting of fit or {kind.__name__}{suggestion(name, allowed)}"
            )
    rate = settings.learning_rate
    return settings, kind(net.parameters, net.gradients, learning_rate=rate, **own)


def _pieces(order: IntArray, batch_size: int, width: int) -> list[IntArray]:
    """The indices of several examples each, in whole batches.

    Copying these at once is faster than batch by batch, as long as they stay in the cache.
    """
    step = batch_size * max(1, _TAKEN // (batch_size * width))
    return [order[start : start + step] for start in range(0, len(order), step)]


@dataclass
class _Update:
    """One update of the parameters."""

    net: Supervised
    settings: FitSettings
    optimizer: Optimizer
    penalty: Penalty
    augment: Augmentation | None
    rng: np.random.Generator
    held_out: Arrays | None
    history: History

    def __call__(self, x: Array, y: Array) -> None:
        net = self.net
        if self.augment is not None:
            shape, x = x.shape, self.augment(x, self.rng)
            if np.shape(x) != shape:
                raise ValueError(f"augment must return inputs of the shape {list(shape)}, "
                                 f"not {list(np.shape(x))}")  # fmt: skip
        cost = net.propagate(x, y)
        if self.settings.each_batch:
            self.history.batch_cost.append(cost + self.penalty.value(net.parameters))
        self.penalty.add_gradient(net.parameters, net.gradients)
        if self.settings.verbose:
            print(describe_update(net, x, y, cost))
        self.optimizer.step()
        if self.settings.max_norm is not None:
            for weights in net.weights:
                limit_norms(weights, self.settings.max_norm)
        if self.settings.each_batch and self.held_out:
            self.history.batch_validation_cost.append(net.measure(*self.held_out)[0])


def _measure(
    net: Supervised, examples: Arrays, held_out: Arrays | None, penalty: Penalty, history: History
) -> History:
    """Adds the costs and the accuracies of the network as it is; returns the history."""
    cost, accuracy = net.measure(*examples)
    history.cost.append(cost + penalty.value(net.parameters))
    history.accuracy += [] if accuracy is None else [accuracy]
    if held_out:
        cost, accuracy = net.measure(*held_out)
        history.validation_cost.append(cost)
        history.validation_accuracy += [] if accuracy is None else [accuracy]
    return history


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
