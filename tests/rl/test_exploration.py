from __future__ import annotations

import numpy as np
import pytest

from rl.exploration import Boltzmann, EpsilonGreedy, Explorer


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


VALUES = np.tile(np.array([[1.0, 3.0, 2.0]], np.float32), (30_000, 1))


def shares(explorer: Explorer, step: int) -> list[float]:
    """How often each action is chosen."""
    counts = np.bincount(explorer.choose(VALUES, step), minlength=3)
    return list(counts / len(VALUES))


def test_epsilon_greedy_explores_with_probability_epsilon() -> None:
    explorer = EpsilonGreedy(rng(), start=0.6, end=0.0, steps=100)
    np.testing.assert_allclose(shares(explorer, 0), [0.2, 0.6, 0.2], atol=0.01)
    np.testing.assert_allclose(shares(explorer, 50), [0.1, 0.8, 0.1], atol=0.01)
    assert shares(explorer, 100) == [0.0, 1.0, 0.0]


def test_the_schedule_is_chosen_by_name() -> None:
    linear = EpsilonGreedy(rng(), start=1.0, end=0.01, steps=100, schedule="linear")
    exponential = EpsilonGreedy(rng(), start=1.0, end=0.01, steps=100, schedule="exponential")
    assert linear.amount(50) == pytest.approx(0.505)
    assert exponential.amount(50) == pytest.approx(0.1)
    assert linear.amount(1000) == exponential.amount(1000) == 0.01


def test_boltzmann_chooses_in_proportion_to_the_exponential_of_the_values() -> None:
    explorer = Boltzmann(rng(), start=2.0, end=1.0, steps=100)
    weights = np.exp(np.array([1.0, 3.0, 2.0]) / 2.0)
    np.testing.assert_allclose(shares(explorer, 0), weights / weights.sum(), atol=0.01)


def test_boltzmann_is_safe_with_values_of_any_size() -> None:
    explorer = Boltzmann(rng(), start=1e-3, end=1e-3, steps=1)
    values = np.array([[-1e30, 1e30, 0.0]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert explorer.choose(values, 0)[0] == 1


@pytest.mark.parametrize("kind", [EpsilonGreedy, Boltzmann])
def test_a_restored_explorer_goes_on_to_the_bit(kind: type[EpsilonGreedy]) -> None:
    explorer, other = kind(rng(1), start=0.9, end=0.5), kind(rng(2), start=0.9, end=0.5)
    explorer.choose(VALUES, 0)
    other.restore(explorer.state())
    np.testing.assert_array_equal(explorer.choose(VALUES, 5), other.choose(VALUES, 5))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="start is a probability"):
        EpsilonGreedy(rng(), start=1.5)
    with pytest.raises(ValueError, match="end is a temperature"):
        Boltzmann(rng(), end=0.0)
    with pytest.raises(ValueError, match="steps"):
        EpsilonGreedy(rng(), steps=0)
    with pytest.raises(ValueError, match="did you mean 'linear'"):
        EpsilonGreedy(rng(), schedule="linar")
