"""From the files of a trial to its figures and pictures; repeatable at any time."""

from __future__ import annotations

from typing import Any

from rl.analysis.charts import drawable_curves
from rl.analysis.drawer import draw
from rl.analysis.metrics import METRICS, trial_metrics
from rl.analysis.names import FEWEST_QUARTERS, interval_name
from rl.analysis.records import Record, read_record, read_records
from rl.analysis.trial_charts import learning_curve, metric_charts, update_charts
from rl.formatting import figure_of
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import SessionFolder

MOST_METRICS = 12  # of callbacks, in the picture of a session; its page has all


def trial_figures(
    folder: TrialFolder, planned: int, name: str, problem: str, threshold: float | None
) -> dict[str, Any]:
    """The metrics of a trial, and how each of its sessions ended.

    Args:
        folder: of the trial.
        planned: the number of sessions it was to have.
        name: of the experiment.
        problem: its id.
        threshold: the return that counts as solved, if there is one.

    Raises:
        UserError: a file of a session is damaged.
    """
    records = read_records(folder)
    return {
        "experiment": name,
        "problem": problem,
        "threshold": threshold,
        "planned": planned,
        **trial_metrics(records),
        "outcomes": [_outcome(record) for record in records],
    }


def _outcome(record: Record) -> dict[str, Any]:
    return {
        "session": record.number,
        "status": record.status,
        **{key: record.outcome[key] for key in ("seed", "reason") if key in record.outcome},
        **({"best": record.best, "final": record.final} if record.counted else _so_far(record)),
    }


def _so_far(record: Record) -> dict[str, Any]:
    """What is known of a session that did not finish."""
    if record.status == "pruned" or not len(record.returns):  # where it was pruned is chance
        return {}
    best = int(record.returns.argmax())
    return {
        "so_far": {
            "evaluations": len(record.returns),
            "latest_step": int(record.steps[-1]),
            "latest": float(record.returns[-1]),
            "best_step": int(record.steps[best]),
            "best": float(record.returns[best]),
        }
    }


def draw_session(folder: SessionFolder, title: str, threshold: float | None) -> None:
    """Draws `curve.png` of a session that has begun, unless it is newer than the tables.

    Raises:
        UserError: a file of the session is damaged.
        OSError: the picture cannot be written.
    """
    tables = [folder.episodes, folder.updates, folder.evaluations]
    if not all(table.exists() for table in tables):
        return
    tables += map(folder.metric, folder.metrics())
    changed = max(table.stat().st_mtime for table in tables)
    if not folder.curve.exists() or folder.curve.stat().st_mtime < changed:
        records = [read_record(folder)]
        more = [*update_charts(records), *metric_charts(records)[:MOST_METRICS]]
        draw([learning_curve(records, threshold), *more], folder.curve, title)


def draw_trial(folder: TrialFolder, figures: dict[str, Any]) -> None:
    """Draws `learning_curve.png` of several sessions, given their `trial_figures`.

    Raises:
        UserError: a file of a session is damaged.
        OSError: the picture cannot be written.
    """
    records = read_records(folder)
    if len(drawable_curves((each.steps, each.returns) for each in records)) > 1:
        title = f"{figures['experiment']} on {figures['problem']}"
        draw([learning_curve(records, figures["threshold"])], folder.curve, title)


def describe_trial(figures: dict[str, Any]) -> list[str]:
    """The `trial_figures` in lines to read."""
    threshold = figures["threshold"]
    counted = f"{figures['counted']} of {figures['planned']} sessions counted"
    if threshold is not None:
        counted += f", {figures['solved']} solved it (a mean of {threshold:g})"
    lines = [f"{figures['experiment']} on {figures['problem']}: {counted}"]
    for key, what in (("best", "best checkpoints"), ("final", "last checkpoints")):
        if figures[key] is not None:
            lines.append(f"{what}: {_describe_spread(figures[key])}")
    reached = [
        f"{_amount(figures[f'{unit}_to_threshold'])} {unit}"
        for unit in ("steps", "episodes", "seconds")
        if figures[f"{unit}_to_threshold"] is not None
    ]
    if reached:
        number = figures["steps_to_threshold"]["reached"]
        lines.append(f"to the threshold, median and range of {number}: {', '.join(reached)}")
    measures = [f"{name} {figures[name]:.3g}" for name in (*METRICS, "fitness_2017")
                if figures.get(name) is not None]  # fmt: skip
    if measures:
        lines.append(", ".join(measures))
    for each in figures["outcomes"]:
        if "best" not in each:
            reason = f": {each['reason']}" if "reason" in each else ""
            lines.append(f"session {each['session']} did not count: {each['status']}{reason}")
            if "so_far" in each:
                lines.append(_describe_so_far(each["so_far"]))
    return lines


def _describe_spread(figures: dict[str, Any]) -> str:
    texts, values = [], figures["each"]
    averages = {"mean": "mean return", "median": "median", "iqm": "IQM"}
    if len(values) < FEWEST_QUARTERS:  # it would be the mean again
        del averages["iqm"]
    for name, words in averages.items():
        interval, between = figures[f"{name}_interval"], ""
        if interval:
            what = interval_name(values, interval)
            between = f" ({what} {figure_of(interval[0])} to {figure_of(interval[1])})"
        texts.append(f"{words} {figure_of(figures[name])}{between}")
    return ", ".join(texts)


def _describe_so_far(figures: dict[str, Any]) -> str:
    return (
        f"  its evaluations so far, {figures['evaluations']}: mean return "
        f"{figure_of(figures['latest'])} at step {figures['latest_step']:,}, at best "
        f"{figure_of(figures['best'])} at step "
        f"{figures['best_step']:,}"
    )


def _amount(figures: dict[str, Any]) -> str:
    median, low, high = (f"{figures[name]:,.0f}" for name in ("median", "min", "max"))
    return f"{median} ({low} to {high})" if low != high else median
