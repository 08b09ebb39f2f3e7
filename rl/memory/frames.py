"""Pictures that are kept once, however many observations show them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from nn.typing import Array, IntArray, State

_KNOWN = 1_024  # the latest frames, of all lanes, that are looked for before one is kept again
_SPARE = 16  # one place in so many is for frames that no transition begins with


class Frames:
    """A ring of frames, each of which is in use for as long as a transition of the memory shows it.

    An observation is made of `count` frames, one behind the other, and is known by their numbers,
    in the order of adding. A frame is found again by its content; so it does not matter how lanes,
    episodes and steps follow each other. The ring grows when the frames in use are too many, as of
    very short episodes.

    Args:
        transitions: of the memory.
        observation_size: n.
        count: frames of an observation.
        dtype: of their numbers.
    """

    def __init__(self, transitions: int, observation_size: int, count: int, dtype: Any) -> None:
        self._count, self._transitions = count, transitions
        self.capacity = self.places(transitions)
        self._ring = np.zeros((self.capacity, observation_size // count), dtype)
        self._used = np.full(self.capacity, -transitions)  # the latest transition of each place
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self.added = 0  # frames, ever
        self._oldest = 0  # no frame before this one is in use
        self._latest = 0  # the number of the latest transition

    @staticmethod
    def places(transitions: int) -> int:
        """Frames that are expected of so many transitions."""
        return transitions + transitions // _SPARE + _KNOWN

    def add(self, transition: int, observation: Array) -> IntArray:
        """Keeps what is new of an observation [n] of a transition; returns its numbers [count]."""
        self._latest = transition
        rows = observation.reshape(self._count, -1)
        return np.array([self._number(row) for row in rows], np.int64)

    def _number(self, row: Array) -> int:
        """The number of a frame, which the latest transition shows."""
        content = row.tobytes()
        number = self._known.get(content)
        if number is None or number < max(self._oldest, self.added - self.capacity):
            number = self._append(row)
        self._used[number % self.capacity] = self._latest
        self._know(content, number)
        return number

    def _know(self, content: bytes, number: int) -> None:
        self._known[content] = number
        self._known.move_to_end(content)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _append(self, row: Array) -> int:
        if self._is_used(self.added):
            self._resize(self.capacity + self.capacity // _SPARE + 1)
        self._ring[self.added % self.capacity] = row
        self.added += 1
        return self.added - 1

    def _is_used(self, number: int) -> bool:
        """Whether a transition that is there shows the frame in the place of this number."""
        return bool(self._used[number % self.capacity] > self._latest - self._transitions)

    @property
    def size(self) -> int:
        """Frames from the oldest in use to the newest."""
        self._oldest = max(self._oldest, self.added - self.capacity)
        while self._oldest < self.added and not self._is_used(self._oldest):
            self._oldest += 1
        return self.added - self._oldest

    def _resize(self, capacity: int) -> None:
        """Moves the latest frames into a ring of another capacity."""
        numbers = np.arange(max(self.added - self.capacity, 0), self.added)
        before, after = numbers % self.capacity, numbers % capacity
        ring = np.zeros((capacity, self._ring.shape[1]), self._ring.dtype)
        used = np.full(capacity, -self._transitions)
        ring[after], used[after] = self._ring[before], self._used[before]
        self._ring, self._used, self.capacity = ring, used, capacity

    def gather(self, numbers: IntArray, out: Array) -> None:
        """Writes the observations [B, n] that are made of frames [B, count]."""
        rows = out.reshape(-1, self._ring.shape[1])
        self._ring.take(numbers.ravel() % self.capacity, axis=0, out=rows, mode="clip")

    @property
    def record_type(self) -> np.dtype[Any]:
        """Of a frame in a file."""
        return np.dtype((self._ring.dtype, self._ring.shape[1:]))

    def records(self, first: int, last: int) -> Array:
        """A copy of frames number `first` to `last` - 1."""
        return self._ring[np.arange(first, last) % self.capacity]

    def put(self, first: int, records: Array) -> None:
        """Puts frames back in the places they had, all of them before any is added."""
        if first != self.added:
            self._known.clear()
            self._used.fill(-self._transitions)
            self._oldest = self.added = first
        last = first + len(records)
        if last - self._oldest > self.capacity:
            self._resize(last - self._oldest)
        self.added = last
        self._ring[np.arange(first, last) % self.capacity] = records
        for number in range(max(first, last - _KNOWN), last):
            self._know(records[number - first].tobytes(), number)

    def use(self, transitions: IntArray, numbers: IntArray) -> None:
        """Says which frames [k, count] transitions [k] show, which were put back."""
        np.maximum.at(self._used, numbers % self.capacity, transitions[:, None])

    def state(self) -> State:
        """What `restore` needs beside the frames."""
        return {"added": self.added}

    def restore(self, state: State, latest: int) -> None:
        """Takes over a saved state; `latest` is the number of the latest transition."""
        self.added, self._latest = int(state["added"]), latest
