"""How well small networks of this engine read handwritten digits, and what improves them.

    python scripts/mnist.py --data DIR                  # the comparison, about 4 minutes
    python scripts/mnist.py --data DIR --only main      # only the main network, half a minute
    python scripts/mnist.py --data DIR --download URL   # fetches the files from a mirror first
    python scripts/mnist.py --data DIR --only full      # what takes all 60,000 digits, see below
    python scripts/mnist.py --data DIR --only convolution
    python scripts/mnist.py --data DIR --network 784,30,10 --optimizer SGD --learning-rate 0.1 ...

DIR holds the MNIST files as `mnist_data.py` describes them. With all four, the networks train on
the 60,000 training digits and are tested on the 10,000 others. With only the two `t10k` files, the
10,000 are shuffled and halved: one half trains, the other tests.

Every network is trained three times, on shuffles 0, 1 and 2. The table gives each of the three,
their mean and their standard deviation, and the mean gain over the plain network: (784, 100, 10)
without regularization, from which each of the others differs only in what its name says (sigmoid
and tanh units also in their initial weights, which are Glorot's). All are trained by Adam, with a
learning rate that falls from 0.003 to 0 along a cosine. One picture shows the table, another shows
digits that the main network misreads.

Nothing is chosen by the digits that a network is tested on. It trains for a fixed number of epochs,
except with early stopping, which holds out a tenth of the training digits and monitors their cost.
The rate, the epochs and the strength of each regularization were chosen on six other shuffles (10
to 15), within their training halves: 4,000 digits to train and 1,000 to choose by. These are
shuffles of the same 10,000, so a digit tested here may have been used for that choice.

The group `full` is for all four files: the network and the settings of the textbook program
(docs/neural-networks.md has its conventions), the same (784, 100, 10) trained on deformed digits
(`deformation.py`), and a larger one. Their settings were chosen with `--choose`, which tests on
10,000 of the training digits and trains on the other 50,000. The group `convolution` is a network
of two convolutions with the deformation, the rate and the batches of the first.

An option such as --network, --activation or --learning-rate describes a single network, which is
trained instead of the comparison; what is not given is as for the plain one.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import common
import numpy as np
from deformation import Deformation
from mnist_data import CLASSES, SIDE, DataError, Digits, download, has_part, read_part
from mnist_pictures import draw_confusion, draw_mistakes, draw_weights
from mnist_pictures import mistakes as mistakes

import nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nn.typing import Array

SHUFFLES = (0, 1, 2)
EPOCHS = 50
LEARNING_RATE = 3e-3  # at first
HELD_OUT = 10  # early stopping holds out one in this many
INK, ACCENT = "#222222", "#d55e00"  # vermilion, which the colour-blind tell from black
PIXELS = {"unit": 1.0, "raw": 255.0}  # the value of ink
CHOOSING = 6  # to choose settings, one in this many of the training digits tests


@dataclass(frozen=True)
class Variant:
    """A network and how it is trained; the defaults are the plain one."""

    group: str
    name: str
    sizes: tuple[int, ...] = (SIDE * SIDE, 100, CLASSES)
    hidden: str = "relu"
    initializer: str = "he"
    cost: str = "log_likelihood"
    output: str = "softmax"
    dropout: float = 0.0
    batch_size: int = 32
    l2: float = 0.0
    l1: float = 0.0
    max_norm: float | None = None
    patience: int | None = None  # epochs; early stopping if there is any
    bias_initializer: str = "zero"
    optimizer: str = "Adam"
    learning_rate: float = LEARNING_RATE
    schedule: str = "cosine"  # to 0, or "constant"
    epochs: int = EPOCHS
    pixels: str = "unit"
    penalty_per: str = "examples"
    last_batch: str = "keep"
    deformation: Deformation | None = None
    conv: tuple[nn.Convolution, ...] = ()


def architecture(*hidden: int) -> Variant:
    """The plain network with other hidden layers."""
    sizes = (SIDE * SIDE, *hidden, CLASSES)
    return Variant("architecture", f"{sizes}", sizes)


PLAIN = Variant("main", "plain: (784, 100, 10), no regularization")
MAIN = Variant("main", "dropout 0.2, L2 1", dropout=0.2, l2=1.0)
VARIANTS = (
    PLAIN,
    MAIN,
    Variant("regularization", "dropout 0.3", dropout=0.3),
    Variant("regularization", "dropout 0.5", dropout=0.5),
    Variant("regularization", "L2 3", l2=3.0),
    Variant("regularization", "L1 0.3", l1=0.3),
    Variant("regularization", "max-norm 2", max_norm=2.0),
    Variant("regularization", "early stopping", patience=10),
    Variant("regularization", "dropout 0.2, max-norm 2", dropout=0.2, max_norm=2.0),
    Variant("regularization", "dropout 0.3, early stopping", dropout=0.3, patience=10),
    architecture(),
    architecture(30),
    architecture(300),
    architecture(100, 100),
    Variant("activation", "sigmoid", hidden="sigmoid", initializer="glorot"),
    Variant("activation", "tanh", hidden="tanh", initializer="glorot"),
    Variant("activation", "leaky ReLU", hidden="leaky_relu"),
    Variant("activation", "SiLU", hidden="silu"),
    Variant("cost", "cross-entropy, sigmoid output", cost="cross_entropy", output="sigmoid"),
    Variant("cost", "quadratic, sigmoid output", cost="quadratic", output="sigmoid"),
    Variant("batch", "8 digits a batch", batch_size=8),
    Variant("batch", "128 digits a batch", batch_size=128),
    Variant("batch", "512 digits a batch", batch_size=512),
)
POST = Variant(
    "full", "the textbook program's settings", initializer="normal", bias_initializer="normal",
    optimizer="SGD", learning_rate=1e-4, schedule="constant", batch_size=100, l2=0.5,
    penalty_per="batch", last_batch="drop", pixels="raw", epochs=101,
)  # fmt: skip
FULL = (
    POST,
    Variant("full", "deformed digits", batch_size=100, learning_rate=2e-3, epochs=60,
            deformation=Deformation()),
    Variant("full", "(784, 400, 400, 10), deformed digits", (SIDE * SIDE, 400, 400, CLASSES),
            batch_size=100, learning_rate=1e-3, epochs=40,
            deformation=Deformation(1.5, 10.0, 0.12, 0.8)),
)  # fmt: skip
CONVOLUTION = Variant(
    "convolution", "two convolutions, deformed digits", (SIDE * SIDE, 128, CLASSES),
    batch_size=100, learning_rate=2e-3, epochs=12, deformation=Deformation(),
    conv=(nn.Convolution(filters=16, size=5, pool=2), nn.Convolution(filters=32, size=5, pool=2)),
)  # fmt: skip
GROUPS = tuple(dict.fromkeys(each.group for each in VARIANTS))
ALL = dict.fromkeys(each.group for each in (*FULL, CONVOLUTION))  # for all four files


class Outcome(NamedTuple):
    """The result of one variant on one shuffle.

    Attributes:
        outputs: of the network for the test digits [n, 10].
        accuracy: on the test digits, in [0, 1].
        training_accuracy: on the training digits.
        cost: on the test digits.
        epochs: until training ended.
        seconds: of the processor, in training.
        weights: of the first layer [784, units], or of its filters.
    """

    variant: Variant
    shuffle: int
    outputs: Array
    accuracy: float
    training_accuracy: float
    cost: float
    epochs: int
    seconds: float
    weights: Array = np.zeros((SIDE * SIDE, 1))


@dataclass(frozen=True)
class Settings:
    """What all variants have in common."""

    data: Path
    examples: int | None  # to learn from; None for all there are
    epochs: int | None = None  # None for those of the variant
    choose: bool = False  # whether training digits test


@functools.cache
def read(folder: Path) -> tuple[Digits, Digits | None]:
    """The `t10k` digits and, if the folder has them, the `train` digits; read once a process."""
    train = read_part(folder, "train") if has_part(folder, "train") else None
    return read_part(folder, "t10k"), train


def split(
    t10k: Digits, train: Digits | None, examples: int | None, rng: np.random.Generator,
    choose: bool = False,
) -> tuple[Digits, Digits]:  # fmt: skip
    """The digits to train and to test on.

    Without `train`, these are the two halves of the shuffled `t10k`. To choose settings, a sixth
    of `train` tests. The test digits are the same for any number of examples.
    """
    if train is not None and not choose:
        return train.take(rng.permutation(len(train.labels))[:examples]), t10k
    digits, tested = (t10k, 2) if train is None else (train, CHOOSING)
    order = rng.permutation(len(digits.labels))
    end = len(order) - -(-len(order) // tested)
    return digits.take(order[:end][:examples]), digits.take(order[end:])


def hold_out(digits: Digits) -> tuple[Digits, Digits]:
    """All but the last tenth of the training digits, and that tenth for early stopping."""
    end = len(digits.labels) - len(digits.labels) // HELD_OUT
    return digits.take(slice(end)), digits.take(slice(end, None))


def targets(digits: Digits, pixels: str = "unit") -> tuple[Array, Array]:
    """x [n, 784] and the one-hot y [n, 10]."""
    return digits.pixels * np.float32(PIXELS[pixels]), nn.one_hot(digits.labels, CLASSES)


def train_one(settings: Settings, variant: Variant, shuffle: int) -> Outcome:
    """Trains one variant on one shuffle and tests it."""
    rng = np.random.default_rng(shuffle)
    training, test = split(*read(settings.data), settings.examples, rng, settings.choose)
    validation = None
    if variant.patience is not None:
        training, held_out = hold_out(training)
        validation = targets(held_out, variant.pixels)
    first = (SIDE, SIDE, 1) if variant.conv else variant.sizes[0]
    net = nn.NeuralNet(
        (first, *variant.sizes[1:]), variant.hidden, variant.output, cost=variant.cost,
        conv=variant.conv, initializer=variant.initializer,
        bias_initializer=variant.bias_initializer, dropout=variant.dropout, seed=rng,
    )  # fmt: skip
    epochs = settings.epochs or variant.epochs
    updates = epochs * math.ceil(len(training.labels) / variant.batch_size)
    rate: float | nn.Schedule = variant.learning_rate
    if variant.schedule == "cosine":
        rate = nn.Cosine(start=variant.learning_rate, end=0.0, steps=updates)
    (x, y), (test_x, test_y) = targets(training, variant.pixels), targets(test, variant.pixels)
    started = time.process_time()
    history = net.fit(
        x, y, validation=validation, epochs=epochs, batch_size=variant.batch_size,
        optimizer=variant.optimizer, learning_rate=rate, l2=variant.l2, l1=variant.l1,
        penalty_per=variant.penalty_per, last_batch=variant.last_batch, max_norm=variant.max_norm,
        patience=variant.patience, augment=variant.deformation, verbose=False, seed=rng,
    )  # fmt: skip
    seconds = time.process_time() - started
    return Outcome(
        variant, shuffle, net.feedforward(test_x), net.accuracy(test_x, test_y),
        net.accuracy(x, y), net.cost(test_x, test_y), len(history.cost), seconds,
        net.weights[0].copy(),
    )  # fmt: skip


def train_all(
    settings: Settings, variants: Sequence[Variant], jobs: int, shuffles: Sequence[int] = SHUFFLES
) -> dict[Variant, list[Outcome]]:
    """The outcomes of each variant, one per shuffle; prints the progress on standard error."""
    works = [
        functools.partial(train_one, settings, variant, shuffle)
        for shuffle in shuffles for variant in variants
    ]  # fmt: skip
    outcomes: dict[Variant, list[Outcome]] = {variant: [] for variant in variants}
    for number, outcome in enumerate(common.in_processes(works, jobs), start=1):
        outcomes[outcome.variant].append(outcome)
        print(
            f"{number:2}/{len(works)}  shuffle {outcome.shuffle}  {outcome.variant.name}: "
            f"{outcome.accuracy:.2%} in {outcome.seconds:.1f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return outcomes


def table(outcomes: dict[Variant, list[Outcome]]) -> str:
    """All outcomes in Markdown, a row for each variant; accuracies in per cent."""
    head = ("compared", "network", "test accuracy, %", "of each shuffle", "against plain",
            "training accuracy, %", "test cost", "epochs", "seconds")  # fmt: skip
    plain = percent(outcomes[PLAIN]) if PLAIN in outcomes else None
    return common.table(head, (_row(each, found, plain) for each, found in outcomes.items()))


def costs(outcomes: Sequence[Outcome]) -> Array:
    """The costs on the test digits, one per shuffle."""
    return np.array([each.cost for each in outcomes])


def percent(outcomes: Sequence[Outcome]) -> Array:
    """The test accuracies in per cent, one per shuffle."""
    return np.array([100 * each.accuracy for each in outcomes])


def _row(variant: Variant, outcomes: Sequence[Outcome], plain: Array | None) -> tuple[str, ...]:
    accuracies = percent(outcomes)
    training, epochs, seconds = (
        np.mean([getattr(each, name) for each in outcomes])
        for name in ("training_accuracy", "epochs", "seconds")
    )
    return (
        variant.group,
        variant.name,
        f"{accuracies.mean():.2f}{deviation(accuracies)}",
        ", ".join(f"{each:.2f}" for each in accuracies),
        "" if variant == PLAIN or plain is None else f"{(accuracies - plain).mean():+.2f}",
        f"{100 * training:.2f}",
        f"{costs(outcomes).mean():.3f}" if comparable(variant) else "",
        f"{epochs:.0f}",
        f"{seconds:.1f}",
    )


def deviation(values: Array) -> str:
    """The standard deviation of two values or more."""
    return f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else ""


def comparable(variant: Variant) -> bool:
    """Whether its cost is on the scale of the plain network's."""
    return variant.cost == PLAIN.cost


