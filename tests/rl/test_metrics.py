"""What a trial is worth, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.analysis.fitness_2017 import fitness_2017
from rl.analysis.metrics import fitness, power, spread, stability, strength, trial_metrics
from rl.analysis.records import Record
from rl.storage.session_folder import SessionFolder


def record(
    returns: list[float], best: float | None = None, baseline: float | None = 0.0, **outcome: Any
) -> Record:
    """A session with evaluations every 10 steps."""
    if best is not None:
        outcome = {"episodes": 50, "evaluation": {"mean_return": best, "solved": best >= 100},
                   "final": {"mean_return": best - 5}, **outcome}  # fmt: skip
    steps = 10.0 * np.arange(1, len(returns) + 1)
    return Record(SessionFolder(Path("x")), outcome, steps, np.array(returns), baseline)


def test_strength_is_the_mean_above_the_beginning() -> None:
    assert strength(record([10.0, 30.0, 50.0], baseline=-20.0)) == 50.0
    assert strength(record([10.0], baseline=None)) is None
    assert strength(record([])) is None


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ([0.0, 10.0, 30.0], 1.0),
        ([0.0, 30.0, 20.0], 0.75),  # 30 up, 10 down
        ([30.0, 20.0, 0.0], 0.0),
        ([5.0, 5.0], 1.0),
        ([5.0], 1.0),
        ([-200.0, -140.0, -160.0], 0.75),
    ],
)
def test_stability_is_the_share_of_rises(returns: list[float], expected: float) -> None:
    assert stability(record(returns)) == expected


def test_power_is_the_return_an_episode() -> None:
    assert power(record([], best=120.0, episodes=40)) == 3.0
    assert power(record([], best=120.0, episodes=0)) is None


def test_fitness_by_hand() -> None:
    """2 (1.5 * 1.25^2) = 4.6875; a negative power is divided by the same."""
    assert fitness(2.0, 0.5, 0.25) == pytest.approx(4.6875)
    assert fitness(-2.0, 0.5, 0.25) == pytest.approx(-2 / 2.34375)
    assert fitness(0.0, 0.5, 0.25) == 0.0
    assert fitness(None, 0.5, 0.25) is None


def test_a_spread_by_hand() -> None:
    figures = spread([300.0, 100.0, 1000.0, 200.0, 400.0])
    assert figures is not None
    assert (figures["mean"], figures["median"], figures["iqm"]) == (400.0, 300.0, 300.0)
    assert (figures["min"], figures["max"]) == (100.0, 1000.0)
    assert figures["each"][:2] == [300.0, 100.0]
    low, high = figures["mean_interval"]
    assert 100 < low < 400 < high < 1000
    assert spread([]) is None


def test_one_session_says_nothing_about_the_spread() -> None:
    figures = spread([7.0])
    assert figures is not None
    assert figures["mean"] == 7.0
    assert figures["mean_interval"] is figures["iqm_interval"] is None


def test_what_counts_and_what_does_not() -> None:
    """Diverged sessions have solved nothing; interrupted and failed ones say nothing."""
    reached = {"step": 20, "episodes": 8, "seconds": 1.5}
    figures = trial_metrics(
        [
            record([0.0, 100.0], best=120.0, status="solved", reached=reached),
            record([0.0, 90.0], best=80.0, status="finished", reached=None),
            record([0.0], status="diverged", reason="loss"),
            record([0.0], status="interrupted"),
            record([], status="failed", reason="no memory"),
        ]
    )
    assert (figures["sessions"], figures["counted"], figures["solved"]) == (5, 2, 1)
    assert figures["consistency"] == pytest.approx(1 / 3)
    assert figures["best"]["each"] == [120.0, 80.0]
    assert figures["final"]["each"] == [115.0, 75.0]
    assert figures["steps_to_threshold"] == {"reached": 1, "median": 20, "min": 20, "max": 20}
    assert figures["episodes_to_threshold"]["median"] == 8
    assert figures["seconds_to_threshold"]["median"] == 1.5
    assert figures["strength"] == pytest.approx((50 + 45) / 2)
    assert figures["power"] == pytest.approx(2.0)
    assert figures["fitness"] == pytest.approx(2.0 * 2 * (4 / 3) ** 2)


def test_a_trial_of_which_nothing_counts() -> None:
    figures = trial_metrics([record([], status="interrupted")])
    assert figures["counted"] == 0
    for name in ("best", "final", "consistency", "strength", "stability", "power", "fitness"):
        assert figures[name] is None


def test_a_session_from_before_there_was_a_final_evaluation() -> None:
    figures = trial_metrics([record([1.0], best=3.0, final=None)])
    assert figures["best"]["mean"] == 3.0
    assert figures["final"] is None
    assert figures["steps_to_threshold"] is None


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ([-200.0, -200.0], 0.0),  # never learned anything
        ([-190.0, -180.0], 0.0),
        ([-190.0, -150.0, -160.0], 0.8),  # half the way from -200 to -100
    ],
)
def test_a_session_that_was_never_near_its_threshold_is_not_stable(
    returns: list[float], expected: float
) -> None:
    evaluation = {"mean_return": -200.0, "threshold": -100.0}
    assert stability(record(returns, baseline=-200.0, evaluation=evaluation)) == expected


def test_an_agent_that_improves_is_fitter_than_one_that_does_not() -> None:
    def fit(returns: list[float]) -> Any:
        found = record(returns, best=returns[-1], baseline=-200.0)
        found.outcome["evaluation"]["threshold"] = -110.0
        return trial_metrics([found])["fitness"]

    assert fit([-200.0, -190.0, -180.0]) > fit([-200.0, -200.0, -200.0])


SESSIONS_2017: list[tuple[list[list[float]], float | None, int | None, float]] = [
    # Solved at the 3rd episode: power 10 / 3; above from the 2nd on: 2 / 1; all solved: 2^2.
    ([[2.0, 11.0, 17.0, 99.0]], 10.0, None, 10 / 3 * (1 + 2 / 1) * 4),
    # Not solved; one of 4 episodes is above, 2 before the last: 1 / 2.
    ([[2.0, 12.0, 2.0, 4.0]], 10.0, None, 5 / 4 * (1 + 1 / 2)),
    # One of two solved in its 2nd episode, which is the first above; the other has none.
    ([[8.0, 12.0], [4.0, 6.0]], 10.0, None, (10 / 2 + 5 / 2) / 2 * (1 + 0.0) * 1.5**2),
    # A third one diverged.
    ([[8.0, 12.0], [4.0, 6.0]], 10.0, 3, (10 / 2 + 5 / 2) / 2 * (4 / 3) ** 2),
    # A negative power is divided; without a threshold that is -10 - 0.1 * 30 = -13.
    ([[-40.0, -10.0, -12.0]], None, None, -62 / 9 / (1 + 2 / 1)),
    ([[]], 10.0, None, float("nan")),
]


@pytest.mark.parametrize(("sessions", "threshold", "planned", "expected"), SESSIONS_2017)
def test_fitness_2017_by_hand(
    sessions: list[list[float]], threshold: float | None, planned: int | None, expected: float
) -> None:
    found = fitness_2017([np.array(each) for each in sessions], threshold, planned)
    assert found is None if np.isnan(expected) else found == pytest.approx(expected)


def test_only_the_latest_hundred_episodes_are_averaged() -> None:
    returns = np.array([0.0] * 50 + [10.0] * 100)
    found = fitness_2017([returns], 9.95, None)
    assert found == pytest.approx(10 / 150 * (1 + 100 / 99) * 4)
