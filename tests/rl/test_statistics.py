from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from nn.typing import Array
from rl.analysis.statistics import (
    Statistic,
    bootstrap_interval,
    improvement_interval,
    interpolate_curves,
    interquartile_mean,
    paired_difference_interval,
    performance_band,
    performance_profile,
    probability_of_improvement,
    running_mean,
    sample_efficiency,
    sessions_needed,
    student_t_quantile,
)


def test_the_interquartile_mean_by_hand() -> None:
    assert interquartile_mean([90.0, 1.0, 4.0, 5.0]) == 4.5
    assert interquartile_mean([7.0, 100.0, -50.0]) == 19.0  # a quarter of 3 is less than one
    assert interquartile_mean([9.0, 1.0, 2.0, 6.0, 100.0]) == pytest.approx(17 / 3)
    assert isinstance(interquartile_mean([1.0]), float)


def test_the_interquartile_mean_along_an_axis_and_of_all_together() -> None:
    scores = np.array([[0.0, 40.0], [1.0, 10.0], [5.0, 20.0], [99.0, 60.0]])
    np.testing.assert_array_equal(interquartile_mean(scores, axis=0), [3.0, 30.0])
    assert interquartile_mean(scores) == (5 + 10 + 20 + 40) / 4


def test_the_running_mean_by_hand() -> None:
    np.testing.assert_array_equal(running_mean([4.0, 2.0, 9.0, 1.0], 2), [4.0, 3.0, 5.5, 5.0])


def test_the_interval_of_the_mean_takes_the_draws_that_it_always_took() -> None:
    values = np.array([3.0, -1.0, 12.0, 5.0, 0.5])
    rows = np.random.default_rng(0).integers(5, size=(2000, 5))
    low, high = np.quantile(values[rows].mean(axis=1), [0.05, 0.95])
    assert bootstrap_interval(values, level=0.9) == (low, high)
    assert bootstrap_interval(values, level=0.9) != bootstrap_interval(values, 0.9, seed=1)


@pytest.mark.parametrize("statistic", [np.mean, np.median, interquartile_mean])
def test_intervals_move_and_grow_with_the_values(statistic: Statistic) -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    low, high = bootstrap_interval(values, statistic=statistic)
    assert 1 <= low < statistic(values) < high <= 32
    moved = bootstrap_interval(10 + 3 * values, statistic=statistic)
    np.testing.assert_allclose(moved, (10 + 3 * low, 10 + 3 * high))
    narrow = bootstrap_interval(values, 0.5, statistic=statistic)
    assert low < narrow[0] < narrow[1] < high


def test_each_statistic_has_an_interval_of_its_own() -> None:
    values = [0.0, 1.0, 2.0, 3.0, 1000.0]
    assert bootstrap_interval(values)[1] > 300
    assert bootstrap_interval(values, statistic=lambda all_, axis: all_.min(axis))[1] < 4


def test_several_tasks_are_drawn_within_each() -> None:
    """Tasks of different size but without spread leave nothing open; mixed, they would."""
    scores = np.array([[1.0, 100.0]] * 4)
    assert bootstrap_interval(scores) == (50.5, 50.5)
    low, high = bootstrap_interval(scores.ravel())
    assert high - low > 30


def test_several_tasks_are_drawn_independently() -> None:
    """Drawn together, the sessions of two opposite tasks would always make the same mean."""
    scores = np.array([[0.0, 9.0], [9.0, 0.0]])
    assert bootstrap_interval(scores) == (0.0, 9.0)


def coverage(interval: Callable[[np.random.Generator], tuple[float, float]]) -> float:
    """How many of 300 intervals of something that is 0 hold it."""
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for low, high in (interval(rng) for _ in range(300))]
    return float(np.mean(held))


