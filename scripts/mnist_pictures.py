"""Pictures of a network that reads digits: what it has learned, and what it misreads."""

from __future__ import annotations

import math
from pathlib import Path

import common
import numpy as np
from mnist_data import CLASSES, SIDE, Digits

from nn.typing import Array

GRID = (4, 10)  # rows and columns of pictures


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


def confusion(labels: Array, outputs: Array) -> Array:
    """How often each digit, a row, is read as each digit, a column [10, 10]."""
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(counts, (labels, outputs.argmax(axis=1)), 1)
    return counts


def draw_confusion(labels: Array, outputs: Array, title: str, path: Path) -> None:
    """Draws the confusion matrix; the shades are those of the mistakes."""
    counts = confusion(labels, outputs)
    wrong = counts - np.diag(np.diag(counts))
    figure = common.new_figure(7, 6.6, f"{title}:\nhow often each digit is read as each")
    axes = figure.subplots()
    axes.imshow(wrong, cmap="Oranges")
    for (row, column), count in np.ndenumerate(counts):
        dark = wrong[row, column] > 0.6 * wrong.max()
        axes.text(column, row, f"{count:,}" if count else "", ha="center", va="center", fontsize=9,
                  color="white" if dark else "black",
                  fontweight="bold" if row == column else "normal")  # fmt: skip
    axes.set(xlabel="read as", ylabel="digit", xticks=range(CLASSES), yticks=range(CLASSES))
    common.save(figure, path, 110)


def draw_weights(weights: Array, title: str, path: Path) -> None:
    """Draws the incoming weights of units of the first layer [784, units] or filters as pictures.

    Blue lets ink raise a unit's z and red lets it lower it; each has a scale of its own. Those
    with the largest weights are shown.
    """
    side = math.isqrt(len(weights))
    order = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")
    figure = common.new_figure(
        GRID[1] * 1.1, GRID[0] * 1.1 + 1.0,
        f"{title}:\nincoming weights of {min(len(order), math.prod(GRID))} of {len(order)} units "
        "of the first layer (blue positive, red negative)",
    )  # fmt: skip
    grid = figure.subplots(*GRID).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, unit in zip(grid, order, strict=False):
        picture = weights[:, unit].reshape(side, side)
        most = np.abs(picture).max() or 1.0
        axes.imshow(picture, cmap="RdBu", vmin=-most, vmax=most)
    common.save(figure, path, 110)
