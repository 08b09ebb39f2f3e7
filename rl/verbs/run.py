"""`rl run`: train an agent."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rl.console.output import warn
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.verbs import report
from rl.verbs.arguments import (
    LOGGING,
    TRAINING,
    Verbs,
    add_verb,
    check_executor,
    check_only,
    natural,
    positive,
    processes,
    specification_in,
    warn_of_differences,
)
from rl.verbs.conclusion import AGAIN, conclude, conclude_one, tell_ended

if TYPE_CHECKING:
    from rl.running.executors import Executor
    from rl.running.loggers import Logger
    from rl.session.callback import Callback
    from rl.specification.specification import Specification


def run(options: argparse.Namespace) -> int:
    """`rl run`: trains, evaluates, and prints the result and where it is."""
    from rl.running.trial import check_number, create_trial, run_sessions
    from rl.saved.source import Source
    from rl.storage.notes import write_note

    seeds, only = range(options.seed, options.seed + options.sessions), options.only_session
    if only is not None:
        check_only(options, "session")
        check_number("session", only, options.sessions)
    if options.fresh_normalization and not options.source:
        raise UserError("--fresh-normalization needs --from RUN")
    source = Source.find(options.source, options.fresh_normalization) if options.source else None
    specification = specification_in(options, like=source.specification if source else None)
    created = None
    try:
        with _executor(options, specification) as executor:
            created = create_trial(
                specification, seeds, options.output, source=source, shared=only is not None
            )
            if options.tag:
                write_note(created.path, tags=options.tag)
            if only is not None:
                warn_of_differences(created.manifest)
                tell_ended(created, only, options.quiet)
            run_sessions(created, executor, only=only)
    except (Diverged, BrokenEnvironment):
        if created and (only is None or created.is_over):
            report.conclude(created.path, options)
        raise
    except KeyboardInterrupt:
        again = f"rl resume {created.path}" if created and only is None else AGAIN
        raise KeyboardInterrupt(*([f"to resume: {again}"] if created else [])) from None
    return conclude(created, options) if only is None else conclude_one(created, only, options)


@contextmanager
def _executor(options: argparse.Namespace, specification: Specification) -> Iterator[Executor]:
    """The executor that runs the sessions of `rl run`, with a display of them."""
    check_executor(options)
    sessions = options.sessions if options.only_session is None else 1
    if options.render and (sessions > 1 or options.executor == "ray"):
        raise UserError("--render shows a single session; leave out --sessions and --executor")
    with watched(options, sessions) as callback:
        if sessions > 1 or options.executor == "ray":
            yield processes(options, callback, specification)
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


def add(verbs: Verbs) -> None:
    """Adds `rl run` to the command line."""
    verb = add_verb(
        verbs, "run", run,
        "train an agent, evaluate it, and record everything in a run folder",
        "rl run lunarlander_dqn --seed 1 --set agent.gamma=0.98",
        "--seed", *TRAINING, "--tag", *LOGGING,
    )  # fmt: skip
    verb.add_argument("name", metavar="NAME",
                      help="an experiment (`rl list` shows them), or an environment: CartPole-v1, "
                      "module:Mine-v0 or module:Class")  # fmt: skip
    verb.add_argument("--sessions", type=positive, default=1,
                      help="number of sessions; session k uses seed + k (default 1)")  # fmt: skip
    verb.add_argument("--only-session", type=natural, metavar="K",
                      help="run session K alone, in a folder that processes share")  # fmt: skip
    verb.add_argument("--from", metavar="RUN", dest="source",
                      help="start from a trained agent: RUN, RUN@best, RUN@last, RUN@STEP, or a "
                      "file such as best.npz")  # fmt: skip
    verb.add_argument("--fresh-normalization", action="store_true",
                      help="with --from: start the preprocessor's statistics anew")  # fmt: skip
    verb.add_argument("--render", action="store_true",
                      help="show an episode in a window at each evaluation")  # fmt: skip
