"""The charts of a search: what its trials were worth, and what that has to do with the settings."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart
from rl.analysis.metrics import METRICS
from rl.analysis.search_figures import Result, describe_parameters


def score_chart(scored: Sequence[Result], statistic: str) -> Chart:
    """The score of each trial in their order, and the best so far."""
    in_order = sorted(scored, key=lambda result: result["trial"])
    trials = [result["trial"] for result in in_order]
    scores = [result["score"] for result in in_order]
    series = [
        charts.line("best so far", trials, np.maximum.accumulate(scores), 1, step=True),
        charts.points("trial", trials, scores, texts=_texts(in_order)),
    ]
    return Chart(
        "Scores",
        f"{len(scored)} trials with a {statistic} from {min(scores):.4g} to {max(scores):.4g}.",
        Axis("trial"),
        Axis(statistic),
        series,
    )


def parameter_charts(
    scored: Sequence[Result], paths: Sequence[str], logs: Collection[str], statistic: str,
    key: str = "score",
) -> list[Chart]:  # fmt: skip
    """The score against each parameter, a dot a trial.

    Args:
        scored: the trials that have a score.
        paths: of the parameters.
        logs: those on a logarithmic scale.
        statistic: what the score is.
        key: a metric's name, to show it instead of the score.
    """
    return [_parameter_chart(scored, path, path in logs, statistic, key) for path in paths]


def metric_charts(
    scored: Sequence[Result], paths: Sequence[str], logs: Collection[str], statistic: str
) -> list[Chart]:
    """The score against each parameter, then each metric in the same way."""
    rows = [(statistic, "score"), *((name, name) for name in METRICS if name != statistic)]
    return [chart for row in rows for chart in parameter_charts(scored, paths, logs, *row)]


def _parameter_chart(
    scored: Sequence[Result], path: str, log: bool, statistic: str, key: str
) -> Chart:
    there = [result for result in scored if path in result["parameters"]]
    axis, at = _axis(there, path, log)
    dots = charts.points("trial", at, [each[key] for each in there], texts=_texts(there))
    best = max(there, key=lambda result: result["score"], default=None)
    found = "" if best is None else f" The best has {describe_parameters(_only(best, path))}."
    return Chart(
        path, f"The {statistic} of {len(there)} trials by {path}.{found}", axis, Axis(statistic),
        [dots],
    )  # fmt: skip


def pair_charts(
    scored: Sequence[Result], paths: Sequence[str], logs: Collection[str], statistic: str
) -> list[Chart]:
    """Each pair of parameters, a dot a trial, the fuller in colour the better."""
    pairs = itertools.combinations(paths, 2)
    return [_pair_chart(scored, pair, logs, statistic) for pair in pairs]


def _pair_chart(
    scored: Sequence[Result], paths: tuple[str, str], logs: Collection[str], statistic: str
) -> Chart:
    there = [each for each in scored if all(path in each["parameters"] for path in paths)]
    (x, across), (y, up) = (_axis(there, path, path in logs) for path in paths)
    ranks = np.argsort(np.argsort([each["score"] for each in there]))
    shades = ranks / max(1, len(there) - 1)
    dots = charts.points("trial", across, up, texts=_texts(there), shades=shades)
    title = f"{paths[0]} and {paths[1]}"
    return Chart(
        title, f"{len(there)} trials by {title}.", x, y, [dots],
        note=f"The fuller the colour, the higher the rank by {statistic}.",
    )  # fmt: skip


def _axis(results: Sequence[Result], path: str, log: bool) -> tuple[Axis, list[float]]:
    """The axis of a parameter, and where the trials are on it."""
    at, names = charts.places([result["parameters"][path] for result in results])
    return Axis(path, log and names is None, names), at


def _texts(results: Sequence[Result]) -> list[str]:
    """What each dot is."""
    return [
        f"trial {each['trial']}: {each['score']:.4g}, {describe_parameters(each['parameters'])}"
        for each in results
    ]


def _only(result: Result, path: str) -> dict[str, Any]:
    return {path: result["parameters"][path]}
