"""The list of runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rl.dashboard.catalogue import find_runs, fingerprint
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.states import State, evaluation_of, run_progress, search_progress
from rl.errors import UserError
from rl.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Row:
    """A run in the list."""

    name: str  # its path in the folder of runs
    plan: Plan
    state: State
    done: str  # how much is done
    share: float | None  # the same from 0 to 1, if that is known
    result: str  # so far


@dataclass(frozen=True)
class Damaged:
    """A run that cannot be read."""

    name: str  # its path in the folder of runs
    message: str  # why, and what to do


class Rows:
    """The list of the runs in a folder. One that has ended is read again only if a file changes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ended: dict[str, Row] = {}  # by the fingerprints of the runs

    def read(self) -> list[Row | Damaged]:
        """The runs as they are now, the newest first and the damaged ones last."""
        rows = [self._row(name, path) for name, path in find_runs(self._root).items()]
        return sorted(rows, key=_order)

    def _row(self, name: str, path: Path) -> Row | Damaged:
        try:
            seen = fingerprint(path)
            row = self._ended.get(seen) or _row(name, RunFolder(path))
            if row.state.ended:
                self._ended[seen] = row
        except UserError as error:
            return Damaged(name, str(error))
        except OSError as error:  # another user's, or just removed
            return Damaged(name, f"{error.filename or path}: cannot be read: {error.strerror}")
        return row


def _row(name: str, folder: RunFolder) -> Row:
    plan = read_plan(folder)
    return (_search_row if plan.kind == "search" else _trial_row)(name, plan, folder)


def _order(row: Row | Damaged) -> tuple[bool, float, str]:
    started = 0.0 if isinstance(row, Damaged) else row.plan.started
    return isinstance(row, Damaged), -started, row.name


def _trial_row(name: str, plan: Plan, folder: RunFolder) -> Row:
    sessions = folder.trial().sessions()
    progress = run_progress(plan, sessions)
    what, done, budget = "steps", progress.steps, plan.steps
    if budget is None:
        what, done, budget = "episodes", progress.episodes, plan.episodes
    total = (budget or 0) * plan.sessions
    share = min(1.0, done / total) if total else None
    text = f"{done:,} of {total:,} {what}"
    latest = [row["mean_return"] for row in map(evaluation_of, sessions) if row]
    result = f"{np.mean(latest):,.1f}" if latest else ""
    return Row(name, plan, progress.state, text, share, result)


def _search_row(name: str, plan: Plan, folder: RunFolder) -> Row:
    progress = search_progress(plan, folder)
    done = f"{progress.trials} trials, {progress.ended_sessions} sessions"
    share = min(1.0, progress.ended / plan.trials) if plan.trials else None
    scored = progress.search.scored
    best = f"{scored[0]['score']:,.4g}" if scored else ""
    return Row(name, plan, progress.state, done, share, best)
