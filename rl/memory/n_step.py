"""n-step transitions (Sutton 1988; Sutton and Barto 2018, eq. 7.1), formed as they happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.typing import Array, BoolArray, State


@dataclass
class _Pending:
    observation: Array
    action: Any
    total: float  # r_1 + gamma r_2 + ... so far
    discount: float  # gamma^k after k rewards


class NStep:
    """Turns the single steps of one lane into transitions over n steps.

    A transition leaves when it spans n steps or when its episode ends, then with fewer; it never
    reaches into the next episode.

    Args:
        add: takes observation [n], action, reward sum, discount of the next value, next
            observation [n] and, if there are masks, that of the next actions, such as `Replay.add`.
        n: steps a transition spans.
        gamma: the discount of one step.
    """

    def __init__(self, add: Callable[..., None], n: int, gamma: float) -> None:
        if n < 1:
            raise ValueError(f"n_step must be at least 1, not {n}")
        self._add, self._n, self._gamma = add, n, gamma
        self._pending: deque[_Pending] = deque()

    def add(
        self,
        observation: Array,
        action: Any,
        reward: float,
        next_observation: Array,
        terminated: bool,
        truncated: bool,
        next_mask: BoolArray | None = None,
    ) -> None:
        """Takes one step; passes on the transitions that it completes."""
        mask = () if next_mask is None else (next_mask,)
        if self._n == 1:  # the common case: nothing is pending
            discount = 0.0 if terminated else self._gamma
            self._add(observation, action, reward, discount, next_observation, *mask)
            return
        if isinstance(action, np.ndarray):  # a view of what the next step overwrites
            action = action.copy()
        self._pending.append(_Pending(observation.copy(), action, 0.0, 1.0))
        for pending in self._pending:
            pending.total += pending.discount * reward
            pending.discount *= self._gamma
        ended = terminated or truncated
        while self._pending and (ended or len(self._pending) == self._n):
            first = self._pending.popleft()
            discount = 0.0 if terminated else first.discount
            self._add(
                first.observation, first.action, first.total, discount, next_observation, *mask
            )

    def clear(self) -> None:
        """Forgets the steps of an episode that will not go on."""
        self._pending.clear()

    def state(self) -> State:
        """What `restore` needs."""
        pending = self._pending
        return {
            "observations": np.array([each.observation for each in pending]),
            "actions": np.array([each.action for each in pending]),
            "totals": [each.total for each in pending],
            "discounts": [each.discount for each in pending],
        }

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        columns = (state[name] for name in ("observations", "actions", "totals", "discounts"))
        self._pending = deque(_Pending(*each) for each in zip(*columns, strict=True))
