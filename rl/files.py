"""Small files: texts and JSON objects that are replaced whole, and tables that grow by rows."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rl.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Writes a file beside its place and renames it, so that its name always holds a whole one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file; empty if there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError):
        raise UserError(f"{path}: is damaged") from None


def write_specification(path: Path, name: str, values: Mapping[str, Any]) -> None:
    """Writes an experiment for `rl run --spec`, as JSON or YAML by the path's ending."""
    plain = {name: _plain(values)}
    if path.suffix == ".json":
        write_json(path, plain)
        return
    import yaml

    write_text(path, yaml.safe_dump(plain, sort_keys=False))


def read_specification(path: Path, name: str) -> dict[str, Any]:
    """The values of an experiment that `write_specification` wrote as YAML.

    Raises:
        UserError: the file is missing or damaged.
    """
    import yaml

    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8"))[name])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: is missing or damaged") from None


def _plain(values: Any) -> Any:
    """The same with lists for tuples, which YAML has not."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, (list, tuple)) else values


class Table:
    """A CSV file that is written row by row, each flushed."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._columns = columns
        self._file: TextIO = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self.add(dict(zip(columns, columns, strict=True)))

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes one row, with a value for each column."""
        self._writer.writerow([row[column] for column in self._columns])
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_table(path: Path) -> dict[str, list[float]]:
    """The columns of a CSV file of numbers, by name; a row that was cut off is left out."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        names = next(rows)
        whole = [[float(value) for value in row] for row in rows if len(row) == len(names)]
    return {name: [row[i] for row in whole] for i, name in enumerate(names)}
