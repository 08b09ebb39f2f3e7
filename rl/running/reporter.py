"""Reporting a session that runs here to another process, which may stop it."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.player import Player
from rl.session.progress import Progress
from rl.session.session import Session

SECONDS_BETWEEN_MESSAGES = 0.5


class Reporter(Callback):
    """Reports each evaluation of a session, and its progress now and then."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._stopped: str | None = None
        self._next = 0.0

    def send(self, kind: str, content: Any) -> None:
        """Sends a message: its kind, and the progress or a text."""
        raise NotImplementedError

    def listen(self) -> None:
        """Checks whether to stop; called a few times a second."""

    def stop(self, status: str) -> None:
        """Ends the session soon."""
        self._stopped = status
        if self._session:
            self._session.interrupt(status)

    def started(self, job: Job, session: Session) -> None:
        self._session = session
        if self._stopped:
            session.interrupt(self._stopped)

    def progressed(self, job: Job, progress: Progress) -> None:
        self.listen()
        if time.perf_counter() >= self._next:
            self._next = time.perf_counter() + SECONDS_BETWEEN_MESSAGES
            self.send("progressed", progress)

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        self.send("evaluated", progress)


class PipeReporter(Reporter):
    """Reports to the parent process; if that is gone, the session ends."""

    def __init__(self, line: Connection) -> None:
        super().__init__()
        self._line = line

    def noted(self, text: str) -> None:
        self.send("noted", text)

    def send(self, kind: str, content: Any) -> None:
        try:
            self._line.send((kind, content))
        except OSError:
            self.stop("interrupted")

    def listen(self) -> None:
        try:
            if self._line.poll():
                self.stop(self._line.recv())
        except (EOFError, OSError):
            self.stop("interrupted")
