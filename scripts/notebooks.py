"""Repeats every training of the textbook program's notebooks, and writes docs/NOTEBOOKS.md.

    python scripts/notebooks.py --data DIR                     # all 90; goes on where it ended
    python scripts/notebooks.py                                # the 16 that need no digits
    python scripts/notebooks.py --data DIR --only relu_rates   # one group

The program is Laura Graesser's "A Neural Network Program in Python" of 2016
(https://github.com/lgraesser/NeuralNetwork). `notebooks.csv` lists the trainings in its notebooks
with their settings and the accuracies, in per cent, that are printed in them. Here they are
repeated with its conventions (docs/neural-networks.md has a table of them) but random numbers of
our own; the points of the ball in the ring are our own, too. DIR holds the four MNIST files as
`mnist_data.py` describes them.

Each result is a line of rows.csv in the folder of --output, there when its training has ended: the
same command again trains what is missing, and a group at a time is as good as all at once.
"""

from __future__ import annotations

import argparse
import csv
import functools
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

import common
import numpy as np
from donutball import (
    BALL_SHARE,
    TEST,
    TRAINING,
    Run,
    Setting,
    add_regions_legend,
    draw_regions,
    name_axes,
)
from mnist_data import CLASSES, DataError, read_part

import nn
from nn.checkpoint import replacing
from nn.typing import Array

HERE = Path(__file__).parent
SEED = 0
PAGE = (HERE / "notebooks_page.md").read_text()  # a table goes to each name in braces
GROUPS = [name for name in re.findall(r"^{(\w+)}$", PAGE, re.M) if name != "missing"]
RAISED = 0.001
LEGACY_SEED = 1  # of the notebooks' initial weights
PICTURES = {"quadratic": range(160, 961, 160), "cross_entropy": range(25, 151, 25)}  # epochs
Data = tuple[Array, Array]
Keep = Callable[[nn.NeuralNet, nn.History], None]


@dataclass(frozen=True)
class Training:
    """One training of the notebooks; accuracies in per cent."""

    number: int
    group: str
    sizes: tuple[int, ...]
    cost: str
    hidden: str
    output: str
    initializer: str
    learning_rate: float
    batch_size: int
    l2: float
    epochs: int
    examples: int
    original_training: float
    original_test: float

    @property
    def is_ring(self) -> bool:
        return self.examples == TRAINING


@dataclass(frozen=True)
class Result:
    """What a training came to; accuracies in per cent, processor seconds."""

    number: int
    epochs: int
    training: float
    test: float
    cost: float
    seconds: float


def read_trainings() -> list[Training]:
    """All trainings, in the order of the notebooks."""
    with open(HERE / "notebooks.csv", newline="") as file:
        return [_training(row) for row in csv.DictReader(file)]


def _training(row: dict[str, str]) -> Training:
    kinds = {"str": str, "int": int, "float": float}
    values = {each.name: kinds[str(each.type)](row[each.name])
              for each in fields(Training) if each.name != "sizes"}  # fmt: skip
    return Training(sizes=tuple(map(int, row["sizes"].split())), **values)


def points(examples: int, rng: np.random.Generator) -> Data:
    """A ball and the ring around it as the notebooks draw them: [n, 2], and 1 for the ball [n, 1].

    In units of a sixth of the square, the ball has the radius sqrt(2) and the ring reaches from
    sqrt(5) to 3. A point's first coordinate is uniform and so is the second one, within the circle:
    the points are densest on the left and on the right.
    """
    in_ball = rng.permutation(examples) < round(BALL_SHARE * examples)
    outer, inner = np.where(in_ball, 2.0, 9.0), np.where(in_ball, 0.0, 5.0)  # squares of the radii
    x, missing = np.empty((examples, 2)), np.ones(examples, bool)
    while missing.any():  # what falls into the hole is drawn again
        across = rng.uniform(-1, 1, examples) * np.sqrt(outer)
        up = rng.uniform(-1, 1, examples) * np.sqrt(outer - across**2)
        x[missing] = np.column_stack([across, up])[missing]
        missing = (x**2).sum(axis=1) < inner
    return 0.5 + x / 6, in_ball[:, None].astype(float)


@functools.cache
def data_of(folder: Path | None, examples: int) -> tuple[Data, Data]:
    """The training and the test examples: points, or the first digits with raw pixels.

    Raises:
        DataError: the digits are not there.
    """
    if examples == TRAINING:
        rng = np.random.default_rng(SEED)
        return points(TRAINING, rng), points(TEST, rng)
    assert folder is not None
    parts = [read_part(folder, part).take(slice(most))
             for part, most in (("train", examples), ("t10k", None))]  # fmt: skip
    train, test = (
        (np.rint(255 * digits.pixels), nn.one_hot(digits.labels, CLASSES)) for digits in parts
    )
    return train, test


