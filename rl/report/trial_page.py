"""The page of a run with one session or several."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rl.analysis.charts import Chart
from rl.analysis.records import Record, read_records
from rl.analysis.trial_charts import (
    learning_curve,
    metric_charts,
    score_charts,
    update_charts,
)
from rl.console.place import shown
from rl.report.blocks import Block, Charts, Code, Page, Section, Table, Text
from rl.report.lineage import lineage
from rl.report.origin import origin, reproduction
from rl.report.pictures import moving, table
from rl.report.verdicts import verdict_of
from rl.saved.run import Run
from rl.storage.files import read_bytes


def trial_page(run: Run, saliency: bool = False) -> Page:
    """How the sessions of a run learned, and how good they are.

    Args:
        run: any of its sessions.
        saliency: whether its episodes show which pixels matter.

    Raises:
        UserError: a file is damaged, or there is no saliency.
    """
    records, threshold = read_records(run.trial), run.problem.solved
    several = len(run.manifest["seeds"]) > 1
    typical = typical_session(records)
    seen = Run(run.folder, run.trial.number, typical.number) if typical else run
    middle = f"Session {seen.session.number}, the one in the middle by its score."
    episodes, learning = moving(seen, saliency)
    return Page(
        "trial" if several else "run",
        run.specification.name,
        f"{run.specification.values['agent']['name']} on {run.problem.label}",
        verdict_of(run, records),
        [
            Section("Learning", [Charts([learning_curve(records, threshold)], wide=True)]),
            Section("Evaluation", _charts(score_charts(records, threshold))),
            Section("Table", table(seen)),
            Section("Sessions", [_sessions(records)] if several else []),
            Section("Film", [*([Text(middle)] if several else []), *learning]),
            Section("Episodes", episodes),
            Section("Updates", _charts(update_charts(records))),
            Section("Metrics of callbacks", _charts(metric_charts(records))),
            failures(records),
            lineage(run.manifest),
            origin(run.manifest, run.spec, run.trial.sessions()),
            reproduction(_commands(run)),
        ],
    )


def typical_session(records: Sequence[Record]) -> Record | None:
    """The session that stands for all: the one with the median score, not the best."""
    counted = sorted((each for each in records if each.counted), key=lambda each: each.best)
    return counted[(len(counted) - 1) // 2] if counted else None


def _charts(charts: Sequence[Chart]) -> list[Block]:
    return [Charts(charts)] if charts else []


def _sessions(records: Sequence[Record]) -> Table:
    """A row for each session."""
    head = ("session", "seed", "status", "best checkpoint", "last checkpoint", "steps", "seconds")
    rows = []
    for record in records:
        scores = (record.best, record.final) if record.counted else (None, None)
        seed, *cost = map(record.outcome.get, ("seed", "steps", "seconds"))
        rows.append([record.number, seed, record.status, *scores, *cost])
    return Table(head, rows)


def failures(records: Sequence[Record]) -> Section:
    """The sessions that did not finish, and why."""
    blocks: list[Block] = []
    for record in records:
        if not record.counted:
            reason = record.outcome.get("reason", "it ended without saying why")
            blocks.append(Text(f"Session {record.number}: {record.status}: {reason}."))
        if record.folder.traceback.exists():
            text = read_bytes(record.folder.traceback).decode("utf-8", "replace")
            blocks.append(Code(text, f"Where session {record.number} failed", folded=True))
    return Section("What went wrong", blocks)


def _commands(run: Run) -> list[str]:
    """Commands that verify the run and that repeat it."""
    folder, seeds = shlex.quote(shown(run.path)), run.manifest["seeds"]
    trial = f" --trial {run.trial.number}" if run.trial.number else ""
    sessions = f" --sessions {len(seeds)}" if len(seeds) > 1 else ""
    name, spec = shlex.quote(run.specification.name), shlex.quote(shown(run.spec))
    source = f" --from {shlex.quote(shown(run.start.file))}" if run.start else ""
    fresh = " --fresh-normalization" if run.start and run.start.is_fresh else ""
    return [
        f"rl verify {folder}{trial} --evaluation",
        f"rl run {name} --spec {spec} --seed {seeds[0]}{sessions}{source}{fresh}",
    ]
