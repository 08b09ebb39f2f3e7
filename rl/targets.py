"""Learning targets: pure functions of arrays."""

from __future__ import annotations

from nn.typing import Array


def td_target(rewards: Array, discounts: Array, next_values: Array) -> Array:
    """y = r + discount * V(s') [B] or [B, N] (Sutton and Barto 2018, eq. 6.3).

    Args:
        rewards: [B], of one step or the discounted sum of n.
        discounts: [B], what multiplies the next value: gamma^n, and 0 after a terminal state.
            It is not 0 after a time limit: the episode was cut, the task goes on.
        next_values: [B], or N quantiles of each [B, N].
    """
    return (discounts * next_values.T + rewards).T


def advantages(rewards: Array, discounts: Array, values: Array, cuts: Array, lam: float) -> Array:
    """Generalized advantage estimates [T, N] (Schulman et al. 2016, eq. 16).

        delta_t = r_t + discount_t V(s_{t+1}) - V(s_t)
        A_t = delta_t + discount_t lam A_{t+1}, where step t + 1 goes on the same episode

    Args:
        rewards: [T, N], the first axis is time, the second lanes.
        discounts: [T, N]: gamma, and 0 after a terminal state.
        values: [2, T, N]: V(s_t), and V of the state that step t led to, which is not V(s_{t+1})
            where an episode ended.
        cuts: [T, N]: 1 where an episode ended at step t, terminated or not, else 0.
        lam: 0 trusts the values, 1 the rewards.
    """
    before, after = values
    a = discounts * after + rewards - before
    decays = lam * discounts * (1.0 - cuts)
    for t in range(len(a) - 2, -1, -1):
        a[t] += decays[t] * a[t + 1]
    return a
