"""Uniform experience replay (Lin 1992; Mnih et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn.limits import require_memory
from nn.settings import BaseSettings, SettingError, setting
from nn.typing import Array, BoolArray, IntArray, State
from rl.memory.frames import Frames

Records = np.ndarray[Any, np.dtype[np.void]]  # [k] transitions, with a field for each array


@dataclass(frozen=True)
class Batch:
    """B transitions. The arrays are overwritten by the next sample."""

    observations: Array  # [B, n]
    actions: Array  # [B] integers, or [B, k]
    rewards: Array  # [B]
    discounts: Array  # [B]: what multiplies the next value
    next_observations: Array  # [B, n]
    weights: Array | None = None  # [B]: of each one's error, or None where all count alike
    next_masks: Array | None = None  # [B, A] bool: the actions allowed next, or None for all


STORED = ("observations", "actions", "rewards", "discounts", "next_observations")


_OBSERVATIONS = ("observations", "next_observations")
DISCRETE: IntArray = np.zeros(0, np.int64)


class Replay:
    """A ring of transitions in preallocated arrays, sampled uniformly with replacement.

    The transitions are large and change only by being added to. So they are no part of `state`:
    `records` gives those that are new, and `put` takes them back.

    Args:
        observation_size: n.
        rng: draws the samples.
        settings: the capacity, and B.
        actions: an empty array [0] or [0, k] of the kind that holds actions.
        masks: A, the entries of a mask of the next actions; 0 if there are none. It takes a bit
            each.
        kind: of the observations' numbers; bytes stay bytes.
        frames: equal parts of an observation that each are kept once (`Frames`); 0 keeps every
            observation as it is.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those of `Replay`."""

        capacity: int = setting("maximum number of transitions; the oldest is overwritten", 100_000)
        batch_size: int = setting("transitions per sample", 64, least=1)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.capacity < self.batch_size:
                complaint = f"must be at least the batch_size, {self.batch_size}"
                raise SettingError("capacity", f"{complaint}, not {self.capacity}")

    settings: Settings
    _BESIDE = 0  # bytes that a subclass keeps beside each transition

    def __init__(
        self,
        observation_size: int,
        rng: np.random.Generator,
        settings: Settings | None = None,
        actions: Array = DISCRETE,
        masks: int = 0,
        kind: Any = np.float32,
        frames: int = 0,
    ) -> None:
        self.settings = settings = settings or self.Settings()
        self._masks = masks
        self._names = (*STORED, "next_masks") if masks else STORED
        capacity, batch_size = settings.capacity, settings.batch_size
        entries, numbers = (frames, np.int64) if frames else (observation_size, kind)
        row = _arrays(1, entries, numbers, actions, masks)
        seen = _arrays(1, observation_size, kind, actions, masks)
        sizes = [sum(getattr(each, name).nbytes for name in self._names) for each in (row, seen)]
        size = capacity * (sizes[0] + self._BESIDE) + batch_size * (sizes[1] + self._BESIDE)
        if frames:
            size += Frames.places(capacity) * seen.observations.nbytes // frames
        require_memory("capacity", capacity, size)
        self.capacity, self.batch_size = capacity, batch_size
        self.size = 0
        self.added = 0  # transitions, ever
        self._rng = rng
        self.frames = Frames(capacity, observation_size, frames, kind) if frames else None
        self._stored = _arrays(capacity, entries, numbers, actions, masks)
        self._batch = _arrays(batch_size, observation_size, kind, actions, masks)
        self._pairs = [
            (getattr(self._stored, name), getattr(self._batch, name))
            for name in self._names if not (frames and name in _OBSERVATIONS)
        ]  # fmt: skip
        self._uniform = np.empty(batch_size)
        self._indices = np.empty(batch_size, np.int64)
        self._prepare()

    def _prepare(self) -> None:
        """Makes what a subclass keeps."""

    def add(
        self,
        observation: Array,
        action: Any,
        reward: float,
        discount: float,
        next_observation: Array,
        next_mask: BoolArray | None = None,
    ) -> None:
        """Stores one transition: observation [n], action, reward, discount, next one [n].

        And, of a memory with masks, the one of the next actions [A].
        """
        place, stored, frames = self.added % self.capacity, self._stored, self.frames
        if frames:
            observation = frames.add(self.added, observation)
            next_observation = frames.add(self.added, next_observation)
        stored.observations[place] = observation
        stored.actions[place] = action
        stored.rewards[place] = reward
        stored.discounts[place] = discount
        stored.next_observations[place] = next_observation
        if stored.next_masks is not None and next_mask is not None:
            stored.next_masks[place] = np.packbits(next_mask)
        self.added += 1
        self.size = max(self.size, place + 1)

    def adder(self, lane: int) -> Callable[..., None]:
        """`add` for what happens in one lane, for a memory that tells episodes apart."""
        return self.add

    def ended(self, lane: int, total: float | None) -> None:
        """Called when an episode of `lane` ends, with its return; None if it was abandoned."""

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
        if frames := self.frames:
            for name in _OBSERVATIONS:
                numbers = getattr(self._stored, name)[self._indices]
                frames.gather(numbers, getattr(self._batch, name))
        if self._batch.next_masks is None:
            return self._batch
        bits = np.unpackbits(self._batch.next_masks, axis=1, count=self._masks)
        return replace(self._batch, next_masks=bits.view(np.bool_))

    def _choose(self) -> None:
        """Draws the places of a sample, into `_indices` [B]."""
        self._rng.random(out=self._uniform)
        np.multiply(self._uniform, self.size, out=self._uniform)
        np.copyto(self._indices, self._uniform, casting="unsafe")

    @property
    def latest(self) -> IntArray:
        """The numbers, in the order of adding, of the transitions of the latest sample [B]."""
        newest = self.added - 1
        return newest - (newest - self._indices) % self.capacity

    def update_priorities(self, errors: Array) -> None:
        """Updates the priorities of the latest sample by its errors [B]; here all count alike."""

    @property
    def record_type(self) -> np.dtype[np.void]:
        """Of one transition in a file."""
        fields = ((name, getattr(self._stored, name)) for name in self._names)
        return np.dtype([(name, array.dtype, array.shape[1:]) for name, array in fields])

    def records(self, first: int, last: int) -> Records:
        """A copy of the transitions that were added as number `first` to `last` - 1.

        Raises:
            ValueError: some of them are not there yet or no longer.
        """
        if not self.added - self.size <= first <= last <= self.added:
            raise ValueError(f"of transitions {first} to {last}, not all are in the memory")
        places = np.arange(first, last) % self.capacity
        records = np.empty(last - first, self.record_type)
        for name in self._names:
            records[name] = getattr(self._stored, name)[places]
        return records

    def put(self, first: int, records: Records) -> None:
        """Puts transitions back in the places they had; `first` is the number of the first one."""
        places = np.arange(first, first + len(records)) % self.capacity
        for name in self._names:
            getattr(self._stored, name)[places] = records[name]
        if frames := self.frames:
            for name in _OBSERVATIONS:
                frames.use(np.arange(first, first + len(records)), records[name])

    def state(self) -> State:
        """What `restore` needs beside the transitions: their number, the generator."""
        state: State = {"added": self.added, "rng": self._rng.bit_generator.state}
        return {**state, "frames": self.frames.state()} if self.frames else state

    def restore(self, state: State) -> None:
        """Takes over a saved state of a memory of the same capacity; `put` the transitions too."""
        self.added = int(state["added"])
        self.size = min(self.added, self.capacity)
        self._rng.bit_generator.state = state["rng"]
        if self.frames:
            self.frames.restore(state["frames"], self.added - 1)


def _arrays(length: int, observation_size: int, kind: Any, actions: Array, masks: int) -> Batch:
    return Batch(
        np.zeros((length, observation_size), kind),
        np.zeros((length, *actions.shape[1:]), actions.dtype),
        np.zeros(length, np.float32),
        np.zeros(length, np.float32),
        np.zeros((length, observation_size), kind),
        next_masks=np.zeros((length, -(-masks // 8)), np.uint8) if masks else None,
    )
