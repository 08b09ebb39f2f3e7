"""Pictures, films and reports, which are made once everything is saved, and never cost a result."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rl.console.output import warn
from rl.console.signals import is_asked
from rl.errors import Unseen, UserError, one_line


def complain(line: str) -> None:
    """Prints a line on stderr, if that can be written."""
    with suppress(OSError, ValueError, AttributeError):
        warn(line)


@contextmanager
def optional(name: str, remedy: str, complain: Callable[[str], None] = complain) -> Iterator[None]:
    """Within, something to look at is made; if that fails, it only prints a line.

    An interruption by a signal, such as Ctrl-C, is printed too, and raised again.

    Args:
        name: what is made, such as "film.gif".
        remedy: what to do, or what makes it later.
        complain: prints the line.
    """
    try:
        yield
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        asked = is_asked(error)
        complain(not_made(name, "interrupted" if asked else reason(error), remedy))
        if asked:
            raise


def not_made(name: str, reason: str, remedy: str) -> str:
    """The line of `optional`."""
    was = "were" if name.endswith("s") else "was"
    return one_line(f"{name} {was} not made: {reason}; {remedy}")


def reason(error: BaseException) -> str:
    """Why something failed, in one line: the exception, and its place if it names none."""
    if isinstance(error, UserError):
        return error.found if isinstance(error, Unseen) else str(error)
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if isinstance(error.filename, str) else ""
        return f"{file}{error.strerror}"
    said = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())[:200]
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else said
