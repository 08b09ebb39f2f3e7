"""A session's folder, sent from one machine to another in pieces while it grows.

Tables and transitions only grow, and everything else is replaced as a whole. So a parcel holds what
is new since an earlier one. Its pieces are small, whatever the size of the memory, and in such an
order that the receiver's folder can be resumed from after each of them: a checkpoint comes last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nn.checkpoint import open_regular, replacing
from rl.storage.files import make_folder

LARGEST_PIECE = 4_000_000  # bytes, but for a file that is replaced as a whole
_GROWING = (".csv", ".bin")
_LATEST = "resume/latest.npz"

Known = dict[str, tuple[int, int, int]]  # the files that the receiver has, by their marks


@dataclass(frozen=True)
class Piece:
    """A part of a file, or of a parcel's end, which says what the folder then holds.

    Args:
        name: of the file within the folder.
        start: of `content` in it.
        content: of the part.
        end: the size of the whole file.
        names: of everything in the folder, behind the last piece.
    """

    name: str = ""
    start: int = 0
    content: bytes = b""
    end: int = 0
    names: frozenset[str] | None = None


def known_in(folder: Path) -> Known:
    """What to send from a folder that came from the receiver: its tables, and what it appends to.

    A session that resumes cuts off what came behind its checkpoint.
    """
    known = {name: _mark(folder / name) for name in _names(folder) if not name.endswith(".csv")}
    growing = sorted(each for each in known if each.endswith(".bin"))
    for name in {each.rpartition("_")[0]: each for each in growing}.values():  # of each kind
        del known[name]
    return known


def parcel(folder: Path, known: Known) -> Iterator[Piece]:
    """What is new in a folder in which nothing is written meanwhile; updates `known`.

    Raises:
        OSError: a file cannot be read.
    """
    latest = folder / _LATEST
    head = _whole(folder, _LATEST, known) if latest.exists() else None  # before what it relies on
    names = _names(folder)
    for name in names:
        if name.endswith(_GROWING):
            yield from _grown(folder, name, known)
        elif name != _LATEST and (piece := _whole(folder, name, known)):
            yield piece
    if head:
        yield head
    folders = (path for path in folder.rglob("*") if path.is_dir())
    yield Piece(names=frozenset((*names, *(f"{_within(folder, path)}/" for path in folders))))


def has_checkpoint(folder: Path, known: Known) -> bool:
    """Returns True if there is a complete checkpoint that the receiver has not got."""
    path = folder / _LATEST
    return path.exists() and known.get(_LATEST) != _mark(path)


def unpack(folder: Path, piece: Piece) -> None:
    """Puts a piece in its place; one that has come before changes nothing.

    Raises:
        OSError: it cannot be written.
    """
    if piece.names is not None:
        _tidy(folder, piece.names)
        return
    path = folder / piece.name
    make_folder(path.parent)
    if not piece.name.endswith(_GROWING):
        with replacing(path) as file:
            file.write(piece.content)
        return
    with open(path, "r+b" if path.exists() else "w+b") as file:
        file.seek(piece.start)
        file.write(piece.content)
        if piece.start + len(piece.content) == piece.end:
            file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _tidy(folder: Path, names: frozenset[str]) -> None:
    """Makes the folders that are named, and removes what is not."""
    for name in names:
        if name.endswith("/"):
            make_folder(folder / name)
    for path in sorted(folder.rglob("*"), reverse=True):  # a folder comes behind what is in it
        name = _within(folder, path)
        if path.is_dir() and f"{name}/" not in names:
            with suppress(OSError):  # a lock is in it
                path.rmdir()
        elif not path.is_dir() and name not in names and not path.name.startswith("."):
            path.unlink()


def _names(folder: Path) -> list[str]:
    """The files of a folder, without locks and what is not complete."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [_within(folder, path) for path in paths if not path.name.startswith(".")]


def _within(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _mark(path: Path) -> tuple[int, int, int]:
    """Its inode, time and size."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _whole(folder: Path, name: str, known: Known) -> Piece | None:
    """A file that is replaced as a whole, if it is new."""
    with open_regular(folder / name) as file:
        found = os.fstat(file.fileno())
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if known.get(name) == mark:
            return None
        known[name] = mark
        content = file.read()
    return Piece(name, 0, content, len(content))


def _grown(folder: Path, name: str, known: Known) -> Iterator[Piece]:
    """What has been appended to a file."""
    inode, _, end = mark = _mark(folder / name)
    before = known.get(name, (inode, 0, 0))
    if before == mark:
        return
    start = before[2] if before[0] == inode and before[2] <= end else 0
    known[name] = mark
    with open_regular(folder / name) as file:
        file.seek(start)
        while content := file.read(min(LARGEST_PIECE, end - start)):
            yield Piece(name, start, content, end)
            start += len(content)
    if not end:
        yield Piece(name)
