"""The rows of a CSV file that programs add to, so that an interrupted measurement continues."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import common

from rl.errors import UserError

Row = dict[str, str]
Key = tuple[Any, ...]


class Rows:
    """The rows of a file, one for each key, in the order of the keys; threads may share it.

    Args:
        path: of the file, which need not exist.
        columns: the names, in order.
        key: of a row; a new row takes the place of the one with the same key.

    Raises:
        UserError: the file has other columns, or a line that is no row, as an unfinished merge
            leaves them.
    """

    def __init__(self, path: Path, columns: Sequence[str], key: Callable[[Row], Key]) -> None:
        self._path, self._columns, self._key = path, columns, key
        self._lock = threading.Lock()
        reader = csv.DictReader(io.StringIO(path.read_text() if path.exists() else ""))
        if tuple(reader.fieldnames or columns) != tuple(columns):
            raise UserError(f"{path}: has other columns than {', '.join(columns)}")
        self._rows: dict[Key, Row] = {}
        for row in reader:
            if None in row or None in row.values():
                raise UserError(f"{path}: line {reader.line_num} is no row; mend or remove it")
            self._rows[key(row)] = row

    def __iter__(self) -> Iterator[Row]:
        with self._lock:
            rows = sorted(self._rows.items())
        return iter([row for _, row in rows])

    def add(self, *rows: Row) -> None:
        """Adds rows, and writes the file."""
        with self._lock:
            self._rows |= {self._key(row): row for row in rows}
            text = io.StringIO()
            writer = csv.DictWriter(text, self._columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for _, row in sorted(self._rows.items()))
            with common.written(self._path) as file:
                file.write(text.getvalue().encode())

    def matching(self, values: Mapping[str, str]) -> list[Row]:
        """The rows that have these values, in order."""
        return [row for row in self if values.items() <= row.items()]