def draw_comparison(outcomes: dict[Variant, list[Outcome]], path: Path) -> None:
    """Draws each variant's accuracies and costs on the test digits: the shuffles and their mean."""
    rows: list[tuple[str, Variant | None]] = []
    for group, variants in groupby(outcomes, key=lambda each: each.group):
        rows += [(group, None), *((each.name, each) for each in variants)]
    figure = common.new_figure(11, 1.5 + 0.27 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, (_, variant) in enumerate(rows):
        if variant is not None:
            _draw_dots(left, place, percent(outcomes[variant]), variant)
            if comparable(variant):
                _draw_dots(right, place, costs(outcomes[variant]), variant)
    _finish(left, percent(outcomes[PLAIN]).mean(), "test accuracy, %")
    _finish(right, costs(outcomes[PLAIN]).mean(), "test cost, nats a digit (log-likelihood only)")
    _label_rows(left, rows)
    marks = [each for each in left.lines if not str(each.get_label()).startswith("_")]
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks), frameon=False)
    common.save(figure, path, 120)


def _draw_dots(axes: Axes, place: int, values: Array, variant: Variant) -> None:
    color = ACCENT if variant is MAIN else INK
    labels = ("a shuffle", "mean") if variant is PLAIN else (None, None)
    axes.plot(values, np.full(len(values), place), "o", color=color, alpha=0.4, markersize=5,
              label=labels[0])  # fmt: skip
    axes.plot(values.mean(), place, "|", color=color, markersize=14, markeredgewidth=2.5,
              label=labels[1])  # fmt: skip


