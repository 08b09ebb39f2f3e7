"""Draws charts into a PNG, as a page's scripts draw them in the browser."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.charts import Axis, Chart, Mark, Series
from rl.analysis.figures import drawing, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of charts.css, each with a marker and a line style of its own.
LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("#0072b2", "o", "-"),
    ("#d55e00", "s", "--"),
    ("#009e73", "D", "-."),
    ("#cc79a7", "^", (0, (5, 1, 1, 1, 1, 1))),
    ("#b87d00", "v", (0, (1, 1))),
    ("#2f93cc", "P", (0, (8, 3))),
    ("#1b2026", "X", (0, (3, 3))),
)
PANEL = (4.5, 2.7)  # inches of a chart
WIDE = 1.6  # the relative height of a chart with a row of its own
NOTE_CHARACTERS, LEGEND_CHARACTERS = 12, 14  # per inch
MOST_TICKS = 6  # of an x axis: their numbers have room in the narrowest chart
LONGEST_NAME = 18  # characters of a place on an axis

Entries = dict[str, list[Any]]  # the drawn series of each name in the legend


def draw(
    charts: Sequence[Chart], file: Path, title: str, columns: int = 2, wide: bool = True
) -> None:
    """Draws one or more charts into a PNG, in rows of `columns`.

    Args:
        charts: to draw.
        file: of the PNG.
        title: above all charts.
        columns: charts per row.
        wide: whether the first chart has a row of its own.

    Raises:
        OSError: the file cannot be written.
    """
    first = columns if wide else 1  # cells of the first chart
    rows = -(-(first + len(charts) - 1) // columns)
    heights = [WIDE if wide else 1.0, *[1.0] * (rows - 1)]
    with drawing(file, PANEL[0] * columns, PANEL[1] * sum(heights) + 0.3) as figure:
        grid = figure.add_gridspec(rows, columns, height_ratios=heights)
        entries: Entries = {}
        for number, chart in enumerate(charts):
            row, column = divmod(number + (first - 1) * (number > 0), columns)
            width = 1 if number else first
            axes = figure.add_subplot(grid[row, column : column + width])
            found = _draw_chart(axes, chart, int(NOTE_CHARACTERS * PANEL[0] * width))
            for name, shown in found.items() if len(found) > 1 else ():
                entries.setdefault(name, []).extend(shown)
        figure.suptitle(literal(title))
        if entries:
            _draw_legend(figure, entries)


def _draw_chart(axes: Axes, chart: Chart, characters: int) -> Entries:
    """Draws a chart; returns its entries in the legend, of which all faint series are one."""
    if chart.title != chart.x.label:
        axes.set_title(literal(chart.title), loc="left", fontsize="medium")
    axes.grid(alpha=0.25)
    axes.margins(y=0.1)  # for the label of a mark
    _set_axis(axes, "x", chart.x, textwrap.fill(chart.note, characters))
    _set_axis(axes, "y", chart.y)
    faint = [each["name"] for each in chart.series if each.get("faint")]
    together = " … ".join(dict.fromkeys(faint[:1] + faint[-1:]))
    entries: Entries = {}
    for each in chart.series:
        name = together if each.get("faint") else each["name"]
        entries.setdefault(name, []).append(DRAW[each["kind"]](axes, each))
    for mark in chart.data["marks"]:
        _draw_mark(axes, mark)
    return entries


def _set_axis(axes: Axes, which: str, axis: Axis, note: str = "") -> None:
    """Sets the label, and the scale or the names of the places."""
    label = "\n".join(filter(None, (axis.label, note)))
    getattr(axes, f"set_{which}label")(literal(label), fontsize="small")
    if axis.names is not None:
        names = [n if len(n) <= LONGEST_NAME else f"{n[: LONGEST_NAME - 1]}…" for n in axis.names]
        long = which == "x" and max(map(len, names), default=0) > 6
        turned = {"rotation": 20, "ha": "right"} if long else {}
        getattr(axes, f"set_{which}ticks")(range(len(names)), map(literal, names), **turned)
        axes.set(**{f"{which}lim": (-0.5, len(names) - 0.5)})
    elif axis.log:
        from matplotlib.ticker import NullFormatter

        axes.set(**{f"{which}scale": "log"})
        getattr(axes, f"{which}axis").set_minor_formatter(NullFormatter())
    elif which == "x":
        axes.locator_params("x", nbins=MOST_TICKS)


def _column(series: Series, name: str) -> Array:
    """One of its columns, with nan for None."""
    return np.array(series[name], np.float64)


def _look(series: Series) -> tuple[str, str, Any]:
    """Its colour, marker and line style."""
    return LOOKS[series["colour"] % len(LOOKS)]


def _draw_line(axes: Axes, series: Series) -> Any:
    x, y = _column(series, "x"), _column(series, "y")
    colour, _, dash = _look(series)
    look = {"linewidth": 0.8, "alpha": 0.35} if series.get("faint") else {"linestyle": dash}
    style = "steps-post" if series.get("step") else "default"
    there = np.pad(np.isfinite(x + y), 1)
    alone = there[1:-1] & ~there[:-2] & ~there[2:]  # a point between two gaps
    axes.plot(x[alone], y[alone], ".", color=colour)
    return axes.plot(x, y, color=colour, drawstyle=style, **look)[0]


def _draw_band(axes: Axes, series: Series) -> Any:
    low, high = _column(series, "low"), _column(series, "high")
    colour, _, _ = _look(series)
    return axes.fill_between(_column(series, "x"), low, high, color=colour, alpha=0.16, linewidth=0)


def _draw_points(axes: Axes, series: Series) -> Any:
    """Draws markers, the more opaque the greater their shade, and their error bars."""
    from matplotlib.colors import to_rgba, to_rgba_array

    x, y = _column(series, "x"), _column(series, "y")
    colour, marker, _ = _look(series)
    alpha = 0.25 if series.get("faint") else 0.7
    if "low" in series:
        ends = _column(series, "low"), _column(series, "high")
        axes.vlines(x, *ends, color=colour, alpha=0.75)
    shades = _column(series, "shades") if "shades" in series else np.full(len(x), alpha)
    there = np.isfinite(x) & np.isfinite(y)
    return axes.scatter(
        x[there], y[there], 8 if series.get("faint") else 25, marker=marker, linewidths=0.8,
        facecolors=to_rgba_array(colour, shades[there]), edgecolors=to_rgba(colour, alpha),
    )  # fmt: skip


def _draw_bars(axes: Axes, series: Series) -> Any:
    edges, heights = _column(series, "x"), _column(series, "y")
    return axes.stairs(heights, edges, fill=True, color=_look(series)[0], alpha=0.55)


DRAW = {"line": _draw_line, "band": _draw_band, "points": _draw_points, "bars": _draw_bars}


def _draw_mark(axes: Axes, mark: Mark) -> None:
    """Draws a line across the plot, and its label beside it."""
    label, text = literal(mark["label"]), {"fontsize": "small", "color": "0.3", "clip_on": True}
    if "x" in mark:
        axes.axvline(mark["x"], color="0.4", linestyle=":")
        axes.text(mark["x"], 0.98, label, text, transform=axes.get_xaxis_transform(),
                  rotation=90, va="top", ha="right")  # fmt: skip
    else:
        axes.axhline(mark["y"], color="0.4", linestyle=":")
        axes.text(0.01, mark["y"], label, text, transform=axes.get_yaxis_transform(), va="top")


def _draw_legend(figure: Figure, entries: Entries) -> None:
    """Draws the legend below the charts; the figure grows by its rows."""
    width, height = figure.get_size_inches()
    columns = max(1, int(LEGEND_CHARACTERS * width) // (max(map(len, entries)) + 8))
    figure.set_size_inches(width, height + 0.2 * -(-len(entries) // columns))
    shown: Any = [tuple(each) for each in entries.values()]  # drawn one over the other
    figure.legend(
        shown, list(map(literal, entries)),
        loc="outside lower center", ncols=columns, handlelength=4, fontsize="small",
    )  # fmt: skip