class RaisedLogLikelihood(nn.LogLikelihood):
    """The log-likelihood of the notebooks' softmax, which adds 0.001 to each exponential.

    No output reaches 0 or 1, so that learning never ends: where all training digits are right, as
    with raw pixels, this is worth two points on the test digits.
    """

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        raised = np.exp(prediction - prediction.max(axis=1, keepdims=True)) + RAISED
        output = raised / raised.sum(axis=1, keepdims=True)
        np.copyto(out, (output - target) / len(prediction))
        return -float((target * np.log(output)).sum()) / len(prediction)


def initialize(net: nn.NeuralNet, name: str) -> None:
    """Gives a network the initial weights of the notebooks, of which each draws the same ones.

    Their generator, which NumPy keeps for such purposes, draws all weights and then all biases.
    Weights are as those of `nn.INITIALIZERS`, whose names these are; biases are uniform on [-1, 1],
    or standard normal with `normal`.
    """
    legacy = np.random.RandomState(LEGACY_SEED)

    def draw(shape: tuple[int, ...]) -> Array:
        return legacy.normal(size=shape) if name == "normal" else legacy.uniform(-1, 1, shape)

    scales = {
        "uniform": lambda inputs, outputs: inputs**-0.5,
        "glorot": lambda inputs, outputs: (6 / (inputs + outputs)) ** 0.5,
        "normal": lambda inputs, outputs: 1 / outputs,
    }
    net.weights = [scales[name](*each.shape) * draw(each.shape) for each in net.weights]
    net.biases = [draw(each.shape) for each in net.biases]


def network(training: Training) -> nn.NeuralNet:
    """The network of a training, before it."""
    raised = training.cost == "log_likelihood"
    net = nn.NeuralNet(
        training.sizes, training.hidden, training.output, threshold="> 0.5",
        cost=RaisedLogLikelihood() if raised else training.cost,
    )  # fmt: skip
    initialize(net, training.initializer)
    return net


def train(
    training: Training, epochs: int, data: tuple[Data, Data], keep: Keep | None = None
) -> Result:
    """Trains a network as the notebook does; `keep` is called after each epoch."""
    (x, y), test = data
    net = network(training)
    started = time.process_time()
    with np.errstate(all="ignore"):  # some rates are far too high, on purpose
        net.fit(
            x, y, epochs=epochs, batch_size=training.batch_size, optimizer="SGD",
            learning_rate=training.learning_rate, l2=training.l2, penalty_per="batch",
            last_batch="drop", verbose=False, seed=SEED, callback=keep and partial(keep, net),
        )  # fmt: skip
        seconds = time.process_time() - started
        right, right_test = (100 * net.accuracy(*each) for each in ((x, y), test))
        return Result(training.number, epochs, right, right_test, net.cost(x, y), seconds)


def read_results(path: Path) -> dict[int, Result]:
    """The results so far by number; a line that is none is skipped."""
    results = {}
    if path.exists():
        with open(path, newline="") as file:
            for row in csv.reader(file):
                if len(row) == len(fields(Result)) and row[0].isdecimal():
                    result = Result(int(row[0]), int(row[1]), *map(float, row[2:]))
                    results[result.number] = result
    return results


def train_missing(options: argparse.Namespace, trainings: Iterable[Training], path: Path) -> None:
    """Trains what has no result yet, and adds a line for each."""
    done = read_results(path)
    for training in trainings:
        epochs = min(training.epochs, options.epochs or training.epochs)
        before = done.get(training.number)
        if before is not None and before.epochs == epochs:
            continue
        result = train(training, epochs, data_of(options.data, training.examples))
        done[training.number] = result
        with replacing(path) as file:
            for each in done.values():
                file.write((",".join(f"{value:.6g}" for value in astuple(each)) + "\n").encode())
        print(f"{training.number}: {result.training:.2f}, {result.test:.2f} "
              f"in {result.seconds:.0f} s", file=sys.stderr, flush=True)  # fmt: skip


