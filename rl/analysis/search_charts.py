"""The charts of a search: the scores of its trials, and how they depend on the parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Key, Series
from rl.analysis.metrics import METRICS
from rl.analysis.search_figures import Result, Search, describe_parameters
from rl.analysis.statistics import Values
from rl.formatting import count_of

SHADES = (0.0, 0.5, 1.0)  # that a key tells the scores of


def score_chart(search: Search, running: bool = False) -> Chart:
    """The score of each trial in order; while the search is running, the best so far too."""
    scored = sorted(search.scored, key=lambda result: result["trial"])
    trials = [result["trial"] for result in scored]
    scores = [result["score"] for result in scored]
    low, high = min(scores), max(scores)
    best = charts.line("best so far", trials, np.maximum.accumulate(scores), 1, step=True)
    return Chart(
        "Scores",
        f"{count_of(len(scored), 'trial')} with a {search.statistic} from {low:.4g} to {high:.4g}.",
        Axis("trial", whole=True),
        Axis(words(search.statistic)),
        [_dots(scored, trials, scores), *([best] if running else [])],
        key=None if running else _key(search),
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
    dots = _dots(results, at, values)
    statistic = words(metric or search.statistic)
    description = f"The {statistic} of {count_of(len(results), 'trial')} by {path}."
    if results:
        best = max(results, key=lambda result: result["score"])["parameters"]
        description += f" The best has {describe_parameters({path: best[path]})}."
    return Chart(path, description, axis, Axis(statistic), [dots], key=_key(search))


def pair_charts(search: Search) -> list[Chart]:
    """Each pair of parameters, with a dot for each trial."""
    return [_pair_chart(search, *pair) for pair in itertools.combinations(search.space, 2)]


def _pair_chart(search: Search, first: str, second: str) -> Chart:
    results = [each for each in search.scored if {first, second} <= each["parameters"].keys()]
    (x, across), (y, up) = (_axis(search, results, path) for path in (first, second))
    title = f"{first} and {second}"
    return Chart(
        title,
        f"{count_of(len(results), 'trial')} by {title}.",
        x,
        y,
        [_dots(results, across, up)],
        key=_key(search),
    )


def _dots(results: Sequence[Result], x: Values, y: Values) -> Series:
    """A dot for each trial, coloured by the rank of its score; equal scores have one colour."""
    scores = charts.drawable([result["score"] for result in results])
    distinct, ranks = np.unique(scores, return_inverse=True)
    shades = ranks / (len(distinct) - 1) if len(distinct) > 1 else np.ones(len(scores))
    return charts.points("trial", x, y, 0, texts=_texts(results), shades=shades)


def _key(search: Search) -> Key | None:
    """The worst, the middle and the best score; None if there are no different ones."""
    scores = charts.drawable([result["score"] for result in search.scored])
    distinct = np.unique(scores[np.isfinite(scores)])
    if len(distinct) < 2:
        return None
    return Key(words(search.statistic), [f"{each:,.4g}" for each in np.quantile(distinct, SHADES)])


def words(name: str) -> str:
    """The name of a figure in words."""
    return name.replace("_", " ")


def _axis(search: Search, results: Sequence[Result], path: str) -> tuple[Axis, list[float]]:
    """The axis of a parameter, and the places of the results on it."""
    at, names = charts.places([result["parameters"][path] for result in results])
    whole = all(isinstance(result["parameters"][path], int) for result in results)
    return Axis(path, search.is_log(path) and names is None, names, whole and names is None), at


def _texts(results: Sequence[Result]) -> list[str]:
    """The description of each dot."""
    return [
        f"trial {each['trial']}: {each['score']:.4g}, {describe_parameters(each['parameters'])}"
        for each in results
    ]
