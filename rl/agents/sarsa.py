"""Sarsa with a table (Rummery and Niranjan 1994)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.typing import Array, BoolArray, IntArray, State
from rl.agents.tabular import Tabular
from rl.environments import Transitions


class Sarsa(Tabular):
    """On-policy control: the next state is worth the action a' that is really taken there.

        choose a' from s' by the exploring policy
        Q(s, a) <- Q(s, a) + alpha (r + gamma Q(s', a') - Q(s, a))
        s, a <- s', a'

    (Sutton and Barto 2018, section 6.4). Where a time limit ends the
    episode, a' is drawn and not taken.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._next_actions: IntArray = np.zeros(self.lanes, np.int64)  # a'
        self._goes_on: BoolArray = np.zeros(self.lanes, np.bool_)  # whether it is taken next

    def next_values(self, values: Array) -> Array:
        """Q(s', a') [N]; draws a'."""
        self._next_actions = self.exploration.choose(values, self.steps)
        chosen: Array = values[np.arange(len(values)), self._next_actions]
        return chosen

    def update(self, t: Transitions) -> None:
        super().update(t)
        self._goes_on = ~(t.terminated | t.truncated)

    def explore(self, observations: Array, masks: Array | None = None) -> IntArray:
        new, actions = ~self._goes_on, self._next_actions.copy()
        if new.any():
            seen = observations[new], None if masks is None else masks[new]
            actions[new] = super().explore(*seen)
        return actions

    def abandon(self, lane: int) -> None:
        super().abandon(lane)
        self._goes_on[lane] = False

    def state(self) -> State:
        follows = {"actions": self._next_actions.copy(), "goes_on": self._goes_on.copy()}
        return {**super().state(), "next": follows}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._next_actions = np.array(state["next"]["actions"])
        self._goes_on = np.array(state["next"]["goes_on"])
