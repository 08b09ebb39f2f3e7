"""`rl merge`: makes one trial of separate runs."""

from __future__ import annotations

import argparse

from rl.console.output import say
from rl.storage.paths import user_path
from rl.verbs import report
from rl.verbs.arguments import A_RUN, Verbs, add_verb


def merge(options: argparse.Namespace) -> int:
    """`rl merge`: puts the sessions of runs together in a new folder, and analyzes them."""
    from rl.analysis.analyze import describe_trial
    from rl.running.merging import merge as put_together

    run = put_together(options.runs, options.output)
    say(*run.notes)
    figures = run.analyze()
    if not options.quiet:
        say(*describe_trial(figures))
        say(f"run folder: {run.path}  (curves: {run.trial.path})")
    report.conclude(run.path, options)
    return 0


def add(verbs: Verbs) -> None:
    """Adds `rl merge` to the command line."""
    verb = add_verb(
        verbs, "merge", merge,
        "make one trial of separate runs of the same setting",
        "rl merge runs/seed_0 runs/seed_1 --output runs/both",
        "--quiet", "--no-report",
    )  # fmt: skip
    verb.add_argument("runs", metavar="RUN", nargs="+", help=A_RUN)
    verb.add_argument("--output", metavar="DIR", required=True, type=user_path,
                      help="the new run folder; the others stay as they are")  # fmt: skip
