"""The outcome of a run in words and figures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rl.analysis.names import FEWEST_QUARTERS, RANGE, interval_name
from rl.analysis.records import Record
from rl.console.place import shown
from rl.environments.problems import Problem
from rl.formatting import count_of, figure_of
from rl.report.blocks import Figure, Verdict
from rl.saved.run import Run
from rl.session.status import Status


def verdict_of(run: Run, records: Sequence[Record]) -> Verdict:
    """The outcome of a run with one session or several."""
    if len(run.manifest["seeds"]) > 1:
        return _trial_verdict(run)
    if records and records[0].counted:
        return _session_verdict(run, records[0])
    status = records[0].status if records else "not begun"
    reason = records[0].outcome.get("reason") if records else None
    remedy = f"To resume: rl resume {shlex.quote(shown(run.path))}"
    return Verdict(status.capitalize(), False, [reason or remedy])


def _session_verdict(run: Run, record: Record) -> Verdict:
    """The outcome of a session that finished."""
    outcome, evaluation = record.outcome, record.outcome["evaluation"]
    played = count_of(evaluation["episodes"], "unseen episode")
    sentence = (
        f"The best checkpoint, of step {outcome['best_step']:,}, has a mean return of "
        f"{figure_of(evaluation['mean_return'])} over {played}."
    )
    if cut := evaluation.get("cut_episodes"):
        sentence += (
            f" {cut} of them were cut at {evaluation['max_length']:,} steps, as the environment "
            "has no time limit."
        )
    if record.status == Status.STOPPED.value:
        why = f" ({outcome['reason']})" if "reason" in outcome else ""
        sentence += f" A callback stopped it at step {outcome['steps']:,}{why}."
    mean, median = figure_of(evaluation["mean_return"]), figure_of(evaluation["median_return"])
    ends = (evaluation["min_return"], evaluation["max_return"])
    last = "" if record.final is None else figure_of(record.final)
    figures = [
        Figure("mean return", mean, f"95% interval of the mean: {_range(evaluation['ci95'])}"),
        Figure("median return", median, f"worst and best episode: {_range(ends)}"),
        Figure("last checkpoint", last, "mean return"),
        *_cost(outcome),
    ]
    solved = evaluation["solved"]
    word = "Finished" if solved is None else "Solved" if solved else "Not solved"
    return Verdict(word, solved, [sentence, criterion(run.problem)], figures)


def _trial_verdict(run: Run) -> Verdict:
    """The outcome of several sessions."""
    figures, planned = run.figures(), len(run.manifest["seeds"])
    if not figures["counted"]:
        return Verdict("Nothing to judge", False, [f"None of {planned} sessions finished."])
    solved, best, last = figures["solved"], figures["best"], figures["final"]
    word, good = "Finished", None
    sentence = f"{figures['counted']} of {planned} sessions finished."
    if run.problem.solved is not None:
        word, good = f"{solved} of {planned} solved", solved == planned
        sentence += f" {solved} of them solved the problem."
    shown = [
        _spread("mean return", best, "mean"),
        *([_spread("IQM", best, "iqm")] if len(best["each"]) >= FEWEST_QUARTERS else []),
        Figure("sessions", _range((best["min"], best["max"])), "worst and best"),
        *([_spread("last checkpoints", last, "mean")] if last else []),
        *_to_threshold(figures),
    ]
    return Verdict(word, good, [sentence, criterion(run.problem)], shown)


def criterion(problem: Problem) -> str:
    """What counts as solved."""
    if problem.solved is None:
        return f"{problem.id} has no agreed return at which it counts as solved."
    least = f"a mean return of at least {problem.solved:g}"
    return f"{problem.id} counts as solved at {least} over 100 episodes or more."


def _spread(label: str, figures: Mapping[str, Any], name: str) -> Figure:
    interval, note = figures[f"{name}_interval"], ""
    if interval:
        kind = interval_name(figures["each"], interval)
        what = "range of the sessions" if kind == RANGE else f"{kind} over sessions"
        note = f"{what}: {_range(interval)}"
    return Figure(label, figure_of(figures[name]), note)


def _to_threshold(figures: Mapping[str, Any]) -> list[Figure]:
    steps = figures["steps_to_threshold"]
    if not steps:
        return []
    reached = f"range of the {steps['reached']} sessions that reached it"
    ends = f"{reached}: {steps['min']:,.0f} to {steps['max']:,.0f}"
    return [Figure("median steps to the threshold", f"{steps['median']:,.0f}", ends)]


def _cost(outcome: Mapping[str, Any]) -> list[Figure]:
    speed = outcome["steps"] / outcome["seconds"] if outcome["seconds"] else 0.0
    return [
        Figure(
            "environment steps", f"{outcome['steps']:,}", count_of(outcome["episodes"], "episode")
        ),
        Figure("time", f"{outcome['seconds']:,.1f} s", f"{speed:,.0f} steps a second"),
    ]


def _range(ends: Sequence[float]) -> str:
    return f"{figure_of(ends[0])} to {figure_of(ends[1])}"
