"""Proportional prioritized replay (Schaul et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn.settings import setting
from nn.typing import Array, IntArray, State
from rl.memory.replay import Replay

_CHILDREN = 16  # of a node
_WIDEST = 1024  # sums that are searched as they are


class SumTree:
    """Priorities in the leaves of a tree whose nodes hold the sums of their children.

    All operations take arrays and go level by level. Nodes have many children, so that one or two
    levels are enough, and a batch costs a few NumPy calls at each.

    Args:
        capacity: number of leaves.
    """

    def __init__(self, capacity: int) -> None:
        nodes, self._levels = capacity, list[Array]()  # [nodes, children], from the leaves up
        while not self._levels or nodes > _WIDEST:
            nodes = -(-nodes // _CHILDREN)
            self._levels.append(np.zeros((nodes, _CHILDREN)))
        self._top = np.zeros(nodes)  # the sums of the last level

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(self._top.sum())

    def get(self, leaves: IntArray) -> Array:
        """The priorities [B] of leaves [B]."""
        return self._levels[0].ravel()[leaves]

    def set(self, leaves: IntArray, priorities: Array) -> None:
        """Gives leaves [B] their priorities [B], each at least 0; the last of equal leaves wins."""
        nodes, sums = leaves, priorities
        for level in self._levels:
            level.ravel()[nodes] = sums
            nodes = nodes // _CHILDREN
            sums = level.take(nodes, axis=0).sum(axis=1)
        self._top[nodes] = sums

    def find(self, sums: Array) -> IntArray:
        """For each of `sums` [B], in [0, total), the leaf in whose share of the total it falls."""
        ends = self._top.cumsum()
        # Rounding may leave a sum at the end of the last share, or behind it.
        sums = np.minimum(sums, np.nextafter(ends[-1], 0.0))
        nodes = ends.searchsorted(sums, side="right")
        sums = sums - (ends - self._top)[nodes]
        rows = np.arange(len(sums))
        for level in reversed(self._levels):
            children = level.take(nodes, axis=0)
            ends = children.cumsum(axis=1)
            sums = np.minimum(sums, np.nextafter(ends[:, -1], 0.0))
            child = (ends > sums[:, None]).argmax(axis=1)
            sums -= ends[rows, child] - children[rows, child]
            nodes = nodes * _CHILDREN + child
        return nodes

    def state(self, leaves: int) -> Array:
        """The priorities of the first `leaves` leaves; `set` takes them back."""
        return self._levels[0].ravel()[:leaves].copy()


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
    _BESIDE = 9  # bytes of the tree for each leaf: its priority, and a 15th of a sum above

    def _prepare(self) -> None:
        self._tree = SumTree(self.capacity)
        self._greatest = 1.0  # p^alpha
        # Priorities that are still to be set: of the latest sample, and of new places.
        self._updated: tuple[IntArray, Array] | None = None
        self._unseen: list[int] = []
        self._samples = 0
        self._weights = np.ones(self.batch_size, np.float32)
        self._batch = replace(self._batch, weights=self._weights)

    def add(self, *args: Any, **kwargs: Any) -> None:
        self._unseen.append(self.added % self.capacity)
        super().add(*args, **kwargs)

    def _choose(self) -> None:
        self._set_due()
        self._rng.random(out=self._uniform)
        np.add(self._uniform, np.arange(self.batch_size), out=self._uniform)
        total = self._tree.total
        np.multiply(self._uniform, total / self.batch_size, out=self._uniform)
        np.copyto(self._indices, self._tree.find(self._uniform))
        share = self._tree.get(self._indices) / total
        beta = self.settings.beta
        beta = min(1.0, beta + (1.0 - beta) * self._samples / self.settings.beta_steps)
        weights = (self.size * share) ** -beta
        np.divide(weights, weights.max(), out=self._weights)
        self._samples += 1

    def update_priorities(self, errors: Array) -> None:
        magnitudes = np.abs(errors).astype(float) + self.settings.epsilon
        priorities = magnitudes**self.settings.alpha
        self._updated = self._indices.copy(), priorities
        self._greatest = max(self._greatest, float(priorities.max()))

    def _set_due(self) -> None:
        """Sets all at once; a new transition may stand in the place of a sampled one."""
        due = [self._updated] if self._updated else []
        if self._unseen:
            due.append((np.array(self._unseen), np.full(len(self._unseen), self._greatest)))
        if due:
            places, priorities = map(np.concatenate, zip(*due, strict=True))
            self._tree.set(places, priorities)
        self._updated = None
        self._unseen.clear()

    def state(self) -> State:
        self._set_due()
        priorities = self._tree.state(self.size)
        extra = {"priorities": priorities, "greatest": self._greatest, "samples": self._samples}
        return {**super().state(), **extra, "indices": self._indices.copy()}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._tree = SumTree(self.capacity)
        self._tree.set(np.arange(self.size), state["priorities"])
        self._updated = None
        self._unseen.clear()
        self._greatest, self._samples = float(state["greatest"]), int(state["samples"])
        np.copyto(self._indices, state["indices"])