@pytest.mark.parametrize("statistic", [np.mean, np.median, interquartile_mean])
def test_an_interval_of_95_percent_holds_the_truth_about_as_often(statistic: Statistic) -> None:
    def interval(rng: np.random.Generator, level: float = 0.95) -> tuple[float, float]:
        return bootstrap_interval(rng.normal(size=20), level, 500, statistic)

    assert 0.88 <= coverage(interval) <= 0.98
    assert 0.40 <= coverage(lambda rng: interval(rng, 0.5)) <= 0.60


def test_the_probability_of_improvement_by_hand() -> None:
    """3 is above 1 and equal to 3; 5 is above both; 0 is above none: 3.5 of 6."""
    assert probability_of_improvement([3.0, 5.0, 0.0], [1.0, 3.0]) == 3.5 / 6
    assert probability_of_improvement([1.0, 3.0], [3.0, 5.0, 0.0]) == pytest.approx(2.5 / 6)
    assert probability_of_improvement([500.0] * 3, [500.0] * 2) == 0.5


def test_the_probability_of_improvement_is_a_mean_over_tasks() -> None:
    x, y = np.array([[2.0, 50.0], [4.0, 60.0]]), np.array([[1.0, 55.0], [3.0, 70.0], [5.0, 80.0]])
    # task 0: 2 > 1; 4 > 1 and 3; task 1: 60 > 55
    assert probability_of_improvement(x, y) == pytest.approx((3 / 6 + 1 / 6) / 2)


def test_the_interval_of_the_improvement() -> None:
    x, y = [3.0, 5.0, 0.0, 6.0, 7.0], [1.0, 3.0, 2.0, 5.0]
    low, high = improvement_interval(x, y)
    assert 0 < low < probability_of_improvement(x, y) < high <= 1
    turned = improvement_interval(y, x)
    np.testing.assert_allclose(turned, (1 - high, 1 - low), atol=0.03)  # other draws
    assert improvement_interval([2.0, 3.0], [1.0, 0.0]) == (1.0, 1.0)


def test_the_interval_of_the_improvement_is_that_of_plain_resampling() -> None:
    x, y = np.array([[3.0, 9.0], [5.0, 2.0], [0.0, 4.0]]), np.array([[1.0, 3.0], [4.0, 5.0]])
    rng, tasks = np.random.default_rng(1), np.arange(2)
    drawn = [
        probability_of_improvement(
            x[rng.integers(3, size=(3, 2)), tasks], y[rng.integers(2, size=(2, 2)), tasks]
        )
        for _ in range(3000)
    ]
    expected = np.quantile(drawn, [0.1, 0.9])
    np.testing.assert_allclose(improvement_interval(x, y, 0.8, 20_000), expected, atol=0.05)


def test_the_profile_by_hand() -> None:
    scores, thresholds = [5.0, 1.0, 3.0, 3.0], [0.0, 1.0, 2.9, 3.0, 4.0, 5.0]
    np.testing.assert_array_equal(
        performance_profile(scores, thresholds), [1, 0.75, 0.75, 0.25, 0.25, 0]
    )
    np.testing.assert_array_equal(performance_profile(np.reshape(scores, (2, 2)), [2.0]), [0.75])


def test_the_band_holds_the_profile_and_closes_where_there_is_no_doubt() -> None:
    scores, thresholds = [5.0, 1.0, 3.0, 3.0], np.array([0.0, 2.0, 4.0, 5.0])
    low, high = performance_band(scores, thresholds)
    assert low[0] == high[0] == 1
    assert low[3] == high[3] == 0
    profile = performance_profile(scores, thresholds)[1:3]
    assert (low[1:3] < profile).all()
    assert (profile < high[1:3]).all()
    narrow = performance_band(scores, thresholds, level=0.3)
    assert (narrow[1] - narrow[0]).sum() < (high - low).sum()


