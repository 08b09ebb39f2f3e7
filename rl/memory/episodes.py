"""Complete episodes, for agents that learn from how they ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.typing import Array, BoolArray, State
from rl.memory.rollout import Steps

Row = tuple[Any, ...]  # a step of one lane, with an entry for each of `Steps`


class Episodes:
    """The steps of each lane's episode until it ends, and those of the episodes that have ended.

    Args:
        lanes: N.
        episodes: that must have ended before they are learned from.
    """

    horizon = 1  # steps of each lane between two updates, at least

    def __init__(self, lanes: int, episodes: int) -> None:
        self.lanes, self._wanted = lanes, episodes
        self._under_way: list[list[Row]] = [[] for _ in range(lanes)]
        self._complete: list[Row] = []
        self._ended = 0  # the episodes that `_complete` holds

    @property
    def full(self) -> bool:
        """Whether as many episodes have ended as are learned from at once."""
        return self._ended >= self._wanted

    @property
    def steps(self) -> Steps:
        """The steps of the complete episodes, one behind the other as if of one lane [T, 1]."""
        columns = _columns(self._complete)
        lane: list[Any] = [None if each is None else each[:, None] for each in columns]
        return Steps(*lane)

    def add(
        self, observations: Array, actions: Array, rewards: Array, next_observations: Array,
        terminated: Array, truncated: Array, masks: BoolArray | None = None,
    ) -> None:  # fmt: skip
        """Stores a step of all lanes: each array has N rows; `masks` are of the actions taken."""
        cuts = terminated | truncated
        for lane, row in enumerate(self._under_way):
            at = observations, actions, rewards, next_observations, terminated, cuts
            mask = None if masks is None else masks[lane].copy()
            row.append((*(np.array(each[lane], _kind(each)) for each in at), mask))
            if cuts[lane]:
                self._complete += row
                self._ended += 1
                row.clear()

    def clear(self) -> None:
        """Forgets the episodes that have ended."""
        self._complete, self._ended = [], 0

    def cut(self, lane: int) -> None:
        """Forgets a lane's episode under way, which will not end."""
        self._under_way[lane].clear()

    def state(self) -> State:
        """What `restore` needs."""
        return {
            "ended": self._ended,
            "complete": _saved(self._complete),
            "under_way": {str(lane): _saved(rows) for lane, rows in enumerate(self._under_way)},
        }

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._ended, self._complete = int(state["ended"]), _rows(state["complete"])
        self._under_way = [_rows(state["under_way"][str(lane)]) for lane in range(self.lanes)]


def _kind(array: Array) -> Any:
    """NumPy's type of what is learned from: numbers are float32, actions may be integers."""
    return np.float32 if array.dtype.kind in "fb" else array.dtype


def _columns(rows: list[Row]) -> list[Array | None]:
    """The entries of rows, one array for each."""
    return [None if each[0] is None else np.stack(each) for each in zip(*rows, strict=True)]


def _saved(rows: list[Row]) -> State:
    columns = zip(Steps._fields, _columns(rows), strict=False)
    return {name: column for name, column in columns if column is not None}


def _rows(saved: State) -> list[Row]:
    if not saved:
        return []
    columns = [saved.get(name) for name in Steps._fields]
    length = len(saved["rewards"])
    return [tuple(None if each is None else each[row] for each in columns) for row in range(length)]
