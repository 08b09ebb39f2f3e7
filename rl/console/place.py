"""The working folder: environments may change it, and what a run is told of stays where it was."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_entered: list[str] = []  # the working folders in which `in_place` began, the innermost last


@contextmanager
def in_place() -> Iterator[None]:
    """Within, other people's code may change the working folder; afterwards it is as before.

    Meanwhile paths are shown as they are seen from where it began.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # it was removed
        yield
        return
    _entered.append(folder)
    try:
        yield
    finally:
        _entered.pop()
        with suppress(OSError):
            os.chdir(folder)


def shown(text: str | os.PathLike[str]) -> str:
    """A path, or a text with paths in it, in which those within the working folder are relative."""
    text = os.fspath(text)
    with suppress(FileNotFoundError):
        folder = (_entered or [os.getcwd()])[-1] + os.sep
        if folder in text:
            return re.sub(rf"(?<![\w./-]){re.escape(folder)}(?=\S)", "", text)
    return text
