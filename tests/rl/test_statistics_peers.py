"""The statistics against those of rliable (Agarwal et al. 2021), on the same scores.

python -m pip install -e ".[test-peers]" && python -m pytest tests/rl/test_statistics_peers.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nn.typing import Array
from rl.analysis.statistics import (
    Statistic,
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    performance_band,
    performance_profile,
    probability_of_improvement,
)

library: Any = pytest.importorskip("rliable.library", reason="rliable is in the extra test-peers")
metrics: Any = pytest.importorskip("rliable.metrics", reason="rliable is in the extra test-peers")

RESAMPLES = 5000
SHAPES = [(4, 1), (5, 1), (7, 1), (10, 1), (30, 1), (6, 3), (9, 5)]  # [sessions, tasks]


@pytest.fixture(autouse=True)
def _their_draws() -> Iterator[None]:
    """rliable draws from NumPy's global generator."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    yield
    np.random.set_state(before)  # noqa: NPY002


def scores(sessions: int, tasks: int, seed: int = 0) -> Array:
    """[sessions, tasks]: skewed, of another size in each task, and rounded, so that some agree."""
    rng, task = np.random.default_rng(seed), np.arange(tasks)
    return (10 * task + rng.gamma(2 + seed, 1 + task, (sessions, tasks))).round(1)


def assert_interval_is_theirs(
    ours: tuple[float, float], values: Any, statistic: Callable[..., Any]
) -> None:
    """The ends differ by the draws: at 5,000 resamples by about a hundredth of the width."""
    _, ends = library.get_interval_estimates(
        {"agent": values}, lambda *each: np.array([statistic(*each)]), reps=RESAMPLES
    )
    low, high = ends["agent"][:, 0]
    assert high > low
    np.testing.assert_allclose(ours, (low, high), rtol=0, atol=0.05 * (high - low))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_interquartile_mean_is_theirs(shape: tuple[int, int]) -> None:
    values = scores(*shape)
    theirs = metrics.aggregate_iqm(values)
    assert interquartile_mean(values) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_probability_of_improvement_is_theirs(shape: tuple[int, int]) -> None:
    x, y = scores(*shape), scores(shape[0] + 2, shape[1], seed=1)
    theirs = metrics.probability_of_improvement(x, y)
    assert 0 < theirs < 1
    assert probability_of_improvement(x, y) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("shape", [(10, 1), (9, 5)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(np.mean, metrics.aggregate_mean), (interquartile_mean, metrics.aggregate_iqm),
     (np.median, np.median)],
)  # fmt: skip
def test_intervals_are_theirs(
    ours: Statistic, theirs: Callable[..., Any], shape: tuple[int, int]
) -> None:
    values = scores(*shape)
    interval = bootstrap_interval(values, resamples=RESAMPLES, statistic=ours)
    assert_interval_is_theirs(interval, values, theirs)


@pytest.mark.parametrize("shape", [(10, 1), (6, 3)])
def test_the_interval_of_the_improvement_is_theirs(shape: tuple[int, int]) -> None:
    x, y = scores(*shape), scores(shape[0] + 2, shape[1], seed=1)
    interval = improvement_interval(x, y, resamples=RESAMPLES)
    assert_interval_is_theirs(interval, [x, y], metrics.probability_of_improvement)


@pytest.mark.parametrize("shape", [(10, 1), (6, 3)])
def test_profiles_and_their_bands_are_theirs(shape: tuple[int, int]) -> None:
    values = scores(*shape)
    thresholds = np.quantile(values, [0.1, 0.5, 0.8])
    profiles, bands = library.create_performance_profile({"agent": values}, thresholds)
    np.testing.assert_allclose(performance_profile(values, thresholds), profiles["agent"])
    one = 1 / values.size  # the bands are steps of one session of one task
    ours = performance_band(values, thresholds)
    np.testing.assert_allclose(ours, bands["agent"], rtol=0, atol=one + 1e-9)
