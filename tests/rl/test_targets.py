import numpy as np
import pytest

from rl.targets import advantages, td_target


def test_the_target_is_the_reward_and_the_discounted_next_value() -> None:
    rewards = np.array([1.0, -2.0, 3.0], np.float32)
    discounts = np.array([0.5, 0.25, 0.0], np.float32)
    next_values = np.array([4.0, 8.0, 100.0], np.float32)
    y = td_target(rewards, discounts, next_values)
    np.testing.assert_array_equal(y, [3.0, 0.0, 3.0])
    quantiles = np.array([[4.0, 6.0], [8.0, 4.0], [100.0, -1.0]], np.float32)
    y = td_target(rewards, discounts, quantiles)
    np.testing.assert_array_equal(y, [[3.0, 4.0], [0.0, -1.0], [3.0, 3.0]])


def test_generalized_advantages_by_hand() -> None:
    """Three steps of two lanes; lane 0 ends at step 1 by termination, lane 1 by a time limit."""
    rewards = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    discounts = np.array([[0.5, 0.5], [0.0, 0.5], [0.5, 0.5]])
    before = np.array([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]])
    after = np.array([[20.0, 20.0], [99.0, 40.0], [50.0, 50.0]])
    cuts = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    # delta: 1 + 10 - 10 = 1;  2 + 0 - 20 = -18 or 2 + 20 - 20 = 2;  4 + 25 - 30 = -1
    # With lam = 0.8: A_0 = 1 + 0.4 A_1, and A_1 takes nothing from the next episode.
    out = advantages(rewards, discounts, np.stack([before, after]), cuts, 0.8)
    np.testing.assert_allclose(out, [[1 - 0.4 * 18, 1 + 0.4 * 2.0], [-18.0, 2.0], [-1.0, -1.0]])


def test_generalized_advantages_at_the_ends_of_lambda() -> None:
    """0 gives one-step errors, 1 the discounted return with the last value less the first value."""
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(5, 1)), rng.normal(size=(6, 1))
    discounts, cuts = np.full((5, 1), 0.9), np.zeros((5, 1))
    pair = np.stack([values[:-1], values[1:]])
    one_step = advantages(rewards, discounts, pair, cuts, 0.0)
    np.testing.assert_allclose(one_step, rewards + 0.9 * values[1:] - values[:-1])
    full = advantages(rewards, discounts, pair, cuts, 1.0)
    returned = sum(0.9**t * rewards[t, 0] for t in range(5)) + 0.9**5 * values[5, 0]
    assert full[0, 0] == pytest.approx(returned - values[0, 0])