def _finish(axes: Axes, plain: float, label: str) -> None:
    axes.axvline(plain, color=INK, linestyle="--", linewidth=1, label="mean of the plain network")
    axes.set_xlabel(label)
    axes.grid(alpha=0.25)
    axes.tick_params(axis="y", length=0)


def _label_rows(axes: Axes, rows: Sequence[tuple[str, Variant | None]]) -> None:
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    for text, (_, variant) in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if variant is None else "normal")
        text.set_color(ACCENT if variant is MAIN else INK)


def require(settings: Settings, variants: Sequence[Variant] = VARIANTS) -> None:
    """Refuses settings that the data do not allow.

    Raises:
        DataError: there are fewer examples than requested or than in a batch, or no training
            digits to choose by.
    """
    t10k, train = read(settings.data)
    if settings.choose and train is None:
        raise DataError(f"--choose takes the training digits, and {settings.data} has none")
    most = len(t10k.labels) // 2 if train is None else len(train.labels)
    if settings.choose:
        most -= -(-most // CHOOSING)
    least = max(each.batch_size for each in variants)
    if most < least:
        raise DataError(
            f"{settings.data} holds {most:,} digits to learn from; the comparison needs {least}"
        )
    if settings.examples is not None and not least <= settings.examples <= most:
        raise DataError(
            f"--examples must be from {least} to the {most:,} that {settings.data} holds to learn "
            f"from, not {settings.examples}"
        )


def report(
    settings: Settings, variants: Sequence[Variant], jobs: int, folder: Path,
    shuffles: Sequence[int] = SHUFFLES,
) -> None:  # fmt: skip
    """Trains everything, prints the table, and writes it and the pictures into the folder."""
    outcomes = train_all(settings, variants, jobs, shuffles)
    print(table(outcomes))
    with common.written(folder / "comparison.md") as file:
        file.write(f"{table(outcomes)}\n".encode())
    if PLAIN in outcomes:
        draw_comparison(outcomes, folder / "comparison.png")
    shown = MAIN if variants[-1].group in GROUPS else variants[-1]
    draw_outcome(settings, outcomes[shown][0], folder)


def draw_outcome(settings: Settings, outcome: Outcome, folder: Path) -> None:
    """Draws what a network has learned and what it misreads."""
    rng = np.random.default_rng(outcome.shuffle)
    _, test = split(*read(settings.data), settings.examples, rng, settings.choose)
    variant = outcome.variant
    title = f"Shuffle {outcome.shuffle}: {variant.sizes} with {variant.name}"
    draw_mistakes(test, outcome.outputs, title, folder / "mistakes.png")
    draw_confusion(test.labels, outcome.outputs, title, folder / "confusion.png")
    draw_weights(outcome.weights, title, folder / "weights.png")


def main() -> None:
    os.environ["MPLBACKEND"] = "agg"  # a Jupyter kernel's may not be installed
    parser = _parser()
    options = parser.parse_args()
    settings = Settings(options.data, options.examples, options.epochs, options.choose)
    with parser.answering(DataError):
        variants = _variants(options)
        if options.download:
            download(options.data, options.download)
        require(settings, variants)
        parser.make_folder(options.output)
        report(settings, variants, options.jobs, options.output, range(options.seeds))


def _variants(options: argparse.Namespace) -> list[Variant]:
    """Those of the wanted groups, or the one that the options describe.

    Raises:
        DataError: they do not describe a network that reads digits.
    """
    given = {name: value for name in OWN if (value := getattr(options, name)) is not None}
    if output := given.pop("output_activation", None):
        given["output"] = output
    if not given:
        wanted = {*(options.only or GROUPS)}
        if not wanted <= ALL.keys():  # which differ in more than one thing from the plain network
            wanted.add(PLAIN.group)
        return [each for each in (*VARIANTS, *FULL, CONVOLUTION) if each.group in wanted]
    if given.get("cost", PLAIN.cost) != PLAIN.cost:
        given.setdefault("output", "sigmoid")
    variant = replace(PLAIN, group="own", name=", ".join(map(_described, given.items())), **given)
    if (variant.sizes[0], variant.sizes[-1]) != (SIDE * SIDE, CLASSES):
        raise DataError(f"--network must be from {SIDE * SIDE} inputs to {CLASSES} outputs, "
                        f"not {variant.sizes}")  # fmt: skip
    try:
        nn.NeuralNet(variant.sizes, variant.hidden, variant.output, cost=variant.cost,
                     dropout=variant.dropout)  # fmt: skip
    except ValueError as error:
        raise DataError(str(error)) from None
    return [variant]


def _described(given: tuple[str, object]) -> str:
    name, value = given
    return f"{name.replace('_', ' ')} {value}"


OWN = ("sizes", "hidden", "cost", "output_activation", "initializer", "bias_initializer",
       "optimizer", "learning_rate", "schedule", "batch_size", "pixels", "dropout", "l2", "l1",
       "penalty_per", "last_batch")  # fmt: skip


def _parser() -> common.Parser:
    parser = common.Parser(description="Networks that read handwritten digits, compared.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR",
                        help="the folder of the MNIST files")  # fmt: skip
    parser.add_argument("--download", metavar="URL", help="first fetch them from this mirror")
    parser.add_argument("--examples", type=int, metavar="N",
                        help="digits to train on (default: all)")  # fmt: skip
    parser.add_argument("--epochs", type=common.positive, metavar="N",
                        help=f"default {EPOCHS}; full: those of each")  # fmt: skip
    parser.add_argument("--only", choices=(*GROUPS, *ALL), action="append",
                        help="this group, beside the main one; may be repeated")  # fmt: skip
    parser.add_argument("--seeds", type=common.positive, default=len(SHUFFLES), metavar="N",
                        help="shuffles 0 to N - 1 (default %(default)s)")  # fmt: skip
    parser.add_argument("--choose", action="store_true",
                        help="test on a sixth of the training digits")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=1, metavar="N",
                        help="processes (default %(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("runs/mnist"), metavar="DIR",
                        help="for the table and the pictures (default %(default)s)")  # fmt: skip
    common.add_network_options(parser)
    parser.add_argument("--pixels", choices=PIXELS, help="0 to 1, or raw: 0 to 255")
    return parser


if __name__ == "__main__":
    main()
