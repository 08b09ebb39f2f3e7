"""A replay memory on disk: its transitions, written down as they come."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError, growing, naming, open_regular, regular
from rl.memory import Frames, Replay

SEGMENTS = 8  # that a full memory is spread over, about
PIECE = 1 << 14  # transitions that are copied at once
PIECE_BYTES = 1 << 26  # at most

Mark = Mapping[str, Any]  # a segment as a checkpoint knows it: file, first, count, sha256


class TransitionLog:
    """Files that only grow, each of a stretch of the memory's history.

    The memory is a ring, but counted from the first transition on, its history is a line. So what
    is new is appended and nothing that an earlier checkpoint needs is ever written over. A
    checkpoint keeps `marks`; what a file holds behind its mark came later, and is cut off once more
    is written. Segments that neither the memory nor a checkpoint needs any more are removed, and
    only the latest is open: however small the memory and however rare the checkpoints, there are
    few files, and fewer that are open.

    Args:
        folder: where the files go; it must exist.
        memory: whose transitions they hold, or the frames of one (`prefix` is "frames").
    """

    def __init__(self, folder: Path, memory: Replay | Frames, prefix: str = "transitions") -> None:
        self._folder, self._memory, self._prefix = folder, memory, prefix
        size = memory.record_type.itemsize
        self._piece = max(1, min(PIECE, PIECE_BYTES // size))
        self._length = max(1, memory.capacity // SEGMENTS)
        self._segments: list[_Segment] = []
        self._marked = 0  # end of the latest segment that a checkpoint may know

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
            last = min(memory.added, first + self._piece, segment.first + self._length)
            segment.append(memory.records(first, last).tobytes(), last - first)
            first = last

    def _at(self, first: int) -> _Segment:
        """The segment that transition number `first` goes into."""
        latest = self._segments[-1] if self._segments else None
        if latest is None or latest.end != first or latest.count >= self._length:
            if latest:
                latest.close()
            self._drop_unmarked()
            latest = _Segment(self._folder / f"{self._prefix}_{first:012d}.bin", first)
            self._segments.append(latest)
        return latest

    def _drop_unmarked(self) -> None:
        """Removes what has come and gone since the latest checkpoint."""
        oldest = self._memory.added - self._memory.size
        for segment in list(self._segments):
            if segment.first >= self._marked and segment.end <= oldest:
                self._segments.remove(segment)
                segment.path.unlink(missing_ok=True)

    def marks(self) -> list[Mark]:
        """What has been written, for a checkpoint."""
        self._marked = self._segments[-1].end if self._segments else 0
        oldest = self._memory.added - self._memory.size
        return [segment.mark() for segment in self._segments if segment.end > oldest]

    def sync(self, marks: Sequence[Mark]) -> None:
        """Sees to it that what is marked outlasts a power cut; another thread may write on.

        Raises:
            OSError: it cannot be written.
        """
        marked = {mark["file"] for mark in marks}
        for segment in list(self._segments):
            if segment.path.name in marked:
                segment.sync()

    def prune(self, oldest: int) -> None:
        """Removes the files all of whose transitions came before number `oldest`."""
        files = sorted(self._folder.glob(f"{self._prefix}_*.bin"))
        gone = {path for path, after in pairwise(files) if _first(after) <= oldest}
        self._segments = [segment for segment in self._segments if segment.path not in gone]
        for path in gone:
            path.unlink(missing_ok=True)

    def check(self, marks: Sequence[Mark]) -> None:
        """Refuses marks whose files are not what they were.

        Raises:
            CheckpointError: the message names the file.
            OSError: it cannot be read.
        """
        for mark in marks:
            path = self._folder / mark["file"]
            digest = hashlib.sha256()
            try:
                for piece in self._pieces(mark):
                    digest.update(piece)
            except FileNotFoundError:
                raise CheckpointError(f"{path}: is missing") from None
            if digest.hexdigest() != mark["sha256"]:
                raise CheckpointError(f"{path}: is damaged", path)

    def load(self, marks: Sequence[Mark]) -> None:
        """Puts the transitions of `marks`, which were checked, into the memory, and goes on there.

        Raises:
            OSError: a file cannot be read.
            ValueError: its transitions are of another size than the memory's.
        """
        self.close()
        kind = self._memory.record_type
        for mark in marks:
            if (self._folder / mark["file"]).stat().st_size < mark["count"] * kind.itemsize:
                raise ValueError("its transitions have another size, perhaps no action masks")
            segment = _Segment(self._folder / mark["file"], mark["first"])
            self._segments.append(segment)
            for piece in self._pieces(mark):
                self._memory.put(segment.end, np.frombuffer(piece, kind))
                segment.skip(piece, len(piece) // kind.itemsize)
        self._marked = self._segments[-1].end if self._segments else 0

    def _pieces(self, mark: Mark) -> Iterator[bytes]:
        size = self._memory.record_type.itemsize
        path = self._folder / mark["file"]
        with naming(path), open_regular(path) as file:
            for start in range(0, mark["count"], self._piece):
                yield file.read(min(self._piece, mark["count"] - start) * size)

    def close(self) -> None:
        """Closes the file that is open."""
        for segment in self._segments:
            segment.close()
        self._segments.clear()


def _first(path: Path) -> int:
    """The number of a file's first transition."""
    return int(path.stem.rpartition("_")[2])


class _Segment:
    """One file, of transitions number `first` to `end` - 1; it is open while it is written to."""

    def __init__(self, path: Path, first: int) -> None:
        self.path, self.first, self.count = path, first, 0
        self._digest = hashlib.sha256()
        self._file: int | None = None
        self._bytes = 0
        self._is_synced = True

    @property
    def end(self) -> int:
        return self.first + self.count

    def append(self, records: bytes, count: int) -> None:
        """Writes `count` further transitions behind those that are there."""
        if self._file is None:  # raw: what another thread syncs is what was written
            self._file = self._open(os.O_CREAT)
        with growing(self.path, self._bytes):
            os.lseek(self._file, self._bytes, os.SEEK_SET)
            self._is_synced = False
            left = memoryview(records)
            while left:
                left = left[os.write(self._file, left) :]
            self.skip(records, count)
            os.ftruncate(self._file, self._bytes)

    def _open(self, more: int = 0) -> int:
        return regular(self.path, os.O_RDWR | more)

    def skip(self, records: bytes, count: int) -> None:
        """Takes transitions as written that are there already."""
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
        """Flushes what was written by any descriptor; the writer's may be closed meanwhile."""
        if not self._is_synced:
            self._is_synced = True
            with naming(self.path):
                file = self._open()
                try:
                    os.fsync(file)
                finally:
                    os.close(file)

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)
