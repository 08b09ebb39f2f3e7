"""How well small networks of this engine read handwritten digits, and what improves them.

    python scripts/mnist.py --data DIR                  # the comparison, about 4 minutes
    python scripts/mnist.py --data DIR --only main      # only the main network, half a minute
    python scripts/mnist.py --data DIR --download URL   # fetches the files from a mirror first

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
"""

from __future__ import annotations

import functools
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import common
import numpy as np
from mnist_data import CLASSES, SIDE, DataError, Digits, download, has_part, read_part

import nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nn.typing import Array

SHUFFLES = (0, 1, 2)
EPOCHS = 50
LEARNING_RATE = 3e-3  # at first
HELD_OUT = 10  # early stopping holds out one in this many
INK, ACCENT = "#222222", "#d55e00"  # vermilion, which the colour-blind tell from black
GRID = (4, 10)  # rows and columns of the picture of mistakes
INTERRUPTED = 130


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
GROUPS = tuple(dict.fromkeys(each.group for each in VARIANTS))


class Outcome(NamedTuple):
    """The result of one variant on one shuffle.

    Attributes:
        outputs: of the network for the test digits [n, 10].
        accuracy: on the test digits, in [0, 1].
        training_accuracy: on the training digits.
        cost: on the test digits.
        epochs: until training ended.
        seconds: of training.
    """

    variant: Variant
    shuffle: int
    outputs: Array
    accuracy: float
    training_accuracy: float
    cost: float
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Settings:
    """What all variants have in common."""

    data: Path
    examples: int | None  # to learn from; None for all there are
    epochs: int


@functools.cache
def read(folder: Path) -> tuple[Digits, Digits | None]:
    """The `t10k` digits and, if the folder has them, the `train` digits; read once a process."""
    train = read_part(folder, "train") if has_part(folder, "train") else None
    return read_part(folder, "t10k"), train


def split(
    t10k: Digits, train: Digits | None, examples: int | None, rng: np.random.Generator
) -> tuple[Digits, Digits]:
    """The digits to train and to test on.

    Without `train`, these are the two halves of the shuffled `t10k`. The test digits are the same
    for any number of examples.
    """
    if train is not None:
        return train.take(rng.permutation(len(train.labels))[:examples]), t10k
    order, half = rng.permutation(len(t10k.labels)), len(t10k.labels) // 2
    return t10k.take(order[:half][:examples]), t10k.take(order[half:])


def hold_out(digits: Digits) -> tuple[Digits, Digits]:
    """All but the last tenth of the training digits, and that tenth for early stopping."""
    end = len(digits.labels) - len(digits.labels) // HELD_OUT
    return digits.take(slice(end)), digits.take(slice(end, None))


def targets(digits: Digits) -> tuple[Array, Array]:
    """x [n, 784] and the one-hot y [n, 10]."""
    return digits.pixels, nn.one_hot(digits.labels, CLASSES)


