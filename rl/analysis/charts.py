"""Charts as plain data: axes, series, and marks across them; for a page or a PNG to draw."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.statistics import Values
from rl.storage.forms import is_number

if TYPE_CHECKING:
    from typing import TypeGuard

Series = dict[str, Any]
Mark = dict[str, Any]

LARGEST, SMALLEST = 1e300, 1e-300  # beyond these the arithmetic of an axis is no longer finite
ALIKE = 1e-9  # a range of values, as a share of them, that is no range
DIGITS = 5
LONG = 1e15  # a number that nobody reads digit by digit
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
        marks = [mark for mark in self.marks if is_drawable(mark.get("x", mark.get("y")))]
        return {**drawn, "series": list(self.series), "marks": marks}


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
    """Five digits of each, or of values that are much alike as many as tell them apart; and None
    for what a chart cannot show.
    """
    plain = drawable(values)
    there = plain[np.isfinite(plain)]
    span = float(np.ptp(there)) if len(there) else 0.0
    digits = DIGITS
    if span > 0.0:
        alike = float(np.abs(there).max()) / span
        digits = min(17, max(DIGITS, 3 + math.ceil(math.log10(alike))))
    return [float(f"{each:.{digits}g}") if math.isfinite(each) else None for each in plain.tolist()]


def drawable(values: Values) -> Array:
    """The values with nan for those that no axis can show: not finite, or too large for it.

    One that is too small for an axis is 0.
    """
    array = np.asarray(values, np.float64)
    size = np.abs(array)
    return np.where(size <= LARGEST, np.where(size < SMALLEST, 0.0, array), np.nan)


def is_drawable(value: float | None) -> TypeGuard[float]:
    """Whether there is a value that an axis can show."""
    return value is not None and abs(value) <= LARGEST


def drawable_curve(steps: Values, returns: Values) -> tuple[Array, Array]:
    """The points of a curve that axes can show."""
    x, y = drawable(steps), drawable(returns)
    there = np.isfinite(x) & np.isfinite(y)
    return x[there], y[there]


def drawable_curves(curves: Iterable[tuple[Values, Values]]) -> list[tuple[Array, Array]]:
    """The same of several; a curve without such points is left out."""
    return [found for curve in curves if len((found := drawable_curve(*curve))[0])]


def histogram(values: Values, bins: int) -> tuple[Array, Array]:
    """Heights and edges of bins over finite values; values that are much alike have one bin.

    Args:
        values: at least one, as `drawable` gives them.
        bins: how many.
    """
    data = np.asarray(values, np.float64)
    low, high = float(data.min()), float(data.max())
    size = max(abs(low), abs(high))
    if high - low <= ALIKE * size:
        margin = max(0.5, 1e-3 * size)
        bins, low, high = 1, low - margin, high + margin
    return np.histogram(data, bins, (low, high))


def thinned(x: Values, y: Values, most: int = MOST_POINTS) -> tuple[Array, Array]:
    """The means of as many neighbours as leave at most so many points."""
    xs, ys = drawable(x), drawable(y)
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
    if all(map(is_number, values)):
        return [float(value) for value in values], None
    texts = [name_of(each) for each in values]
    names = sorted(set(texts))
    return [float(names.index(text)) for text in texts], names


def figure_of(value: float) -> str:
    """A number in a text: with one decimal, or with four digits where it would be long."""
    return f"{value:,.1f}" if abs(value) < LONG else f"{value:.4g}"


def name_of(value: Any) -> str:
    """What is written for a value: a block's own name where it has one, four digits of a number."""
    if isinstance(value, Mapping) and "name" in value:
        rest = ", ".join(f"{key}={name_of(each)}" for key, each in value.items() if key != "name")
        return f"{value['name']}({rest})" if rest else str(value["name"])
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
