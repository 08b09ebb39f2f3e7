"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nn.typing import Array
from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Mark, Series
from rl.analysis.comparison import LEVEL, Comparison, Pair
from rl.analysis.names import FEWEST_SESSIONS, average_name, names_over
from rl.analysis.statistics import (
    performance_band,
    performance_profile,
    sample_efficiency,
)
from rl.analysis.trial_charts import STEPS
from rl.formatting import figure_of

PROFILE_POINTS = 200
LONGEST_NAME = 32  # characters in the description of a pair
NO_ANSWER = 6  # the colour of a pair whose sessions show no difference


def comparison_charts(comparison: Comparison) -> list[Chart]:
    """The differences of all pairs; then scores, learning curves and performance profiles."""
    return [_differences(comparison), _scores(comparison), _curves(comparison),
            _profiles(comparison)]  # fmt: skip


def _differences(comparison: Comparison) -> Chart:
    """The difference of each pair and its interval against zero, in the colour of the better."""
    colours = {group.name: place for place, group in enumerate(comparison.groups)}
    pairs = comparison.pairs[::-1]  # the first one on top
    shown = sum(pair.better is not None for pair in pairs)
    return Chart(
        "Difference",
        f"{shown} of {len(pairs)} pairs show a difference.",
        Axis("difference of mean returns, first \N{MINUS SIGN} second"),
        Axis("", names=list(map(_described, pairs)), inside=True),
        [_difference(pair, place, colours) for place, pair in enumerate(pairs)],
        [charts.mark_x(0.0, "")],
        f"Bars: {100 * comparison.pair_level:.3g}% intervals; a difference counts as shown if its "
        "interval excludes 0.",
    )


def _described(pair: Pair) -> str:
    """What the sessions of a pair show, and their names, of which the end may be cut."""
    first, second, better = map(_short, (pair.first, pair.second, pair.better or ""))
    answer = f"{better} is better" if better else "no difference shown"
    answer = answer if pair.difference.interval else "too few sessions"
    return f"{answer}: {first} \N{MINUS SIGN} {second}"


def _short(name: str) -> str:
    """A name of which the end tells most, as of a path, if it is too long."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _difference(pair: Pair, place: int, colours: Mapping[str, int]) -> Series:
    low, high = pair.difference.interval or (np.nan, np.nan)
    colour = colours.get(pair.better or "", NO_ANSWER)
    return charts.points(
        "difference", [pair.difference.value], [place], colour, low=[low], high=[high],
        across=True, texts=[pair.verdict],
    )  # fmt: skip


def _scores(comparison: Comparison) -> Chart:
    """The sessions, and beside them their IQM with its interval."""
    series = []
    groups = zip(comparison.groups, comparison.summaries, strict=True)
    for place, (group, summary) in enumerate(groups):
        aside = place - 0.15 + 0.05 * np.sin(2.4 * np.arange(len(group.scores)))
        texts = [f"{group.name}: {figure_of(score)}" for score in group.scores]
        series.append(charts.points(group.name, aside, group.scores, place, texts=texts))
        if summary.iqm.interval is None:
            continue
        value, (low, high) = summary.iqm.value, summary.iqm.interval
        ends = {"low": [low], "high": [high]}
        between = f"{figure_of(low)} to {figure_of(high)}"
        average, spread = names_over(summary.sessions)
        text = [f"{group.name}: {average} {figure_of(value)} ({spread}: {between})"]
        series.append(charts.points(group.name, [place + 0.15], [value], place, texts=text, **ends))
    return Chart(
        "Scores",
        "; ".join(
            f"{each.name}: {names_over(each.sessions)[0]} {figure_of(each.iqm.value)}"
            for each in comparison.summaries
        ) + ".",
        Axis("", names=[each.name for each in comparison.summaries]),
        Axis("mean return"),
        series,
        _thresholds(comparison, charts.mark_y),
        f"Left: each session's best checkpoint; right: {_middle(comparison)}.",
    )  # fmt: skip


def _middle(comparison: Comparison) -> str:
    """What the middle of each group's sessions and the interval around it are."""
    counts = [each.sessions for each in comparison.summaries if each.sessions > 1]
    few = [count < FEWEST_SESSIONS for count in counts]
    average = " or ".join(sorted({average_name(count) for count in counts or [1]}))
    if all(few):
        return f"their {average} and their range"
    exception = f"; of fewer than {FEWEST_SESSIONS} sessions their range" if any(few) else ""
    return f"their {average} and its 95% bootstrap interval{exception}"


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
        STEPS,
        Axis("mean return"),
        series,
        _thresholds(comparison, charts.mark_y),
        f"Of the sessions {_middle(comparison)}; a session that has stopped keeps its last value.",
    )


def _profiles(comparison: Comparison) -> Chart:
    grid = profile_grid(comparison)
    series = []
    for place, group in enumerate(comparison.groups):
        if len(group.scores) >= FEWEST_SESSIONS:  # of fewer it is nearly all from 0 to 1
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
        "A curve further to the right is better; bands, from five sessions on: 95% bootstrap.",
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
    return [mark(value, charts.solved_at(value)) for value in found if value is not None]
