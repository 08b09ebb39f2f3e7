"""How a session, a run or a search stands, as far as its files say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.session.status import ENDS
from rl.storage.run_folder import SessionFolder, has_ended

SECONDS_OF_SILENCE = 60.0  # after which nobody is taken to be at work whose lock is not seen


@dataclass(frozen=True)
class State:
    """How it stands.

    Args:
        word: such as "training", "solved" or "interrupted".
        under_way: whether a process is at work on it.
        ended: whether all that was to be done has been.
    """

    word: str
    under_way: bool = False
    ended: bool = False


def session_state(folder: SessionFolder) -> State:
    """How a session stands.

    Raises:
        UserError: what it has left is damaged.
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
    """Whether it was written to a moment ago, and that not to say how it had ended.

    So a session is seen whose lock is not: on another system, or by way of a shared disk.
    """
    names = ("episodes", "updates", "evaluations")
    latest = max(map(_changed, map(folder.table, names)))
    return latest > max(time.time() - SECONDS_OF_SILENCE, _changed(folder.outcome))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run_state(sessions: Sequence[State], planned: int) -> State:
    """How several sessions stand together.

    Args:
        sessions: those that were begun.
        planned: how many there are to be.
    """
    for each in sessions:
        if each.under_way:
            return each
    for each in sessions:
        if not each.ended:
            return each
    if len(sessions) < planned:
        return State("unfinished" if sessions else "not begun")
    words = {each.word for each in sessions}
    word = words.pop() if len(words) == 1 else "finished" if words <= set(ENDS) else "diverged"
    return State(word, ended=True)


def search_state(sessions: Sequence[State], trials: Sequence[str]) -> State:
    """How a search stands, by the states of its sessions and of its trials."""
    if any(each.under_way for each in sessions):
        return State("searching", under_way=True)
    if not trials:
        return State("not begun")
    return State("unfinished") if "unfinished" in trials else State("finished", ended=True)
