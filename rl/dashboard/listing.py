"""The list of runs and comparisons."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from rl.dashboard.catalogue import COMPARISON, find_folders, fingerprint, glance
from rl.dashboard.pace import Pace, Paces
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.states import State, evaluation_of, run_progress, search_progress
from rl.errors import UserError
from rl.formatting import count_of
from rl.storage.files import read_json
from rl.storage.forms import block_of, is_text, list_of
from rl.storage.notes import NOTHING, Note, read_note
from rl.storage.run_folder import RunFolder

LEAST = 200  # runs that a call reads at least
SECONDS_OF_TRUST = 60.0  # a run that has ended is only glanced at for so long
COMPARED = block_of(
    {
        "problem": is_text,
        "groups": list_of(block_of({"name": is_text})),
        "pairs": list_of(block_of({"verdict": is_text})),
    }
)


@dataclass(frozen=True)
class Row:
    """A run in the list."""

    name: str  # its path in the folder of runs
    plan: Plan
    state: State
    done: str  # how much is done
    share: float | None  # the same from 0 to 1, if that is known
    latest: float | None  # mean return of the latest evaluations, or the best score of a search
    note: Note = NOTHING
    score: float | None = None  # mean return of the best checkpoints on unseen episodes
    solved: str = ""  # such as "not solved", as the report has it
    pace: Pace | None = None  # of what is under way

    @property
    def kind(self) -> str:
        """ "run", "trial" (of several sessions) or "search"."""
        return self.plan.kind

    @property
    def started(self) -> float:
        """When it was, in seconds since 1970."""
        return self.plan.started

    @property
    def facts(self) -> str:
        """What a page filters and sorts by, as JSON."""
        plan, noted = self.plan, self.note
        problem = plan.environment.label
        words = (plan.experiment, self.name, plan.agent, problem, plan.kind, self.state.word)
        return _facts(
            self, words, problem=problem, agent=plan.agent, state=self.state.word, tags=noted.tags,
            live=self.state.under_way, latest=self.latest, score=self.score, title=plan.experiment,
            curves=plan.kind != "search",
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A comparison in the list."""

    name: str  # its path in the folder of runs
    title: str
    problem: str
    verdict: str
    started: float  # when it was made, in seconds since 1970
    note: Note

    kind = "comparison"

    @property
    def facts(self) -> str:
        """What a page filters and sorts by, as JSON."""
        words = (self.title, self.name, self.problem, self.kind, self.verdict)
        return _facts(self, words, problem=self.problem, title=self.title, tags=self.note.tags)


@dataclass(frozen=True)
class Damaged:
    """A run or a comparison that cannot be read."""

    name: str  # its path in the folder of runs
    message: str  # why, and what to do

    kind = "damaged"
    started = 0.0
    note = NOTHING

    @property
    def facts(self) -> str:
        """What a page filters and sorts by, as JSON."""
        return _facts(self, (self.name, "damaged"), title=self.name)


AnyRow: TypeAlias = Row | Compared | Damaged


def _facts(row: Any, words: Iterable[str], **more: Any) -> str:
    text = " ".join((*words, row.note.brief)).casefold()
    known = {"name": row.name, "kind": row.kind, "started": row.started, "words": text, **more}
    return json.dumps({key: each for key, each in known.items() if each not in (None, "", ())})


@dataclass(frozen=True)
class _Known:
    """A row, and what the folder was like when it was read."""

    row: AnyRow
    seen: str  # the fingerprint of the folder
    glanced: str  # what a glance showed
    at: float  # when all files were looked at, by the clock of `time.monotonic`


