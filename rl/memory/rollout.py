"""The steps since the latest update, for agents that learn from what they just did."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nn.limits import require_memory
from nn.settings import BaseSettings, setting
from nn.typing import Array, BoolArray, State

_ARRAYS = ("observations", "actions", "rewards", "next_observations", "terminated", "cuts")


class Steps(NamedTuple):
    """The steps of a rollout: T of N lanes.

    Args:
        observations: [T, N, n].
        actions: [T, N] or [T, N, k].
        rewards: [T, N].
        next_observations: [T, N, n].
        terminated: 1 where no value follows, else 0 [T, N].
        cuts: 1 where the episode ended, one way or the other, else 0 [T, N].
        masks: the actions that were allowed [T, N, A]; None for all.
    """

    observations: Array
    actions: Array
    rewards: Array
    next_observations: Array
    terminated: Array
    cuts: Array
    masks: BoolArray | None


class Rollout:
    """Up to T steps of N lanes in preallocated arrays; learned from once, then begun anew.

    Args:
        observation_size: n.
        lanes: N.
        actions: an empty array [0] or [0, k] of the kind that holds actions.
        settings: T.
        masks: A, the entries of a mask of actions; 0 if there are none.
        kind: of the observations' numbers; bytes stay bytes.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those of `Rollout`."""

        horizon: int = setting("steps of each lane between two updates", 16, least=1)
        ends_with_episodes: bool = setting(
            "whether an update need not wait for `horizon` where episodes are short: with one lane "
            "it comes at each episode's end, with several where those of all end together",
            False,
        )

    def __init__(
        self,
        observation_size: int,
        lanes: int,
        actions: Array,
        settings: Settings | None = None,
        masks: int = 0,
        kind: Any = np.float32,
    ) -> None:
        settings = settings or self.Settings()
        horizon, self._ends_with_episodes = settings.horizon, settings.ends_with_episodes
        row = (
            2 * np.dtype(kind).itemsize * observation_size
            + actions.itemsize * math.prod(actions.shape[1:])
            + 12
            + masks
        )
        require_memory("horizon", horizon, horizon * lanes * row)
        self.horizon, self.lanes, self.size = horizon, lanes, 0
        shape = (horizon, lanes)
        self.observations = np.zeros((*shape, observation_size), kind)
        self.actions = np.zeros((*shape, *actions.shape[1:]), actions.dtype)
        self.rewards = np.zeros(shape, np.float32)
        self.next_observations = np.zeros((*shape, observation_size), kind)
        self.terminated = np.zeros(shape, np.float32)
        self.cuts = np.zeros(shape, np.float32)
        self.masks = np.zeros((*shape, masks), np.bool_) if masks else None
        self._names = (*_ARRAYS, "masks") if masks else _ARRAYS

    @property
    def full(self) -> bool:
        """Whether T steps are there, or as many as are to be learned from."""
        if self.size == self.horizon:
            return True
        return self._ends_with_episodes and self.size > 0 and bool(self.cuts[self.size - 1].all())

    @property
    def steps(self) -> Steps:
        """The steps that are there, as views."""
        arrays = {name: getattr(self, name)[: self.size] for name in _ARRAYS}
        return Steps(**arrays, masks=None if self.masks is None else self.masks[: self.size])

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
