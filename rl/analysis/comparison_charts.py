"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn.typing import Array
from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Mark
from rl.analysis.comparison import LEVEL, Comparison
from rl.analysis.statistics import performance_band, performance_profile, sample_efficiency

PROFILE_POINTS = 200


def comparison_charts(comparison: Comparison) -> list[Chart]:
    """Scores, performance profiles and learning curves of all groups."""
    return [_scores(comparison), _curves(comparison), _profiles(comparison)]


def _scores(comparison: Comparison) -> Chart:
    """The sessions, and beside them their IQM with its interval."""
    series = []
    groups = zip(comparison.groups, comparison.summaries, strict=True)
    for place, (group, summary) in enumerate(groups):
        aside = place - 0.15 + 0.05 * np.sin(2.4 * np.arange(len(group.scores)))
        texts = [f"{group.name}: {score:,.1f}" for score in group.scores]
        series.append(charts.points(group.name, aside, group.scores, place, texts=texts))
        value, (low, high) = summary.iqm.value, summary.iqm.interval or (summary.iqm.value,) * 2
        ends = {"low": [low], "high": [high]}
        text = [f"{group.name}: IQM {value:,.1f} ({low:,.1f} to {high:,.1f})"]
        series.append(charts.points(group.name, [place + 0.15], [value], place, texts=text, **ends))
    return Chart(
        "Sessions and their IQM",
        "; ".join(f"{each.name}: IQM {each.iqm.value:,.1f}" for each in comparison.summaries) + ".",
        Axis("", names=[f"n = {each.sessions}" for each in comparison.summaries]),
        Axis("mean return"),
        series,
        _thresholds(comparison, charts.mark_y),
        "Left: each session's best checkpoint; right: their IQM with its 95% bootstrap interval.",
    )


def _curves(comparison: Comparison) -> Chart:
    series = []
    for place, group in enumerate(comparison.groups):
        curves = charts.drawable_curves(group.curves)
        if not curves:
            continue
        steps, iqm, low, high = sample_efficiency(curves, level=LEVEL)
        if len(curves) > 1:
            series.append(charts.band(group.name, steps, low, high, place))
        series.append(charts.line(group.name, steps, iqm, place))
    return Chart(
        "Evaluations while learning",
        f"The learning curves of {len(comparison.groups)} runs.",
        Axis("environment steps"),
        Axis("mean return"),
        series,
        _thresholds(comparison, charts.mark_y),
        "IQM over sessions and its 95% bootstrap interval; a session that stopped as solved keeps "
        "its last value.",
    )


def _profiles(comparison: Comparison) -> Chart:
    grid = profile_grid(comparison)
    series = []
    for place, group in enumerate(comparison.groups):
        if len(group.scores) > 1:
            low, high = performance_band(group.scores, grid, LEVEL)
            series.append(charts.band(group.name, grid, low, high, place))
        share = performance_profile(group.scores, grid)
        series.append(charts.line(group.name, grid, share, place, step=True))
    return Chart(
        "Performance profiles",
        "For each return the share of a run's sessions above it.",
        Axis("mean return"),
        Axis("share of sessions above it"),
        series,
        _thresholds(comparison, charts.mark_x),
        "A curve further to the right is better; bands: 95% bootstrap.",
    )


def profile_grid(comparison: Comparison) -> Array:
    """The returns at which performance profiles are drawn, from below all scores to above them."""
    scores = charts.drawable(np.concatenate([group.scores for group in comparison.groups]))
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    margin = 0.05 * (high - low) or 1e-3 * abs(low) or 1.0
    return np.linspace(low - margin, high + margin, PROFILE_POINTS)


def _thresholds(comparison: Comparison, mark: Callable[[float, str], Mark]) -> list[Mark]:
    found = {group.threshold for group in comparison.groups} - {None}
    return [mark(value, f"solved: {value:g}") for value in found if value is not None]
