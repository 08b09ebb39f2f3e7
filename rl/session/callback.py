"""Callbacks: what wants to know how sessions go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rl.session.job import Job, Outcome
    from rl.session.player import Player
    from rl.session.progress import Progress
    from rl.session.session import Session


class Callback:
    """Is called as sessions go on; a subclass overrides the methods that it needs.

    Displays, loggers and searches are callbacks, and so is what a user passes to `rl.train`. All
    methods are called in the process that asked for the sessions, wherever these run. What a
    callback raises ends the run.
    """

    def started(self, job: Job, session: Session) -> None:
        """Called before the first step of a session that runs in this process."""

    def progressed(self, job: Job, progress: Progress) -> None:
        """Called a few times a second for each session that is running."""

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        """Called after each evaluation.

        Args:
            job: whose session it is.
            progress: how far the session is; `progress.evaluation` is the evaluation.
            player: the agent as it is now; None if the session runs in another process.
        """

    def restarted(self, job: Job, reason: str) -> None:
        """Called before a session goes on in another process, since the one before was lost."""
        self.noted(f"seed {job.seed} goes on in a new process: {reason}")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Called once a session has ended, or was stopped before it began."""

    def noted(self, text: str) -> None:
        """Called with anything else that a user wants to know."""


class Callbacks(Callback):
    """Several callbacks, called in their order."""

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._callbacks = list(callbacks)

    def started(self, job: Job, session: Session) -> None:
        for each in self._callbacks:
            each.started(job, session)

    def progressed(self, job: Job, progress: Progress) -> None:
        for each in self._callbacks:
            each.progressed(job, progress)

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        for each in self._callbacks:
            each.evaluated(job, progress, player)

    def restarted(self, job: Job, reason: str) -> None:
        for each in self._callbacks:
            each.restarted(job, reason)

    def ended(self, job: Job, outcome: Outcome) -> None:
        for each in self._callbacks:
            each.ended(job, outcome)

    def noted(self, text: str) -> None:
        for each in self._callbacks:
            each.noted(text)
