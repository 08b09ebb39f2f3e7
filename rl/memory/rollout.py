"""The steps since the latest update, for agents that learn from what they just did."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn.limits import require_memory
from nn.settings import BaseSettings, setting
from nn.typing import Array, BoolArray, State

_ARRAYS = ("observations", "actions", "rewards", "next_observations", "terminated", "cuts")


class Rollout:
    """T steps of N lanes in preallocated arrays; learned from once, then begun anew.

    Args:
        observation_size: n.
        lanes: N.
        actions: an empty array [0] or [0, k] of the kind that holds actions.
        settings: T.
        masks: A, the entries of a mask of actions; 0 if there are none.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those of `Rollout`."""

        horizon: int = setting("steps of each lane between two updates", 16, least=1)

    def __init__(
        self,
        observation_size: int,
        lanes: int,
        actions: Array,
        settings: Settings | None = None,
        masks: int = 0,
    ) -> None:
        horizon = (settings or self.Settings()).horizon
        row = 8 * observation_size + actions.itemsize * math.prod(actions.shape[1:]) + 12 + masks
        require_memory("horizon", horizon, horizon * lanes * row)
        self.horizon, self.lanes, self.size = horizon, lanes, 0
        shape = (horizon, lanes)
        self.observations = np.zeros((*shape, observation_size), np.float32)
        self.actions = np.zeros((*shape, *actions.shape[1:]), actions.dtype)
        self.rewards = np.zeros(shape, np.float32)
        self.next_observations = np.zeros((*shape, observation_size), np.float32)
        self.terminated = np.zeros(shape, np.float32)  # 1 where no value follows
        self.cuts = np.zeros(shape, np.float32)  # 1 where the episode ended, one way or the other
        self.masks = np.zeros((*shape, masks), np.bool_) if masks else None
        self._names = (*_ARRAYS, "masks") if masks else _ARRAYS

    @property
    def full(self) -> bool:
        """Whether T steps are there."""
        return self.size == self.horizon

    def add(
        self, observations: Array, actions: Array, rewards: Array, next_observations: Array,
        terminated: Array, truncated: Array, masks: BoolArray | None = None,
    ) -> None:  # fmt: skip
        """Stores a step of all lanes: each array has N rows; `masks` are of the actions taken."""
        at = self.size
        self.observations[at], self.actions[at], self.rewards[at] = observations, actions, rewards
        self.next_observations[at], self.terminated[at] = next_observations, terminated
        np.logical_or(terminated, truncated, out=self.cuts[at], casting="unsafe")
        if self.masks is not None:
            self.masks[at] = masks
        self.size = at + 1

    def clear(self) -> None:
        """Begins anew."""
        self.size = 0

    def cut(self, lane: int) -> None:
        """Says that the latest step of a lane was the last of its episode after all."""
        if self.size:
            self.cuts[self.size - 1, lane] = 1.0

    def state(self) -> State:
        """What `restore` needs."""
        arrays = {name: getattr(self, name)[: self.size].copy() for name in self._names}
        return {"size": self.size, "arrays": arrays}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.size = int(state["size"])
        for name in self._names:
            getattr(self, name)[: self.size] = state["arrays"][name]
