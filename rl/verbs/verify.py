"""`rl verify`: checks that a result can be reproduced."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.verbs.arguments import (
    A_RUN,
    FAILED,
    Verbs,
    add_verb,
    natural,
    positive,
    processes,
    warn_of_differences,
)

if TYPE_CHECKING:
    from rl.checks.verification import Verdict
    from rl.running.opened_run import Run


def verify(options: argparse.Namespace) -> int:
    """`rl verify`: re-runs a run, or replays its evaluation, and compares bit by bit."""
    from rl.running.opened_run import Run

    run = Run.open(options.run, options.trial)
    warn_of_differences(run.manifest)
    verdicts = _verdicts(run, options)
    for verdict in verdicts:
        found = f"differs: {verdict.difference}" if verdict.difference else "identical"
        say(f"session {verdict.session} (seed {verdict.seed}): {found}")
    return FAILED if any(verdict.difference for verdict in verdicts) else 0


def _verdicts(run: Run, options: argparse.Namespace) -> list[Verdict]:
    from rl.checks.verification import verify as run_again
    from rl.checks.verification import verify_evaluation
    from rl.running.display import showing
    from rl.running.executors import Executor, Inline

    if options.evaluation:
        return verify_evaluation(run, options.sessions)
    total = min(options.sessions or len(run.manifest["seeds"]), len(run.manifest["seeds"]))
    with showing(options.quiet, total) as callback:
        executor: Executor = Inline(callback) if total == 1 else processes(options, callback)
        return run_again(run, options.sessions, executor)


def add(verbs: Verbs) -> None:
    """Adds `rl verify` to the command line."""
    verb = add_verb(
        verbs, "verify", verify,
        "re-run from the manifest, and check that every number is identical",
        "rl verify lunarlander_dqn --evaluation",
    )  # fmt: skip
    verb.add_argument("run", metavar="RUN", help=A_RUN)
    verb.add_argument("--sessions", type=positive, metavar="K", help="only the first K sessions")
    verb.add_argument("--trial", type=natural,
                      help="trial number of a search (default: the best)")  # fmt: skip
    verb.add_argument("--evaluation", action="store_true",
                      help="only replay the episodes of the result (takes seconds)")  # fmt: skip
    verb.add_argument("--jobs", type=positive, help="parallel sessions (default: one per core)")
    verb.add_argument("--quiet", action="store_true", help="print only the verdicts")
    verb.set_defaults(executor="local")
