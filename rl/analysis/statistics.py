"""Statistics: pure functions of arrays.

Scores are [sessions], or [sessions, tasks] for agents on several problems. `level` is a confidence
level in (0, 1), and `resamples` the number of bootstrap draws, from a generator of their own with
`seed`: the same scores always give the same interval. Empty scores, and scores with more than two
axes, raise a ValueError. The choice of figures follows Agarwal et al. 2021, "Deep Reinforcement
Learning at the Edge of the Statistical Precipice".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from nn.typing import Array, IntArray

Values = Sequence[float] | Array
Statistic = Callable[..., Any]  # called as statistic(values, axis=-1), like np.mean and np.median


def interquartile_mean(values: Values, axis: int | None = None) -> Any:
    """The mean of n values without the lowest and the highest quarter, n // 4 each.

    It depends less on single sessions than the mean and uses more of them than the median
    (Agarwal et al. 2021).

    Returns:
        An array without `axis`, or a float over all values if it is None.
    """
    data = np.asarray(values, np.float64)
    data = np.sort(data.ravel() if axis is None else np.moveaxis(data, axis, -1))
    cut = data.shape[-1] // 4
    middle = data[..., cut : data.shape[-1] - cut].mean(axis=-1)
    return float(middle) if axis is None else middle


AVERAGES: dict[str, Statistic] = {
    "mean": np.mean,
    "median": np.median,
    "iqm": interquartile_mean,
}


def bootstrap_interval(
    values: Values,
    level: float = 0.95,
    resamples: int = 2000,
    statistic: Statistic = np.mean,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic (Efron and Tibshirani 1993, section 13.3).

    Sessions are resampled within each task (the stratified bootstrap of Agarwal et al. 2021). With
    few sessions the interval is too narrow: with 5, a 95% interval of a mean contains the true mean
    in about 85% of cases.

    Args:
        values: [n] or [n, tasks].
        statistic: of all values of a resample together, such as `interquartile_mean`.
    """
    data, rng = _by_task(values), np.random.default_rng(seed)
    sessions, tasks = data.shape
    rows = rng.integers(sessions, size=(resamples, sessions, tasks))
    drawn = data.ravel()[rows * tasks + np.arange(tasks)]
    return _quantiles(statistic(drawn.reshape(resamples, -1), axis=-1), level)


def probability_of_improvement(x: Values, y: Values) -> float:
    """P(X > Y) + P(X = Y) / 2 for one session of each: the Mann-Whitney U over n m.

    Agarwal et al. 2021, section 4.3; over several tasks, their mean.

    Args:
        x: [n] or [n, tasks].
        y: [m] or [m, tasks].

    Raises:
        ValueError: the numbers of tasks differ.
    """
    return float(_wins(x, y).mean())


def improvement_interval(
    x: Values, y: Values, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of `probability_of_improvement`.

    The sessions of both are resampled within each task. If all sessions of one are above all of
    the other, so are those of each resample: the interval is then a point, however few sessions
    there are.
    """
    wins, rng = _wins(x, y), np.random.default_rng(seed)
    _, n, m = wins.shape
    drawn = [
        ((_counts(n, resamples, rng) @ task) * _counts(m, resamples, rng)).sum(axis=1)
        for task in wins
    ]
    return _quantiles(np.mean(drawn, axis=0) / (n * m), level)


def performance_profile(scores: Values, thresholds: Values) -> Array:
    """The share of sessions whose score is above each threshold: [K].

    The run-score distribution of Agarwal et al. 2021, section 4.2, over all tasks together.
    """
    data = _by_task(scores)
    return np.array([(data > threshold).mean() for threshold in thresholds])


def performance_band(
    scores: Values, thresholds: Values, level: float = 0.95, resamples: int = 2000
) -> tuple[Array, Array]:
    """The bootstrap interval of `performance_profile` at each threshold by itself: [K] and [K]."""
    data = _by_task(scores)
    # Each threshold sees the same draws, those of one seed.
    ends = [bootstrap_interval(data > each, level, resamples) for each in thresholds]
    low, high = np.array(ends).reshape(-1, 2).T
    return low, high


def paired_difference_interval(
    x: Array, y: Array, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """An interval of mean(x) - mean(y), for two agents that have played the same episodes.

    A return has one part from its session, one from its episode (some starts are hard for every
    agent), and one from their interaction. So both sessions and episodes are resampled (the
    pigeonhole bootstrap, Owen 2007): the sessions of each agent independently, the episodes
    jointly. Pairing removes what an episode does to both agents alike, but not the spread between
    sessions, which dominates the width as soon as there are many episodes.

    Percentiles of these draws would be too narrow: with 5 sessions of two equal agents, one 95%
    interval in eight would exclude 0, with 2 sessions one in three. Therefore the deviations of n
    sessions from their mean are scaled by sqrt(n / (n - 1)), which makes the spread of the draws
    unbiased, and the interval is that spread times Student's t, with the degrees of freedom of
    Welch 1947 for the sessions. In simulations of two equal agents, with 2 to 10 sessions of
    normal, skewed or bimodal returns, it excluded 0 in 1 to 8% of cases (in up to 10% with 3
    against 10). It errs on the wide side where the interaction dominates, which is counted up to
    three times.

    Args:
        x: [n, E] returns, n >= 2; column e is of the same episode in both.
        y: [m, E] returns, m >= 2.

    Raises:
        ValueError: the numbers of episodes differ or are 0, or an agent has fewer than two
            sessions.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1:] != y.shape[1:] or x.shape[1] == 0:
        raise ValueError(f"returns {x.shape} and {y.shape} are not [sessions, same episodes]")
    if min(len(x), len(y)) < 2:
        raise ValueError("one session shows nothing about the spread; two of each are needed")
    rng = np.random.default_rng(seed)
    of_x, of_y = _session_draws(x, resamples, rng), _session_draws(y, resamples, rng)
    episodes = _counts(x.shape[1], resamples, rng)
    error = ((of_x - of_y) * episodes).sum(axis=1).std() / x.shape[1]
    half = error * student_t_quantile((1 + level) / 2, _welch_freedom(x.mean(1), y.mean(1)))
    difference = x.mean() - y.mean()
    return float(difference - half), float(difference + half)