def returns(
    rng: np.random.Generator, sessions: int, episodes: Array, spread: float, noise: float
) -> Array:
    """[sessions, E]: what each episode gives, what a session adds, and the rest."""
    of_sessions = rng.normal(0, spread, (sessions, 1))
    return episodes + of_sessions + rng.normal(0, noise, (sessions, len(episodes)))


def test_the_paired_interval_by_hand() -> None:
    """Without spread over episodes: Welch's interval, of the means 4 and 1.

    Variances of the means: ((3 - 4)^2 + 0 + (5 - 4)^2) / 2 / 3 = 1 / 3 and (1 + 1) / 1 / 2 = 1.
    Degrees of freedom: (4 / 3)^2 / ((1 / 3)^2 / 2 + 1^2 / 1) = 1.684.
    """
    x, y = np.array([[3.0] * 4, [4.0] * 4, [5.0] * 4]), np.array([[0.0] * 4, [2.0] * 4])
    half = student_t_quantile(0.95, 1.6842105) * (4 / 3) ** 0.5
    interval = paired_difference_interval(x, y, level=0.9, resamples=50_000)
    np.testing.assert_allclose(interval, (3 - half, 3 + half), rtol=0.02)
    turned = paired_difference_interval(y, x, level=0.9, resamples=50_000)
    np.testing.assert_allclose(turned, (-3 - half, -3 + half), rtol=0.02)


def test_pairing_takes_out_what_an_episode_does_to_both() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 100, 20)
    x, y = returns(rng, 4, hard, 1, 1), returns(rng, 4, hard, 1, 1)
    low, high = paired_difference_interval(x, y)
    assert high - low < 10
    low, high = paired_difference_interval(x, rng.permuted(y, axis=1))
    assert high - low > 40


def test_more_episodes_do_not_stand_for_more_sessions() -> None:
    rng = np.random.default_rng(0)
    x, y = returns(rng, 3, np.zeros(5), 10, 0), returns(rng, 3, np.zeros(5), 10, 0)
    few, many = (
        np.ptp(paired_difference_interval(np.tile(x, times), np.tile(y, times)))
        for times in (1, 20)
    )
    assert many == pytest.approx(few, rel=0.1)


@pytest.mark.parametrize(("sessions", "noise"), [((2, 2), 1.0), ((5, 5), 1.0), ((3, 10), 0.1)])
def test_equal_agents_are_rarely_told_apart(sessions: tuple[int, int], noise: float) -> None:
    def interval(rng: np.random.Generator) -> tuple[float, float]:
        hard = rng.normal(0, 2, 30)
        x, y = (returns(rng, n, hard, 1, noise) for n in sessions)
        return paired_difference_interval(x, y, resamples=200)

    assert coverage(interval) >= 0.92


def test_percentiles_of_few_sessions_would_tell_equal_agents_apart() -> None:
    """The negative control of the test above."""

    def percentiles(rng: np.random.Generator) -> tuple[float, float]:
        x, y = rng.normal(size=(2, 5))
        means = [each[rng.integers(5, size=(200, 5))].mean(axis=1) for each in (x, y)]
        low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
        return float(low), float(high)

    assert coverage(percentiles) < 0.91


def test_student_t_is_that_of_the_tables() -> None:
    for probability, freedom, expected in (
        (0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.95, 8, 1.85955), (0.9995, 5, 6.86883),
        (0.025, 30, -2.04227),
    ):  # fmt: skip
        assert student_t_quantile(probability, freedom) == pytest.approx(expected, rel=1e-5)
    normal = NormalDist().inv_cdf(0.99)
    assert student_t_quantile(0.99, 1e5) == pytest.approx(normal, rel=1e-3)


def test_the_sessions_needed_by_hand() -> None:
    """(1.95996 + 0.84162)^2 (8 + 2) / 2^2 = 19.62; with power 0.9 (1.96 + 1.28)^2 2.5 = 26.2."""
    x, y = [10.0, 14.0], [9.0, 11.0]
    assert sessions_needed(x, y) == 20
    assert sessions_needed(x, y, power=0.9) == 27
    assert sessions_needed(x, y, level=0.8) == 12  # (1.28155 + 0.84162)^2 2.5 = 11.27


