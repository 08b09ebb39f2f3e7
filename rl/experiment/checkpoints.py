"""What a session saves while it learns: its policies, and everything that it needs to go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from nn import checkpoint
from nn.checkpoint import CheckpointError
from nn.typing import State
from rl.experiment.transition_log import TransitionLog
from rl.memory import Replay
from rl.run_folder import SessionFolder


class Checkpoints:
    """Saves in a thread of its own, so that the disk does not hold up what learns.

    Beside the policies there are two complete checkpoints, the latest and the one before: what
    damages the one leaves the other. The transitions of a replay memory are written as they come
    (`TransitionLog`), and a complete checkpoint says how much of them it has seen.

    Args:
        folder: of the session; it must exist.
        memory: the agent's replay memory, if it has one.
    """

    def __init__(self, folder: SessionFolder, memory: Replay | None) -> None:
        self._folder = folder
        self._log = TransitionLog(folder.resume, memory) if memory else None
        self._oldest = [0, 0]  # transitions that the two complete checkpoints need
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future[None] | None = None

    def note(self) -> None:
        """Writes down the transitions that have come since, so that `save` has little to write.

        Raises:
            OSError: they cannot be written.
        """
        if self._log:
            self._log.write()

    def save(
        self, state: State, policies: Mapping[str, State], sync: Callable[[], None] | None = None
    ) -> None:
        """Saves everything; returns once that has begun, and the save before it is complete.

        Args:
            state: complete but for the transitions. It must hold copies of what changes.
            policies: for players, by the names of their checkpoints.
            sync: sees to it that what `state` relies on is on the disk.

        Raises:
            OSError: something cannot be written, now or in the save before.
        """
        self.wait()
        marks = []
        if self._log:
            self._log.write()
            marks = self._log.marks()
            self._log.prune(self._oldest[0])
            self._oldest = [self._oldest[1], marks[0]["first"] if marks else 0]
        whole = {**state, "transitions": marks}
        self._pending = self._thread.submit(self._write, whole, policies, sync)

    def _write(
        self, state: State, policies: Mapping[str, State], sync: Callable[[], None] | None
    ) -> None:
        folder = self._folder
        for name, policy in policies.items():
            checkpoint.save(folder.checkpoint(name), policy)
        if sync:
            sync()
        if self._log:
            self._log.sync()
        new, latest, previous = (folder.resume / f"{name}.npz" for name in ("new", *_GENERATIONS))
        checkpoint.save(new, state)
        if latest.exists():
            latest.replace(previous)
        new.replace(latest)

    def wait(self) -> None:
        """Waits until what was saved is on the disk.

        Raises:
            OSError: it cannot be written.
        """
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def load(self, accept: Callable[[State], None]) -> tuple[State | None, list[str]]:
        """The latest complete checkpoint that is whole, with its transitions put in place.

        Args:
            accept: raises a `CheckpointError` if what a checkpoint relies on is not there.

        Returns:
            It, or None, and what is wrong with those that were passed over.
        """
        complaints: list[str] = []
        for name in _GENERATIONS:
            path = self._folder.resume / f"{name}.npz"
            if not path.exists():
                continue
            try:
                state = checkpoint.load(path)
                accept(state)
                self._take_over(state)
                return state, complaints
            except CheckpointError as error:
                complaints.append(str(error))
                path.unlink()
        return None, complaints

    def _take_over(self, state: State) -> None:
        if self._log:
            self._log.check(state["transitions"])
            self._log.load(state["transitions"])

    def close(self) -> None:
        """Ends the thread, once it has saved what it was given, and closes the files."""
        self._thread.shutdown()
        if self._log:
            self._log.close()

    def discard(self) -> None:
        """Removes what is needed to go on; the policies stay."""
        shutil.rmtree(self._folder.resume, ignore_errors=True)


_GENERATIONS = ("latest", "previous")
