"""The end of a table, without reading all of it."""

from __future__ import annotations

import math
import os
from pathlib import Path

from rl.errors import UserError

BYTES = 8192  # of the end that are read

Row = list[float]


def last_rows(path: Path, count: int) -> tuple[list[str], list[Row]]:
    """The titles of a table and its last rows; nothing if it was never begun.

    Args:
        path: of the table.
        count: of rows at most; they must fit into `BYTES`.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with open(path, "rb") as file:
            head = file.readline()
            start = file.seek(max(len(head), os.fstat(file.fileno()).st_size - BYTES))
            lines = file.read(BYTES).split(b"\n")
    except FileNotFoundError:
        return [], []
    # The last line is empty, or a row under way; the first may have lost its beginning.
    whole = lines[int(start > len(head)) : -1]
    titles = head.decode("utf-8", "replace").strip().split(",")
    try:
        rows = [[_number(each) for each in line.strip().split(b",")] for line in whole[-count:]]
    except ValueError:
        raise UserError(f"{path}: is damaged") from None
    return titles, [row for row in rows if len(row) == len(titles)]


def last_row(path: Path) -> dict[str, float]:
    """The last row of a table by its titles; empty if there is none.

    Raises:
        UserError: the file is damaged.
    """
    titles, rows = last_rows(path, 1)
    return dict(zip(titles, rows[0], strict=True)) if rows else {}


def _number(text: bytes) -> float:
    """A whole number as such; no table has one that is not finite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return int(value) if value.is_integer() else value
