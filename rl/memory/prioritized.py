"""Proportional prioritized replay (Schaul et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn.settings import setting
from nn.typing import Array, BoolArray, IntArray, State
from rl.memory.replay import DISCRETE, Replay


class SumTree:
    """Priorities in the leaves of a binary tree whose nodes hold the sums of their children.

    Node 1 is the root, the children of node i are 2 i and 2 i + 1. All operations take arrays and
    go level by level, so that a batch costs as many NumPy calls as the tree has levels.

    Args:
        capacity: number of leaves.
    """

    def __init__(self, capacity: int) -> None:
        self._levels = max(1, (capacity - 1).bit_length())
        self._first = 1 << self._levels  # the node of leaf 0
        self._sums = np.zeros(2 * self._first)

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(self._sums[1])

    def get(self, leaves: IntArray) -> Array:
        """The priorities [B] of leaves [B]."""
        return self._sums[self._first + leaves]

    def set(self, leaves: IntArray, priorities: Array) -> None:
        """Gives leaves [B] their priorities [B], each at least 0; the last of equal leaves wins."""
        nodes = self._first + leaves
        self._sums[nodes] = priorities
        for _ in range(self._levels):
            nodes >>= 1
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def find(self, sums: Array) -> IntArray:
        """For each of `sums` [B], in [0, total), the leaf in whose share of the total it falls."""
        sums = sums.copy()
        nodes = np.ones(len(sums), np.int64)
        for _ in range(self._levels):
            nodes *= 2
            left = self._sums[nodes]
            # Rounding may leave a sum at the end of the left half with nothing on the right.
            right = (sums >= left) & (self._sums[nodes + 1] > 0)
            sums -= left * right
            nodes += right
        return nodes - self._first

    def state(self, leaves: int) -> Array:
        """The priorities of the first `leaves` leaves; `set` takes them back."""
        return self._sums[self._first : self._first + leaves].copy()


class Prioritized(Replay):
    """Samples transition i with probability P(i) = p_i^alpha / sum_k p_k^alpha.

    p_i is the magnitude of its latest error plus `epsilon`; a new transition has the greatest so
    far, so that each is seen. What that bias does to the expectation is undone by the importance
    weights w_i = (N P(i))^-beta, divided by the greatest of the batch (section 3.4); beta rises
    linearly to 1. Sampling is stratified: one from each B-th of the total (appendix B.2.1).

    Args:
        observation_size: n.
        rng: draws the samples.
        settings: the capacity, B, and how priorities count.
        actions: an empty array [0] or [0, k] of the kind that holds actions.
        masks: as for `Replay`.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Replay.Settings):
        """Those of `Prioritized`."""

        alpha: float = setting("0 is uniform, 1 proportional to the error", 0.6, least=0, most=1)
        beta: float = setting("initial exponent of the importance weights", 0.4, least=0, most=1)
        beta_steps: int = setting("samples until beta is 1", 100_000, least=1)
        epsilon: float = setting(
            "added to errors, so that every transition can be sampled again", 1e-6, above=0
        )

    settings: Settings
    _BESIDE = 32  # a tree has up to four sums for each leaf

    def __init__(
        self,
        observation_size: int,
        rng: np.random.Generator,
        settings: Settings | None = None,
        actions: Array = DISCRETE,
        masks: int = 0,
    ) -> None:
        super().__init__(observation_size, rng, settings, actions, masks)
        self._tree = SumTree(self.capacity)
        self._greatest = 1.0  # p^alpha
        self._unseen: list[int] = []  # places whose priority is still to be set
        self._samples = 0
        self._weights = np.ones(self.batch_size, np.float32)
        self._batch = replace(self._batch, weights=self._weights)

    def add(
        self,
        observation: Array,
        action: Any,
        reward: float,
        discount: float,
        next_observation: Array,
        next_mask: BoolArray | None = None,
    ) -> None:
        self._unseen.append(self.added % self.capacity)
        super().add(observation, action, reward, discount, next_observation, next_mask)

    def _choose(self) -> None:
        self._set_unseen()
        self._rng.random(out=self._uniform)
        np.add(self._uniform, np.arange(self.batch_size), out=self._uniform)
        np.multiply(self._uniform, self._tree.total / self.batch_size, out=self._uniform)
        np.copyto(self._indices, self._tree.find(self._uniform))
        share = self._tree.get(self._indices) / self._tree.total
        beta = self.settings.beta
        beta = min(1.0, beta + (1.0 - beta) * self._samples / self.settings.beta_steps)
        weights = (self.size * share) ** -beta
        np.divide(weights, weights.max(), out=self._weights)
        self._samples += 1

    def update_priorities(self, errors: Array) -> None:
        magnitudes = np.abs(errors).astype(float) + self.settings.epsilon
        priorities = magnitudes**self.settings.alpha
        self._tree.set(self._indices, priorities)
        self._greatest = max(self._greatest, float(priorities.max()))

    def _set_unseen(self) -> None:
        if self._unseen:
            places = np.array(self._unseen)
            self._tree.set(places, np.full(len(places), self._greatest))
            self._unseen.clear()

    def state(self) -> State:
        self._set_unseen()
        priorities = self._tree.state(self.size)
        extra = {"priorities": priorities, "greatest": self._greatest, "samples": self._samples}
        return {**super().state(), **extra, "indices": self._indices.copy()}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._tree = SumTree(self.capacity)
        self._tree.set(np.arange(self.size), state["priorities"])
        self._unseen.clear()
        self._greatest, self._samples = float(state["greatest"]), int(state["samples"])
        np.copyto(self._indices, state["indices"])
