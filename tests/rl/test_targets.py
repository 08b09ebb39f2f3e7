import numpy as np

from rl.targets import td_target


def test_the_target_is_the_reward_and_the_discounted_next_value() -> None:
    rewards = np.array([1.0, -2.0, 3.0], np.float32)
    discounts = np.array([0.5, 0.25, 0.0], np.float32)
    next_values = np.array([4.0, 8.0, 100.0], np.float32)
    out = np.empty(3, np.float32)
    assert td_target(rewards, discounts, next_values, out) is out
    np.testing.assert_array_equal(out, [3.0, 0.0, 3.0])
