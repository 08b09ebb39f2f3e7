"""A replay memory on disk: its transitions, written down as they come."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError
from rl.memory import Replay

SEGMENTS = 8  # that a full memory is spread over, about
PIECE = 1 << 14  # transitions that are copied at once

Mark = Mapping[str, Any]  # a segment as a checkpoint knows it: file, first, count, sha256


class TransitionLog:
    """Files that only grow, each of a stretch of the memory's history.

    The memory is a ring, but counted from the first transition on, its history is a line. So what
    is new is appended and nothing that an earlier checkpoint needs is ever written over. A
    checkpoint keeps `marks`; what a file holds behind its mark came later, and is cut off by
    `load`. Segments that are wholly older than the memory are removed by `prune`.

    Args:
        folder: where the files go; it must exist.
        memory: whose transitions they hold.
    """

    def __init__(self, folder: Path, memory: Replay) -> None:
        self._folder, self._memory = folder, memory
        self._length = max(1, memory.capacity // SEGMENTS)
        self._segments: list[_Segment] = []

    def write(self) -> None:
        """Appends the transitions that are new; a copy of a piece of them is all it needs.

        Raises:
            OSError: they cannot be written.
        """
        memory = self._memory
        first = memory.added - memory.size
        if self._segments:
            first = max(first, self._segments[-1].end)
        while first < memory.added:
            segment = self._at(first)
            last = min(memory.added, first + PIECE, segment.first + self._length)
            segment.append(memory.records(first, last).tobytes(), last - first)
            first = last

    def _at(self, first: int) -> _Segment:
        """The segment that transition number `first` goes into."""
        latest = self._segments[-1] if self._segments else None
        if latest is None or latest.end != first or latest.count >= self._length:
            latest = _Segment(self._folder / f"transitions_{first:012d}.bin", first)
            self._segments.append(latest)
        return latest

    def marks(self) -> list[Mark]:
        """What has been written, for a checkpoint."""
        oldest = self._memory.added - self._memory.size
        return [segment.mark() for segment in self._segments if segment.end > oldest]

    def sync(self) -> None:
        """Sees to it that what was written outlasts a power cut; another thread may write on."""
        for segment in list(self._segments):
            segment.sync()

    def prune(self, oldest: int) -> None:
        """Removes the files all of whose transitions came before number `oldest`."""
        files = sorted(self._folder.glob("transitions_*.bin"))
        for path, following in pairwise(files):
            if _first(following) <= oldest:
                for segment in [each for each in self._segments if each.path == path]:
                    segment.close()
                    self._segments.remove(segment)
                path.unlink(missing_ok=True)

    def check(self, marks: Sequence[Mark]) -> None:
        """Refuses marks whose files are not what they were.

        Raises:
            CheckpointError: the message names the file.
        """
        for mark in marks:
            path = self._folder / mark["file"]
            digest = hashlib.sha256()
            try:
                for piece in self._pieces(mark):
                    digest.update(piece)
            except OSError as error:
                raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
            if digest.hexdigest() != mark["sha256"]:
                raise CheckpointError(f"{path}: is damaged")

    def load(self, marks: Sequence[Mark]) -> None:
        """Puts the transitions of `marks`, which were checked, into the memory, and goes on there.

        Raises:
            OSError: a file cannot be read or cut.
        """
        self.close()
        kind = self._memory.record_type
        for mark in marks:
            segment = _Segment(self._folder / mark["file"], mark["first"])
            self._segments.append(segment)
            for piece in self._pieces(mark):
                self._memory.put(segment.end, np.frombuffer(piece, kind))
                segment.skip(piece, len(piece) // kind.itemsize)

    def _pieces(self, mark: Mark) -> Iterator[bytes]:
        size = self._memory.record_type.itemsize
        with open(self._folder / mark["file"], "rb") as file:
            for start in range(0, mark["count"], PIECE):
                yield file.read(min(PIECE, mark["count"] - start) * size)

    def close(self) -> None:
        """Closes the files."""
        for segment in self._segments:
            segment.close()
        self._segments.clear()


def _first(path: Path) -> int:
    """The number of a file's first transition."""
    return int(path.stem.rpartition("_")[2])


class _Segment:
    """One file, of transitions number `first` to `end` - 1."""

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first, self.count = path, first, 0
        self._digest = hashlib.sha256()
        # Raw: what another thread syncs is what was written.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
        self._bytes = 0
        self._is_synced = True

    @property
    def end(self) -> int:
        return self.first + self.count

    def append(self, records: bytes, count: int) -> None:
        """Writes `count` further transitions behind those that are there."""
        os.lseek(self._file, self._bytes, os.SEEK_SET)
        self._is_synced = False
        left = memoryview(records)
        while left:
            left = left[os.write(self._file, left) :]
        self._count(records, count)
        os.ftruncate(self._file, self._bytes)

    def skip(self, records: bytes, count: int) -> None:
        """Takes transitions as written that are there already."""
        self._count(records, count)

    def _count(self, records: bytes, count: int) -> None:
        self._digest.update(records)
        self._bytes += len(records)
        self.count += count

    def mark(self) -> Mark:
        return {
            "file": self.path.name,
            "first": self.first,
            "count": self.count,
            "sha256": self._digest.hexdigest(),
        }

    def sync(self) -> None:
        if not self._is_synced:
            self._is_synced = True
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)