def document(trainings: Sequence[Training], results: dict[int, Result]) -> str:
    """The page: a table for each group, and what it shows."""
    tables = {
        group: table([each for each in trainings if each.group == group], results)
        for group in GROUPS
    }
    absent = {each.group for each in trainings if each.number not in results}
    groups = " ".join(group for group in GROUPS if group in absent)
    command = f"```bash\npython scripts/notebooks.py --data DIR --only {groups}\n```"
    missing = f"## Not trained yet\n\n{command}\n" if absent else ""
    differences = [abs(results[each.number].test - each.original_test)
                   for each in trainings if each.number in results]  # fmt: skip
    page = PAGE.format(
        count=len(results), all=len(trainings), missing=missing, **tables,
        difference=statistics.median(differences),
    )  # fmt: skip
    return page.rstrip() + "\n"


def table(trainings: Sequence[Training], results: dict[int, Result]) -> str:
    """A row for each training; accuracies of the training and of the test examples."""
    head = ("no.", "network", "cost", "activations", "initial weights", "rate", "batch", "L2",
            "epochs", "theirs: training, test, %", "ours: training, test, %")  # fmt: skip
    return common.table(head, (_row(each, results.get(each.number)) for each in trainings), False)


def _row(training: Training, result: Result | None) -> tuple[object, ...]:
    ours = "" if result is None else f"{result.training:.2f}, {result.test:.2f}"
    if result is not None and result.epochs != training.epochs:
        ours += f" after {result.epochs}"
    return (
        training.number, training.sizes, training.cost, f"{training.hidden}, {training.output}",
        training.initializer, f"{training.learning_rate:g}", training.batch_size,
        f"{training.l2:g}", training.epochs,
        f"{training.original_training:.2f}, {training.original_test:.2f}", ours,
    )  # fmt: skip


class Repeated(Run):
    """A training whose parameters were kept after every epoch."""

    training: Training

    def network(self, epoch: int) -> nn.NeuralNet:
        net = network(self.training)
        net.parameters[:] = self.parameters[epoch]
        return net

    def points(self) -> Data:
        return data_of(None, TRAINING)[0]


def repeat(training: Training) -> Repeated:
    """Trains again, and keeps the parameters."""
    parameters = [network(training).parameters]

    def keep(net: nn.NeuralNet, history: nn.History) -> None:
        parameters.append(net.parameters.copy())

    train(training, training.epochs, data_of(None, TRAINING), keep)
    none = np.empty((0, 2))
    run = Repeated(Setting(training.cost), none, none, np.array(parameters), 0.0)
    object.__setattr__(run, "training", training)
    return run


def draw_boundaries(trainings: Sequence[Training], path: Path) -> None:
    """The decision regions at the epochs at which the post shows them."""
    runs = [repeat(each) for each in trainings if each.group == "ring_pictures"]
    figure = common.new_figure(15, 6.4, "The boundary at the epochs of the post")
    panels = figure.subplots(len(runs), 6)
    for row, run in zip(panels, runs, strict=True):
        for axes, epoch in zip(row, PICTURES[run.setting.cost], strict=True):
            axes.set_title(f"epoch {epoch}: {draw_regions(axes, run, epoch):.1%}")
    name_axes(panels, ["quadratic", "cross-entropy"])
    add_regions_legend(figure)
    common.save(figure, path, 80)


def main() -> None:
    os.environ["MPLBACKEND"] = "agg"  # a Jupyter kernel's may not be installed
    parser = common.Parser(description="Repeats the trainings of the notebooks.")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the MNIST files")
    parser.add_argument("--only", choices=GROUPS, nargs="+", action="extend", metavar="GROUP",
                        help=f"only these: {', '.join(GROUPS)}")  # fmt: skip
    parser.add_argument("--epochs", type=common.positive, metavar="N",
                        help="the most for each training, for a trial")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("runs/notebooks"), metavar="DIR",
                        help="folder of rows.csv (default %(default)s)")  # fmt: skip
    parser.add_argument("--document", type=Path, default=HERE.parent / "docs" / "NOTEBOOKS.md",
                        metavar="FILE", help="the page (default docs/NOTEBOOKS.md)")  # fmt: skip
    options = parser.parse_args()
    trainings = read_trainings()
    chosen = [each for each in trainings if each.group in (options.only or GROUPS)]
    if options.data is None:
        chosen = [each for each in chosen if each.is_ring]
    if not chosen:
        parser.refuse("these trainings read digits: give the folder of the MNIST files as --data")
    parser.make_folder(options.output)
    rows = options.output / "rows.csv"
    with parser.answering(DataError, goes_on=True):
        train_missing(options, chosen, rows)
    images = options.document.parent / "images"
    parser.make_folder(images)
    draw_boundaries(trainings, images / "notebooks.png")
    with common.written(options.document) as file:
        file.write(document(trainings, read_results(rows)).encode())


if __name__ == "__main__":
    main()
