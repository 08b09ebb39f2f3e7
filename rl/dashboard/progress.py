"""How far a run or a search has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rl.analysis.search_figures import Search, read_search
from rl.dashboard.plan import Plan
from rl.dashboard.states import State, run_state, search_state, session_state
from rl.errors import UserError
from rl.storage.run_folder import RunFolder, SessionFolder
from rl.storage.tables import last_row


@dataclass(frozen=True)
class RunProgress:
    """The sessions of a run."""

    states: Sequence[State]  # of the sessions that have begun
    state: State
    steps: int  # environment steps so far
    episodes: int


@dataclass(frozen=True)
class SearchProgress:
    """The trials of a search."""

    search: Search
    sessions: dict[int, list[State]]  # by the number of the trial
    state: State
    ended: int  # trials
    ended_sessions: int
    trials: str  # such as "3 of 10"


def run_progress(plan: Plan, sessions: Sequence[SessionFolder]) -> RunProgress:
    """How far the sessions of a run have come.

    Raises:
        UserError: a file is damaged.
    """
    states = [session_state(each) for each in sessions]
    steps, episodes = sum(map(_steps, sessions)), sum(map(_episodes, sessions))
    return RunProgress(states, run_state(states, plan.sessions), steps, episodes)


def search_progress(plan: Plan, folder: RunFolder) -> SearchProgress:
    """How far the trials of a search have come.

    Raises:
        UserError: a file is damaged.
    """
    search = read_search(folder)
    sessions = {
        trial.number: [session_state(each) for each in trial.sessions()]
        for trial in folder.trials()
    }
    states = [each["state"] for each in search.results]
    every = [state for trial in sessions.values() for state in trial]
    ended = sum(state != "unfinished" for state in states)
    trials = f"{ended} of {plan.trials}" if plan.trials else str(ended)
    ended_sessions = sum(state.ended for state in every)
    return SearchProgress(
        search, sessions, search_state(every, states), ended, ended_sessions, trials
    )


def _steps(folder: SessionFolder) -> int:
    """The environment steps in the last rows of the tables."""
    tables = (folder.episodes, folder.updates, folder.evaluations)
    return max(int(last_row(table).get("step", 0)) for table in tables)


def _episodes(folder: SessionFolder) -> int:
    return int(last_row(folder.episodes).get("episode", 0))


def evaluation_of(folder: SessionFolder) -> dict[str, float]:
    """The latest evaluation of a session; empty if there is none.

    Raises:
        UserError: the table is damaged.
    """
    row = last_row(folder.evaluations)
    if row and "mean_return" not in row:
        raise UserError(f"{folder.evaluations}: is damaged: it lacks a column of mean_return")
    return row
