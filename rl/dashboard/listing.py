"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rl.dashboard.catalogue import find_runs, fingerprint
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.progress import count_ended, evaluation_of, read_trials, steps_of
from rl.dashboard.states import State, run_state, search_state, session_state
from rl.errors import UserError
from rl.storage.run_folder import RunFolder, SessionFolder


@dataclass(frozen=True)
class Row:
    """A run in the list.

    Args:
        name: its path from the folder of runs.
        plan: what it is to do.
        state: how it stands.
        done: how much of it is done, in words.
        share: the same from 0 to 1; None where nobody can say.
        result: what it has come to so far.
    """

    name: str
    plan: Plan
    state: State
    done: str
    share: float | None
    result: str


@dataclass(frozen=True)
class Damaged:
    """A run that cannot be read.

    Args:
        name: its path from the folder of runs.
        message: why not, and what to do.
    """

    name: str
    message: str


class Rows:
    """The list of runs. A run that has ended is not read again until one of its files changes.

    Args:
        root: the folder of runs.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ended: dict[str, Row] = {}  # by the fingerprint of the run

    def read(self) -> list[Row | Damaged]:
        """The runs as they stand now, the newest first and behind all those that are damaged."""
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
        except OSError as error:  # another user's, or removed in the meantime
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
    state = run_state([session_state(each) for each in sessions], plan.sessions)
    steps, total = sum(map(steps_of, sessions)), plan.steps * plan.sessions
    share = min(1.0, steps / total) if total else None
    return Row(name, plan, state, f"{steps:,} of {total:,} steps", share, _returns(sessions))


def _returns(sessions: Sequence[SessionFolder]) -> str:
    latest = [row["mean_return"] for row in map(evaluation_of, sessions) if row]
    return f"{np.mean(latest):,.1f}" if latest else ""


def _search_row(name: str, plan: Plan, folder: RunFolder) -> Row:
    results = read_trials(folder)
    sessions = [session_state(each) for trial in folder.trials() for each in trial.sessions()]
    state = search_state(sessions, [each["state"] for each in results])
    ended, wanted = count_ended(results), plan.search["trials"]
    best = results[0]["score"] if results else None
    return Row(
        name,
        plan,
        state,
        f"{ended}{f' of {wanted}' if wanted else ''} trials, "
        f"{sum(each.ended for each in sessions)} sessions",
        min(1.0, ended / wanted) if wanted else None,
        "" if best is None else f"{best:,.4g}",
    )
