"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path

from rl.errors import UserError


def unquoted(text: str) -> str:
    """A text without spaces and quotes around it; cmd.exe leaves single quotes there."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path with the home folder for `~` or `~user`, where no shell has put it.

    Raises:
        UserError: there is no such user.
    """
    text = os.path.expanduser(unquoted(path) if isinstance(path, str) else os.fspath(path))
    if text.startswith("~"):
        raise UserError(f"{path}: there is no home folder of that user")
    return Path(text)
