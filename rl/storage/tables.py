"""Reading the tables of a session: all rows, the new rows, or the last ones."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from nn.checkpoint import open_regular
from nn.typing import Array
from rl.errors import UserError, on_disk

Columns = Mapping[str, Sequence[float] | Array]  # [rows] by the title
Read = Callable[[Path], Columns]

PIECE = 1 << 23  # bytes parsed at once, far more than the longest row
END = 8192  # bytes in which the last rows are searched
MOST_COLUMNS = 200
MOST_KEPT = 400_000_000  # bytes of the tables kept in memory
LOGGED = "value"  # the column of a callback's metric, which may be no finite number
COUNTS = frozenset(("step", "episode", "episodes", "update", "length"))  # never negative


def parse_rows(lines: Sequence[str], titles: Sequence[str]) -> Array:
    """The rows of a table: [rows, titles].

    Raises:
        ValueError: a row has another number of cells, a cell holds no number, one of the lab's own
            is not finite, or a count is negative.
    """
    if not lines[0].strip():
        raise ValueError("a row is empty")
    rows = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    counts = [place for place, title in enumerate(titles) if title in COUNTS]
    finite = [place for place, title in enumerate(titles) if title != LOGGED]
    if (
        rows.shape[1] != len(titles)
        or not np.isfinite(rows[:, finite]).all()
        or (rows[:, counts] < 0).any()
    ):
        raise ValueError("a row is none of this table")
    return rows


def _titles(line: str) -> list[str]:
    titles = line.strip().split(",")
    if (
        not line.strip().isprintable()
        or len(titles) > MOST_COLUMNS
        or len(set(titles)) < len(titles)
    ):
        raise ValueError("these are no titles")
    return titles


def _damaged(path: Path) -> UserError:
    return UserError(f"{path}: is damaged; put a good copy in its place")


def _open(path: Path) -> IO[bytes] | None:
    """The file, or None if it is not there.

    Raises:
        DiskError: it cannot be read.
    """
    try:
        return open_regular(path)
    except FileNotFoundError:
        return None
    except OSError:
        with on_disk(path, "read"):
            raise


class GrowingTable:
    """A CSV file of numbers that another process may be writing.

    Args:
        path: of the file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self.titles: list[str] = []
        self._place, self._before = 0, b""  # where reading continues, and the bytes before it

    def read(self) -> tuple[Array, bool]:
        """The rows since the last call, and whether the table was replaced since then.

        A row that is not complete yet comes with a later call.

        Returns:
            [rows, titles], and True if these are all rows of the table.

        Raises:
            UserError: it is damaged, or cannot be read.
        """
        file = _open(self._path)
        if file is None:
            self._forget()
            return np.empty((0, 0)), True
        with file:
            try:
                goes_on = self._goes_on(file)
                if not goes_on:
                    self._forget()
                pieces = list(self._pieces(file))
            except ValueError:
                self._forget()
                raise _damaged(self._path) from None
            except OSError:
                with on_disk(self._path, "read"):
                    raise
        rows = np.concatenate(pieces) if pieces else np.empty((0, len(self.titles)))
        return rows, not goes_on

    def _goes_on(self, file: IO[bytes]) -> bool:
        """Returns True if the bytes before the new rows are those read last time."""
        file.seek(self._place - len(self._before))
        return bool(self._before) and file.read(len(self._before)) == self._before

    def _pieces(self, file: IO[bytes]) -> Iterator[Array]:
        file.seek(self._place)
        while content := file.read(PIECE):
            whole = content[: content.rfind(b"\n") + 1]
            if not whole:
                if len(content) == PIECE:
                    raise ValueError("a row has no end")
                return
            self._place, self._before = self._place + len(whole), whole[-256:]
            file.seek(self._place)
            lines = whole.decode("ascii").splitlines()
            if not self.titles:
                self.titles = _titles(lines.pop(0))
            if lines:
                yield parse_rows(lines, self.titles)


def read_table(path: Path) -> dict[str, list[float]]:
    """The columns of a CSV file of numbers, by name, without a row that was cut off.

    Raises:
        UserError: it is missing or damaged.
    """
    table = GrowingTable(path)
    rows, _ = table.read()
    return {title: column.tolist() for title, column in _columns(table, path, rows).items()}


def _columns(table: GrowingTable, path: Path, rows: Array) -> dict[str, Array]:
    if not table.titles:
        raise UserError(f"{path}: is missing or damaged")
    return dict(zip(table.titles, rows.T, strict=True))


class Tables:
    """A cache of tables, of which only new rows are read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Path, tuple[GrowingTable, Array]] = OrderedDict()

    def read(self, path: Path) -> Columns:
        """As `read_table`, in arrays that must not be written to."""
        with self._lock:
            table, rows = self._kept.pop(path, (GrowingTable(path), np.empty((0, 0))))
            new, is_all = table.read()
            if is_all:
                rows = new
            elif len(new):
                rows = np.concatenate([rows, new])
            self._kept[path] = table, rows
            while len(self._kept) > 1 and self._bytes() > MOST_KEPT:
                self._kept.popitem(last=False)
        return _columns(table, path, rows)

    def _bytes(self) -> int:
        return sum(rows.nbytes for _, rows in self._kept.values())


def last_rows(path: Path, count: int) -> tuple[list[str], list[list[float]]]:
    """The titles of a table and its last rows, with integers for whole numbers.

    Both are empty if there is no table.

    Args:
        path: of the table.
        count: the most rows, which must fit into `END`.

    Raises:
        UserError: the file is damaged, or cannot be read.
    """
    file = _open(path)
    if file is None:
        return [], []
    with on_disk(path, "read"), file:
        head = file.readline(PIECE)
        start = file.seek(max(len(head), os.fstat(file.fileno()).st_size - END))
        lines = file.read(END).split(b"\n")
    # The last line is empty or incomplete; the first may lack its beginning.
    whole = lines[int(start > len(head)) : -1][-count:]
    try:
        titles = _titles(head.decode("ascii"))
        rows: Sequence[Array] | Array = (
            parse_rows([line.decode("ascii") for line in whole], titles) if whole else []
        )
    except ValueError:
        raise _damaged(path) from None
    return titles, [[int(cell) if cell.is_integer() else cell for cell in map(float, row)]
                    for row in rows]  # fmt: skip


def last_row(path: Path) -> dict[str, float]:
    """The last row of a table, by title; empty if there is none.

    Raises:
        UserError: the file is damaged.
    """
    titles, rows = last_rows(path, 1)
    return dict(zip(titles, rows[0], strict=True)) if rows else {}
