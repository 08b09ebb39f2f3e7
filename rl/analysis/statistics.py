"""Statistics: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn.typing import Array


def bootstrap_interval(
    values: Sequence[float] | Array, level: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean (Efron and Tibshirani 1993, section 13.3).

    Args:
        values: [n], n >= 1.
        level: of confidence, in (0, 1).
        resamples: how many means of n values drawn with replacement; always the same draws.
    """
    data, rng = np.asarray(values, np.float64), np.random.default_rng(0)
    means = data[rng.integers(len(data), size=(resamples, len(data)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def interquartile_mean(values: Sequence[float] | Array) -> float:
    """The mean without the lowest and the highest quarter of n values, rounded down each.

    It hangs less on single sessions than the mean and uses more of them than the median
    (Agarwal et al. 2021).
    """
    data = np.sort(np.asarray(values, np.float64))
    cut = len(data) // 4
    return float(data[cut : len(data) - cut].mean())


def running_mean(values: Sequence[float] | Array, window: int) -> Array:
    """The mean of the latest `window` values at each place, of fewer at the beginning: [n]."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
