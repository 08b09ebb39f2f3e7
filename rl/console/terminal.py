"""What a stream can show: lines that are redrawn in place, and characters beyond ASCII."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Glyphs:
    """The characters of bars and curves.

    Args:
        done: a cell of a bar that is done.
        rest: one that is not.
        levels: of a curve, from the lowest.
        cut: stands where a text was cut.
    """

    done: str
    rest: str
    levels: str
    cut: str


UNICODE = Glyphs("━", "─", "▁▂▃▄▅▆▇█", "…")
ASCII = Glyphs("#", "-", "_.:-=+*#", "~")


def glyphs_of(stream: Any) -> Glyphs:
    """Those that a stream can encode: a console of Windows may lack all but ASCII."""
    try:
        "".join((*vars(UNICODE).values(),)).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return ASCII
    return UNICODE


def is_live(stream: Any) -> bool:
    """Returns True if lines on a stream can be redrawn in place: somebody looks at a terminal.

    `TERM=dumb`, `NO_COLOR` and `CI` ask for plain lines.
    """
    try:
        if stream is None or not stream.isatty():
            return False
    except ValueError:  # it is closed
        return False
    has_term = os.name == "nt" or "TERM" in os.environ
    asked = os.environ.get("NO_COLOR") or os.environ.get("CI", "").lower() not in ("", "0", "false")
    return has_term and os.environ.get("TERM") not in ("", "dumb", "unknown") and not asked
