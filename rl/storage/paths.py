"""Paths as users type them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rl.errors import UserError


def unquoted(text: str) -> str:
    """A text without spaces and quotes around it; cmd.exe leaves single quotes there."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def user_path(path: str | os.PathLike[str]) -> Path:
    """An absolute path, with the home folder for `~` or `~user`, where no shell has put it.

    Raises:
        UserError: it is blank, there is no such user, the working folder was removed, the system
            can have no such path, or does not let one look there.
    """
    text = os.path.expanduser(unquoted(path) if isinstance(path, str) else os.fspath(path))
    if not text.strip():
        raise UserError(f"{path!r} is no path; '.' is the working folder")
    if text.startswith("~"):
        raise UserError(f"{path}: there is no home folder of that user")
    _check(text)
    try:
        return Path(text).absolute()
    except FileNotFoundError:
        raise UserError(f"{path}: the working folder was removed; change to another") from None


def as_name(id: str) -> str:
    """An environment's id as the name of an experiment, and so of a folder.

    What is before a colon is the module that has it: "mine:Corridor-v0" is "Corridor-v0".
    """
    return re.sub(r"[^\w.-]", "_", id.rpartition(":")[2].removeprefix("local/"))[:60]


def _check(path: str) -> None:
    try:
        path.encode()
        os.stat(os.path.join(path, "."))  # which tells too whether one may look into a folder
    except (FileNotFoundError, NotADirectoryError):
        pass
    except UnicodeError:
        raise UserError(f"{path}: has bytes in its name that are no text; rename it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a name has no NUL"
        raise UserError(f"{path}: cannot be used: {reason}") from None