def sessions_needed(x: Values, y: Values, power: float = 0.8, level: float = 0.95) -> int | None:
    """About how many sessions of each would show a difference as large as the one observed.

    n = (z_{1 - alpha / 2} + z_power)^2 (s_x^2 + s_y^2) / d^2 with alpha = 1 - level: the normal
    approximation (Cohen 1988, chapter 2; for agents Colas et al. 2018, "How Many Random Seeds?").
    The observed difference and spreads are themselves uncertain, so take it as an order of
    magnitude.

    Args:
        x: [n] scores.
        y: [m] scores.
        power: the probability of then seeing the difference.

    Returns:
        At least 2; None if the means are equal or one side has fewer than two sessions.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if min(len(a), len(b)) < 2 or a.mean() == b.mean():
        return None
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    variance = a.var(ddof=1) + b.var(ddof=1)
    return max(2, math.ceil(z**2 * variance / (a.mean() - b.mean()) ** 2))


def student_t_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t distribution, to about six digits.

    With t = sqrt(freedom) tan(u) its density over u in (-pi / 2, pi / 2) is cos(u)^(freedom - 1),
    which is integrated by the trapezoidal rule. The degrees of freedom, at least 1, need not be
    whole.
    """
    u = np.linspace(-np.pi / 2, np.pi / 2, 20_001)
    density = np.abs(np.cos(u)) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(np.interp(probability * below[-1], below, u))


class SampleEfficiency(NamedTuple):
    """The interquartile mean over sessions at P steps, and its interval: each [P]."""

    steps: Array
    iqm: Array
    low: Array
    high: Array


def interpolate_curves(
    curves: Sequence[tuple[Values, Values]], points: int = 100
) -> tuple[Array, Array]:
    """The curves of several sessions at the same steps.

    Returns are interpolated between evaluations. After a session's last evaluation the return keeps
    its last value, since a session that has solved its problem stops. The first step is the
    earliest at which every session has been evaluated.

    Args:
        curves: of each session the increasing steps [t] and the returns [t], t >= 1.
        points: the number P of equidistant steps.

    Returns:
        The steps [P] and the returns [sessions, P]; P is 1 if there is one step only.

    Raises:
        ValueError: there is no curve, or one without a point.
    """
    if not curves or any(len(steps) == 0 for steps, _ in curves):
        raise ValueError("a curve needs at least one session, and each session one evaluation")
    begin = max(float(steps[0]) for steps, _ in curves)
    end = max(float(steps[-1]) for steps, _ in curves)
    grid = np.unique(np.linspace(begin, end, points))
    return grid, np.array([np.interp(grid, steps, returns) for steps, returns in curves])


def sample_efficiency(
    curves: Sequence[tuple[Values, Values]],
    points: int = 100,
    level: float = 0.95,
    resamples: int = 2000,
) -> SampleEfficiency:
    """The IQM over sessions of `interpolate_curves`, with its bootstrap interval at each step."""
    steps, values = interpolate_curves(curves, points)
    # Each step sees the same draws, those of one seed: sessions are drawn, not single points.
    ends = [bootstrap_interval(each, level, resamples, interquartile_mean) for each in values.T]
    low, high = np.array(ends).T
    return SampleEfficiency(steps, interquartile_mean(values, axis=0), low, high)


def running_mean(values: Values, window: int) -> Array:
    """The mean of the latest `window` values at each place, of fewer at the beginning: [n]."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _by_task(values: Values) -> Array:
    """The values as [sessions, tasks]."""
    data = np.asarray(values, np.float64)
    if data.size == 0 or data.ndim not in (1, 2):
        raise ValueError(f"scores are [sessions] or [sessions, tasks], not empty; got {data.shape}")
    return data.reshape(len(data), -1)


def _wins(x: Values, y: Values) -> Array:
    """1 where a session of x is above one of y, 1/2 where they are equal, else 0: [tasks, n, m]."""
    a, b = _by_task(x), _by_task(y)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"scores of {a.shape[1]} tasks cannot be set against {b.shape[1]}")
    return (1 + np.sign(a.T[:, :, None] - b.T[:, None, :])) / 2


def _counts(n: int, resamples: int, rng: np.random.Generator) -> IntArray:
    """How often each of n things is drawn in n draws with replacement: [resamples, n]."""
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)


def _quantiles(drawn: Array, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _session_draws(returns: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Means over resampled sessions, their deviations scaled: [resamples, E] of [n, E]."""
    n, mean = len(returns), returns.mean(axis=0)
    scaled = mean + (returns - mean) * math.sqrt(n / (n - 1))
    return _counts(n, resamples, rng) @ scaled / n


def _welch_freedom(x: Array, y: Array) -> float:
    """The degrees of freedom of a difference of means of [n] and [m] (Welch 1947)."""
    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    if a + b == 0:
        return len(x) + len(y) - 2
    return float((a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1)))
