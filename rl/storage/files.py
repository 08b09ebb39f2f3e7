"""Small files: texts and JSON objects that are replaced whole, and tables that grow by rows."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from nn.checkpoint import growing, naming, open_regular, regular, replacing, sync_folder
from rl.errors import Busy, UserError, on_disk
from rl.storage.scalars import dumper
from rl.storage.texts import parse_json, parse_yaml

LARGEST = 30_000_000  # bytes of a file that is read as a whole
PUT_BACK = "put a good copy in its place, or remove it"


def is_there(path: Path) -> bool:
    """Returns True if the file exists.

    Raises:
        OSError: the disk fails, in which case `Path.exists` may return False.
    """
    with suppress(FileNotFoundError):
        os.lstat(path)
        return True
    return False


def make_folder(path: Path) -> None:
    """Creates a folder and its parents, flushed to the disk.

    Raises:
        OSError: one cannot be created.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Writes a file atomically."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object atomically."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """The content of a file of at most so many bytes.

    Raises:
        FileNotFoundError: there is no such file.
        DiskError: it cannot be read.
        UserError: it is larger.
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except ValueError as error:  # of a name with a NUL
        raise UserError(f"{path}: cannot be read: {error}") from None
    except OSError:
        with on_disk(path, "read"):
            raise
    if len(content) > most:
        raise UserError(f"{path}: has more than {most:,} bytes, and is not read")
    return content


def read_text(path: Path, most: int = LARGEST) -> str:
    """The text of a file of at most so many bytes.

    Raises:
        FileNotFoundError, DiskError, UserError: as for `read_bytes`.
        UserError: it is no UTF-8 text.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: cannot be read: it is not UTF-8 text; save it as such") from None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file; empty if there is no such file.

    Raises:
        DiskError: the file cannot be read.
        UserError: it is damaged.
    """
    try:
        values = parse_json(read_text(path))
        if not isinstance(values, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path}: is damaged ({error}); {PUT_BACK}") from None
    return values


def write_specification(path: Path, name: str, values: Mapping[str, Any]) -> None:
    """Writes an experiment for `rl run --spec`, as JSON or YAML by the path's ending."""
    if path.suffix == ".json":
        write_json(path, {name: _plain(values)})
    else:
        write_text(path, specification_text(name, values))


def specification_text(name: str, values: Mapping[str, Any]) -> str:
    """An experiment as YAML."""
    import yaml

    return yaml.dump({name: _plain(values)}, Dumper=dumper(), sort_keys=False)


def read_specification(path: Path, name: str) -> dict[str, Any]:
    """The values of an experiment that `write_specification` wrote as YAML.

    Raises:
        DiskError: the file cannot be read.
        UserError: it is missing or damaged.
    """
    try:
        return dict(parse_yaml(read_text(path))[name])
    except FileNotFoundError:
        raise UserError(f"{path}: is missing") from None
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: is damaged") from None


def _plain(values: Any) -> Any:
    """The same with lists for tuples, which YAML lacks."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, (list, tuple)) else values


@contextmanager
def only_one(path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Within, this process holds a lock file; the lock ends with the process in any case.

    Args:
        path: of the lock file.
        seconds: to wait for another process to release it.

    Raises:
        Busy: it does not.
        UserError: the disk has no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with on_disk(path.parent):
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise Busy(
                f"{path.parent}: another process is at work there; wait for it, or end it first"
            ) from None
        except NotImplementedError:
            raise UserError(
                f"{path.parent}: its disk has no file locks; put the run folder on one that has"
            ) from None
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Returns True if a process holds a lock file, without changing it.

    It asks for a shared lock, for a moment: whoever wants the file's own lock must wait a little.
    """
    with suppress(OSError), open_regular(path) as file:
        return not _is_free(file)
    return False


def _is_free(file: IO[bytes]) -> bool:
    """Returns True if a lock on an open file, as `filelock` takes it, is granted here."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # until the file is closed
    except BlockingIOError:
        return False
    return True


class Table:
    """A CSV file that is written row by row, each flushed.

    Args:
        path: of the file.
        columns: their names.
        keep: bytes of an existing file to append to; 0 begins it anew.

    Raises:
        OSError: it cannot be written; the error names it.
    """

    def __init__(self, path: Path, columns: Sequence[str], keep: int = 0) -> None:
        self._path, self._columns = path, columns
        self._file: TextIO = open(  # noqa: SIM115
            path, "r+" if keep else "w", newline="", encoding="utf-8", opener=regular
        )
        self._writer = csv.writer(self._file)
        try:
            with growing(path, keep):
                if keep:
                    self._file.truncate(keep)
                    self._file.seek(keep)
                else:
                    self.add(dict(zip(columns, columns, strict=True)))
        except OSError:
            with suppress(OSError):
                self.close()
            raise

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes one row, with a value for each column."""
        with naming(self._path):
            self._writer.writerow([row[column] for column in self._columns])
            self._file.flush()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self._file.fileno()).st_size

    def sync(self) -> None:
        """Flushes the rows so far to the disk."""
        with naming(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
