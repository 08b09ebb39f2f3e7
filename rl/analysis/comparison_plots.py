"""The picture of a comparison."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rl.analysis.charts import drawable, drawable_curves, is_drawable
from rl.analysis.comparison import FEWEST_SESSIONS, LEVEL, Comparison
from rl.analysis.comparison_charts import profile_grid
from rl.analysis.figures import drawing, literal
from rl.analysis.statistics import performance_band, performance_profile, sample_efficiency

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

# Colours from Okabe and Ito 2008, which the colour-blind can tell apart; markers and lines differ
# too, for where there is no colour and where one curve lies on another.
LOOKS = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "D", "-."),
    ("#CC79A7", "^", (0, (5, 1, 1, 1, 1, 1))),
    ("#E69F00", "v", (0, (1, 1))),
    ("#56B4E9", "P", (0, (8, 3))),
    ("#000000", "*", (0, (3, 3))),
)
LEGEND_CHARACTERS = 150  # that fit into the width of the picture


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Draws the scores of all groups, their IQM, their performance profiles and learning curves.

    Args:
        comparison: from the eighth group on, the looks come again.
        path: of the PNG, 1100 x 850 pixels.

    Raises:
        OSError: it cannot be written.
    """
    with drawing(path, 11, 8.5) as figure:
        panels = figure.subplots(2, 2).ravel()
        draws = (_draw_scores, _draw_iqms, _draw_profiles, _draw_curves)
        for axes, draw in zip(panels, draws, strict=True):
            axes.grid(alpha=0.25)
            draw(axes, comparison)
        title = f"{comparison.problem}: best checkpoints, all on the same episodes"
        figure.suptitle(literal(title))
        handles, labels = panels[-1].get_legend_handles_labels()
        columns = LEGEND_CHARACTERS // (max(map(len, labels), default=0) + 8)
        figure.legend(
            handles, labels, loc="outside lower center", ncols=max(1, columns), handlelength=4
        )


def _draw_scores(axes: Axes, comparison: Comparison) -> None:
    boxes = any(each.sessions >= FEWEST_SESSIONS for each in comparison.summaries)
    axes.set_title("scores of the sessions" + (", box: the middle half" if boxes else ""))
    for place, group, (colour, marker, _) in _looks(comparison.groups):
        scores = np.sort(drawable(group.scores))
        if len(scores) >= FEWEST_SESSIONS:
            axes.boxplot(scores, positions=[place], widths=0.6, showfliers=False,
                         medianprops={"color": "0.3"})  # fmt: skip
        aside = 0.2 * np.sin(2.4 * np.arange(len(scores)))  # puts neighbours in value side by side
        axes.plot(place + aside, scores, marker, color=colour, alpha=0.7)
    _finish_places(axes, comparison)


def _draw_iqms(axes: Axes, comparison: Comparison) -> None:
    axes.set_title("IQM over sessions, bar: 95% bootstrap")
    for place, summary, (colour, marker, _) in _looks(comparison.summaries):
        axes.plot(place, summary.iqm.value, marker, color=colour, markersize=8)
        if summary.iqm.interval:
            axes.vlines(place, *summary.iqm.interval, color=colour, linewidth=3)
    _finish_places(axes, comparison)


def _finish_places(axes: Axes, comparison: Comparison) -> None:
    """Room for each group, and its number of sessions below it; the legend has the names."""
    sessions = [each.sessions for each in comparison.summaries]
    axes.set_xticks(range(len(sessions)), [f"n = {n}" for n in sessions])
    axes.set_xlim(-0.6, len(sessions) - 0.4)
    axes.set_ylabel("mean return")
    _mark_thresholds(axes.axhline, comparison)


def _draw_profiles(axes: Axes, comparison: Comparison) -> None:
    axes.set_title("performance profiles, band: 95% bootstrap")
    axes.set(xlabel="mean return", ylabel="share of sessions above it")
    grid = profile_grid(comparison)
    for _, group, (colour, _, line) in _looks(comparison.groups):
        share = performance_profile(group.scores, grid)
        axes.step(grid, share, where="post", color=colour, linestyle=line)
        if len(group.scores) > 1:
            low, high = performance_band(group.scores, grid, LEVEL)
            axes.fill_between(grid, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    _mark_thresholds(axes.axvline, comparison)


def _draw_curves(axes: Axes, comparison: Comparison) -> None:
    title = (
        "evaluations while learning: IQM over sessions, band: 95% bootstrap;\n"
        "a session that stopped as solved keeps its last value"
    )
    axes.set_title(title, fontsize="medium")
    axes.set(xlabel="environment steps", ylabel="mean return")
    for _, group, (colour, marker, line) in _looks(comparison.groups):
        curves = drawable_curves(group.curves)
        if not curves:
            continue
        curve, n = sample_efficiency(curves, level=LEVEL), len(curves)
        axes.plot(curve.steps, curve.iqm, color=colour, marker=marker, linestyle=line,
                  markevery=max(1, len(curve.steps) // 5),
                  label=literal(f"{group.name}, {n} session{'s' * (n > 1)}"))  # fmt: skip
        if n > 1:
            axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.15,
                              linewidth=0)  # fmt: skip
    _mark_thresholds(axes.axhline, comparison)


def _looks(groups: Sequence[T]) -> Iterator[tuple[int, T, tuple[str, str, Any]]]:
    """Place, group, and the group's colour, marker and line."""
    return zip(range(len(groups)), groups, itertools.cycle(LOOKS), strict=False)


def _mark_thresholds(line: Callable[..., Any], comparison: Comparison) -> None:
    for threshold in filter(is_drawable, {group.threshold for group in comparison.groups}):
        line(threshold, color="0.4", linestyle=":", label=f"solved: {threshold:g}")