def train_one(settings: Settings, variant: Variant, shuffle: int) -> Outcome:
    """Trains one variant on one shuffle and tests it."""
    rng = np.random.default_rng(shuffle)
    training, test = split(*read(settings.data), settings.examples, rng)
    validation = None
    if variant.patience is not None:
        training, held_out = hold_out(training)
        validation = targets(held_out)
    net = nn.NeuralNet(
        variant.sizes, variant.hidden, variant.output, cost=variant.cost,
        initializer=variant.initializer, dropout=variant.dropout, seed=rng,
    )  # fmt: skip
    updates = settings.epochs * math.ceil(len(training.labels) / variant.batch_size)
    started = time.perf_counter()
    history = net.fit(
        *targets(training), validation=validation, epochs=settings.epochs,
        batch_size=variant.batch_size, optimizer="Adam",
        learning_rate=nn.Cosine(start=LEARNING_RATE, end=0.0, steps=updates),
        l2=variant.l2, l1=variant.l1, max_norm=variant.max_norm, patience=variant.patience,
        report_every=0, seed=rng,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    return Outcome(
        variant, shuffle, net.feedforward(test.pixels), net.accuracy(*targets(test)),
        net.accuracy(*targets(training)), net.cost(*targets(test)), len(history.cost), seconds,
    )  # fmt: skip


def train_all(
    settings: Settings, variants: Sequence[Variant], jobs: int
) -> dict[Variant, list[Outcome]]:
    """The outcomes of each variant, one per shuffle; prints the progress on standard error."""
    works = [
        functools.partial(train_one, settings, variant, shuffle)
        for shuffle in SHUFFLES for variant in variants
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
    head = ("compared", "network", "test accuracy, %", f"of shuffles {SHUFFLES}", "against plain",
            "training accuracy, %", "test cost", "epochs", "seconds")  # fmt: skip
    plain = percent(outcomes[PLAIN])
    return common.table(head, (_row(each, found, plain) for each, found in outcomes.items()))


def costs(outcomes: Sequence[Outcome]) -> Array:
    """The costs on the test digits, one per shuffle."""
    return np.array([each.cost for each in outcomes])


def percent(outcomes: Sequence[Outcome]) -> Array:
    """The test accuracies in per cent, one per shuffle."""
    return np.array([100 * each.accuracy for each in outcomes])


def _row(variant: Variant, outcomes: Sequence[Outcome], plain: Array) -> tuple[str, ...]:
    accuracies = percent(outcomes)
    training, epochs, seconds = (
        np.mean([getattr(each, name) for each in outcomes])
        for name in ("training_accuracy", "epochs", "seconds")
    )
    return (
        variant.group,
        variant.name,
        f"{accuracies.mean():.2f} ± {accuracies.std(ddof=1):.2f}",
        ", ".join(f"{each:.2f}" for each in accuracies),
        "" if variant is PLAIN else f"{(accuracies - plain).mean():+.2f}",
        f"{100 * training:.2f}",
        f"{costs(outcomes).mean():.3f}" if comparable(variant) else "",
        f"{epochs:.0f}",
        f"{seconds:.1f}",
    )


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


def draw_mistakes(test: Digits, outputs: Array, title: str, path: Path) -> None:
    """Draws digits that a network misreads, from the surest to the least sure.

    Args:
        test: the digits, n of them.
        outputs: the network's probabilities for them [n, 10].
        title: the network.
        path: of the PNG.
    """
    order = mistakes(test.labels, outputs)
    most = min(len(order), math.prod(GRID))
    shown = order[np.linspace(0, len(order) - 1, most).astype(int)]
    figure = common.new_figure(
        1.3 * GRID[1], 1.65 * GRID[0] + 0.7,
        f"{title} misreads {len(order):,} of {len(outputs):,} test digits; "
        f"{most} of them, the surest first\n",
    )  # fmt: skip
    grid = figure.subplots(*GRID).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, which in zip(grid, shown, strict=False):
        axes.imshow(test.pixels[which].reshape(SIDE, SIDE), cmap="gray_r", vmin=0, vmax=1)
        read_as = outputs[which].argmax()
        axes.set_title(f"{test.labels[which]}, read as {read_as}\nat {outputs[which, read_as]:.1%}")
    common.save(figure, path, 120)


def mistakes(labels: Array, outputs: Array) -> Array:
    """The indices of misread digits, sorted by the largest output [n, 10], descending."""
    wrong = np.flatnonzero(outputs.argmax(axis=1) != labels)
    return wrong[np.argsort(-outputs[wrong].max(axis=1), kind="stable")]


def require(settings: Settings) -> None:
    """Refuses settings that the data do not allow.

    Raises:
        DataError: there are fewer examples than requested or than in a batch.
    """
    t10k, train = read(settings.data)
    most = len(t10k.labels) // 2 if train is None else len(train.labels)
    least = max(each.batch_size for each in VARIANTS)
    if most < least:
        raise DataError(
            f"{settings.data} holds {most:,} digits to learn from; the comparison needs {least}"
        )
    if settings.examples is not None and not least <= settings.examples <= most:
        raise DataError(
            f"--examples must be from {least} to the {most:,} that {settings.data} holds to learn "
            f"from, not {settings.examples}"
        )


def report(settings: Settings, variants: Sequence[Variant], jobs: int, folder: Path) -> None:
    """Trains everything, prints the table, and writes it and the pictures into the folder."""
    outcomes = train_all(settings, variants, jobs)
    print(table(outcomes))
    with common.written(folder / "comparison.md") as file:
        file.write(f"{table(outcomes)}\n".encode())
    draw_comparison(outcomes, folder / "comparison.png")
    first = outcomes[MAIN][0]
    _, test = split(*read(settings.data), settings.examples, np.random.default_rng(first.shuffle))
    title = f"Shuffle {first.shuffle}: {MAIN.sizes} with {MAIN.name}"
    draw_mistakes(test, first.outputs, title, folder / "mistakes.png")


def main() -> None:
    os.environ["MPLBACKEND"] = "agg"  # a Jupyter kernel's may not be installed
    parser = _parser()
    options = parser.parse_args()
    settings = Settings(options.data, options.examples, options.epochs)
    wanted = {PLAIN.group, *(options.only or GROUPS)}
    try:
        if options.download:
            download(options.data, options.download)
        require(settings)
        parser.make_folder(options.output)
        variants = [each for each in VARIANTS if each.group in wanted]
        report(settings, variants, options.jobs, options.output)
    except DataError as error:
        parser.refuse(str(error))
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, "mnist.py: interrupted\n")


def _parser() -> common.Parser:
    parser = common.Parser(description="Networks that read handwritten digits, compared.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR",
                        help="the folder of the MNIST files")  # fmt: skip
    parser.add_argument("--download", metavar="URL", help="first fetch them from this mirror")
    parser.add_argument("--examples", type=int, metavar="N",
                        help="digits to train on (default: all)")  # fmt: skip
    parser.add_argument("--epochs", type=common.positive, default=EPOCHS, metavar="N",
                        help="default %(default)s")  # fmt: skip
    parser.add_argument("--only", choices=GROUPS, action="append",
                        help="this group and the main one; may be repeated")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=1, metavar="N",
                        help="processes (default %(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("runs/mnist"), metavar="DIR",
                        help="for the table and the pictures (default %(default)s)")  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
