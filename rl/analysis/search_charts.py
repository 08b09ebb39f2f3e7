"""The charts of a search: the scores of its trials, and how they depend on the parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart
from rl.analysis.metrics import METRICS
from rl.analysis.search_figures import Result, Search, describe_parameters


def score_chart(search: Search) -> Chart:
    """The score of each trial in order, and the best so far."""
    scored = sorted(search.scored, key=lambda result: result["trial"])
    trials = [result["trial"] for result in scored]
    scores = [result["score"] for result in scored]
    low, high = min(scores), max(scores)
    return Chart(
        "Scores",
        f"{len(scored)} trials with a {search.statistic} from {low:.4g} to {high:.4g}.",
        Axis("trial"),
        Axis(search.statistic),
        [
            charts.line("best so far", trials, np.maximum.accumulate(scores), 1, step=True),
            charts.points("trial", trials, scores, texts=_texts(scored)),
        ],
    )


def parameter_charts(search: Search, metric: str | None = None) -> list[Chart]:
    """The score, or a metric of the trials instead, against each parameter."""
    return [_parameter_chart(search, path, metric) for path in search.space]


def metric_charts(search: Search) -> list[Chart]:
    """The score against each parameter, then each metric in the same way."""
    rows = [None, *(name for name in METRICS if name != search.statistic)]
    return [chart for metric in rows for chart in parameter_charts(search, metric)]


def _parameter_chart(search: Search, path: str, metric: str | None) -> Chart:
    results = [result for result in search.scored if path in result["parameters"]]
    axis, at = _axis(search, results, path)
    values = [result[metric or "score"] for result in results]
    dots = charts.points("trial", at, values, texts=_texts(results))
    statistic = metric or search.statistic
    description = f"The {statistic} of {len(results)} trials by {path}."
    if results:
        best = max(results, key=lambda result: result["score"])["parameters"]
        description += f" The best has {describe_parameters({path: best[path]})}."
    return Chart(path, description, axis, Axis(statistic), [dots])


def pair_charts(search: Search) -> list[Chart]:
    """Each pair of parameters, a dot for each trial, the darker the better."""
    return [_pair_chart(search, *pair) for pair in itertools.combinations(search.space, 2)]


def _pair_chart(search: Search, first: str, second: str) -> Chart:
    results = [each for each in search.scored if {first, second} <= each["parameters"].keys()]
    (x, across), (y, up) = (_axis(search, results, path) for path in (first, second))
    ranks = np.argsort(np.argsort([result["score"] for result in results]))
    shades = ranks / max(1, len(results) - 1)
    title = f"{first} and {second}"
    return Chart(
        title,
        f"{len(results)} trials by {title}.",
        x,
        y,
        [charts.points("trial", across, up, texts=_texts(results), shades=shades)],
        note=f"The fuller the colour, the higher the rank by {search.statistic}.",
    )


def _axis(search: Search, results: Sequence[Result], path: str) -> tuple[Axis, list[float]]:
    """The axis of a parameter, and the places of the results on it."""
    at, names = charts.places([result["parameters"][path] for result in results])
    return Axis(path, search.is_log(path) and names is None, names), at


def _texts(results: Sequence[Result]) -> list[str]:
    """The description of each dot."""
    return [
        f"trial {each['trial']}: {each['score']:.4g}, {describe_parameters(each['parameters'])}"
        for each in results
    ]
