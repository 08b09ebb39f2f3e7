"""`rl run`: train an agent."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from rl.console.output import say, warn
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.verbs import report
from rl.verbs.arguments import (
    FAILED,
    INTERRUPTED,
    LOGGING,
    TRAINING,
    Verbs,
    add_verb,
    check_executor,
    positive,
    processes,
    specification_in,
)
from rl.verbs.play import print_evaluation

if TYPE_CHECKING:
    from rl.running.executors import Executor
    from rl.running.loggers import Logger
    from rl.saved.run import Run
    from rl.session.callback import Callback
    from rl.specification.specification import Specification


def run(options: argparse.Namespace) -> int:
    """`rl run`: trains, evaluates, and prints the result and where it is."""
    from rl.running.trial import create_trial, run_sessions
    from rl.saved.source import Source

    seeds = range(options.seed, options.seed + options.sessions)
    if options.fresh_normalization and not options.source:
        raise UserError("--fresh-normalization needs --from RUN")
    source = Source.find(options.source, options.fresh_normalization) if options.source else None
    specification = specification_in(options, like=source.specification if source else None)
    created = None
    try:
        with _executor(options, specification) as executor:
            created = create_trial(specification, seeds, options.output, source=source)
            run_sessions(created, executor)
    except (Diverged, BrokenEnvironment):
        if created:
            report.conclude(created.path, options)
        raise
    except KeyboardInterrupt:
        hint = (f"to resume: rl resume {created.path}",) if created else ()
        raise KeyboardInterrupt(*hint) from None
    return conclude(created, options)


@contextmanager
def _executor(options: argparse.Namespace, specification: Specification) -> Iterator[Executor]:
    """The executor that runs the sessions of `rl run`, with a display of them."""
    check_executor(options)
    if options.render and (options.sessions > 1 or options.executor == "ray"):
        raise UserError("--render shows a single session; leave out --sessions and --executor")
    with watched(options, options.sessions) as callback:
        if options.sessions > 1 or options.executor == "ray":
            yield processes(options, callback)
        else:
            yield _inline(options, specification, callback)


@contextmanager
def watched(options: argparse.Namespace, sessions: int, quiet: bool = False) -> Iterator[Callback]:
    """A display of the sessions, with the loggers that were asked for."""
    from rl.running.display import showing
    from rl.running.feeding import Feed
    from rl.session.callback import Callbacks

    loggers = _loggers(options)
    with (
        showing(options.quiet or quiet, sessions) as shown,
        closing(Feed(loggers, warn)) as feed,
    ):
        yield Callbacks([shown, feed] if loggers else [shown])


def _loggers(options: argparse.Namespace) -> list[type[Logger]]:
    """The loggers that were asked for."""
    from rl.running.loggers import LOGGERS, require_logger

    asked = [kind for kind in LOGGERS if getattr(options, kind.name)]
    for kind in asked:
        require_logger(kind)
    return asked


def _inline(
    options: argparse.Namespace, specification: Specification, callback: Callback
) -> Executor:
    from rl.running.executors import Inline

    if not options.render:
        return Inline(callback)
    from rl.environments import evaluation_seeds
    from rl.session.callback import Callbacks
    from rl.watching.window import WindowCallback

    (seed,) = evaluation_seeds("selection", options.seed, 1)
    window = WindowCallback(specification.environment_id, seed)
    return Inline(Callbacks([callback, window]))


def conclude(run: Run, options: argparse.Namespace) -> int:
    """Prints the result of a run, writes its report, and returns the exit status."""
    status = _conclude(run, options.quiet)
    if status != INTERRUPTED:
        report.conclude(run.path, options)
    return status


def _conclude(run: Run, quiet: bool) -> int:
    if len(run.manifest["seeds"]) > 1:
        return _conclude_trial(run, quiet)
    outcome = run.outcome
    if "evaluation" not in outcome:
        return _conclude_unfinished(run, outcome)
    if not quiet:
        _print_summary(run, outcome)
    return 0


def _conclude_unfinished(run: Run, outcome: dict[str, Any]) -> int:
    status = outcome.get("status", "interrupted")
    if status != "interrupted":
        say(f"{status}: {outcome.get('reason', 'no reason given')}")
        return Diverged.exit_status if status == "diverged" else FAILED
    say(f"interrupted at step {outcome.get('steps', 0):,}; curve: {run.session.curve}")
    say(f"to resume: rl resume {run.path}; to see the agent so far: rl watch {run.path}")
    return INTERRUPTED


def _conclude_trial(run: Run, quiet: bool) -> int:
    """Prints the figures of a trial; the exit status is 0 if all of its sessions counted."""
    from rl.analysis.analyze import describe_trial
    from rl.storage.session_folder import is_unfinished

    figures = run.result
    statuses = [each["status"] for each in figures["outcomes"]]
    if not quiet:
        say(*describe_trial(figures))
        say(f"run folder: {run.path}  (curves: {run.trial.path})")
    if figures["counted"] == figures["planned"]:
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
    say(
        f"{run.specification.name}: {outcome['status']} after {outcome['steps']:,} steps, "
        f"{outcome['episodes']:,} episodes and {outcome['seconds']:.1f} s"
    )
    print_evaluation(outcome["evaluation"])
    say(f"best checkpoint: step {outcome['best_step']:,}")
    say(f"run folder: {run.path}  (curve: {run.session.curve})")
    say(f"to see it: rl watch {run.path}; to see how it learned: rl film {run.path}")


def add(verbs: Verbs) -> None:
    """Adds `rl run` to the command line."""
    verb = add_verb(
        verbs, "run", run,
        "train an agent, evaluate it, and record everything in a run folder",
        "rl run lunarlander_dqn --seed 1 --set agent.gamma=0.98",
        "--seed", *TRAINING, *LOGGING,
    )  # fmt: skip
    verb.add_argument("name", metavar="NAME",
                      help="an experiment (`rl list` shows them), or an environment: CartPole-v1, "
                      "module:Mine-v0 or module:Class")  # fmt: skip
    verb.add_argument("--sessions", type=positive, default=1,
                      help="number of sessions; session k uses seed + k (default 1)")  # fmt: skip
    verb.add_argument("--from", metavar="RUN", dest="source",
                      help="start from a trained agent: RUN, RUN@best, RUN@last, RUN@STEP, or a "
                      "file such as best.npz")  # fmt: skip
    verb.add_argument("--fresh-normalization", action="store_true",
                      help="with --from: start the preprocessor's statistics anew")  # fmt: skip
    verb.add_argument("--render", action="store_true",
                      help="show an episode in a window at each evaluation")  # fmt: skip
