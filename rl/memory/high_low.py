"""Replay that keeps the transitions of good episodes apart from the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import setting
from nn.typing import State
from rl.memory.replay import Replay


class HighLow(Replay):
    """Samples a fixed share from episodes of high return, and the rest from the others.

    When an episode ends its transitions are high if its return is greater than the median of the
    latest episodes' returns, itself among them. All others are low: those of worse episodes, and
    those of an episode under way. Each transition of a sample is drawn uniformly from the high
    ones with probability `high_share`, else from the low ones; from all, where a group is empty.
    Both groups share the capacity, and the oldest transition of either is overwritten. (HighLow is
    a memory of OpenAI Lab, 2017; the threshold is this lab's.)
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Replay.Settings):
        """Those of `HighLow`."""

        high_share: float = setting(
            "share of a sample from episodes of high return", 0.5, least=0, most=1
        )
        episodes: int = setting("number of latest episodes in the median", 100, least=1)

    settings: Settings
    _BESIDE = 16  # a place in the order, and its place there

    def _prepare(self) -> None:
        # The places of the ring, the high ones first; and where each place stands among them.
        self._order, self._rank = np.arange(self.capacity), np.arange(self.capacity)
        self._high = 0
        self._returns: deque[float] = deque(maxlen=self.settings.episodes)
        # The numbers of the transitions of each lane's episode under way.
        self._open: dict[int, deque[int]] = {}

    def add(self, *args: Any, **kwargs: Any) -> None:
        if self.size == self.capacity:
            self._move(self.added % self.capacity, to_high=False)
        super().add(*args, **kwargs)

    def adder(self, lane: int) -> Callable[..., None]:
        def add(*args: Any, **kwargs: Any) -> None:
            self._open.setdefault(lane, deque(maxlen=self.capacity)).append(self.added)
            self.add(*args, **kwargs)

        return add

    def ended(self, lane: int, total: float | None) -> None:
        numbers = self._open.pop(lane, ())
        if total is None:
            return
        self._returns.append(total)
        if total > np.median(self._returns):
            for number in numbers:
                if number >= self.added - self.capacity:  # it has not been overwritten
                    self._move(number % self.capacity, to_high=True)

    def _move(self, place: int, to_high: bool) -> None:
        """Moves a place between the groups, by swapping it with one at their border."""
        if (self._rank[place] < self._high) == to_high:
            return
        border = self._high if to_high else self._high - 1
        rank, other = self._rank[place], self._order[border]
        self._order[rank], self._order[border] = other, place
        self._rank[other], self._rank[place] = rank, border
        self._high += 1 if to_high else -1

    def _choose(self) -> None:
        high, low = self._high, self.size - self._high
        self._rng.random(out=self._uniform)
        if not high or not low:
            ranks = self._uniform * self.size
        else:
            share = self.settings.high_share
            is_high = self._rng.random(self.batch_size) < share
            ranks = np.where(is_high, self._uniform * high, high + self._uniform * low)
        np.take(self._order, ranks.astype(np.int64), out=self._indices, mode="clip")

    def state(self) -> State:
        return {
            **super().state(),
            "order": self._order[: self.size].copy(),
            "high": self._high,
            "returns": list(self._returns),
            "open": {str(lane): list(numbers) for lane, numbers in self._open.items()},
        }

    def restore(self, state: State) -> None:
        super().restore(state)
        self._order[:] = np.arange(self.capacity)
        self._order[: self.size] = state["order"]
        self._rank[self._order] = np.arange(self.capacity)
        self._high = int(state["high"])
        self._returns.clear()
        self._returns.extend(state["returns"])
        self._open = {
            int(lane): deque(map(int, numbers), maxlen=self.capacity)
            for lane, numbers in state["open"].items()
        }
