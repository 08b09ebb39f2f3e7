"""What is printed: lines that any terminal shows as they stand, whatever they quote."""

from __future__ import annotations

import sys
from typing import TextIO

from rl.errors import printable


def say(*lines: object) -> None:
    """Prints lines; what a line quotes cannot make two of it."""
    for line in lines:
        _print(str(line), sys.stdout)


def warn(line: object) -> None:
    """Prints a line to the standard error, as this program's."""
    _print(f"rl: {line}", sys.stderr)


def _print(line: str, stream: TextIO) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = printable(line).encode(encoding, "replace").decode(encoding)
    print(shown, file=stream, flush=True)
