"""Uniform experience replay (Lin 1992; Mnih et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.typing import Array, IntArray, State


@dataclass(frozen=True)
class Batch:
    """B transitions. The arrays are overwritten by the next sample."""

    observations: Array  # [B, n]
    actions: Array  # [B] integers, or [B, k]
    rewards: Array  # [B]
    discounts: Array  # [B]: what multiplies the next value
    next_observations: Array  # [B, n]
    weights: Array | None = None  # [B]: of each one's error, or None where all count alike


STORED = ("observations", "actions", "rewards", "discounts", "next_observations")


DISCRETE: IntArray = np.zeros(0, np.int64)


class Replay:
    """A ring of transitions in preallocated arrays, sampled uniformly with replacement.

    Args:
        observation_size: n.
        rng: draws the samples.
        actions: an empty array [0] or [0, k] of the kind that holds actions.
        capacity: transitions kept; the oldest is overwritten.
        batch_size: B, transitions a sample.
    """

    def __init__(
        self,
        observation_size: int,
        rng: np.random.Generator,
        actions: Array = DISCRETE,
        *,
        capacity: int = 100_000,
        batch_size: int = 64,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if capacity < batch_size:
            raise ValueError(
                f"capacity must be at least the batch_size, {batch_size}, not {capacity}"
            )
        self.capacity, self.batch_size = capacity, batch_size
        self.size = 0
        self._next = 0
        self._rng = rng
        self._stored = _arrays(capacity, observation_size, actions)
        self._batch = _arrays(batch_size, observation_size, actions)
        self._pairs = [(getattr(self._stored, name), getattr(self._batch, name)) for name in STORED]
        self._uniform = np.empty(batch_size)
        self._indices = np.empty(batch_size, np.int64)

    def add(
        self, observation: Array, action: Any, reward: float, discount: float, following: Array
    ) -> None:
        """Stores one transition: observation [n], action, reward, discount, next one [n]."""
        place, stored = self._next, self._stored
        stored.observations[place] = observation
        stored.actions[place] = action
        stored.rewards[place] = reward
        stored.discounts[place] = discount
        stored.next_observations[place] = following
        self._next = (place + 1) % self.capacity
        self.size = max(self.size, place + 1)

    def sample(self) -> Batch:
        """B transitions, in arrays that the next sample overwrites.

        Raises:
            ValueError: the memory is empty.
        """
        if not self.size:
            raise ValueError("an empty memory cannot be sampled")
        self._choose()
        for stored, batch in self._pairs:
            # mode="raise" would write through a hidden buffer.
            stored.take(self._indices, axis=0, out=batch, mode="clip")
        return self._batch

    def _choose(self) -> None:
        """Draws the places of a sample, into `_indices` [B]."""
        self._rng.random(out=self._uniform)
        np.multiply(self._uniform, self.size, out=self._uniform)
        np.copyto(self._indices, self._uniform, casting="unsafe")

    def learned(self, errors: Array) -> None:
        """Is told how far off the latest sample's predictions were [B]; here all count alike."""

    def state(self) -> State:
        """What `restore` needs: the transitions so far, the place in the ring, the generator."""
        arrays = {name: getattr(self._stored, name)[: self.size].copy() for name in STORED}
        return {"arrays": arrays, "next": self._next, "rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state of a memory of the same capacity."""
        for name, array in state["arrays"].items():
            getattr(self._stored, name)[: len(array)] = array
            self.size = len(array)
        self._next = int(state["next"])
        self._rng.bit_generator.state = state["rng"]


def _arrays(length: int, observation_size: int, actions: Array) -> Batch:
    return Batch(
        np.zeros((length, observation_size), np.float32),
        np.zeros((length, *actions.shape[1:]), actions.dtype),
        np.zeros(length, np.float32),
        np.zeros(length, np.float32),
        np.zeros((length, observation_size), np.float32),
    )
