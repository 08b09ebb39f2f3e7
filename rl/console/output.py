"""Printing lines that every terminal shows as they are, whatever they quote."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rl.console.place import shown
from rl.errors import printable

_ours: list[tuple[Any, Any]] = []  # streams for output and errors, of each `lenient` under way

_above: list[Callable[[str], None]] = []  # print a line above what a terminal redraws


def say(*lines: object) -> None:
    """Prints lines; control characters in them are escaped."""
    for line in lines:
        _print(str(line), _streams()[0])


def warn(line: object) -> None:
    """Prints a line of this program to the standard error, if that can be written."""
    stream = _streams()[1]
    if stream is not None:
        with suppress(OSError, ValueError):
            _print(f"rl: {line}", stream)


def _streams() -> tuple[Any, Any]:
    """This program's streams, whatever an environment has put in their place meanwhile."""
    return _ours[-1] if _ours else (sys.stdout, sys.stderr)


def _print(line: str, stream: TextIO) -> None:
    if getattr(stream, "closed", False):  # by foreign code
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    line = printable(shown(line)).encode(encoding, "replace").decode(encoding)
    if _above and stream.isatty():
        _above[-1](line)
    else:
        print(line, file=stream, flush=True)


@contextmanager
def above(printing: Callable[[str], None]) -> Iterator[None]:
    """Within, lines for a terminal are printed by `printing`, above lines that are redrawn."""
    _above.append(printing)
    try:
        yield
    finally:
        _above.pop()


@contextmanager
def lenient() -> Iterator[Callable[[], OSError | None]]:
    """Within, output that cannot be written is dropped, and nothing fails.

    A pipe may have lost its reader, a disk be full, a terminal be gone, a stream be closed from the
    beginning or lack characters. Streams that someone has replaced are left alone.

    Yields:
        A function that flushes the standard output and returns why some of it was dropped, if so.
    """
    before = sys.stdout, sys.stderr
    out, err = _lenient("stdout", 1), _lenient("stderr", 2)
    _ours.append((out or before[0], err or before[1]))
    sys.stdout, sys.stderr = _ours[-1]

    def lost() -> OSError | None:
        if out is None or out.closed:
            return None
        out.flush()
        return out.buffer.raw.error

    try:
        yield lost
    finally:
        _ours.pop()
        for stream in (out, err):
            if stream and not stream.closed:
                stream.flush()
        sys.stdout, sys.stderr = before


def _lenient(name: str, number: int) -> Any:
    """A stream of this process that drops what it cannot write; None if it was replaced."""
    before = getattr(sys, name)
    buffer = getattr(before, "buffer", None)
    if before is not getattr(sys, f"__{name}__"):
        return None
    if before is not None and not isinstance(getattr(buffer, "raw", buffer), io.FileIO):
        return None
    if before is None:
        _open(number)
    else:
        with suppress(OSError, ValueError):
            before.flush()
    file = _Dropping(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=getattr(before, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=number == 2 or file.isatty(),
        write_through=getattr(before, "write_through", False),
    )


def _open(number: int) -> None:
    """Opens a closed descriptor on the null device, before a file of the run gets its number."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)


class _Dropping(io.FileIO):
    """A file that pretends to write what it cannot, and keeps the error."""

    error: OSError | None = None

    def write(self, content: Any) -> int:
        while self.error is None:
            try:
                written: int | None = super().write(content)
            except OSError as error:
                self.error = error
                break
            if written is not None:
                return written
            select.select((), (self,), ())  # it was set to non-blocking
        return len(content)
