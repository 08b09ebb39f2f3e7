"""Explorers: how often they choose what, and what changes how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn.typing import Array
from rl.errors import UserError
from rl.exploration import (
    DISCRETE_EXPLORERS,
    Boltzmann,
    EpsilonGreedy,
    Explorer,
    Gaussian,
    Greedy,
    NoNoise,
    OrnsteinUhlenbeck,
    PeriodicEpsilonGreedy,
    TargetEpsilonGreedy,
    expected,
)
from rl.specification.build import build
from rl.specification.specification import Specification


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


VALUES = np.tile(np.array([[1.0, 3.0, 2.0]], np.float32), (30_000, 1))


def shares(explorer: Explorer, step: int) -> list[float]:
    """How often each action is chosen."""
    counts = np.bincount(explorer.choose(VALUES, step), minlength=3)
    return list(counts / len(VALUES))


def test_epsilon_greedy_explores_with_probability_epsilon() -> None:
    explorer = EpsilonGreedy(rng(), EpsilonGreedy.Settings(start=0.6, end=0.0, steps=100))
    np.testing.assert_allclose(shares(explorer, 0), [0.2, 0.6, 0.2], atol=0.01)
    np.testing.assert_allclose(shares(explorer, 50), [0.1, 0.8, 0.1], atol=0.01)
    assert shares(explorer, 100) == [0.0, 1.0, 0.0]


def test_the_schedule_is_chosen_by_name() -> None:
    linear = EpsilonGreedy(
        rng(), EpsilonGreedy.Settings(start=1.0, end=0.01, steps=100, schedule="linear")
    )
    exponential = EpsilonGreedy(
        rng(), EpsilonGreedy.Settings(start=1.0, end=0.01, steps=100, schedule="exponential")
    )
    assert linear.amount(50) == pytest.approx(0.505)
    assert exponential.amount(50) == pytest.approx(0.1)
    assert linear.amount(1000) == exponential.amount(1000) == 0.01


def test_boltzmann_chooses_in_proportion_to_the_exponential_of_the_values() -> None:
    explorer = Boltzmann(rng(), Boltzmann.Settings(start=2.0, end=1.0, steps=100))
    weights = np.exp(np.array([1.0, 3.0, 2.0]) / 2.0)
    np.testing.assert_allclose(shares(explorer, 0), weights / weights.sum(), atol=0.01)


def test_boltzmann_is_safe_with_values_of_any_size() -> None:
    explorer = Boltzmann(rng(), Boltzmann.Settings(start=1e-3, end=1e-3, steps=1))
    values = np.array([[-1e30, 1e30, 0.0]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert explorer.choose(values, 0)[0] == 1


def test_a_periodic_epsilon_by_hand() -> None:
    """The ramp falls from 0.9 to 0.1 in 100 steps; a swing takes 40."""
    explorer = PeriodicEpsilonGreedy(
        rng(), PeriodicEpsilonGreedy.Settings(start=0.9, end=0.1, steps=100, period=40)
    )
    for step, epsilon in [(0, 0.9), (20, 0.1), (40, 0.58), (10, 0.1 + 0.72 / 2), (80, 0.26),
                          (120, 0.1)]:  # fmt: skip
        assert explorer.amount(step) == pytest.approx(epsilon)
    np.testing.assert_allclose(shares(explorer, 40), [0.58 / 3, 1 - 2 * 0.58 / 3, 0.58 / 3],
                               atol=0.01)  # fmt: skip


def test_a_target_driven_epsilon_falls_with_the_mean_return() -> None:
    explorer = TargetEpsilonGreedy(
        rng(), TargetEpsilonGreedy.Settings(target=100.0, start=1.0, end=0.2, episodes=2)
    )
    assert explorer.amount(10**6) == 1.0  # steps do not count
    for total, epsilon in [(10, 1.0), (30, 1.0), (90, 0.6), (110, 0.2), (500, 0.2), (-480, 1.0)]:
        explorer.ended(0, total)  # the first mean is 20; half of the way is 60
        assert explorer.amount(0) == pytest.approx(epsilon), total


def test_a_target_that_is_reached_from_the_start_is_no_target() -> None:
    explorer = TargetEpsilonGreedy(
        rng(), TargetEpsilonGreedy.Settings(target=5.0, end=0.2, episodes=1)
    )
    explorer.ended(0, 7.0)
    assert explorer.amount(0) == pytest.approx(0.2)


def test_none_takes_the_best_action() -> None:
    assert shares(Greedy(rng(), Greedy.Settings()), 0) == [0.0, 1.0, 0.0]
    actions = np.array([[0.3, -1.0]], np.float32)
    np.testing.assert_array_equal(NoNoise(rng(), NoNoise.Settings()).choose(actions, 0), actions)


def test_gaussian_noise_has_its_deviation_and_stays_in_bounds() -> None:
    explorer = Gaussian(rng(), Gaussian.Settings(start=0.2, end=0.1, steps=100))
    actions = np.zeros((20_000, 2), np.float32)
    for step, sigma in ((0, 0.2), (50, 0.15), (200, 0.1)):
        noise = explorer.choose(actions, step)
        assert noise.dtype == np.float32
        np.testing.assert_allclose(noise.std(axis=0), sigma, rtol=0.02)  # 4 standard errors
        np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.006)
    assert explorer.choose(actions + 1.0, 0).max() == 1.0
    assert explorer.choose(actions - 1.0, 0).min() == -1.0


def test_ornstein_uhlenbeck_noise_is_correlated_in_time() -> None:
    """At lag k the correlation is (1 - theta)^k; the deviation is sigma whatever theta is."""
    explorer = OrnsteinUhlenbeck(rng(), OrnsteinUhlenbeck.Settings(start=0.1, end=0.1, theta=0.3))
    actions = np.zeros((4000, 1), np.float32)
    path = np.array([explorer.choose(actions, 0)[:, 0] for _ in range(8)])
    np.testing.assert_allclose(path.std(axis=1), 0.1, rtol=0.05)
    for lag in (1, 2, 4):
        correlation = np.mean(path[:-lag] * path[lag:]) / 0.01
        assert correlation == pytest.approx(0.7**lag, abs=0.03)


def test_ornstein_uhlenbeck_noise_starts_afresh_with_each_episode() -> None:
    explorer = OrnsteinUhlenbeck(rng(), OrnsteinUhlenbeck.Settings(start=0.1, end=0.1, theta=0.01))
    actions = np.zeros((2, 1), np.float32)
    before, after = [], []
    for _ in range(400):
        before.append(explorer.choose(actions, 0)[:, 0])
        explorer.ended(1, 0.0)
        after.append(explorer.choose(actions, 0)[:, 0])
    one, other = np.array(before).T, np.array(after).T
    assert np.corrcoef(one[0], other[0])[0, 1] > 0.95  # lane 0 goes on
    assert abs(np.corrcoef(one[1], other[1])[0, 1]) < 0.2  # 4 standard errors


@pytest.mark.parametrize("name", DISCRETE_EXPLORERS)
def test_an_explorer_says_how_likely_it_takes_each_action(name: str) -> None:
    """Also where an action is not allowed."""
    part = DISCRETE_EXPLORERS[name]
    settings = {"target": 9.0, "start": 0.4} if name.startswith("Target") else {}
    explorer = part(rng(), part.Settings(**settings))
    values = VALUES.copy()
    values[:, 2] = -np.inf
    for given in (VALUES, values):
        counts = np.bincount(explorer.choose(given, 3_000), minlength=3) / len(given)
        likely = explorer.probabilities(given[:1], 3_000)[0]
        np.testing.assert_allclose(counts, likely, atol=0.01)
        assert likely.sum() == pytest.approx(1.0)


class Silent(Explorer):
    """As a third party writes it, without `probabilities`."""

    def choose(self, greedy: Array, step: int) -> Any:
        return greedy.argmin(axis=1)


class Changed(EpsilonGreedy):
    """Its `probabilities` are those of another `choose`."""

    def choose(self, greedy: Array, step: int) -> Any:
        return greedy.argmin(axis=1)


class Slower(EpsilonGreedy):
    """It chooses as its base does."""

    def amount(self, step: int) -> float:
        return 0.5 * super().amount(step)


@pytest.mark.parametrize("agent", ["ExpectedSarsa", "DeepExpectedSarsa", "DeepSarsa"])
@pytest.mark.parametrize("explorer", [Silent, Changed, Slower])
def test_an_agent_that_averages_over_actions_wants_their_probabilities(
    agent: str, explorer: type[Explorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that draws an action, or an explorer that inherits both methods, is fine."""
    monkeypatch.setitem(DISCRETE_EXPLORERS, "Mine", explorer)
    values = {"problem": "CartPole-v1", "agent": {"name": agent}, "train": {"steps": 5000},
              "exploration": {"name": "Mine"}}  # fmt: skip
    specification = Specification("x", "x.yaml", values)
    if agent == "DeepSarsa" or explorer is Slower:
        build(specification, 0)
        return
    with pytest.raises(UserError) as refused:
        build(specification, 0)
    assert f"exploration is Mine, which does not tell {agent} how likely it" in str(refused.value)
    assert "define `probabilities`" in str(refused.value)
    assert "or take EpsilonGreedy, " in str(refused.value)


def test_an_expected_value_by_hand() -> None:
    """Of 1, 3 and 2 with epsilon 0.6 it is 0.4 x 3 + 0.6 x 2; without 3, 0.4 x 2 + 0.6 x 1.5."""
    explorer = EpsilonGreedy(rng(), EpsilonGreedy.Settings(start=0.6, end=0.6))
    values = np.array([[1.0, 3.0, 2.0], [1.0, -np.inf, 2.0]])
    np.testing.assert_allclose(expected(explorer, values, 0), [2.4, 1.7])


def test_softmax_is_another_name_for_boltzmann() -> None:
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 5000},
              "exploration": {"name": "softmax", "start": 2.0}}  # fmt: skip
    resolved = build(Specification("x", "x.yaml", values), 0).specification
    assert resolved.block("exploration")["name"] == "Boltzmann"
    assert resolved.block("exploration")["start"] == 2.0
