"""The charts of a trial: how its sessions learned, and how well they did.

A damaged file of a session raises a UserError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from nn.typing import Array
from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Mark, Series
from rl.analysis.names import names_over
from rl.analysis.records import Record, columns, table
from rl.analysis.statistics import (
    Values,
    running_mean,
    sample_efficiency,
    student_t_quantile,
)
from rl.formatting import figure_of
from rl.storage.session_folder import METRIC_COLUMNS

T = TypeVar("T")

STEPS = Axis("environment steps", whole=True)
BINS = 24
RUNNING_MEAN_EPISODES = 100
MOST_LINES, MOST_FAINT = 10, 100  # sessions in lines of their own, and in a background
OWN = (1, 3, 6, 5, 4)  # the colours of sessions behind their mean, if they are few
MOST_DOTS = 40  # evaluations that are drawn as dots on their line
WIDEST = 1e100  # the ratio of the ends of a logarithmic axis
EVALUATION = "greedy evaluation"
SOLVED = 2  # the colour of the marks where a session reached its threshold

# The columns of `updates.csv` that have a chart, with its title and an explanation.
METRICS = {
    "loss": ("Loss", "of the value function, as the optimizer sees it"),
    "policy_loss": ("Policy loss", "what the policy's step goes down"),
    "mean_q": ("Q-values", "the mean over the batches: what the agent expects, discounted"),
    "mean_value": ("Values", "the mean over the batches: what the critic expects, discounted"),
    "gradient_norm": ("Gradient norm", "before it is clipped"),
    "exploration": ("Exploration", "the explorer's amount, such as the share of random actions"),
    "entropy": ("Entropy", "of the policy: how much it still leaves to chance"),
    "mean_return": ("Returns of a generation", "the mean over its members"),
    "elite_return": ("Returns of the elite", "the mean over the members that are kept"),
    "std": ("Spread", "the mean standard deviation of the parameters that members are drawn with"),
}


def learning_curve(records: Sequence[Record], threshold: float | None) -> Chart:
    """The greedy evaluations of one session or several over the environment steps."""
    begun = [
        replace(record, steps=steps, returns=returns)
        for record in records
        for steps, returns in charts.drawable_curves([(record.steps, record.returns)])
    ]
    if len(begun) > 1:
        series, note = _several(begun)
    else:
        series, note = _single((begun or records)[0]) if records else ([], "")
    return Chart(
        "Learning curve",
        _describe_curves(begun, threshold),
        STEPS,
        Axis("return"),
        [*series, *_solved(begun)],
        _threshold(threshold),
        note,
    )


def _single(record: Record) -> tuple[list[Series], str]:
    """The evaluations with their intervals; behind them the training episodes and their mean."""
    folder, read = record.folder, record.read
    steps, returns = charts.drawable_curve(*columns(folder.episodes, ("step", "return"), read))
    every = -(-len(steps) // charts.MOST_POINTS) or 1
    smooth = charts.thinned(steps, running_mean(returns, RUNNING_MEAN_EPISODES))
    at, mean, low, high = _evaluations(record)
    alone = len(at) == 1  # a band would have no width
    bars: dict[str, Any] = {"low": low, "high": high} if alone else {}
    dots = [charts.points(EVALUATION, at, mean, **bars)] if len(at) <= MOST_DOTS else []
    series = [
        charts.line(EVALUATION, at, mean),
        charts.band(EVALUATION, at, low, high),
        *dots,
        charts.line(f"training, mean of {RUNNING_MEAN_EPISODES} episodes", *smooth, 1, thin=True),
        charts.points("training episode", steps[::every], returns[::every], 1, faint=True),
    ]
    shown = f" Of the training episodes each {every}th is shown." if every > 1 else ""
    return series, f"Around the evaluations: the 95% interval of each mean (Student's t).{shown}"


def _evaluations(record: Record) -> Sequence[Array]:
    """Steps, mean returns and the ends of their intervals, which a single episode lacks."""
    names = ("step", "mean_return", "std_return", "episodes")
    at, mean, std, episodes = map(
        charts.drawable, columns(record.folder.evaluations, names, record.read)
    )
    wide = {n: student_t_quantile(0.975, n - 1) if n > 1 else np.nan for n in set(episodes)}
    with np.errstate(over="ignore"):
        half = np.array([wide[n] for n in episodes]) * std / np.sqrt(np.maximum(episodes, 1.0))
        return at, mean, mean - half, mean + half


def _several(records: Sequence[Record]) -> tuple[list[Series], str]:
    """The mean or IQM of the sessions with its interval or their range, and each of them."""
    count = len(records)
    steps, middle, low, high = sample_efficiency([(each.steps, each.returns) for each in records])
    average, spread = names_over(count)
    series = [charts.line(average, steps, middle), charts.band(spread, steps, low, high)]
    shown = _some(records, MOST_FAINT)
    few = count <= len(OWN)
    for place, each in enumerate(shown):
        curve = charts.thinned(each.steps, each.returns)
        colour = OWN[place] if few else OWN[0]
        drawn = charts.line(f"session {each.number}", *curve, colour, thin=few, faint=not few)
        series.append(drawn)
    some = f" {len(shown)} sessions are drawn." if len(shown) < count else ""
    return series, f"Greedy evaluations; a session that has stopped keeps its last value.{some}"


def _solved(records: Sequence[Record]) -> list[Series]:
    """A mark on each session's curve at the evaluation that first reached the threshold."""
    found = [
        (number, float(record.returns[place]), record.number)
        for record in records
        if (number := (record.outcome.get("reached") or {}).get("step")) in record.steps
        for place in np.flatnonzero(record.steps == number)[:1]
    ]
    if not found:
        return []
    texts = [f"session {session}: threshold reached at step {at:,}" for at, _, session in found]
    steps, returns, _ = zip(*found, strict=True)
    return [charts.points("threshold reached", steps, returns, SOLVED, texts=texts)]


