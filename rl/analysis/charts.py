"""Charts as plain data: axes, series and marks, which a page or the PNG drawer draws."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.statistics import Values
from rl.storage.forms import is_number

if TYPE_CHECKING:
    from typing import TypeGuard

Series = dict[str, Any]
Mark = dict[str, Any]

COLUMNS = ("x", "y", "low", "high", "shades")  # of numbers, in a series
LARGEST, SMALLEST = 1e300, 1e-300  # beyond these the arithmetic of an axis overflows
ALIKE = 1e-9  # a range of values, relative to them, that counts as none
DIGITS = 5
MOST_POINTS = 600  # of a series; no chart is wider in pixels


@dataclass(frozen=True)
class Axis:
    """An axis, of numbers or of places 0, 1, ... that have `names`."""

    label: str  # with the unit
    log: bool = False
    names: Sequence[str] | None = None
    whole: bool = False  # of counts: ticks are at whole numbers only
    inside: bool = False  # the names of a y axis stand in the plot, each above its place


@dataclass(frozen=True)
class Key:
    """What the shades of points stand for."""

    label: str  # of the figure
    texts: Sequence[str]  # its values at evenly spaced shades from 0 to 1


@dataclass(frozen=True)
class Chart:
    """A chart as data."""

    title: str
    description: str  # what it shows, for those who cannot see it
    x: Axis
    y: Axis
    series: Sequence[Series]  # of `line`, `band`, `points` and `bars`
    marks: Sequence[Mark] = ()  # of `mark_x` and `mark_y`
    note: str = ""  # small print
    key: Key | None = None  # of the shades, if there are any
    radar: bool = False  # in PNGs: the names of x are directions, y of lines is how far, up to 1

    @property
    def data(self) -> dict[str, Any]:
        """What is drawn, for JSON."""
        drawn = {"x": asdict(self.x), "y": asdict(self.y)}
        marks = [mark for mark in self.marks if is_drawable(mark.get("x", mark.get("y")))]
        key = {"key": asdict(self.key)} if self.key else {}
        return {**drawn, "series": list(self.series), "marks": marks, **key}


def line(name: str, x: Values, y: Values, colour: int = 0, **look: bool) -> Series:
    """Points joined by a line, with a gap at each value that is not finite.

    With `step=True` it is a step function; with `thin=True` it stands behind the other lines, and
    with `faint=True` in the background.
    """
    return _series("line", name, colour, x=x, y=y, **look)


def band(name: str, x: Values, low: Values, high: Values, colour: int = 0) -> Series:
    """The area between two lines."""
    return _series("band", name, colour, x=x, low=low, high=high)


def points(name: str, x: Values, y: Values, colour: int = 0, **more: Any) -> Series:
    """Separate dots.

    Args:
        name: of the series.
        x: [n]
        y: [n]
        colour: its number among the page's.
        more: `low` and `high` [n], the ends of error bars, which lie across with `across=True`;
            `texts` [n] that describe each dot; `shades` [n] from 0 to 1 for a third quantity;
            `faint`.
    """
    return _series("points", name, colour, x=x, y=y, **more)


def bars(name: str, edges: Values, heights: Values, colour: int = 0) -> Series:
    """A histogram: n + 1 edges and n heights."""
    return _series("bars", name, colour, x=edges, y=heights)


def _series(kind: str, name: str, colour: int, **more: Any) -> Series:
    drawn = {key: numbers(each) if key in COLUMNS else each for key, each in more.items()}
    return {"kind": kind, "name": name, "colour": colour, **drawn}


def mark_x(x: float, label: str) -> Mark:
    """A vertical line."""
    return {"x": x, "label": label}


def mark_y(y: float, label: str) -> Mark:
    """A horizontal line."""
    return {"y": y, "label": label}


def numbers(values: Values) -> list[float | None]:
    """The values to five digits, or to as many as distinguish similar ones; None where a chart
    cannot show one.
    """
    plain = drawable(values)
    finite = plain[np.isfinite(plain)]
    span = float(np.ptp(finite)) if len(finite) else 0.0
    digits = DIGITS
    if span > 0.0:
        alike = float(np.abs(finite).max()) / span
        digits = min(17, max(DIGITS, 3 + math.ceil(math.log10(alike))))
    return [float(f"{each:.{digits}g}") if math.isfinite(each) else None for each in plain.tolist()]


def drawable(values: Values) -> Array:
    """The values with nan for those that an axis cannot show; what is too small for one is 0."""
    array = np.asarray(values, np.float64)
    size = np.abs(array)
    return np.where(size <= LARGEST, np.where(size < SMALLEST, 0.0, array), np.nan)


def is_drawable(value: float | None) -> TypeGuard[float]:
    """Whether an axis can show the value."""
    return value is not None and abs(value) <= LARGEST


def drawable_curve(steps: Values, returns: Values) -> tuple[Array, Array]:
    """The points of a curve that axes can show."""
    x, y = drawable(steps), drawable(returns)
    shown = np.isfinite(x) & np.isfinite(y)
    return x[shown], y[shown]


def drawable_curves(curves: Iterable[tuple[Values, Values]]) -> list[tuple[Array, Array]]:
    """The same for several curves, without those of which no point can be shown."""
    return [found for curve in curves if len((found := drawable_curve(*curve))[0])]


def histogram(values: Values, bins: int) -> tuple[Array, Array]:
    """Heights and edges of bins over finite values, at least one; similar values share one bin."""
    data = np.asarray(values, np.float64)
    low, high = float(data.min()), float(data.max())
    size = max(abs(low), abs(high))
    if high - low <= ALIKE * size:
        margin = max(0.5, 1e-3 * size)
        bins, low, high = 1, low - margin, high + margin
    return np.histogram(data, bins, (low, high))


def thinned(x: Values, y: Values, most: int = MOST_POINTS) -> tuple[Array, Array]:
    """At most `most` points: means of as many neighbours as that takes."""
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
        Numbers as they are, and None; or, if one is not a number, the indices of their names in
        alphabetical order, and those names.
    """
    if all(map(is_number, values)):
        return [float(value) for value in values], None
    texts = [name_of(each) for each in values]
    names = sorted(set(texts))
    return [float(names.index(text)) for text in texts], names


def solved_at(threshold: float) -> str:
    """The label of the return that counts as solved."""
    return f"solved: {threshold:,.10g}"


def name_of(value: Any) -> str:
    """A setting in a text: a block by its name, a number to four digits."""
    if isinstance(value, Mapping) and "name" in value:
        rest = ", ".join(f"{key}={name_of(each)}" for key, each in value.items() if key != "name")
        return f"{value['name']}({rest})" if rest else str(value["name"])
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
