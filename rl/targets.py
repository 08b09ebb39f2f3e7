"""Learning targets: pure functions of arrays."""

from __future__ import annotations

import numpy as np

from nn.typing import Array


def td_target(rewards: Array, discounts: Array, next_values: Array, out: Array) -> Array:
    """y = r + discount * V(s') (Sutton and Barto 2018, eq. 6.3), into `out`.

    Args:
        rewards: [B], of one step or the discounted sum of n.
        discounts: [B], what multiplies the next value: gamma^n, and 0 after a terminal state.
            It is not 0 after a time limit: the episode was cut, the task goes on.
        next_values: [B].
        out: [B].
    """
    np.multiply(discounts, next_values, out=out)
    np.add(out, rewards, out=out)
    return out


def advantages(
    rewards: Array, discounts: Array, values: Array, cuts: Array, lam: float, out: Array
) -> Array:
    """Generalized advantage estimates (Schulman et al. 2016, eq. 16), into `out`.

        delta_t = r_t + discount_t V(s_{t+1}) - V(s_t)
        A_t = delta_t + discount_t lam A_{t+1}, where step t + 1 goes on the same episode

    Args:
        rewards: [T, N], the first axis is time, the second lanes.
        discounts: [T, N]: gamma, and 0 after a terminal state.
        values: [2, T, N]: V(s_t), and V of the state that step t led to, which is not V(s_{t+1})
            where an episode ended.
        cuts: [T, N]: 1 where an episode ended at step t, terminated or not, else 0.
        lam: 0 trusts the values, 1 the rewards.
        out: [T, N].
    """
    before, after = values
    np.multiply(discounts, after, out=out)
    np.add(out, rewards, out=out)
    np.subtract(out, before, out=out)
    decays = lam * discounts * (1.0 - cuts)
    for t in range(len(out) - 2, -1, -1):
        out[t] += decays[t] * out[t + 1]
    return out
