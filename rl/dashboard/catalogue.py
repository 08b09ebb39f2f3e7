"""Which runs there are in a folder.

What a request names is looked up among them and is never made into a path, so that no name leads
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

DEPTH = 4  # folders above a run, at most; a run's own folder is not searched for others


def find_runs(root: Path) -> dict[str, Path]:
    """The run folders within a folder, or that folder itself, by their paths from there.

    Links are not followed. Hidden folders are passed over, and so are those with a name that cannot
    be printed.
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
            return [Path(entry.path) for entry in entries if _is_searched(entry)]
    except OSError:  # it is another user's, or was removed in the meantime
        return []


def _is_searched(entry: os.DirEntry[str]) -> bool:
    is_plain = entry.name.isprintable() and not entry.name.startswith(".")
    return is_plain and entry.is_dir(follow_symlinks=False)


def fingerprint(folder: Path) -> str:
    """A text that is another one whenever a file of a run has changed.

    Raises:
        UserError: there is a link in it, which might lead out of the folder that may be seen, or a
            pipe or the like; a run has none of its own.
    """
    digest = hashlib.blake2b(digest_size=12)
    for path in _within(folder):
        with suppress(FileNotFoundError):  # it was removed in the meantime
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                raise UserError(f"{path}: is a link, and the dashboard follows none; put a copy")
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                raise UserError(f"{path}: is neither a file nor a folder; remove it")
            digest.update(os.fsencode(path) + f" {found.st_mtime_ns} {found.st_size}\n".encode())
    return digest.hexdigest()


def _within(folder: Path) -> Iterator[str]:
    """The paths of all that is in a folder."""
    for place, folders, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in (*folders, *files))