class Rows:
    """The list of the runs in a folder. One that has ended is read again only if a file changes."""

    def __init__(self, root: Path, paces: Paces | None = None) -> None:
        self._root, self._paces = root, paces or Paces()
        self._known: dict[str, _Known] = {}  # of what has ended
        self._read: set[str] = set()  # the names of what was read once
        self._lock = Lock()

    def read(self, seconds: float = math.inf) -> tuple[list[AnyRow], int]:
        """The runs as they are now, the newest first and the damaged ones last.

        Args:
            seconds: in which to read what was never read, beyond the first `LEAST` of them.

        Returns:
            The rows, and how many are left to be read by further calls.
        """
        with self._lock:
            found = find_folders(self._root)
            self._forget(found)
            rows = {name: self._row(name, *found[name]) for name in found if name in self._read}
            new = sorted(found.keys() - rows.keys(), key=lambda name: _age(found[name][0]))
            end = time.monotonic() + seconds
            for place, name in enumerate(new):
                if place >= LEAST and time.monotonic() > end:
                    break
                rows[name] = self._row(name, *found[name])
            self._read |= rows.keys()
        return sorted(rows.values(), key=_order), len(found) - len(rows)

    def _forget(self, found: Container[str]) -> None:
        """Forgets what is no longer there."""
        self._read = {name for name in self._read if name in found}
        self._known = {name: known for name, known in self._known.items() if name in found}

    def _row(self, name: str, path: Path, file: str) -> AnyRow:
        try:
            return self._now(name, path, file)
        except UserError as error:
            return Damaged(name, str(error))
        except OSError as error:  # another user's, or just removed
            return Damaged(name, f"{error.filename or path}: cannot be read: {error.strerror}")

    def _now(self, name: str, path: Path, file: str) -> AnyRow:
        read = _compared if file == COMPARISON else self._run
        known, glanced, now = self._known.get(name), glance(path, file), time.monotonic()
        if known and known.glanced == glanced and now < known.at + SECONDS_OF_TRUST:
            return known.row
        seen = fingerprint(path)
        row = known.row if known and known.seen == seen else read(name, path)
        self._known.pop(name, None)
        if not isinstance(row, Row) or row.state.ended:
            self._known[name] = _Known(row, seen, glanced, now)
        return row

    def _run(self, name: str, path: Path) -> Row:
        folder = RunFolder(path)
        plan = read_plan(folder)
        kind = _search_row if plan.kind == "search" else _trial_row
        return replace(kind(name, plan, folder, self._paces), note=read_note(path))


def _age(path: Path) -> float:
    """Sorts folders by their last change, the newest first."""
    with suppress(OSError):
        return -path.stat().st_mtime
    return 0.0


def _order(row: AnyRow) -> tuple[bool, float, str]:
    return isinstance(row, Damaged), -row.started, row.name


def _trial_row(name: str, plan: Plan, folder: RunFolder, paces: Paces) -> Row:
    sessions = folder.trial().sessions()
    progress = run_progress(plan, sessions)
    what, done, budget = "steps", progress.steps, plan.steps
    if budget is None:
        what, done, budget = "episodes", progress.episodes, plan.episodes
    latest = [row["mean_return"] for row in map(evaluation_of, sessions) if row]
    scores = [each["mean_return"] for each in progress.evaluated]
    return Row(
        name,
        plan,
        progress.state,
        f"{done:,} of {(budget or 0) * plan.sessions:,} {what}",
        progress.share(plan),
        float(np.mean(latest)) if latest else None,
        score=float(np.mean(scores)) if scores else None,
        solved=progress.solved,
        pace=progress.pace(plan, paces, str(folder.path)),
    )


def _search_row(name: str, plan: Plan, folder: RunFolder, paces: Paces) -> Row:
    progress = search_progress(plan, folder)
    of_all = f"{progress.ended} of " if plan.trials else ""
    trials = f"{of_all}{count_of(plan.trials or progress.ended, 'trial')}"
    scored = progress.search.scored
    return Row(
        name,
        plan,
        progress.state,
        f"{trials}, {count_of(progress.ended_sessions, 'session')}",
        min(1.0, progress.ended / plan.trials) if plan.trials else None,
        scored[0]["score"] if scored else None,
        pace=progress.all.pace(plan, paces, str(folder.path), plan.trials),
    )


def _compared(name: str, path: Path) -> Compared:
    values = read_json(file := path / COMPARISON)
    if not COMPARED(values):
        raise UserError(f"{file}: is damaged; `rl compare` writes it again")
    names = [each["name"] for each in values["groups"]]
    verdict = " ".join(each["verdict"] for each in values["pairs"])
    title = f"{' or '.join(names)}?"
    return Compared(name, title, values["problem"], verdict, file.stat().st_mtime, read_note(path))
