"""The result of a run, as it is printed at the end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rl.console.output import say
from rl.errors import Diverged
from rl.formatting import count_of
from rl.verbs import report
from rl.verbs.arguments import FAILED, INTERRUPTED
from rl.verbs.play import print_evaluation

if TYPE_CHECKING:
    from rl.saved.run import Run

AGAIN = "the same command again"  # resumes a session of a shared folder


def conclude(run: Run, options: argparse.Namespace) -> int:
    """Prints the result of a run, writes its report, and returns the exit status."""
    status = _conclude(run, options.quiet)
    if status != INTERRUPTED:
        report.conclude(run.path, options)
    return status


def tell_ended(run: Run, session: int, quiet: bool) -> None:
    """Says that a session has ended already, if it has."""
    if not quiet and run.trial.session(session).has_ended:
        say(f"{run.path}: session {session} has ended already; nothing is left to do")


def conclude_one(run: Run, session: int, options: argparse.Namespace) -> int:
    """As `conclude`, for one session of a run; once all are over, that of the run follows."""
    from rl.analysis.analyze import describe_trial
    from rl.saved.run import Run

    run = Run(run.folder, 0, session)
    if not options.quiet:
        say(f"session {session} (seed {run.manifest['seeds'][session]}) of {run.path}")
    status = conclude_session(run, options.quiet, AGAIN)
    if not (run.is_over and run.is_analyzed):  # or the process of the last one is about to
        return status
    if not options.quiet:
        say(*describe_trial(run.result))
    if not run.is_reported:
        report.conclude(run.path, options)
    return status


def _conclude(run: Run, quiet: bool) -> int:
    if len(run.manifest["seeds"]) > 1:
        return _conclude_trial(run, quiet)
    return conclude_session(run, quiet, f"rl resume {run.path}")


def conclude_session(run: Run, quiet: bool, again: str) -> int:
    """Prints the result of a session, and returns the exit status.

    Args:
        run: with the session.
        quiet: whether to print nothing unless it failed.
        again: the command that resumes it.
    """
    outcome = run.outcome
    if "evaluation" not in outcome:
        return _conclude_unfinished(run, outcome, again)
    if not quiet:
        _print_summary(run, outcome)
    return 0


def _conclude_unfinished(run: Run, outcome: dict[str, Any], again: str) -> int:
    status = outcome.get("status", "interrupted")
    if status != "interrupted":
        say(f"{status}: {outcome.get('reason', 'no reason given')}")
        return Diverged.exit_status if status == "diverged" else FAILED
    say(f"interrupted at step {outcome.get('steps', 0):,}; curve: {run.session.curve}")
    say(f"to resume: {again}; to see the agent so far: rl watch {_agent(run)}")
    return INTERRUPTED


def _conclude_trial(run: Run, quiet: bool) -> int:
    """Prints the figures of a trial; the exit status is 0 if all of its sessions counted."""
    from rl.analysis.analyze import describe_trial
    from rl.storage.session_folder import is_unfinished

    figures = run.result
    statuses = [each["status"] for each in figures["outcomes"]]
    if not quiet:
        say(*describe_trial(figures))
        more = "" if run.draws_each else f"; `rl analyze {run.path}` draws each session's"
        say(f"run folder: {run.path}  (curves: {run.trial.path}{more})")
    if figures["counted"] + statuses.count("pruned") == figures["planned"]:
        return 0
    if len(statuses) < figures["planned"] or "interrupted" in statuses:
        say(f"interrupted: {figures['counted']} of {figures['planned']} sessions had finished")
        say(f"to resume: rl resume {run.path}")
        return INTERRUPTED
    if quiet:
        say(*(line for line in describe_trial(figures) if "did not count" in line))
    if any(map(is_unfinished, figures["outcomes"])):
        say(f"to try again: rl resume {run.path}")
    return Diverged.exit_status if "diverged" in statuses else FAILED


def _print_summary(run: Run, outcome: dict[str, Any]) -> None:
    steps, episodes = (count_of(outcome[f"{each}s"], each) for each in ("step", "episode"))
    say(
        f"{run.specification.name}: {outcome['status']} after {steps}, {episodes} and "
        f"{outcome['seconds']:.1f} s"
    )
    print_evaluation(outcome["evaluation"])
    say(f"best checkpoint: step {outcome['best_step']:,}")
    say(f"run folder: {run.path}  (curve: {run.session.curve})")
    say(f"to see it: rl watch {_agent(run)}; to see how it learned: rl film {_agent(run)}")


def _agent(run: Run) -> str:
    """The options that name the agent of a run's session."""
    number = run.session.number
    return f"{run.path} --session {number}" if number else str(run.path)
