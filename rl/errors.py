"""The ways in which a run can fail that are not bugs."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What a part raises that is given a state which does not fit it.
MISFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LONGEST = 1000  # characters of a message


class UserError(Exception):
    """Something the user can put right; the message names the file, the key and the remedy."""

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def printable(text: str) -> str:
    """The text on one line that any terminal shows as it stands.

    Line ends, what steers a terminal, what reverses the direction of writing, and bytes of a file's
    name that are no text become spaces.
    """
    return "".join(each if each.isprintable() else " " for each in text)


def one_line(message: str) -> str:
    """The message as `printable` has it; its middle may go."""
    line = printable(message)
    half = _LONGEST // 2 - 5
    return line if len(line) <= _LONGEST else f"{line[:half]} ... {line[-half:]}"


class Busy(UserError):
    """Another process is at work in a folder."""


class DiskError(UserError):
    """The system refuses to read or to write a file; what the file holds is not known by that."""


@contextmanager
def on_disk(place: str | Path, what: str = "written", remedy: str = "") -> Iterator[None]:
    """Within, an `OSError` becomes a `DiskError`: "FILE: cannot be written: No space left".

    Args:
        place: is named where the error names no file.
        what: cannot be done to it.
        remedy: goes behind it.

    Raises:
        DiskError: for an error of the disk; that of a connection or a pipe stays what it is.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        reason = f"{error.filename or place}: cannot be {what}: {error.strerror or error}"
        raise DiskError(reason + (f"; {remedy}" if remedy else "")) from error


class _Brief(reprlib.Repr):
    """`repr`, shortened: values may be long, deep, or of more digits than Python writes."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 128 else f"a number of {x.bit_length()} bits"


def brief(value: Any) -> str:
    """A value as a message quotes it."""
    return _Brief().repr(value)


LOCAL = "local/"  # begins the id of an environment that only this process can make


class BrokenEnvironment(UserError):
    """An environment breaks a rule; what it has raised itself is the cause.

    Args:
        id: of the environment.
        found: which rule, and when.
    """

    def __init__(self, id: str, found: str) -> None:
        hint = "" if id.startswith(LOCAL) else f"; `rl doctor --env {id}` checks it"
        super().__init__(f"environment {id}: {found}{hint}")
        self.found = found


class Unseen(UserError):
    """An environment cannot be seen.

    Args:
        id: of the environment.
        found: what it does instead of drawing a picture.
    """

    def __init__(self, id: str, found: str) -> None:
        super().__init__(f"{id}: {found}")
        self.found = found


class Diverged(Exception):
    """A number that is not finite has appeared.

    Args:
        component: where it appeared, such as "loss" or "environment CartPole-v1".
        found: what was seen there.
    """

    exit_status = 3

    def __init__(self, component: str, found: str) -> None:
        super().__init__(f"{component}: {found}")
        self.component, self.found = component, found


class SessionsFailed(Exception):
    """All sessions of a call have failed; the message names why."""

    exit_status = 1
