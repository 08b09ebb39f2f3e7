"""Draws charts into a PNG, as a page's scripts draw them in the browser."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.charts import Chart, Key, Mark, Series
from rl.analysis.drawn_axes import set_axis, set_ticks, shortened, write
from rl.analysis.figures import drawing, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

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
WORST, BEST = "#fde3a7", "#8c1d18"  # the shades of points, as in charts.css
PANEL = (4.5, 2.7)  # inches of a chart
WIDE = 1.6  # the relative height of a chart with a row of its own
PLACE = 0.45  # inches of a place on an axis whose names are inside
NOTE_CHARACTERS, LEGEND_CHARACTERS = 12, 14  # per inch
LONGEST_ENTRY = 60  # characters of a name in the legend

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
    heights = [_height(charts[0], WIDE if wide else 1.0), *[1.0] * (rows - 1)]
    with drawing(file, PANEL[0] * columns, PANEL[1] * sum(heights) + 0.3) as figure:
        grid = figure.add_gridspec(rows, columns, height_ratios=heights)
        entries: Entries = {}
        for number, chart in enumerate(charts):
            row, column = divmod(number + (first - 1) * (number > 0), columns)
            width = 1 if number else first
            cells = grid[row, column : column + width]
            axes: Any = figure.add_subplot(cells, projection="polar" if chart.radar else None)
            drawn = _draw_radar if chart.radar else _draw_chart
            found = drawn(axes, chart, int(NOTE_CHARACTERS * PANEL[0] * width))
            for name, shown in found.items() if len(found) > 1 else ():
                entries.setdefault(name, []).extend(shown)
        figure.suptitle(literal(title))
        if entries:
            _draw_legend(figure, entries)


def _height(chart: Chart, usual: float) -> float:
    """The relative height of a chart: room for each name that stands inside it."""
    names = len(chart.y.names or ()) if chart.y.inside else 0
    return (1.2 + PLACE * names) / PANEL[1] if names else usual


def _draw_chart(axes: Axes, chart: Chart, characters: int) -> Entries:
    """Draws a chart; returns its entries in the legend, of which all faint series are one."""
    if chart.title != chart.x.label:
        axes.set_title(literal(chart.title), loc="left", fontsize="medium")
    axes.grid(alpha=0.25)
    axes.margins(y=0.1)  # for the label of a mark
    set_axis(axes, "x", chart.x, textwrap.fill(chart.note, characters), characters)
    axes.tick_params(labelsize="small")
    set_axis(axes, "y", chart.y, room=characters)
    faint = [each["name"] for each in chart.series if each.get("faint")]
    together = " … ".join(dict.fromkeys(faint[:1] + faint[-1:]))
    entries: Entries = {}
    for each in chart.series:
        name = together if each.get("faint") else each["name"]
        shown = DRAW[each["kind"]](axes, each)
        entries.setdefault(name, []).append(shown)
    for mark in chart.data["marks"]:
        _draw_mark(axes, mark)
    set_ticks(axes, "x", chart.x)
    set_ticks(axes, "y", chart.y)
    return _key_entries(chart.key) if chart.key else entries


def _draw_radar(axes: PolarAxes, chart: Chart, characters: int) -> Entries:
    """Draws closed lines around a centre; returns their entries in the legend."""
    names = [shortened(name, characters // 3) for name in chart.x.names or ()]
    angles = np.linspace(0.0, 2.0 * np.pi, len(names), endpoint=False)
    axes.set_title(literal(chart.title), fontsize="medium")
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_thetagrids(np.degrees(angles), [*map(literal, names)], fontsize="small")
    axes.set_ylim(0.0, 1.0)
    axes.set_yticks([0.25, 0.5, 0.75, 1.0])
    axes.tick_params(axis="y", labelsize="x-small")
    for label, angle in zip(axes.get_xticklabels(), angles, strict=True):  # beside the circle
        side: Any = "center" if abs(np.sin(angle)) < 0.1 else "left" if angle < np.pi else "right"
        label.set_horizontalalignment(side)
    around = np.append(angles, angles[:1])
    entries: Entries = {}
    for each in chart.series:
        distances, (colour, _, dash) = _column(each, "y"), _look(each)
        closed = np.append(distances, distances[:1])
        if np.isfinite(closed).all():
            axes.fill(around, closed, color=colour, alpha=0.08)
        entries[each["name"]] = axes.plot(around, closed, color=colour, ls=dash, lw=1.8, marker=".")
    return entries


def _key_entries(key: Key) -> Entries:
    """A dot of each shade that the key names."""
    from matplotlib.lines import Line2D

    shades = _shaded(np.linspace(0.0, 1.0, len(key.texts)))
    return {
        f"{key.label} {text}": [Line2D([], [], marker="o", linestyle="", color=shade)]
        for text, shade in zip(key.texts, shades, strict=True)
    }


def _shaded(shades: Array) -> Array:
    """The colours of shades from 0 to 1: [n, 4]."""
    from matplotlib.colors import to_rgba

    worst, best = np.array(to_rgba(WORST)), np.array(to_rgba(BEST))
    return np.asarray(worst + np.nan_to_num(shades)[:, None] * (best - worst))


def _column(series: Series, name: str) -> Array:
    """One of its columns, with nan for None."""
    return np.array(series[name], np.float64)


def _look(series: Series) -> tuple[str, str, Any]:
    """Its colour, marker and line style."""
    return LOOKS[series["colour"] % len(LOOKS)]


def _draw_line(axes: Axes, series: Series) -> Any:
    x, y = _column(series, "x"), _column(series, "y")
    colour, _, dash = _look(series)
    look = {"linestyle": dash, "linewidth": 1.8, "zorder": 4}
    if series.get("thin"):
        look = {"linewidth": 1.0, "alpha": 0.8, "zorder": 3}
    if series.get("faint"):
        look = {"linewidth": 0.8, "alpha": 0.3, "zorder": 1.6}
    style = "steps-post" if series.get("step") else "default"
    there = np.pad(np.isfinite(x + y), 1)
    alone = there[1:-1] & ~there[:-2] & ~there[2:]  # a point between two gaps
    axes.plot(x[alone], y[alone], ".", color=colour)
    return axes.plot(x, y, color=colour, drawstyle=style, **look)[0]


def _draw_band(axes: Axes, series: Series) -> Any:
    low, high = _column(series, "low"), _column(series, "high")
    colour, _, _ = _look(series)
    return axes.fill_between(
        _column(series, "x"), low, high, color=colour, alpha=0.2, lw=0, zorder=2
    )


def _draw_points(axes: Axes, series: Series) -> Any:
    """Draws markers, in the colours of their shades if they have any, and their error bars."""
    from matplotlib.colors import to_rgba, to_rgba_array

    x, y = _column(series, "x"), _column(series, "y")
    colour, marker, _ = _look(series)
    alpha = 0.25 if series.get("faint") else 0.7
    if "low" in series:
        ends = _column(series, "low"), _column(series, "high")
        draw_ends, at = (axes.hlines, y) if series.get("across") else (axes.vlines, x)
        draw_ends(at, *ends, color=colour, alpha=0.75)
    there = np.isfinite(x) & np.isfinite(y)
    faces, edges = to_rgba_array(colour, alpha), to_rgba(colour, alpha)
    if "shades" in series:
        faces, edges = _shaded(_column(series, "shades")[there]), to_rgba("0.35")
    return axes.scatter(
        x[there], y[there], 8 if series.get("faint") else 25, marker=marker, linewidths=0.8,
        facecolors=faces, edgecolors=edges, zorder=1.6 if series.get("faint") else 5,
    )  # fmt: skip


def _draw_bars(axes: Axes, series: Series) -> Any:
    edges, heights = _column(series, "x"), _column(series, "y")
    return axes.stairs(heights, edges, fill=True, color=_look(series)[0], alpha=0.55)


DRAW = {"line": _draw_line, "band": _draw_band, "points": _draw_points, "bars": _draw_bars}


def _draw_mark(axes: Axes, mark: Mark) -> None:
    """Draws a line across the plot, and its label beside it."""
    if "x" in mark:
        axes.axvline(mark["x"], color="0.4", linestyle=":")
        across = axes.get_xaxis_transform()
        write(axes, mark["label"], (mark["x"], 0.98), across, rotation=90, va="top", ha="right")
    else:
        axes.axhline(mark["y"], color="0.4", linestyle=":")
        write(axes, mark["label"], (0.01, mark["y"]), axes.get_yaxis_transform(), va="bottom")


def _draw_legend(figure: Figure, entries: Entries) -> None:
    """Draws the legend below the charts; the figure grows by its rows."""
    width, height = figure.get_size_inches()
    longest = min(LONGEST_ENTRY, max(map(len, entries)))
    columns = max(1, int(LEGEND_CHARACTERS * width) // (longest + 8))
    figure.set_size_inches(width, height + 0.2 * -(-len(entries) // columns))
    shown: Any = [tuple(each) for each in entries.values()]  # drawn one over the other
    figure.legend(
        shown, [literal(shortened(name, LONGEST_ENTRY)) for name in entries],
        loc="outside lower center", ncols=columns, handlelength=4, fontsize="small",
    )  # fmt: skip