def _some(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, evenly spaced."""
    if len(items) <= most:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _describe_curves(records: Sequence[Record], threshold: float | None) -> str:
    """What the curve shows, in a sentence."""
    if not records:
        return "No evaluation was made yet."
    first = float(np.mean([record.returns[0] for record in records]))
    last = float(np.mean([record.returns[-1] for record in records]))
    end = max(float(record.steps[-1]) for record in records)
    solved = "" if threshold is None else f" {threshold:g} counts as solved."
    return (
        f"The mean return of the greedy evaluations goes from {figure_of(first)} to "
        f"{figure_of(last)} in {end:,.0f} environment steps.{solved}"
    )


def score_charts(records: Sequence[Record], threshold: float | None) -> list[Chart]:
    """The charts of the best checkpoints that there are data for."""
    drawn = evaluation_distribution(records, threshold), session_scores(records, threshold)
    return [chart for chart in drawn if chart]


def evaluation_distribution(records: Sequence[Record], threshold: float | None) -> Chart | None:
    """The returns of the best checkpoints on unseen episodes; None if they were not kept."""
    kept = [each.outcome["evaluation"].get("returns") for each in records if each.counted]
    returns = charts.drawable([value for each in kept if each for value in each])
    returns = returns[np.isfinite(returns)]
    if not len(returns):
        return None
    heights, edges = charts.histogram(returns, BINS)
    mean = float(returns.mean())
    marks = [charts.mark_x(mean, f"mean: {figure_of(mean)}")]
    if threshold is not None:
        marks.append(charts.mark_x(threshold, charts.solved_at(threshold)))
    quarter, median, three_quarters = map(figure_of, np.percentile(returns, (25, 50, 75)))
    return Chart(
        "Unseen episodes",
        f"Of {len(returns)} episodes half return {quarter} to {three_quarters}, the median is "
        f"{median}, the least {figure_of(returns.min())}, the most {figure_of(returns.max())}.",
        Axis("return of an episode"),
        Axis("episodes", whole=True),
        [charts.bars("episodes", edges, heights)],
        marks,
        "The best checkpoint of each session, on episodes it was neither trained nor chosen on.",
    )


def session_scores(records: Sequence[Record], threshold: float | None) -> Chart | None:
    """The best checkpoint of each session with its interval; None of a single session."""
    counted = [record for record in records if record.counted]
    if len(counted) < 2:
        return None
    low, high = np.array([each.outcome["evaluation"]["ci95"] for each in counted]).T
    scores = [each.best for each in counted]
    texts = [f"session {each.number}: {figure_of(each.best)}" for each in counted]
    places = range(len(counted))
    dots = charts.points("best checkpoint", places, scores, low=low, high=high, texts=texts)
    return Chart(
        "Each session",
        f"The sessions' best checkpoints return {figure_of(min(scores))} to "
        f"{figure_of(max(scores))}.",
        Axis("session", names=[str(each.number) for each in counted]),
        Axis("mean return"),
        [dots],
        _threshold(threshold),
        "Bars: 95% intervals over a session's own episodes.",
    )


def update_charts(records: Sequence[Record]) -> list[Chart]:
    """A chart of each metric of the updates, with a line per session, of at most MOST_LINES."""
    tables = [
        (record.number, table(record.folder.updates, read=record.read))
        for record in _some(records, MOST_LINES)
    ]
    drawn = []
    for name, (title, what) in METRICS.items():
        curves = [
            (number, found["step"], found[name])
            for number, found in tables
            if len(found.get(name, ()))
        ]
        if curves:
            drawn.append(_metric_chart(title, what, name.replace("_", " "), curves))
    return drawn


def metric_charts(records: Sequence[Record]) -> list[Chart]:
    """The same of each metric that callbacks have logged."""
    some, drawn = _some(records, MOST_LINES), []
    for name in sorted({name for record in some for name in record.folder.metrics()}):
        logged = [(record.number, *_logged(record, name)) for record in some]
        if curves := [curve for curve in logged if len(curve[1])]:
            drawn.append(_metric_chart(name, "logged by a callback", name, curves))
    return drawn


def _logged(record: Record, name: str) -> tuple[Array, Array]:
    """The points of a metric that a chart can show."""
    steps, values = columns(record.folder.metric(name), METRIC_COLUMNS, record.read)
    return charts.drawable_curve(steps, values)


def _metric_chart(
    title: str, what: str, label: str, curves: Sequence[tuple[int, Values, Values]]
) -> Chart:
    """The curves of several sessions: their numbers, steps and values."""
    series = [
        charts.line(f"session {number}", *charts.thinned(steps, values), colour)
        for colour, (number, steps, values) in enumerate(curves)
    ]
    ends = charts.drawable([values[-1] for _, _, values in curves])
    size = max(-(-len(values) // charts.MOST_POINTS) for _, _, values in curves)
    shown = f"; a point is the mean of {size} rows" if size > 1 else ""
    description = f"{title}: {what}. At the end {np.mean(ends):.4g} on average."
    axis = Axis(label, log=_is_log(label, [values for _, _, values in curves]))
    return Chart(title, description, STEPS, axis, series, note=what + shown)


def _is_log(label: str, curves: Sequence[Values]) -> bool:
    """Whether a metric has a logarithmic axis: losses and norms do, if all are positive."""
    if not label.endswith(("loss", "norm")):
        return False
    values = charts.drawable(np.concatenate([np.asarray(each, np.float64) for each in curves]))
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / WIDEST < finite.min())


def _threshold(threshold: float | None) -> list[Mark]:
    return [] if threshold is None else [charts.mark_y(threshold, charts.solved_at(threshold))]
