"""Runs and searches as they are now, for pages that follow them.

A damaged file raises a UserError.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rl.analysis.charts import Chart
from rl.analysis.records import Record, read_records
from rl.analysis.search_charts import score_chart
from rl.analysis.search_figures import Result, describe_parameters
from rl.analysis.trial_charts import learning_curve, metric_charts, score_charts, update_charts
from rl.dashboard.pace import Pace, Paces
from rl.dashboard.plan import Plan, read_plan
from rl.dashboard.states import (
    RunProgress,
    SearchProgress,
    State,
    evaluation_of,
    run_progress,
    run_state,
    search_progress,
)
from rl.environments.problems import Problem, problem_in
from rl.environments.settings import EnvironmentSettings
from rl.errors import UserError
from rl.formatting import count_of, figure_of
from rl.report import search_page, trial_page
from rl.report.blocks import Figure, Section, Table, Verdict
from rl.report.verdicts import criterion
from rl.storage.run_folder import RunFolder, TrialFolder
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import Read, last_rows

ROWS = 12  # of a table, its last ones
GOOD = {"solved": True, "diverged": False, "failed": False}
SENTENCES = {
    "training": "It is learning, and this page follows it.",
    "evaluating": "Learning is done; its checkpoints are being evaluated on unseen episodes.",
    "searching": "Trials are under way, and this page follows them.",
}


@dataclass(frozen=True)
class Trial:
    """A row in the table of a search's trials."""

    number: int
    state: State
    score: float | None
    sessions: str  # how many have ended
    parameters: str


@dataclass(frozen=True)
class View:
    """What a page shows."""

    plan: Plan
    state: State
    verdict: Verdict
    charts: Sequence[Chart]
    sections: Sequence[Section]  # the logs
    sessions: Sequence[int] = ()  # the numbers of those that have begun
    trials: Sequence[Trial] = ()  # of a search, the best first
    statistic: str = ""  # by which the trials are ranked


def _verdict(
    state: State, folder: RunFolder, sentences: Sequence[str], figures: Sequence[Figure]
) -> Verdict:
    """The state in a word, what it means, and more sentences and figures."""
    said = []
    if state.under_way:
        said.append(SENTENCES[state.word])
    elif not state.ended:
        path = shlex.quote(str(folder.path))
        said.append(f"It is not running on this machine. To resume: rl resume {path}")
    return Verdict(state.word.capitalize(), GOOD.get(state.word), [*said, *sentences], figures)


def search_view(folder: RunFolder, paces: Paces) -> View:
    """What a search has tried so far, how good that was, and how fast it is."""
    plan = read_plan(folder)
    progress = search_progress(plan, folder)
    search, sentences = progress.search, []
    figures = [
        Figure("trials", _of(progress.ended, plan.trials), "ended"),
        Figure("sessions", str(progress.ended_sessions), "ended"),
        *_pace(progress.all.pace(plan, paces, str(folder.path), plan.trials)),
    ]
    statistic = search.statistic.replace("_", " ")
    if search.scored:
        best = search.scored[0]
        found = f"trial {best['trial']}"
        sentences = [f"The best so far is {found}: {describe_parameters(best['parameters'])}."]
        figures.append(Figure("best score", figure_of(best["score"]), f"{statistic} of {found}"))
    return View(
        plan,
        progress.state,
        _verdict(progress.state, folder, sentences, figures),
        [score_chart(search, progress.state.under_way)] if search.scored else [],
        [search_page.failures(search.results)],
        trials=[_trial(result, progress, plan) for result in search.results],
        statistic=statistic,
    )


def _of(count: int, total: int | None) -> str:
    return f"{count} of {total}" if total else str(count)


def _trial(result: Result, progress: SearchProgress, plan: Plan) -> Trial:
    """A trial without a result has the state of its sessions."""
    sessions, state = progress.sessions[result["trial"]], State(result["state"], ended=True)
    if result["state"] == "unfinished":
        state = run_state(sessions, plan.sessions)
    ended = f"{sum(each.ended for each in sessions)} of {plan.sessions}"
    parameters = describe_parameters(result["parameters"])
    return Trial(result["trial"], state, result["score"], ended, parameters)


