"""How far sessions, runs and searches have come, according to their files.

A damaged file raises a UserError.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl.analysis.search_figures import Search, read_search
from rl.dashboard.pace import Pace, Paces, Seen
from rl.dashboard.plan import Plan
from rl.errors import UserError
from rl.session.status import ENDS, Status
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


def session_state(folder: SessionFolder, outcome: Mapping[str, Any] | None = None) -> State:
    """The state of a session, whose outcome may be known already.

    It is solved if its best checkpoint is on unseen episodes, as in the report; that it was
    good enough to end the training is not said.
    """
    if outcome is None:
        outcome = folder.read_outcome()
    status = outcome.get("status", "unfinished")
    if has_ended(outcome):
        return State(_word(status, outcome.get("evaluation", {}).get("solved")), ended=True)
    has_learned = status in ENDS
    if folder.is_locked or _grew_lately(folder):
        return State("evaluating" if has_learned else "training", under_way=True)
    return State("unfinished" if has_learned else status)


def _word(status: str, is_solved: bool | None) -> str:
    """The word of a session that has ended."""
    solved = Status.SOLVED.value
    return solved if is_solved else Status.FINISHED.value if status == solved else status


def _grew_lately(folder: SessionFolder) -> bool:
    """Whether its tables were written a moment ago, and later than its outcome.

    This shows a session whose lock is not visible: on a disk that other machines share.
    """
    return written(folder) > max(time.time() - SECONDS_OF_SILENCE, _changed(folder.outcome))


def written(folder: SessionFolder) -> float:
    """When a table of a session was written last, in seconds since 1970; 0 without any."""
    return max(map(_changed, (folder.episodes, folder.updates, folder.evaluations)))


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
    """The progress of a run, or of a trial of a search."""

    planned: int  # sessions
    states: Sequence[State]  # of the sessions that have begun
    outcomes: Sequence[Mapping[str, Any]]  # of the same, as far as they have ended
    state: State
    steps: int  # environment steps so far
    episodes: int
    written: float  # when a table of those under way was written last, in seconds since 1970

    @property
    def evaluated(self) -> list[Mapping[str, Any]]:
        """What became of the best checkpoints on unseen episodes."""
        return [each["evaluation"] for each in self.outcomes if "evaluation" in each]

    @property
    def solved(self) -> str:
        """How many sessions are solved, as the report has it; empty where none can be."""
        known = [each["solved"] for each in self.evaluated if each["solved"] is not None]
        if self.planned == 1:
            return ("solved" if known[0] else "not solved") if known else ""
        return f"{sum(known)} of {self.planned} solved" if known else ""

    @property
    def is_fresh(self) -> bool:
        """Whether no session under way has been interrupted before."""
        return not any(
            outcome and state.under_way
            for outcome, state in zip(self.outcomes, self.states, strict=True)
        )

    def share(self, plan: Plan, trials: int = 1) -> float | None:
        """How much of what is planned was done, from 0 to 1; None if nothing is counted."""
        done, budget = (
            (self.episodes, plan.episodes) if plan.steps is None else (self.steps, plan.steps)
        )
        total = (budget or 0) * plan.sessions * trials
        return min(1.0, done / total) if total else None

    def pace(self, plan: Plan, paces: Paces, key: str, trials: int | None = 1) -> Pace | None:
        """How fast it is; None unless sessions learn, or if that cannot be told yet."""
        if not any(each.word == "training" for each in self.states):
            return None
        share = self.share(plan, trials) if trials else None
        seen = Seen(self.written, self.steps, share, plan.may_end_early or trials != 1)
        return paces.of(key, seen, plan.started if self.is_fresh else None)


def run_progress(plan: Plan, sessions: Sequence[SessionFolder]) -> RunProgress:
    """How far the sessions of a run have come."""
    outcomes = [each.read_outcome() for each in sessions]
    pairs = list(zip(sessions, outcomes, strict=True))
    states = [session_state(*each) for each in pairs]
    done = [_done(*each) for each in pairs]
    running = [each for each, state in zip(sessions, states, strict=True) if state.under_way]
    return RunProgress(
        plan.sessions,
        states,
        outcomes,
        run_state(states, plan.sessions),
        sum(steps for steps, _ in done),
        sum(episodes for _, episodes in done),
        max(map(written, running), default=0.0),
    )


def _done(folder: SessionFolder, outcome: Mapping[str, Any]) -> tuple[int, int]:
    """The environment steps and the episodes of a session."""
    if "evaluation" in outcome:
        return outcome["steps"], outcome["episodes"]
    tables = (folder.episodes, folder.updates, folder.evaluations)
    rows = list(map(last_row, tables))
    return max(int(row.get("step", 0)) for row in rows), int(rows[0].get("episode", 0))


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
    sessions: Mapping[int, Sequence[State]]  # by the number of the trial
    state: State
    ended: int  # trials
    all: RunProgress  # of the sessions of all trials together

    @property
    def ended_sessions(self) -> int:
        """The sessions that have ended."""
        return sum(each.ended for each in self.all.states)


def search_progress(plan: Plan, folder: RunFolder) -> SearchProgress:
    """How far the trials of a search have come."""
    search = read_search(folder)
    found = {each.number: each.sessions() for each in folder.trials()}
    together = run_progress(plan, [each for sessions in found.values() for each in sessions])
    states = iter(together.states)
    sessions = {number: [next(states) for _ in each] for number, each in found.items()}
    ended = len(search.results) - search.states.get("unfinished", 0)
    if any(each.under_way for each in together.states):
        state = State("searching", under_way=True)
    elif not search.results:
        state = State("not begun")
    else:
        is_over = ended == len(search.results)
        state = State("finished" if is_over else "unfinished", ended=is_over)
    return SearchProgress(search, sessions, state, ended, together)
