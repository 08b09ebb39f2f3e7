"""How a session stands."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """How a session stands; the values are the words of `session.json`."""

    RUNNING = "running"
    SOLVED = "solved"
    FINISHED = "finished"  # all steps are done
    STOPPED = "stopped"  # by a callback
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"


# The words of a session that has learned all that it was to learn.
ENDS = (Status.SOLVED.value, Status.FINISHED.value, Status.STOPPED.value)
