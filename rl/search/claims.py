"""Claims of trials by processes that share a search: locks that end with the process."""

from __future__ import annotations

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

    def claim(self, number: int) -> bool:
        """Claims a trial; returns False if another process has it or it has ended."""
        from filelock import FileLock, Timeout

        locks = self._folder.path / "locks"
        locks.mkdir(exist_ok=True)
        lock = FileLock(locks / f"trial_{number:03d}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        if has_ended(self._folder.trial(number)) and not self._again:
            lock.release()
            return False
        self._locks[number] = lock
        return True

    def release(self, number: int) -> None:
        """Releases a trial."""
        self._locks.pop(number).release()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._locks):
            self.release(number)
