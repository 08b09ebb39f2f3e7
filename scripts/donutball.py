"""A network learns to tell a ball from the ring around it: tables and pictures of how.

    python scripts/donutball.py                           # all of it, in runs/donutball
    python scripts/donutball.py --only nodes --seeds 3    # one part, on fewer seeds
    python scripts/donutball.py --network 2,8,8,1 --optimizer Adam --rate 0.01    # one of your own

Two inputs, four hidden tanh units and a sigmoid output, trained with plain gradient descent at
learning rate 0.1 in batches of 10. The parts:

    train      cross-entropy for 400 epochs and the quadratic cost for 1,001: decision regions as
               they change, curves, and an animation of the boundary as it forms
    compare    the epochs that each cost, initializer and batch size needs
    nodes      two, three and four hidden units: two are too few, three suffice
    surface    the cost along two directions through the trained network

An option such as --network or --activation describes a network of your own, which is trained
instead; what is not given is as above.

A seed determines the points, the initial weights and the order of the examples. The seeds are 0 to
SEEDS - 1, and every table shows each of them. *Solved* is the first epoch after which all training
points and all test points are on their side of the boundary.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import numpy as np

import nn
from nn.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

TRAINING, TEST = 1400, 372  # points
BALL_SHARE = 0.38
CENTRE, BALL, RING = 0.5, 0.25, (0.33, 0.46)  # radii, in sides of the square

LEARNING_RATE = 0.1
EPOCHS = {"cross_entropy": 400, "quadratic": 1001}
NAMES = {"cross_entropy": "cross-entropy", "quadratic": "quadratic"}
INITIALIZERS = ("he", "lecun", "glorot", "orthogonal", "uniform", "normal")
BATCH_SIZES = (1, 3, 10, 30, 100)
NODES = (2, 3, 4)

# Okabe and Ito's colours, which the colour-blind tell apart.
ORANGE, BLUE, RED = "#e69f00", "#0072b2", "#d55e00"
GRID = 121  # points along a side of the square at which a picture evaluates the network
SEEDS_SHOWN = 5
FRAMES, FRAME, END = 120, 80, 2000  # the most, and milliseconds of each and of the last


def donutball(examples: int, seed: int | np.random.Generator) -> tuple[Array, Array]:
    """A ball and the ring around it, in the unit square.

    The ball reaches 0.25 from the centre of the square, the ring from 0.33 to 0.46; the gap between
    them, 0.08 wide, is empty. At 38:62 both are equally dense.

    Args:
        examples: number of points; 38% of them, rounded, lie in the ball.
        seed: an integer or a generator.

    Returns:
        The points [n, 2], and 1 for the ball and 0 for the ring [n, 1].
    """
    rng = np.random.default_rng(seed)
    in_ball = rng.permutation(examples) < round(BALL_SHARE * examples)
    inner, outer = np.where(in_ball, 0.0, RING[0]), np.where(in_ball, BALL, RING[1])
    radius = np.sqrt(rng.uniform(inner**2, outer**2))  # uniform over the area
    angle = rng.uniform(0, 2 * math.pi, examples)
    x = CENTRE + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return x, in_ball[:, None].astype(float)


def data_sets(
    rng: np.random.Generator, examples: int = TRAINING
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The training points and the test points, the first that a training draws."""
    return donutball(examples, rng), donutball(TEST, rng)


