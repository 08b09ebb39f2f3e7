"""How a session stands."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """How a session stands; the values are the words of `session.json`."""

    RUNNING = "running"
    SOLVED = "solved"
    FINISHED = "finished"  # all steps are done
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"


# The words of a session that has done all that it was to do.
ENDS = (Status.SOLVED.value, Status.FINISHED.value)
