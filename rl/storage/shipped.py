"""The trained agents that come with the lab, one file an experiment."""

from __future__ import annotations

import os
from pathlib import Path

from rl.storage.paths import unquoted

SHIPPED = Path(__file__).parents[1] / "shipped"


def shipped_file(name: str | os.PathLike[str]) -> Path | None:
    """The file of the agent that comes with the lab under an experiment's name, if one does."""
    text = unquoted(os.fspath(name))
    file = SHIPPED / f"{text}.npz"
    return file if text.isidentifier() and file.is_file() else None


def shipped_names() -> list[str]:
    """The experiments of which an agent comes with the lab."""
    return sorted(file.stem for file in SHIPPED.glob("*.npz"))