def trial_view(
    folder: RunFolder, trial: TrialFolder, session: SessionFolder | None, read: Read, paces: Paces
) -> View:
    """What the sessions of a trial have learned so far, and how fast they are.

    The last rows of a session are shown, if there is one; `read` reads the tables.
    """
    plan, records = read_plan(folder, trial), read_records(trial, read)
    progress = run_progress(plan, [record.folder for record in records])
    problem = problem_of(plan.environment)
    threshold = problem.solved
    sentences = [] if threshold is None else [criterion(problem)]
    updates = [*update_charts(records), *metric_charts(records)]
    curves = [learning_curve(records, threshold), *updates]
    figures = _figures(plan, records, progress)
    figures += _pace(progress.pace(plan, paces, str(trial.path)))
    return View(
        plan,
        progress.state,
        _verdict(progress.state, folder, sentences, figures),
        [*curves, *score_charts(records, threshold)],
        [*_logs(session, plan), trial_page.failures(_stopped(records, progress.states))],
        [record.number for record in records],
    )


def _stopped(records: Sequence[Record], states: Sequence[State]) -> list[Record]:
    """The sessions that have stopped, other than by an interruption."""
    return [
        record
        for record, state in zip(records, states, strict=True)
        if not state.under_way and record.status != "interrupted"
    ]


def problem_of(environment: EnvironmentSettings) -> Problem:
    """What is known of an environment without importing the module that has it."""
    if ":" not in environment.id:
        with suppress(UserError):
            return problem_in(environment)
    return Problem(environment.id, environment.solved, block=environment)


def _figures(plan: Plan, records: Sequence[Record], progress: RunProgress) -> list[Figure]:
    figures = [Figure("environment steps", f"{progress.steps:,}", plan.of(plan.steps))]
    if plan.sessions > 1:
        ended = sum(state.ended for state in progress.states)
        figures.append(Figure("sessions", f"{ended} of {plan.sessions}", "have ended"))
    of_episodes = plan.of(plan.episodes) or "of training"
    figures.append(Figure("episodes", f"{progress.episodes:,}", of_episodes))
    if evaluated := [record for record in records if len(record.returns)]:
        figures += _evaluations(evaluated)
    if counted := [record for record in records if record.counted]:
        figures.append(_result(counted))
    return figures


def _pace(pace: Pace | None) -> list[Figure]:
    return [Figure("steps a second", f"{pace.speed:,.0f}", pace.time_left)] if pace else []


def _evaluations(records: Sequence[Record]) -> list[Figure]:
    """The latest greedy evaluation and the best one; means over several sessions."""
    latest = np.mean([record.returns[-1] for record in records])
    best = np.mean([record.returns.max() for record in records])
    if len(records) > 1:
        notes = [f"mean of {len(records)} sessions"] * 2
    else:
        (record,) = records
        episodes = evaluation_of(record.folder).get("episodes", 0)
        steps = record.steps[-1], record.steps[record.returns.argmax()]
        played = count_of(episodes, "greedy episode")
        notes = [f"{played}, step {steps[0]:,.0f}", f"step {steps[1]:,.0f}"]
    return [
        Figure("latest evaluation", figure_of(latest), notes[0]),
        Figure("best evaluation", figure_of(best), notes[1]),
    ]


def _result(records: Sequence[Record]) -> Figure:
    """The return of the best checkpoints on unseen episodes."""
    mean = float(np.mean([record.best for record in records]))
    note = f"best checkpoints of {len(records)} sessions"
    if len(records) == 1:
        low, high = map(figure_of, records[0].outcome["evaluation"]["ci95"])
        note = f"best checkpoint, 95% interval of the mean: {low} to {high}"
    return Figure("unseen episodes", figure_of(mean), note)


def _logs(session: SessionFolder | None, plan: Plan) -> list[Section]:
    """The last rows of a session's tables."""
    if session is None:
        return []
    whose = f" of session {session.number}" if plan.sessions > 1 else ""
    return [
        Section(f"Latest evaluations{whose}", _rows(session.evaluations)),
        Section(f"Latest episodes{whose}", _rows(session.episodes)),
    ]


def _rows(path: Path) -> list[Table]:
    """The last rows of a table, the newest first."""
    titles, rows = last_rows(path, ROWS)
    return [Table([title.replace("_", " ") for title in titles], rows[::-1])] if rows else []
