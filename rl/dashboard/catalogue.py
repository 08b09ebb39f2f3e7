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
from rl.report.comparison_page import FILE

RUN, COMPARISON = "manifest.json", FILE
DEPTH = 4  # folders above a run, at most; a run's folder is not searched for others


def find_folders(root: Path) -> dict[str, tuple[Path, str]]:
    """The folders of runs and comparisons in a folder, or that folder itself.

    Links are not followed; hidden folders and those with an unprintable name are skipped.

    Returns:
        By their relative paths, their paths and the file that makes them what they are.
    """
    found = _search(root, DEPTH)
    return {path.relative_to(root).as_posix(): (path, file) for path, file in found}


def find_runs(root: Path) -> dict[str, Path]:
    """The run folders among them."""
    found = find_folders(root).items()
    return {name: path for name, (path, file) in found if file == RUN}


def find_comparisons(root: Path) -> dict[str, Path]:
    """The folders of comparisons among them."""
    found = find_folders(root).items()
    return {name: path for name, (path, file) in found if file == COMPARISON}


def _search(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    for file in (RUN, COMPARISON):
        if (folder / file).exists():
            yield folder, file
            return
    if depth:
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
    for path, found in _within(os.fspath(folder)):
        digest.update(os.fsencode(path) + f" {found.st_mtime_ns} {found.st_size}\n".encode())
    return digest.hexdigest()


def _within(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The paths of all files and folders in a folder, and what the system says of them."""
    with suppress(OSError), os.scandir(folder) as entries:  # it was just removed, say
        for entry in entries:
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISLNK(found.st_mode):
                    raise UserError(
                        f"{entry.path}: is a link, and the dashboard follows none; copy the file"
                    )
                if stat.S_ISDIR(found.st_mode):
                    yield from _within(entry.path)
                elif not stat.S_ISREG(found.st_mode):
                    raise UserError(f"{entry.path}: is neither a file nor a folder; remove it")
                yield entry.path, found


def glance(folder: Path, file: str) -> str:
    """A text that changes when a run that had ended goes on, or gets a report or a note.

    Args:
        folder: of a run or of a comparison, which itself changes when a file in it is replaced.
        file: that makes it what it is.
    """
    return " ".join(str(os.lstat(path).st_mtime_ns) for path in (folder, folder / file))