@dataclass(frozen=True)
class Setting:
    """One training.

    Attributes:
        epochs: the most.
        to_the_end: whether it continues when all points are right.
        sizes: of the layers; None for those of `nodes` hidden units.
        examples: training points.
    """

    cost: str = "cross_entropy"
    nodes: int = 4
    initializer: str = "he"
    batch_size: int = 10
    epochs: int = EPOCHS["cross_entropy"]
    to_the_end: bool = False
    seed: int = 0
    sizes: tuple[int, ...] | None = None
    hidden: str = "tanh"
    output: str = "sigmoid"
    bias_initializer: str = "zero"
    threshold: str = ">= 0.5"
    optimizer: str = "SGD"
    learning_rate: float = LEARNING_RATE
    schedule: str = "constant"  # or "cosine", to 0
    dropout: float = 0.0
    l2: float = 0.0
    l1: float = 0.0
    penalty_per: str = "examples"
    last_batch: str = "keep"
    examples: int = TRAINING

    def network(self, rng: np.random.Generator) -> nn.NeuralNet:
        """The network with its initial weights."""
        return nn.NeuralNet(
            self.sizes or (2, self.nodes, 1), self.hidden, self.output,
            cost=self.cost, initializer=self.initializer, bias_initializer=self.bias_initializer,
            threshold=self.threshold, dropout=self.dropout, seed=rng,
        )  # fmt: skip

    @property
    def rate(self) -> float | nn.Schedule:
        """The learning rate, or its schedule over the updates."""
        if self.schedule == "constant":
            return self.learning_rate
        updates = self.epochs * math.ceil(self.examples / self.batch_size)
        return nn.Cosine(start=self.learning_rate, end=0.0, steps=updates)


@dataclass(frozen=True)
class Run:
    """The results of a training of E epochs.

    Attributes:
        cost: [E, 2] after each epoch, on the training and on the test points.
        accuracy: [E, 2] likewise.
        parameters: [E + 1, P] before the first epoch and after each.
        seconds: of training, with the measurements.
    """

    setting: Setting
    cost: Array
    accuracy: Array
    parameters: Array
    seconds: float

    @property
    def epochs(self) -> int:
        return len(self.cost)

    @property
    def solved(self) -> int | None:
        """The first epoch, counted from 1, after which every point was right."""
        perfect = self.accuracy.min(axis=1) == 1
        return int(perfect.argmax()) + 1 if perfect.any() else None

    @property
    def milliseconds(self) -> float:
        """Of training, per epoch."""
        return 1000 * self.seconds / self.epochs

    def network(self, epoch: int) -> nn.NeuralNet:
        """The network after this many epochs."""
        net = self.setting.network(np.random.default_rng(0))
        net.parameters[:] = self.parameters[epoch]
        return net

    def points(self) -> tuple[Array, Array]:
        """The training points."""
        return data_sets(np.random.default_rng(self.setting.seed), self.setting.examples)[0]


