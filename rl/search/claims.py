"""Claims of trials by processes that share a search: locks that end with the process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from rl.storage.run_folder import RunFolder, TrialFolder
from rl.storage.session_folder import is_unfinished

if TYPE_CHECKING:
    from filelock import BaseFileLock

ENDED = ("complete", "pruned", "diverged", "failed", "refused")  # states of a trial


def has_ended(trial: TrialFolder) -> bool:
    """Returns True if nothing is left to do in a trial.

    Earlier versions marked a trial whose processes were killed as failed.
    """
    state = trial.read_result().get("state")
    if state == "failed":
        return not any(is_unfinished(session.read_outcome()) for session in trial.sessions())
    return state in ENDED


class Claims:
    """The trials that this process has claimed.

    Args:
        folder: of the search.
        again: whether a trial that has ended can be claimed, to tell the method its result.
    """

    def __init__(self, folder: RunFolder, again: bool) -> None:
        self._folder, self._again = folder, again
        self._locks: dict[int, BaseFileLock] = {}
        self._ended: set[int] = set()  # those that cannot be claimed again

    def claim(self, number: int) -> bool:
        """Claims a trial; returns False if it is claimed or has ended."""
        if number in self._ended or not (lock := self._lock(number)):
            return False
        if not self._again and has_ended(self._folder.trial(number)):
            self._ended.add(number)
            lock.release()
            return False
        self._locks[number] = lock
        return True

    def _lock(self, number: int) -> BaseFileLock | None:
        """The lock of a trial, held; None if it is held already."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._file(f"trial_{number:03d}"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _file(self, name: str) -> Path:
        locks = self._folder.path / "locks"
        locks.mkdir(exist_ok=True)
        return locks / f"{name}.lock"

    def others(self) -> list[int]:
        """The trials that other processes have claimed in this folder."""
        running = [trial.number for trial in self._folder.trials() if not has_ended(trial)]
        return [number for number in running if number not in self._locks and self._is_held(number)]

    def _is_held(self, number: int) -> bool:
        if lock := self._lock(number):
            lock.release()
        return lock is None

    def alone(self) -> AbstractContextManager[object]:
        """Within, no other process writes the files of the whole search; waits for that."""
        from filelock import FileLock

        return FileLock(self._file("search"))

    def release(self, number: int) -> None:
        """Releases a trial."""
        self._locks.pop(number).release()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._locks):
            self.release(number)
