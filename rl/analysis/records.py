"""Sessions, read back from their folders; a damaged file raises a UserError."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn.typing import Array
from rl.errors import UserError, on_disk
from rl.storage.files import is_there
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import SessionFolder, is_over
from rl.storage.tables import Columns, Read, read_table

BASELINE_EPISODES = 10  # in which the agent has learned nothing yet


@dataclass(frozen=True)
class Record:
    """One session."""

    folder: SessionFolder
    outcome: dict[str, Any]  # of `session.json`; empty if the session did not get to write it
    steps: Array  # [t] environment steps of the evaluations during training
    returns: Array  # [t] their mean returns
    baseline: float | None  # mean return of the first training episodes, if there are any
    read: Read = read_table  # reads its tables
    trained: Array = field(default_factory=lambda: np.zeros(0))  # [e] training episodes' returns

    @property
    def number(self) -> int:
        """Its number in the trial."""
        return self.folder.number

    @property
    def status(self) -> str:
        """Such as "solved" or "diverged"; "unfinished" until it is evaluated."""
        status = str(self.outcome.get("status", "unfinished"))
        return status if status == "interrupted" or is_over(self.outcome) else "unfinished"

    @property
    def counted(self) -> bool:
        """Whether it finished learning and was evaluated."""
        return "evaluation" in self.outcome

    @property
    def best(self) -> float:
        """The mean return of its best checkpoint on unseen episodes."""
        return float(self.outcome["evaluation"]["mean_return"])

    @property
    def threshold(self) -> float | None:
        """The mean return that solves the problem, if there is one and it was evaluated."""
        threshold = self.outcome.get("evaluation", {}).get("threshold")
        return None if threshold is None else float(threshold)

    @property
    def final(self) -> float | None:
        """That of its last checkpoint; None in a folder of an earlier version."""
        final = self.outcome.get("final")
        return None if final is None else float(final["mean_return"])

    @property
    def solved(self) -> bool:
        """Whether its best checkpoint solves the problem."""
        return bool(self.counted and self.outcome["evaluation"].get("solved"))


def read_records(folder: TrialFolder, read: Read = read_table) -> list[Record]:
    """The sessions of a trial, in order, with their tables read by `read`."""
    return [read_record(session, read) for session in folder.sessions()]


def read_record(folder: SessionFolder, read: Read = read_table) -> Record:
    """A session, with its tables read by `read`."""
    steps, returns = columns(folder.evaluations, ("step", "mean_return"), read)
    (episodes,) = columns(folder.episodes, ("return",), read)
    first = episodes[:BASELINE_EPISODES]
    with np.errstate(over="ignore", invalid="ignore"):
        baseline = float(first.mean()) if len(first) else None
    return Record(folder, folder.read_outcome(), steps, returns, baseline, read, episodes)


def columns(path: Path, names: tuple[str, ...], read: Read = read_table) -> list[Array]:
    """Columns of a table; empty ones if it was never begun."""
    found = table(path, names, read)
    return [np.asarray(found.get(name, ()), np.float64) for name in names]


def table(path: Path, names: tuple[str, ...] = ("step",), read: Read = read_table) -> Columns:
    """All columns of a table, which must have these names; none if it was never begun."""
    with on_disk(path, "read"):
        if not is_there(path) or path.stat().st_size == 0:
            return {}
    found = read(path)
    if not all(name in found for name in names):
        raise UserError(f"{path}: is damaged: it lacks a column of {', '.join(names)}")
    return found
