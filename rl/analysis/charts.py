"""Charts as plain data, for a page to draw: axes, series, and marks across them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nn.typing import Array
from rl.analysis.statistics import Values

Series = dict[str, Any]
Mark = dict[str, Any]

MOST_POINTS = 600  # of a series; a chart has no more pixels than that


@dataclass(frozen=True)
class Axis:
    """An axis.

    Args:
        label: what is on it, with its unit.
        log: whether its scale is logarithmic.
        names: of the places 0, 1, ..., where there are no numbers.
    """

    label: str
    log: bool = False
    names: Sequence[str] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        title: above it.
        description: what there is to see, for those who cannot.
        x: the axis from left to right.
        y: the axis from bottom to top.
        series: of `line`, `band`, `points` and `bars`.
        marks: of `mark_x` and `mark_y`.
        note: what the reader must know, in small print.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    marks: Sequence[Mark] = field(default=())
    note: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """What is drawn, for JSON."""
        drawn = {"x": asdict(self.x), "y": asdict(self.y)}
        return {**drawn, "series": list(self.series), "marks": list(self.marks)}


def line(name: str, x: Values, y: Values, colour: int = 0, **look: bool) -> Series:
    """Points that are joined, or a step function (`step=True`); a value that is not finite parts
    the line. `faint=True` puts it into the background.
    """
    values = {"x": numbers(x), "y": numbers(y)}
    return {"kind": "line", "name": name, "colour": colour, **values, **look}


def band(name: str, x: Values, low: Values, high: Values, colour: int = 0) -> Series:
    """What lies between two lines."""
    values = {"x": numbers(x), "low": numbers(low), "high": numbers(high)}
    return {"kind": "band", "name": name, "colour": colour, **values}


def points(name: str, x: Values, y: Values, colour: int = 0, **more: Any) -> Series:
    """Dots, each for itself.

    Args:
        name: of all.
        x: their places.
        y: their heights.
        colour: its number among the page's.
        more: `low` and `high` [n] of their error bars, `texts` that say what each is, `shades`
            from 0 to 1 for a third quantity, `faint`.
    """
    values = {"x": numbers(x), "y": numbers(y)}
    for bound in ("low", "high", "shades"):
        if bound in more:
            more[bound] = numbers(more[bound])
    return {"kind": "points", "name": name, "colour": colour, **values, **more}


def bars(name: str, edges: Values, heights: Values, colour: int = 0) -> Series:
    """A histogram: n + 1 edges and n heights."""
    values = {"x": numbers(edges), "y": numbers(heights)}
    return {"kind": "bars", "name": name, "colour": colour, **values}


def mark_x(x: float, label: str) -> Mark:
    """A line from bottom to top."""
    return {"x": x, "label": label}


def mark_y(y: float, label: str) -> Mark:
    """A line from left to right."""
    return {"y": y, "label": label}


def numbers(values: Values) -> list[float | None]:
    """Five digits of each, and None for what is not finite: all that a chart can show."""
    plain = np.asarray(values, np.float64).tolist()
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in plain]


def thinned(x: Values, y: Values, most: int = MOST_POINTS) -> tuple[Array, Array]:
    """The means of as many neighbours as leave at most so many points."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    size = -(-len(xs) // most)
    if size <= 1:
        return xs, ys
    starts = np.arange(0, len(xs), size)
    counts = np.diff(np.append(starts, len(xs)))
    return np.add.reduceat(xs, starts) / counts, np.add.reduceat(ys, starts) / counts


def places(values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Where the values of a parameter stand on an axis.

    Returns:
        Numbers as they are, and None; or, if one is no number, places side by side in the order of
        their names, and the names.
    """
    if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values):
        return [float(value) for value in values], None
    texts = [name_of(each) for each in values]
    names = sorted(set(texts))
    return [float(names.index(text)) for text in texts], names


def name_of(value: Any) -> str:
    """What is written for a value: a block's own name where it has one, four digits of a number."""
    if isinstance(value, Mapping) and "name" in value:
        rest = ", ".join(f"{key}={name_of(each)}" for key, each in value.items() if key != "name")
        return f"{value['name']}({rest})" if rest else str(value["name"])
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
