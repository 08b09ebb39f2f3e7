"""Curves of several runs in one chart.

A damaged file raises a UserError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Series
from rl.analysis.records import columns, table
from rl.analysis.statistics import Values, interpolate_curves, running_mean
from rl.analysis.trial_charts import METRICS, RUNNING_MEAN_EPISODES, STEPS
from rl.dashboard.plan import Plan
from rl.dashboard.views import problem_of
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import Columns, Read

MOST = 24  # runs
POINTS = 300  # of a mean over sessions
RETURNS = {
    "evaluations": "greedy evaluations",
    "training": f"mean of {RUNNING_MEAN_EPISODES} training episodes",
}
QUANTITIES = {**RETURNS, **{name: title.lower() for name, (title, _) in METRICS.items()}}


@dataclass(frozen=True)
class Curve:
    """What a session has learned."""

    session: int  # its number
    x: Values  # environment steps
    y: Values


@dataclass(frozen=True)
class Overlaid:
    """A run, and the curves of its sessions."""

    name: str
    plan: Plan
    quantities: frozenset[str]  # that it has recorded
    curves: Sequence[Curve]


# What has a line of its own.
LINES: dict[str, Callable[[Overlaid, Curve], object]] = {
    "run": lambda run, _: run.name,
    "session": lambda run, curve: (run.name, curve.session),
    "setting": lambda run, _: run.plan.setting,
}


def read_curves(
    name: str, plan: Plan, sessions: Sequence[SessionFolder], quantity: str, read: Read
) -> Overlaid:
    """The curves of a run.

    Args:
        name: of the run.
        plan: what it is to do.
        sessions: that have begun.
        quantity: of `QUANTITIES`.
        read: reads the tables.

    Raises:
        UserError: a table is damaged.
    """
    curves, recorded = [], set(RETURNS)
    for session in sessions:
        updates = table(session.updates, read=read)
        recorded |= {title for title in updates if len(updates[title])}
        found = charts.drawable_curves([_curve(session, quantity, updates, read)])
        curves += [Curve(session.number, *each) for each in found]
    return Overlaid(name, plan, frozenset(recorded), curves)


def _curve(
    session: SessionFolder, quantity: str, updates: Columns, read: Read
) -> tuple[Values, Values]:
    """The steps and the values of a quantity in a session."""
    if quantity == "evaluations":
        steps, values = columns(session.evaluations, ("step", "mean_return"), read)
        return steps, values
    if quantity == "training":
        steps, returns = columns(session.episodes, ("step", "return"), read)
        return steps, running_mean(returns, RUNNING_MEAN_EPISODES)
    return updates.get("step", ()) if quantity in updates else (), updates.get(quantity, ())


Group = Sequence[tuple[Overlaid, Curve]]


def overlay(runs: Sequence[Overlaid], quantity: str, lines: str) -> Chart:
    """A quantity of several runs over the environment steps.

    Args:
        runs: in the order of their colours.
        quantity: that their curves are of.
        lines: of `LINES`.
    """
    title, key = QUANTITIES[quantity], LINES[lines]
    groups: dict[object, list[tuple[Overlaid, Curve]]] = {}
    for run in runs:
        for curve in run.curves:
            groups.setdefault(key(run, curve), []).append((run, curve))
    names = [_name(group, lines) for group in groups.values()]
    colours = list(range(len(groups)))
    if lines != "setting":  # that of the run, so that it stays when others are added
        places = {run.name: place for place, run in enumerate(runs)}
        colours = [places[group[0][0].name] for group in groups.values()]
    drawn = zip(groups.values(), names, colours, strict=True)
    series = [each for one in drawn for each in _series(*one)]
    is_return = quantity in RETURNS
    marks, note = _levels(runs) if is_return else ([], "")
    if any(len(group) > 1 for group in groups.values()):
        note = f"Of several sessions the mean, and their range as a band. {note}"
    axis = Axis("return" if is_return else quantity.replace("_", " "))
    return Chart(
        title[0].upper() + title[1:],
        f"{title} of {'; '.join(names)}." if names else "Nothing was recorded yet.",
        STEPS,
        axis,
        series,
        marks,
        note.strip(),
    )


def _series(group: Group, name: str, colour: int) -> list[Series]:
    """The curve of a session, or the mean of several and their range."""
    curves = [(curve.x, curve.y) for _, curve in group]
    if len(curves) == 1:
        return [charts.line(name, *charts.thinned(*curves[0]), colour)]
    steps, values = interpolate_curves(curves, POINTS)
    return [
        charts.band(name, steps, values.min(axis=0), values.max(axis=0), colour),
        charts.line(name, steps, values.mean(axis=0), colour),
    ]


def _name(group: Group, lines: str) -> str:
    (run, curve), names = group[0], {run.name for run, _ in group}
    if lines == "session" and len(run.curves) > 1:
        return f"{run.name}, session {curve.session}"
    if len(names) > 1:
        return f"{run.plan.experiment}: {run.name} and {len(names) - 1} more"
    return run.name


def _levels(runs: Sequence[Overlaid]) -> tuple[list[charts.Mark], str]:
    """What counts as solved, where all runs are of one problem."""
    problems = {run.plan.environment.label for run in runs}
    if len(problems) > 1:
        listed = ", ".join(sorted(problems))
        return [], f"The returns of different problems ({listed}) cannot be compared."
    solved = {problem_of(run.plan.environment).solved for run in runs}
    known = sorted(each for each in solved if each is not None)
    return [charts.mark_y(each, f"solved: {each:g}") for each in known], ""
