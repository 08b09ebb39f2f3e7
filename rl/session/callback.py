"""Callbacks: what wants to know how sessions go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rl.console.signals import is_asked

if TYPE_CHECKING:
    from rl.session.job import Job, Outcome
    from rl.session.player import Player
    from rl.session.progress import Progress
    from rl.session.session import Session


class Callback:
    """Is called as sessions go on; a subclass overrides the methods that it needs.

    Displays, loggers and searches are callbacks, and so is what a user passes to `rl.train`. All
    methods are called in the process that asked for the sessions, wherever these run. What a
    callback raises ends the run, once all is saved.
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
    """Several callbacks, called in their order.

    Args:
        callbacks: the callbacks.
        failed: is told what one raises, which is then called no more; by default it is raised.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback],
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._callbacks, self._failed = list(callbacks), failed

    def _each(self, call: Callable[[Callback], None]) -> None:
        for each in list(self._callbacks):
            try:
                call(each)
            except BaseException as error:
                if self._failed is None or is_asked(error):
                    raise
                self._callbacks.remove(each)
                self._failed(error)

    def started(self, job: Job, session: Session) -> None:
        self._each(lambda each: each.started(job, session))

    def progressed(self, job: Job, progress: Progress) -> None:
        self._each(lambda each: each.progressed(job, progress))

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        self._each(lambda each: each.evaluated(job, progress, player))

    def restarted(self, job: Job, reason: str) -> None:
        self._each(lambda each: each.restarted(job, reason))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._each(lambda each: each.ended(job, outcome))

    def noted(self, text: str) -> None:
        self._each(lambda each: each.noted(text))
