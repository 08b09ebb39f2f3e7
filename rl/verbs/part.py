"""`rl search --only-trial T [--only-session K]`: a part of a search."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.errors import UserError
from rl.verbs import report
from rl.verbs.arguments import FAILED, INTERRUPTED, check_only, processes
from rl.verbs.conclusion import AGAIN, conclude_session

if TYPE_CHECKING:
    from rl.search.part import Part
    from rl.specification.specification import Specification


def check_part(options: argparse.Namespace) -> bool:
    """Returns True if a part of a search is asked for.

    Raises:
        UserError: another option does not go with that.
    """
    if options.only_trial is None:
        if options.only_session is not None:
            raise UserError("--only-session: give the trial too, with --only-trial")
        return False
    check_only(options, "trial", jobs=options.only_session is None)
    for option in ("resume", "storage"):
        if getattr(options, option) is not None:
            raise UserError(f"--only-trial: leave out --{option}; processes share --output RUN")
    return True


def run_part(options: argparse.Namespace, specification: Specification) -> int:
    """Runs one trial of a search, or one session of it, and prints what came of it."""
    from rl.running.display import showing
    from rl.running.executors import Executor, Inline
    from rl.search.part import Part
    from rl.storage.notes import write_note

    part = Part(specification, options.output, options.only_trial, options.only_session)
    if options.tag:
        write_note(part.folder.path, tags=options.tag)
    if part.has_ended and not options.quiet:
        say(f"{part.trial.path}: has ended already; nothing is left to do")
    alone = part.session is not None or part.settings.sessions == 1
    with showing(options.quiet, total=0) as callback:
        executor: Executor = Inline(callback) if alone else processes(options, callback)
        try:
            part.run(executor)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"to resume: {AGAIN}") from None
    status = _conclude(part, options.quiet)
    if status != INTERRUPTED and part.is_analyzed:
        _conclude_search(part, options)
    return status


def _conclude(part: Part, quiet: bool) -> int:
    from rl.saved.run import Run

    result = part.trial.read_result()
    state = result["state"]
    if part.session is not None and state != "refused":
        return conclude_session(Run(part.folder, part.number, part.session), quiet, AGAIN)
    reason = f": {result['reason']}" if "reason" in result else ""
    if not quiet or state != "complete":
        say(f"trial {part.number}: {state}{reason}")
    if state == "running":
        say(f"interrupted; to resume: {AGAIN}")
        return INTERRUPTED
    return 0 if state in ("complete", "pruned") else FAILED


def _conclude_search(part: Part, options: argparse.Namespace) -> None:
    from rl.analysis.search_figures import describe_search

    if not options.quiet:
        say(*describe_search(part.folder, part.folder.read_summary()))
    report.conclude(part.folder.path, options)
