"""The state of a session, a run or a search according to its files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.session.status import ENDS
from rl.storage.run_folder import SessionFolder, has_ended

SECONDS_OF_SILENCE = 60.0  # after which a session whose lock is not visible counts as stopped


@dataclass(frozen=True)
class State:
    """The state of a session, a run or a search."""

    word: str  # such as "training", "solved" or "interrupted"
    under_way: bool = False  # a process works on it
    ended: bool = False  # there is nothing left to do


def session_state(folder: SessionFolder) -> State:
    """The state of a session.

    Raises:
        UserError: its outcome is damaged.
    """
    outcome = folder.read_outcome()
    status = outcome.get("status", "unfinished")
    if has_ended(outcome):
        return State(status, ended=True)
    has_learned = status in ENDS
    if folder.is_locked or _grew_lately(folder):
        return State("evaluating" if has_learned else "training", under_way=True)
    return State("unfinished" if has_learned else status)


def _grew_lately(folder: SessionFolder) -> bool:
    """Whether its tables were written a moment ago, and later than its outcome.

    This shows a session whose lock is not visible: on another system, or on a shared disk.
    """
    latest = max(map(_changed, (folder.episodes, folder.updates, folder.evaluations)))
    return latest > max(time.time() - SECONDS_OF_SILENCE, _changed(folder.outcome))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run_state(sessions: Sequence[State], planned: int) -> State:
    """The state of a run by those of the sessions that have begun, of so many planned ones."""
    for each in sorted(sessions, key=lambda state: not state.under_way):
        if not each.ended:
            return each
    if len(sessions) < planned:
        return State("unfinished" if sessions else "not begun")
    words = {each.word for each in sessions}
    word = words.pop() if len(words) == 1 else "finished" if words <= set(ENDS) else "diverged"
    return State(word, ended=True)


def search_state(sessions: Sequence[State], trials: Sequence[str]) -> State:
    """The state of a search by those of its sessions and of its trials."""
    if any(each.under_way for each in sessions):
        return State("searching", under_way=True)
    if not trials:
        return State("not begun")
    return State("unfinished") if "unfinished" in trials else State("finished", ended=True)
