"""What a request asks for: a run, and a trial and a session of it.

Each is looked up among those that exist, so that no request becomes a path. A damaged file raises
a UserError.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.dashboard.catalogue import fingerprint
from rl.dashboard.pace import Paces
from rl.dashboard.states import session_state
from rl.dashboard.views import View, search_view, trial_view
from rl.report.report import NAME
from rl.storage.notes import Note, read_note
from rl.storage.run_folder import RunFolder, TrialFolder
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import Read


@dataclass(frozen=True)
class Choice:
    """A run, or a part of it."""

    name: str  # of the run
    folder: RunFolder
    is_search: bool
    trial: TrialFolder | None  # None for a search as a whole
    session: SessionFolder | None  # None if there is none
    fingerprint: str  # of the run's files

    @property
    def arguments(self) -> dict[str, str | int]:
        """The arguments of its address."""
        trial = {"trial": self.trial.number} if self.trial and self.is_search else {}
        session = {"session": self.session.number} if self.session else {}
        return {"name": self.name, **trial, **session}

    @property
    def report(self) -> Path:
        """Its report, which need not exist."""
        return (self.trial if self.trial and self.is_search else self.folder).path / NAME

    def view(self, read: Read, paces: Paces) -> View:
        """What a page shows of it, with the tables read by `read`."""
        if self.trial is None:
            return search_view(self.folder, paces)
        return trial_view(self.folder, self.trial, self.session, read, paces)

    @property
    def note(self) -> Note:
        """What is noted about it."""
        return read_note(self.report.parent)

    def stamp(self) -> str:
        """A text that changes whenever the page does."""
        trials = [self.trial] if self.trial else self.folder.trials()
        states = [session_state(each) for trial in trials for each in trial.sessions()]
        seen = f"{self.fingerprint} {states}"
        return hashlib.blake2b(seen.encode(), digest_size=12).hexdigest()


def choose(
    runs: Mapping[str, Path], name: str, trial: int | None = None, session: int | None = None
) -> Choice:
    """The run of a name among some, a trial of it and a session of that, by their numbers.

    By default it is the only trial or a search as a whole, and the first session that is under way
    or else the first.

    Raises:
        KeyError: one of them does not exist.
    """
    folder = RunFolder(runs[name])
    found = fingerprint(folder.path)
    is_search = folder.read_manifest().get("kind") == "search"
    if trial is None:
        chosen = None if is_search else folder.trial()
    else:
        chosen = {each.number: each for each in folder.trials()}[trial]
    sessions = chosen.sessions() if chosen else []
    return Choice(name, folder, is_search, chosen, _session(sessions, session), found)


def _session(sessions: Sequence[SessionFolder], number: int | None) -> SessionFolder | None:
    if number is not None:
        return {each.number: each for each in sessions}[number]
    under_way = (each for each in sessions if session_state(each).under_way)
    return next(itertools.chain(under_way, sessions), None)