def train(setting: Setting) -> Run:
    """Trains a network and keeps the parameters of every epoch."""
    rng = np.random.default_rng(setting.seed)
    (x, y), test = data_sets(rng, setting.examples)
    net = setting.network(rng)
    parameters = [net.parameters.copy()]

    def keep(history: nn.History) -> bool:
        parameters.append(net.parameters.copy())
        perfect = history.accuracy[-1:] == history.validation_accuracy[-1:] == [1]
        return perfect and not setting.to_the_end

    started = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore"):  # some rates are too high on purpose
        past = net.fit(
            x, y, validation=test, epochs=setting.epochs, batch_size=setting.batch_size,
            optimizer=setting.optimizer, learning_rate=setting.rate, l2=setting.l2, l1=setting.l1,
            penalty_per=setting.penalty_per, last_batch=setting.last_batch, callback=keep,
            verbose=False, seed=rng,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    cost = np.column_stack([past.cost, past.validation_cost])
    accuracy = np.column_stack([past.accuracy, past.validation_accuracy])
    return Run(setting, cost, accuracy, np.array(parameters), seconds)


def train_seeds(setting: Setting, what: str, options: argparse.Namespace) -> list[Run]:
    """A run for each seed, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import track

    epochs = min(setting.epochs, options.epochs or setting.epochs)
    settings = [replace(setting, seed=seed, epochs=epochs) for seed in range(options.seeds)]
    runs = common.in_processes([partial(train, each) for each in settings], options.jobs)
    return list(track(runs, f"{what:<22}", len(settings), console=Console(stderr=True)))


def training_table(groups: Sequence[Sequence[Run]]) -> str:
    """A row for each seed, with the result of each cost."""
    header = ["seed"]
    for runs in groups:
        name = NAMES.get(runs[0].setting.cost, runs[0].setting.cost)
        header += [f"{name}: solved after epoch", f"training, test after {runs[0].epochs}"]
    rows = [
        [seed, *(cell for run in runs for cell in training_cells(run))]
        for seed, runs in enumerate(zip(*groups, strict=True))
    ]
    return common.table(header, rows)


def training_cells(run: Run) -> tuple[str, str]:
    """The epoch that solved it, or the best accuracies, and the accuracies at the end."""
    nearest = run.accuracy[run.accuracy.min(axis=1).argmax()]
    return str(run.solved or f"never; best {shares(nearest)}"), shares(run.accuracy[-1])


def shares(accuracies: Array) -> str:
    """Percentages. A single point is 0.07%, so that only all of them make 100.0%."""
    return ", ".join(f"{each:.1%}" for each in accuracies)


def count_solved(runs: Sequence[Run]) -> str:
    return f"{sum(run.solved is not None for run in runs)} of {len(runs)}"


def comparison_row(label: str, runs: Sequence[Run]) -> list[object]:
    """How soon the runs of one setting were solved; unsolved ones count as the latest."""
    limit = runs[0].setting.epochs
    epochs = [run.solved or math.inf for run in runs]
    median, *each = (
        f"{number:g}" if number <= limit else f">{limit}"
        for number in (float(np.median(epochs)), *epochs)
    )
    milliseconds = np.median([run.milliseconds for run in runs])
    return [label, count_solved(runs), median, f"{milliseconds:.1f}", " ".join(each)]


def nodes_row(nodes: int, runs: Sequence[Run]) -> list[object]:
    """The best training accuracy of each seed with this many hidden units."""
    best = np.array([run.accuracy[:, 0].max() for run in runs])
    each = " ".join(f"{accuracy:.1%}" for accuracy in best)
    return [nodes, f"{(best == 1).sum()} of {len(best)}", f"{best.max():.1%}", each]


def draw_regions(axes: Axes, run: Run, epoch: int) -> float:
    """The regions after an epoch, the line of each hidden unit, and the training points.

    Returns the accuracy on those points.
    """
    net, side = run.network(epoch), np.linspace(0, 1, GRID)
    grid = np.column_stack([each.ravel() for each in np.meshgrid(side, side)])
    output = net.feedforward(grid).reshape(GRID, GRID)
    axes.contourf(side, side, output, [-1, 0.5, 2], colors=[BLUE, ORANGE], alpha=0.25)
    for z in (grid @ net.weights[0] + net.biases[0]).T.reshape(-1, GRID, GRID):
        draw_level(axes, z, 0.0, colors="0.35", linewidths=0.9, linestyles="dashed")
    draw_level(axes, output, 0.5, colors="black", linewidths=1.8)
    x, y = run.points()
    draw_points(axes, x, y, wrong=(net.predict(x) != y)[:, 0])
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 1], yticks=[0, 1], aspect="equal")
    return net.accuracy(x, y)


def draw_level(axes: Axes, values: Array, level: float, **style: Any) -> None:
    """The contour of values [GRID, GRID] over the unit square at a level, if there is one."""
    side = np.linspace(0, 1, GRID)
    if values.min() < level < values.max():
        axes.contour(side, side, values, [level], **style)


def draw_points(axes: Axes, x: Array, y: Array, wrong: Array) -> None:
    """The points in the colour of their class, the wrong ones crossed out."""
    for colour, one_class in ((ORANGE, y[:, 0] == 1), (BLUE, y[:, 0] == 0)):
        axes.plot(*x[one_class].T, ".", color=colour, markersize=2)
    axes.plot(*x[wrong].T, "x", color="black", markersize=3, markeredgewidth=0.6)


def name_axes(panels: Array, names: Sequence[str]) -> None:
    """Labels a grid of pictures of the unit square with a name for each row."""
    for row, name in zip(panels, names, strict=True):
        row[0].set_ylabel(f"{name}\n$x_2$", fontsize=13)
    for axes in panels[-1]:
        axes.set_xlabel("$x_1$", fontsize=13)


def add_regions_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    styles: dict[str, dict[str, Any]] = {
        "ball": {"color": ORANGE, "marker": "o", "linestyle": ""},
        "ring": {"color": BLUE, "marker": "o", "linestyle": ""},
        "wrong": {"color": "black", "marker": "x", "linestyle": ""},
        "boundary: output 0.5": {"color": "black", "linewidth": 1.8},
        "a hidden unit's z = 0": {"color": "0.35", "linestyle": "--"},
    }
    handles = [Line2D([], [], label=label, **style) for label, style in styles.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)


def draw_stages(runs: Sequence[Run], path: Path) -> None:
    """A row for each run: four steps to where it was solved, and the end."""
    seed = runs[0].setting.seed
    figure = common.new_figure(
        15,
        1.1 + 2.65 * len(runs),
        f"Decision regions while it learns, and the share of points right, seed {seed}",
    )
    panels = figure.subplots(len(runs), 6, squeeze=False)
    for row, run in zip(panels, runs, strict=True):
        solved = run.solved or run.epochs
        stages = (0, solved // 4, solved // 2, solved * 3 // 4, solved, run.epochs)
        for axes, epoch in zip(row, stages, strict=True):
            axes.set_title(f"epoch {epoch}: {draw_regions(axes, run, epoch):.1%}")
    name_axes(panels, [NAMES.get(run.setting.cost, run.setting.cost) for run in runs])
    add_regions_legend(figure)
    common.save(figure, path, 110)


def draw_animation(runs: Sequence[Run], path: Path) -> None:
    """The regions of each run side by side, at epochs ever further apart."""
    figure = common.new_figure(8.5, 5, f"The boundary as it forms, seed {runs[0].setting.seed}")
    panels, frames = figure.subplots(1, len(runs)), []
    add_regions_legend(figure)
    last = max(run.epochs for run in runs)
    for epoch in [0, *np.unique(np.geomspace(1, last, FRAMES).astype(int))]:
        draw_frame(panels, runs, int(epoch))
        frames.append(snapshot(figure))
    durations = [FRAME] * (len(frames) - 1) + [END]
    with common.written(path) as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations,
                       loop=0)  # fmt: skip


def draw_frame(panels: Array, runs: Sequence[Run], epoch: int) -> None:
    """The runs at an epoch, or at their end if that came earlier."""
    for axes, run in zip(panels, runs, strict=True):
        axes.clear()
        reached = min(epoch, run.epochs)
        share = draw_regions(axes, run, reached)
        axes.set_title(f"{NAMES[run.setting.cost]}, epoch {reached}: {share:.1%}")
    name_axes(panels[None], [""])


def snapshot(figure: Figure) -> Image:
    """The figure as a frame of the animation."""
    from PIL.Image import open as read

    file = BytesIO()
    figure.savefig(file, dpi=80)
    return read(file).convert("RGB")


def draw_curves(groups: Sequence[Sequence[Run]], path: Path) -> None:
    """A column for each cost: its value above, the accuracy below, over the epochs."""
    title = f"Learning curves: thin, each of {len(groups[0])} seeds; thick, their median"
    figure = common.new_figure(13, 8, title)
    panels = figure.subplots(2, len(groups), sharex="col", squeeze=False)
    for (above, below), runs in zip(panels.T, groups, strict=True):
        name = NAMES.get(runs[0].setting.cost, runs[0].setting.cost)
        draw_seeds(above, np.array([run.cost for run in runs]))
        draw_seeds(below, np.array([run.accuracy for run in runs]))
        above.set(title=f"{name}: {count_solved(runs)} seeds solved", ylabel=f"{name} cost")
        above.set(xscale="log", yscale="log")
        above.legend(loc="lower left")
        below.set(xlabel="epoch", ylabel="accuracy", ylim=(0.35, 1.02))
        below.xaxis.set_major_formatter("{x:g}")
    common.save(figure, path, 110)


def draw_seeds(axes: Axes, values: Array) -> None:
    """Values [seeds, E, 2] of the training and the test points, over the epochs."""
    epochs = np.arange(1, values.shape[1] + 1)
    styles = (("training points", BLUE, "-"), ("test points", ORANGE, "--"))
    for part, (label, colour, line) in enumerate(styles):
        of_seeds = values[:, :, part]
        axes.plot(epochs, of_seeds.T, color=colour, linewidth=0.7, alpha=0.45)
        axes.plot(epochs, np.median(of_seeds, axis=0), line, color=colour, linewidth=2.5,
                  label=label)  # fmt: skip
    axes.grid(alpha=0.25)


def draw_comparisons(groups: dict[str, dict[str, list[Run]]], path: Path) -> None:
    """A panel for each group, with a column of seeds for each setting."""
    title = "Epochs until every training point and every test point is right"
    figure = common.new_figure(15, 6, title)
    widths = [len(group) for group in groups.values()]
    panels = figure.subplots(1, len(groups), sharey=True, width_ratios=widths)
    for axes, (title, group) in zip(panels, groups.items(), strict=True):
        for place, runs in enumerate(group.values()):
            draw_column(axes, place, runs)
        axes.set(xlabel=title, xlim=(-0.6, len(group) - 0.4))
        axes.set_xticks(range(len(group)), list(group))
        axes.grid(alpha=0.25, axis="y")
    panels[0].set(ylabel="epochs", yscale="log")
    panels[0].set_yticks([5, 10, 20, 50, 100, 200, 500])
    panels[0].yaxis.set_major_formatter("{x:g}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[:3], labels[:3], loc="outside lower center", ncols=3, frameon=False)
    common.save(figure, path, 110)


def draw_column(axes: Axes, place: int, runs: Sequence[Run]) -> None:
    """A dot for each solved seed, a cross at its last epoch for an unsolved one."""
    across = place + np.linspace(-0.3, 0.3, len(runs) + 2)[1:-1]  # a single seed in the middle
    epochs = np.array([run.solved or math.inf for run in runs])
    ended = np.where(np.isinf(epochs), [run.epochs for run in runs], math.nan)
    axes.plot(across, epochs, "o", color=BLUE, alpha=0.7, label="a seed, solved")
    axes.plot(across, ended, "x", color=RED, label="a seed, not solved when it ended")
    axes.plot(
        [place - 0.35, place + 0.35], [np.median(epochs)] * 2, color="black",
        label="median, where most were solved",
    )  # fmt: skip


def draw_nodes(groups: dict[int, list[Run]], path: Path) -> None:
    """Regions of the first seeds at their best epoch, and the best accuracy of every seed."""
    shown = min(SEEDS_SHOWN, len(groups[NODES[0]]))
    width = max(2.7 * shown + 4, 10)
    figure = common.new_figure(width, 9.5, "Two hidden units cannot close a region, three can")
    panels = figure.subplots(len(groups), shown + 1, width_ratios=[1] * shown + [1.3])
    for row, runs in zip(panels, groups.values(), strict=True):
        for axes, run in zip(row, runs[:shown], strict=False):
            best = int(run.accuracy[:, 0].argmax()) + 1
            axes.set_title(f"seed {run.setting.seed}: {draw_regions(axes, run, best):.1%}")
        draw_best(row[-1], runs)
    name_axes(panels[:, :-1], [f"{nodes} hidden units" for nodes in groups])
    add_regions_legend(figure)
    common.save(figure, path, 110)


def draw_best(axes: Axes, runs: Sequence[Run]) -> None:
    """The best training accuracy of each seed."""
    from matplotlib.ticker import MaxNLocator

    best = [run.accuracy[:, 0].max() for run in runs]
    axes.plot(best, "o", color=BLUE)
    axes.set(xlim=(-0.6, len(best) - 0.4), xlabel="seed")
    axes.set(ylim=(0.58, 1.02), ylabel="best training accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25)
    axes.set_title(f"{best.count(1)} of {len(best)} seeds at 100%")


def study_training(options: argparse.Namespace) -> None:
    """Both costs to the last epoch: one table, three pictures."""
    settings = [Setting(cost, epochs=EPOCHS[cost], to_the_end=True) for cost in EPOCHS]
    groups = [train_seeds(each, NAMES[each.cost], options) for each in settings]
    print(training_table(groups))
    for runs in groups:
        milliseconds = np.median([run.milliseconds for run in runs])
        print(f"{NAMES[runs[0].setting.cost]}: {count_solved(runs)} seeds solved within "
              f"{runs[0].epochs} epochs, {milliseconds:.1f} ms per epoch")  # fmt: skip
    first = [runs[0] for runs in groups]
    draw_curves(groups, options.output / "curves.png")
    draw_stages(first, options.output / "regions.png")
    draw_animation(first, options.output / "boundary.gif")


def study_settings(options: argparse.Namespace) -> None:
    """Variations of the setting of `train` with cross-entropy, one at a time."""
    settings = {
        "cost": {NAMES[cost]: Setting(cost, epochs=EPOCHS[cost]) for cost in EPOCHS},
        "initializer": {name: Setting(initializer=name) for name in INITIALIZERS},
        "batch size": {str(size): Setting(batch_size=size) for size in BATCH_SIZES},
    }
    groups = {
        title: {label: train_seeds(each, f"{title} {label}", options)
                for label, each in group.items()}
        for title, group in settings.items()
    }  # fmt: skip
    for title, group in groups.items():
        header = [title, "solved", "median epochs", "ms per epoch", "epochs of each seed"]
        print(common.table(header, [comparison_row(label, runs) for label, runs in group.items()]))
        print()
    draw_comparisons(groups, options.output / "comparison.png")


def study_nodes(options: argparse.Namespace) -> None:
    """Few hidden units.

    With two, there is always a direction in which neither unit's part of the output falls, since
    tanh is monotone. A line in that direction from the ball never leaves its region, but crosses
    the ring: if all of the ball is right, a strip of the ring as wide as the ball is wrong. With
    three there need be no such direction.
    """
    groups = {
        nodes: train_seeds(Setting(nodes=nodes), f"{nodes} hidden units", options)
        for nodes in NODES
    }
    header = ["hidden units", "seeds at 100%", "best", "best training accuracy of each seed"]
    print(common.table(header, [nodes_row(nodes, runs) for nodes, runs in groups.items()]))
    draw_nodes(groups, options.output / "nodes.png")


def study_surface(options: argparse.Namespace) -> None:
    """The cost around the trained network, and the way that training took through it.

    The directions are the first two principal components of the parameters over the epochs, so
    that the plane shows as much of the way as a plane can (after Li et al. 2018).
    """
    settings = [Setting(cost, epochs=EPOCHS[cost], to_the_end=True) for cost in EPOCHS]
    runs = [train_seeds(each, NAMES[each.cost], options)[0] for each in settings]
    draw_surfaces(runs, options.output / "surface.png")


def study_own(setting: Setting, options: argparse.Namespace) -> None:
    """A network of one's own: one table, two pictures."""
    runs = train_seeds(setting, "your own", options)
    print(training_table([runs]))
    milliseconds = np.median([run.milliseconds for run in runs])
    print(f"{count_solved(runs)} seeds solved within {runs[0].setting.epochs} epochs, "
          f"{milliseconds:.1f} ms per epoch")  # fmt: skip
    draw_curves([runs], options.output / "curves.png")
    draw_stages(runs[:1], options.output / "regions.png")


def draw_surfaces(runs: Sequence[Run], path: Path) -> None:
    """A panel for each run: contours of the training cost, and the path of the parameters."""
    figure = common.new_figure(13, 5.6, "The cost in the plane of the way that training took")
    for axes, run in zip(figure.subplots(1, len(runs)), runs, strict=True):
        across, along, cost, path_taken = surface(run)
        levels = np.geomspace(cost.min(), cost.max(), 25)
        filled = axes.contourf(across, along, cost, levels, cmap="Blues_r", norm="log")
        figure.colorbar(filled, ax=axes, format="%.2g", label=NAMES[run.setting.cost] + " cost")
        axes.plot(*path_taken.T, color=ORANGE, linewidth=2, label="the way, epoch by epoch")
        axes.plot(*path_taken[0], "o", color="black", label="initial weights")
        axes.plot(*path_taken[-1], "*", color=RED, markersize=14, label=f"epoch {run.epochs}")
        axes.set(title=f"{NAMES[run.setting.cost]}, seed {run.setting.seed}",
                 xlabel="first direction", ylabel="second direction")  # fmt: skip
        axes.legend(loc="upper left", fontsize=9)
    common.save(figure, path, 110)


def surface(run: Run, points: int = 41) -> tuple[Array, Array, Array, Array]:
    """The training cost [points, points] over two directions, their places, and the way [E, 2]."""
    way = run.parameters - run.parameters[-1]
    directions = np.linalg.svd(way, full_matrices=False)[2][:2]
    taken = way @ directions.T
    low, high = taken.min(axis=0), taken.max(axis=0)
    room = 0.35 * (high - low).max()
    across, along = (np.linspace(low[k] - room, high[k] + room, points) for k in (0, 1))
    x, y = run.points()
    net, cost = run.network(-1), np.empty((points, points))
    for (row, column), _ in np.ndenumerate(cost):
        place = across[column] * directions[0] + along[row] * directions[1]
        net.parameters[:] = run.parameters[-1] + place
        cost[row, column] = net.measure(x, y)[0]
    return across, along, cost, taken


STUDIES = {
    "train": study_training,
    "compare": study_settings,
    "nodes": study_nodes,
    "surface": study_surface,
}
OWN = ("sizes", "hidden", "cost", "output_activation", "initializer", "bias_initializer",
       "optimizer", "learning_rate", "schedule", "batch_size", "dropout", "l2", "l1",
       "penalty_per", "last_batch", "examples")  # fmt: skip


def own_setting(options: argparse.Namespace) -> Setting | None:
    """The training that the options describe; None if they describe none.

    Raises:
        ValueError: they describe no network from two inputs to one output.
    """
    given = {name: value for name in OWN if (value := getattr(options, name)) is not None}
    if not given:
        return None
    if output := given.pop("output_activation", None):
        given["output"] = output
    setting = replace(Setting(epochs=options.epochs or Setting.epochs, to_the_end=True), **given)
    net = setting.network(np.random.default_rng(0))
    if (net.sizes[0], net.sizes[-1]) != (2, 1):
        raise ValueError(f"--network must be from 2 inputs to 1 output, not {net.sizes}")
    if setting.batch_size > setting.examples:
        raise ValueError(f"--batch-size must be at most the {setting.examples} --examples")
    return setting


def main() -> None:
    parser = common.Parser(description="A network learns to tell a ball from the ring around it.")
    parser.add_argument("--output", type=Path, default=Path("runs/donutball"),
                        help="folder of the pictures (default %(default)s)")  # fmt: skip
    parser.add_argument("--seeds", type=common.positive, default=10, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--epochs", type=common.positive, help="the most for each training")
    parser.add_argument("--only", choices=STUDIES, nargs="+", action="extend",
                        help="only these parts")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=1, help="processes that train")
    common.add_network_options(parser)
    parser.add_argument("--examples", type=common.positive, help="training points (default 1,400)")
    options = parser.parse_args()
    try:
        own = own_setting(options)
    except ValueError as error:
        parser.refuse(str(error))
    parser.make_folder(options.output)
    os.environ["MPLBACKEND"] = "agg"  # a Jupyter kernel's may not be installed
    from matplotlib import rc_context

    with rc_context({"font.size": 12, "axes.titlesize": 12, "figure.titlesize": 16}):
        if own is not None:
            study_own(own, options)
            return
        for study in options.only or STUDIES:
            STUDIES[study](options)


if __name__ == "__main__":
    main()
