"""Stochastic policies: their samples, and the actor's three terms against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array
from rl.agents.distributions import Categorical, Distribution, Gaussian, Product

B = 5


def case(kind: str) -> tuple[Distribution, Array, Array, Array]:
    """A distribution, outputs [B, m], what was sampled, and weights [B] of both signs."""
    rng = np.random.default_rng(0)
    kinds = {"categorical": Categorical(), "product": Product((2, 1, 3))}
    distribution = kinds.get(kind) or Gaussian(kind == "tanh")
    outputs = rng.normal(0, 1.5, (B, 6))
    sampled = distribution.sample(outputs, rng)
    return distribution, outputs, sampled, rng.normal(0, 2, B)


KINDS = ["categorical", "product", "cut", "tanh"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("weight", "entropy_weight"), [(1.0, 0.0), (0.0, 0.7), (1.0, 0.7)],
    ids=["policy gradient", "entropy", "both"],
)  # fmt: skip
def test_the_gradient_agrees_with_finite_differences(
    kind: str, weight: float, entropy_weight: float
) -> None:
    distribution, outputs, sampled, weights = case(kind)
    weights = weight * weights

    def cost() -> float:
        log_prob = distribution.at(outputs).log_prob(sampled)
        entropy = distribution.at(outputs).entropy()
        return -float(np.mean(weights * log_prob + entropy_weight * entropy))

    analytic = distribution.at(outputs).gradient(sampled, weights, entropy_weight)
    numeric = numerical_gradient(cost, outputs.reshape(-1))
    assert relative_error(analytic.ravel(), numeric) < 1e-7
    assert np.linalg.norm(analytic) > 0.05


def test_a_categorical_by_hand() -> None:
    outputs = np.log([[1.0, 2.0, 5.0]])  # shares of 8
    policy = Categorical()
    assert policy.at(outputs).log_prob(np.array([1]))[0] == pytest.approx(math.log(2 / 8))
    p = np.array([1, 2, 5]) / 8
    assert policy.at(outputs).entropy()[0] == pytest.approx(-(p * np.log(p)).sum())
    assert policy.greedy(outputs).tolist() == [2]
    drawn = policy.sample(np.repeat(outputs, 80_000, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / 80_000, p, atol=0.006)  # 3.5 deviations


def test_a_categorical_is_safe_with_outputs_of_any_size() -> None:
    outputs, policy = np.array([[1e4, -1e4, 0.0]]), Categorical()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert policy.at(outputs).entropy()[0] == 0.0
        assert policy.at(outputs).log_prob(np.array([1]))[0] == -2e4
        gradient = policy.at(outputs).gradient(np.array([1]), np.array([1.0]), 1.0)
    np.testing.assert_allclose(gradient, [[1.0, -1.0, 0.0]])


def test_a_product_by_hand() -> None:
    """Two choices with shares 1 and 3, and three with shares 1, 2 and 5: independent."""
    outputs, policy = np.log([[1.0, 3.0, 1.0, 2.0, 5.0]]), Product((2, 3))
    log_prob = policy.at(outputs).log_prob(np.array([[1, 1]]))[0]
    assert log_prob == pytest.approx(math.log(3 / 4 * 2 / 8))
    p, q = np.array([1, 3]) / 4, np.array([1, 2, 5]) / 8
    entropy = -(p * np.log(p)).sum() - (q * np.log(q)).sum()
    assert policy.at(outputs).entropy()[0] == pytest.approx(entropy)
    assert policy.greedy(outputs).tolist() == [[1, 2]]
    assert policy.thoughts(outputs).chosen == (1, 4)
    np.testing.assert_allclose(policy.thoughts(outputs).bars, [*p, *q])
    drawn = policy.sample(np.repeat(outputs, 40_000, axis=0), np.random.default_rng(0))
    shares = np.bincount(3 * drawn[:, 0] + drawn[:, 1]) / 40_000
    np.testing.assert_allclose(shares, np.outer(p, q).ravel(), atol=0.008)


def test_a_gaussian_by_hand() -> None:
    """Means 1 and -2, deviations e and 1/2."""
    outputs = np.array([[1.0, -2.0, 1.0, math.log(0.5)]])
    policy, u = Gaussian(), np.array([[1.0 + math.e, -1.0]])
    densities = [math.exp(-0.5) / (math.e * math.sqrt(2 * math.pi)),
                 math.exp(-2.0) / (0.5 * math.sqrt(2 * math.pi))]  # fmt: skip
    assert policy.at(outputs).log_prob(u)[0] == pytest.approx(math.log(densities[0] * densities[1]))
    entropy = math.log(2 * math.pi * math.e) + 1.0 + math.log(0.5)  # of two entries
    assert policy.at(outputs).entropy()[0] == pytest.approx(entropy)
    drawn = policy.sample(np.repeat(outputs, 40_000, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), [math.e, 0.5], rtol=0.02)


def test_actions_reach_from_minus_one_to_one() -> None:
    outputs = np.array([[3.0, -0.5, 0.0, 0.0]])
    assert Gaussian().greedy(outputs).tolist() == [[1.0, -0.5]]
    np.testing.assert_allclose(Gaussian(squash=True).greedy(outputs), np.tanh([[3.0, -0.5]]))
    assert Gaussian().action(np.array([[-7.0]])).tolist() == [[-1.0]]
