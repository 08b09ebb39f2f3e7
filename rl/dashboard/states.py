"""How far sessions, runs and searches have come, according to their files.

A damaged file raises a UserError.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.analysis.search_figures import Search, read_search
from rl.dashboard.plan import Plan
from rl.errors import UserError
from rl.session.status import ENDS
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder, has_ended
from rl.storage.tables import last_row

SECONDS_OF_SILENCE = 60.0  # after which a session whose lock is not visible counts as stopped


@dataclass(frozen=True)
class State:
    """The state of a session, a run or a search."""

    word: str  # such as "training", "solved" or "interrupted"
    under_way: bool = False  # a process works on it
    ended: bool = False  # there is nothing left to do


def session_state(folder: SessionFolder) -> State:
    """The state of a session."""
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

    This shows a session whose lock is not visible: on a disk that other machines share.
    """
    latest = max(map(_changed, (folder.episodes, folder.updates, folder.evaluations)))
    return latest > max(time.time() - SECONDS_OF_SILENCE, _changed(folder.outcome))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run_state(sessions: Sequence[State], planned: int) -> State:
    """The state of a run by those of the sessions that have begun, of `planned` ones."""
    for each in sorted(sessions, key=lambda state: not state.under_way):
        if not each.ended:
            return each
    if len(sessions) < planned:
        return State("unfinished" if sessions else "not begun")
    words = {each.word for each in sessions}
    word = words.pop() if len(words) == 1 else "finished" if words <= set(ENDS) else "diverged"
    return State(word, ended=True)


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run."""

    states: Sequence[State]  # of the sessions that have begun
    state: State
    steps: int  # environment steps so far
    episodes: int


def run_progress(plan: Plan, sessions: Sequence[SessionFolder]) -> RunProgress:
    """How far the sessions of a run have come."""
    states = [session_state(each) for each in sessions]
    steps = sum(map(_steps, sessions))
    episodes = sum(int(last_row(each.episodes).get("episode", 0)) for each in sessions)
    return RunProgress(states, run_state(states, plan.sessions), steps, episodes)


def _steps(folder: SessionFolder) -> int:
    """The environment steps in the last rows of the tables."""
    tables = (folder.episodes, folder.updates, folder.evaluations)
    return max(int(last_row(table).get("step", 0)) for table in tables)


def evaluation_of(folder: SessionFolder) -> dict[str, float]:
    """The latest evaluation of a session; empty if there is none."""
    row = last_row(folder.evaluations)
    if row and "mean_return" not in row:
        raise UserError(f"{folder.evaluations}: is damaged: it lacks a column of mean_return")
    return row


@dataclass(frozen=True)
class SearchProgress:
    """The progress of a search."""

    search: Search
    sessions: dict[int, list[State]]  # by the number of the trial
    state: State
    ended: int  # trials
    ended_sessions: int
    trials: str  # such as "3 of 10"


def search_progress(plan: Plan, folder: RunFolder) -> SearchProgress:
    """How far the trials of a search have come."""
    search = read_search(folder)
    sessions = {each.number: list(map(session_state, each.sessions())) for each in folder.trials()}
    every = [state for states in sessions.values() for state in states]
    ended = len(search.results) - search.states.get("unfinished", 0)
    if any(each.under_way for each in every):
        state = State("searching", under_way=True)
    elif not search.results:
        state = State("not begun")
    else:
        is_over = ended == len(search.results)
        state = State("finished" if is_over else "unfinished", ended=is_over)
    trials = f"{ended} of {plan.trials}" if plan.trials else str(ended)
    return SearchProgress(search, sessions, state, ended, sum(each.ended for each in every), trials)
