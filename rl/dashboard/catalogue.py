"""The runs in a folder.

The name in a request is looked up among them and never made into a path, so that no name leads
anywhere else.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rl.errors import UserError

DEPTH = 4  # folders above a run, at most; a run's folder is not searched for others


def find_runs(root: Path) -> dict[str, Path]:
    """The run folders in a folder, or that folder itself, by their relative paths.

    Links are not followed; hidden folders and those with an unprintable name are skipped.
    """
    return {path.relative_to(root).as_posix(): path for path in _search(root, DEPTH)}


def _search(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "manifest.json").exists():
        yield folder
    elif depth:
        for each in _subfolders(folder):
            yield from _search(each, depth - 1)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.name.isprintable() and not entry.name.startswith(".")
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError:  # it is another user's, or was just removed
        return []


def fingerprint(folder: Path) -> str:
    """A text that changes whenever a file of a run does.

    Raises:
        UserError: it contains a link, which might lead out of the folder of runs, or a pipe or the
            like, none of which a run makes.
    """
    digest = hashlib.blake2b(digest_size=12)
    for path in _within(folder):
        with suppress(FileNotFoundError):  # it was just removed
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                raise UserError(f"{path}: is a link, and the dashboard follows none; copy the file")
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                raise UserError(f"{path}: is neither a file nor a folder; remove it")
            digest.update(os.fsencode(path) + f" {found.st_mtime_ns} {found.st_size}\n".encode())
    return digest.hexdigest()


def _within(folder: Path) -> Iterator[str]:
    """The paths of all files and folders in a folder."""
    for place, folders, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in (*folders, *files))
