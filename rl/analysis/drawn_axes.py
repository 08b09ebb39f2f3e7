"""The axes of a chart in a PNG: labels, names of places, and ticks at round numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rl.analysis.charts import Axis
from rl.analysis.figures import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import Formatter

MOST_TICKS = 6  # of an x axis: their numbers have room in the narrowest chart
FEW_DECADES, MANY_DECADES = 5.0, 200.0  # ratios of an axis's ends
LONGEST_NAME = 18  # characters of a place on an axis
PLAIN = (-5, 8)  # powers of ten between which numbers are written in full


def set_axis(axes: Axes, which: str, axis: Axis, note: str = "", room: int = 0) -> None:
    """Sets the label, and the scale or the names of the places.

    Args:
        axes: of the chart.
        which: "x" or "y".
        axis: what it is of.
        note: small print below the label.
        room: for all names beside each other, or for one inside the plot, in characters.
    """
    label = "\n".join(filter(None, (axis.label, note)))
    getattr(axes, f"set_{which}label")(literal(label), fontsize="small")
    if axis.inside:
        _name_inside(axes, [shortened(name, room) for name in axis.names or ()])
    elif axis.names is not None:
        most = room // max(1, len(axis.names)) - 2 if which == "x" else LONGEST_NAME
        names = [shortened(name, max(most, LONGEST_NAME)) for name in axis.names]
        long = which == "x" and max(map(len, names), default=0) > most
        turned = {"rotation": 20, "ha": "right"} if long else {}
        getattr(axes, f"set_{which}ticks")(range(len(names)), map(literal, names), **turned)
        axes.set(**{f"{which}lim": (-0.5, len(names) - 0.5)})
    elif axis.log:
        axes.set(**{f"{which}scale": "log"})


def _name_inside(axes: Axes, names: Sequence[str]) -> None:
    """Writes each name above its place, and nothing beside the axis."""
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(names) - 0.25)
    for place, name in enumerate(names):
        write(axes, name, (0.01, place + 0.2), axes.get_yaxis_transform(), color="0")


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def write(axes: Axes, text: str, at: tuple[float, float], transform: Any, **look: Any) -> None:
    """Writes a small text into the plot, with a rim that keeps it legible over what is drawn."""
    from matplotlib.patheffects import withStroke

    axes.text(
        *at, literal(text), transform=transform, clip_on=True, zorder=8,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        **{"fontsize": "small", "color": "0.3", **look},
    )  # fmt: skip


def set_ticks(axes: Axes, which: str, axis: Axis) -> None:
    """Sets the ticks of an axis of numbers, once all of the chart is drawn.

    Args:
        axes: of the chart.
        which: "x" or "y".
        axis: what it is of.
    """
    if axis.names is not None:
        return
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    low, high = getattr(axes, f"get_{which}lim")()
    shown = getattr(axes, f"{which}axis")
    if axis.log and high / low > FEW_DECADES:
        subs = (1.0, 2.0, 5.0) if high / low < MANY_DECADES else (1.0,)
        shown.set_major_locator(LogLocator(subs=subs))
    elif axis.log or axis.whole or which == "x":
        locator = MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10], integer=axis.whole)
        shown.set_major_locator(locator)
    shown.set_minor_formatter(NullFormatter())
    shown.set_major_formatter(_formatter(axis.log))


def _formatter(log: bool) -> Formatter:
    """Writes the numbers of an axis with commas between thousands."""
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    class Separated(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return separated(super().__call__(x, pos))

    if log:
        return FuncFormatter(lambda value, _: separated(f"{value:.10g}"))
    formatter = Separated()
    formatter.set_powerlimits(PLAIN)
    return formatter


def separated(number: str) -> str:
    """A number with commas between the thousands of its whole part."""
    whole, point, rest = number.partition(".")
    return re.sub(r"\B(?=(\d{3})+$)", ",", whole) + point + rest
