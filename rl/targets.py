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
