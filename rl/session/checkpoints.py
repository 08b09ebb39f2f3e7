"""Checkpoints: a session's policies, and everything that it needs to resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from nn import checkpoint
from nn.checkpoint import CheckpointError, sync_folder
from nn.typing import State
from rl.memory import Replay
from rl.session.transition_log import Mark, TransitionLog
from rl.storage.files import is_there
from rl.storage.session_folder import SessionFolder


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
        kept = {"frames": memory and memory.frames, "transitions": memory}  # in this order
        self._logs = {
            name: TransitionLog(folder.resume, each, name) for name, each in kept.items() if each
        }
        # The first of each that the two complete checkpoints need.
        self._oldest = {name: [0, 0] for name in self._logs}
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future[None] | None = None

    def note(self) -> None:
        """Writes down the transitions that have come since, so that `save` has little to write.

        Raises:
            OSError: they cannot be written.
        """
        for log in self._logs.values():
            log.write()

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
        marks: dict[str, list[Mark]] = {"transitions": []}
        for name, log in self._logs.items():
            log.write()
            marks[name] = log.marks()
            log.prune(self._oldest[name].pop(0))
            self._oldest[name].append(marks[name][0]["first"] if marks[name] else 0)
        whole = {**state, **marks}
        self._pending = self._thread.submit(self._write, whole, policies, sync)

    def _write(
        self, state: State, policies: Mapping[str, State], sync: Callable[[], None] | None
    ) -> None:
        folder = self._folder
        for name, policy in policies.items():
            checkpoint.save(folder.checkpoint(name), policy)
        if sync:
            sync()
        for name, log in self._logs.items():
            log.sync(state[name])
        new, latest, previous = (folder.resume / f"{name}.npz" for name in ("new", *_GENERATIONS))
        checkpoint.save(new, state)
        if is_there(latest):
            latest.replace(previous)
        new.replace(latest)
        sync_folder(folder.resume)

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

        What is passed over is renamed. If none is left, so is what they rely on and is damaged.

        Args:
            accept: raises a `CheckpointError` if what a checkpoint relies on is not there.

        Returns:
            It, or None, and what is wrong with those that were passed over.

        Raises:
            OSError: a file cannot be read; nothing was touched.
        """
        complaints: list[str] = []
        relied_on: set[Path] = set()
        for name in _GENERATIONS:
            path = self._folder.resume / f"{name}.npz"
            if not is_there(path):
                continue
            try:
                state = checkpoint.load(path)
                accept(state)
                self._take_over(state)
                return state, complaints
            except CheckpointError as error:
                complaints.append(str(error))
                relied_on |= {error.file} if error.file else set()
                _set_aside(path)
        for path in relied_on:
            _set_aside(path)
        return None, complaints

    def _take_over(self, state: State) -> None:
        for name, log in self._logs.items():
            log.check(state[name])
        for name, log in self._logs.items():
            log.load(state[name])

    def close(self) -> None:
        """Ends the thread, once it has saved what it was given, and closes the files."""
        self._thread.shutdown()
        for log in self._logs.values():
            log.close()

    @property
    def size(self) -> int:
        """Bytes that continuing beyond the end needs."""
        return sum(path.stat().st_size for path in self._folder.resume.iterdir() if _is_kept(path))

    def discard(self, keep: bool = False) -> None:
        """Removes what resuming needs; the policies stay, and so do damaged files.

        Args:
            keep: whether to keep what continuing beyond the end needs.
        """
        folder = self._folder.resume
        with suppress(OSError):  # the session has ended: what is left is of no harm
            for path in folder.iterdir():
                if DAMAGED not in path.suffixes and not (keep and _is_kept(path)):
                    path.unlink()
            if not keep:
                folder.rmdir()


def _is_kept(path: Path) -> bool:
    """Whether continuing beyond the end needs a file."""
    return path.name != f"{_GENERATIONS[1]}.npz" and DAMAGED not in path.suffixes


def _set_aside(path: Path) -> None:
    """Renames a file to NAME.damaged, or NAME.2.damaged where there is one already."""
    number, aside = 1, path.with_name(path.name + DAMAGED)
    while is_there(aside):
        number += 1
        aside = path.with_name(f"{path.name}.{number}{DAMAGED}")
    path.rename(aside)


_GENERATIONS = ("latest", "previous")
DAMAGED = ".damaged"