def test_there_is_no_number_of_sessions_without_a_difference_or_a_spread_to_judge_it_by() -> None:
    assert sessions_needed([1.0, 3.0], [2.0, 2.0]) is None
    assert sessions_needed([1.0, 3.0], [5.0]) is None
    assert sessions_needed([1.0], [5.0, 6.0]) is None
    assert sessions_needed([1.0, 1.0], [2.0, 2.0]) == 2


def test_so_many_sessions_do_show_it() -> None:
    """With the number of sessions needed, a difference is seen in about 80% of cases."""
    x, y = np.array([10.0, 14.0]), np.array([9.0, 11.0])
    n, rng, seen = sessions_needed(x, y), np.random.default_rng(0), 0
    assert n is not None
    for _ in range(300):
        a, b = rng.normal(12, 8**0.5, (n, 1)), rng.normal(10, 2**0.5, (n, 1))
        seen += paired_difference_interval(a, b, resamples=200)[0] > 0
    assert 0.7 <= seen / 300 <= 0.88


def test_curves_meet_at_the_same_steps() -> None:
    long = ([10.0, 20.0, 50.0], [0.0, 4.0, 10.0])
    short = ([20.0, 30.0], [6.0, 8.0])  # solved, and stopped
    steps, values = interpolate_curves([long, short], points=4)
    np.testing.assert_array_equal(steps, [20, 30, 40, 50])
    np.testing.assert_array_equal(values, [[4, 6, 8, 10], [6, 8, 8, 8]])


def test_curves_of_one_point_are_a_point() -> None:
    steps, values = interpolate_curves([([5.0], [1.0]), ([5.0], [3.0])])
    np.testing.assert_array_equal(steps, [5])
    np.testing.assert_array_equal(values, [[1], [3]])


def test_sample_efficiency_is_the_iqm_at_each_step_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    curves = [(np.array([0.0, 10.0]), np.array([5.0, end])) for end in rng.normal(50, 9, 6)]
    found = sample_efficiency(curves, points=3, resamples=300)
    ends = np.array([returns[-1] for _, returns in curves])
    np.testing.assert_allclose(found.steps, [0, 5, 10])
    np.testing.assert_allclose(found.iqm, [5, interquartile_mean((5 + ends) / 2),
                                           interquartile_mean(ends)])  # fmt: skip
    assert found.low[0] == found.high[0] == 5
    expected = bootstrap_interval(ends, 0.95, 300, interquartile_mean)
    assert (found.low[2], found.high[2]) == expected
    assert found.high[1] - found.low[1] == pytest.approx((expected[1] - expected[0]) / 2)


@pytest.mark.parametrize("call", [
    lambda: bootstrap_interval([]),
    lambda: bootstrap_interval(np.zeros((3, 0))),
    lambda: bootstrap_interval(np.zeros((2, 2, 2))),
    lambda: probability_of_improvement([], [1.0]),
    lambda: probability_of_improvement(np.zeros((3, 2)), np.zeros((3, 1))),
    lambda: improvement_interval([1.0], []),
    lambda: performance_profile([], [1.0]),
    lambda: performance_band([], [1.0]),
    lambda: paired_difference_interval(np.zeros((2, 3)), np.zeros((2, 4))),
    lambda: paired_difference_interval(np.zeros((2, 0)), np.zeros((2, 0))),
    lambda: paired_difference_interval(np.zeros((1, 3)), np.zeros((2, 3))),
    lambda: paired_difference_interval(np.zeros(3), np.zeros(3)),
    lambda: interpolate_curves([]),
    lambda: sample_efficiency([([], [])]),
])  # fmt: skip
def test_what_cannot_be_measured_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"scores|returns|session|curve"):
        call()
