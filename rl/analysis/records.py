"""What a session left, read back from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.typing import Array
from rl.errors import UserError, on_disk
from rl.storage.files import is_there
from rl.storage.run_folder import SessionFolder, TrialFolder
from rl.storage.tables import Columns, Read, read_table

BASELINE_EPISODES = 10


@dataclass(frozen=True)
class Record:
    """One session.

    Args:
        folder: it was read from.
        outcome: how it ended; empty if nobody wrote that down.
        steps: [t] environment steps of its evaluations while it learned.
        returns: [t] their mean returns.
        baseline: the mean return of its first training episodes, in which it has learned nothing
            yet; None if it has none.
        read: reads its tables.
    """

    folder: SessionFolder
    outcome: dict[str, Any]
    steps: Array
    returns: Array
    baseline: float | None
    read: Read = read_table

    @property
    def number(self) -> int:
        """Its place among the trial's sessions."""
        return self.folder.number

    @property
    def status(self) -> str:
        """Such as "solved" or "diverged"; "unfinished" where the session did not live to say."""
        return str(self.outcome.get("status", "unfinished"))

    @property
    def counted(self) -> bool:
        """Whether it learned to its end and was judged."""
        return "evaluation" in self.outcome

    @property
    def best(self) -> float:
        """The mean return of its best checkpoint on unseen episodes."""
        return float(self.outcome["evaluation"]["mean_return"])

    @property
    def final(self) -> float | None:
        """That of its last checkpoint; None in a folder from before this was measured."""
        final = self.outcome.get("final")
        return None if final is None else float(final["mean_return"])

    @property
    def solved(self) -> bool:
        """Whether its best checkpoint solves the problem."""
        return bool(self.counted and self.outcome["evaluation"].get("solved"))


def read_records(folder: TrialFolder, read: Read = read_table) -> list[Record]:
    """The sessions of a trial, in order.

    Args:
        folder: of the trial.
        read: reads their tables.

    Raises:
        UserError: a file is damaged.
    """
    return [read_record(session, read) for session in folder.sessions()]


def read_record(folder: SessionFolder, read: Read = read_table) -> Record:
    """A session.

    Args:
        folder: of the session.
        read: reads its tables.

    Raises:
        UserError: a file is damaged.
    """
    steps, returns = columns(folder.evaluations, ("step", "mean_return"), read)
    (episodes,) = columns(folder.episodes, ("return",), read)
    first = episodes[:BASELINE_EPISODES]
    with np.errstate(over="ignore", invalid="ignore"):
        baseline = float(first.mean()) if len(first) else None
    return Record(folder, folder.read_outcome(), steps, returns, baseline, read)


def columns(path: Path, names: tuple[str, ...], read: Read = read_table) -> list[Array]:
    """Columns of a table; empty ones if it was never begun.

    Raises:
        UserError: the file is damaged.
    """
    found = table(path, names, read)
    return [np.asarray(found.get(name, ()), np.float64) for name in names]


def table(path: Path, names: tuple[str, ...] = ("step",), read: Read = read_table) -> Columns:
    """The columns of a table by their names, which these must be among; none if it was never begun.

    Raises:
        UserError: the file is damaged.
    """
    with on_disk(path, "read"):
        if not is_there(path) or path.stat().st_size == 0:
            return {}
    found = read(path)
    if not all(name in found for name in names):
        raise UserError(f"{path}: is damaged: it lacks a column of {', '.join(names)}")
    return found
