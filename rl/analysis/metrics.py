"""The metrics of a trial over its sessions, which docs/metrics.md explains.

A session counts once it has finished learning and was evaluated. One that diverged lowers the share
of sessions that solved the problem, but has no return to average; one that was interrupted or
failed for another reason is left out, and reported as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn.typing import Array
from rl.analysis.fitness_2017 import fitness_2017
from rl.analysis.records import Record
from rl.analysis.statistics import AVERAGES, bootstrap_interval

Figures = dict[str, Any]

# Those of its learning curves.
METRICS = ("strength", "stability", "consistency", "power", "fitness")
# What trials can be ranked by: functions of `trial_metrics`, higher is better.
STATISTICS: dict[str, Callable[[Figures], float | None]] = {
    "mean_return": lambda figures: figures["best"]["mean"],
    "median_return": lambda figures: figures["best"]["median"],
    "iqm_return": lambda figures: figures["best"]["iqm"],
    "worst_return": lambda figures: figures["best"]["min"],
    "final_return": lambda figures: figures["final"] and figures["final"]["mean"],
    "fitness": lambda figures: figures["fitness"],
    "fitness_2017": lambda figures: figures.get("fitness_2017"),
}


def trial_metrics(records: Sequence[Record]) -> Figures:
    """The metrics by name; None where there is nothing to measure."""
    counted = [record for record in records if record.counted]
    measured = len(counted) + sum(record.status == "diverged" for record in records)
    solved = sum(record.solved for record in counted)
    figures: Figures = {
        "sessions": len(records),
        "counted": len(counted),
        "solved": solved,
        "consistency": solved / measured if measured else None,
        "best": spread([record.best for record in counted]),
        "final": spread([record.final for record in counted if record.final is not None]),
    }
    for unit in ("step", "episodes", "seconds"):
        figures[f"{unit.removesuffix('s')}s_to_threshold"] = _to_threshold(counted, unit)
    for name, measure in (("strength", strength), ("stability", stability), ("power", power)):
        figures[name] = _mean([measure(record) for record in counted])
    figures["fitness"] = fitness(figures["power"], figures["stability"], figures["consistency"])
    threshold = counted[0].threshold if counted else None
    trained = [record.trained for record in counted]
    figures["fitness_2017"] = fitness_2017(trained, threshold, measured)
    return figures


def spread(values: Sequence[float]) -> Figures | None:
    """Mean, median and IQM with their 95% bootstrap intervals, minimum and maximum.

    The intervals of a single value are None, as it says nothing about the spread.
    """
    if not values:
        return None
    figures: Figures = {"each": [float(value) for value in values]}
    for name, statistic in AVERAGES.items():
        interval = bootstrap_interval(values, statistic=statistic) if len(values) > 1 else None
        figures[name] = float(statistic(values))
        figures[f"{name}_interval"] = interval and list(interval)
    return {**figures, "min": float(min(values)), "max": float(max(values))}


def _to_threshold(counted: Sequence[Record], unit: str) -> Figures | None:
    """How long the sessions took that reached the threshold: median, minimum and maximum."""
    reached = [record.outcome["reached"] for record in counted if record.outcome.get("reached")]
    values = [each[unit] for each in reached]
    if not values:
        return None
    return {
        "reached": len(values),
        "median": float(np.median(values)),
        "min": float(min(values)),
        "max": float(max(values)),
    }


def strength(record: Record) -> float | None:
    """mean_t (R_t - R_0): how far the evaluations were above the untrained agent, on average.

    R_0 is the mean return of the first training episodes. This is the area between the learning
    curve and a floor, after SLM Lab's metric of this name, whose floor is a random policy.
    """
    if record.baseline is None or not len(record.returns):
        return None
    return float(record.returns.mean() - record.baseline)


def stability(record: Record) -> float | None:
    """U / (U + D): the share of rises in all movement from one evaluation to the next, 0 to 1.

    U is the sum of all rises and D that of all falls; a curve that never falls has 1. Shifting or
    scaling the returns does not change it, so that it suits negative returns too. A session that
    never came near its threshold has 0: it has nothing to keep.
    """
    if not len(record.returns):
        return None
    if not _comes_near(record):
        return 0.0
    moves = np.diff(record.returns)
    rises, movement = moves[moves > 0].sum(), np.abs(moves).sum()
    return float(rises / movement) if movement else 1.0


def _comes_near(record: Record) -> bool:
    """Whether an evaluation was half the way from the initial return to the threshold, or beyond.

    True without a threshold.
    """
    if record.threshold is None:
        return True
    first = record.returns[0] if record.baseline is None else record.baseline
    return bool(record.returns.max() >= min(0.5 * (first + record.threshold), record.threshold))


def power(record: Record) -> float | None:
    """The mean return of the best checkpoint, divided by the number of training episodes."""
    episodes = record.outcome["episodes"]
    return record.best / episodes if episodes else None


def fitness(
    power: float | None, stability: float | None, consistency: float | None
) -> float | None:
    """power * ((1 + stability) * (1 + consistency)^2)^sign(power), as OpenAI Lab (2017) has it.

    Stability and consistency multiply a positive power, and shrink a negative one.
    """
    if power is None or stability is None or consistency is None:
        return None
    return float(power * ((1 + stability) * (1 + consistency) ** 2) ** np.sign(power))


def _mean(values: Sequence[float | None]) -> float | None:
    there: Array = np.array([value for value in values if value is not None])
    return float(there.mean()) if len(there) else None
