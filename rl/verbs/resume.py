"""`rl resume`: resumes what was interrupted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.verbs import report
from rl.verbs.arguments import (
    LOGGING,
    RAY,
    Verbs,
    add_verb,
    check_executor,
    processes,
    warn_of_differences,
)
from rl.verbs.conclusion import conclude
from rl.verbs.run import watched

if TYPE_CHECKING:
    from rl.running.executors import Executor
    from rl.saved.run import Run
    from rl.session.callback import Callback
    from rl.storage.run_folder import RunFolder


def resume(options: argparse.Namespace) -> int:
    """`rl resume`: resumes a run, a trial or a search."""
    from rl.running.extension import extend
    from rl.storage.run_folder import RunFolder

    check_executor(options)
    folder = RunFolder.open(options.run)
    manifest = folder.read_manifest()
    warn_of_differences(manifest)
    notes = extend(folder, options.steps, options.episodes, options.past_solved)
    if manifest.get("kind") == "search":
        if options.tensorboard or options.wandb:
            raise UserError("--tensorboard and --wandb do not apply to a search; see trials.csv")
        from rl.verbs.search import go_on

        return go_on(options, folder.path)
    return _go_on(folder, len(manifest["seeds"]), options, notes)


def _go_on(folder: RunFolder, sessions: int, options: argparse.Namespace, notes: list[str]) -> int:
    from rl.running.trial import run_sessions
    from rl.saved.run import Run
    from rl.storage.manifest import CALLBACKS

    left = [each for each in range(sessions) if not folder.session(0, each).has_ended]
    if not left:
        say(f"{folder.path}: nothing left to resume: every session has ended")
    run = Run(folder)
    run.notes = notes
    if left and (names := run.manifest.get(CALLBACKS)):
        say(
            f"the run was trained with, and goes on without: the callbacks {', '.join(names)}; "
            "with them: rl.resume(path, callbacks=[...]) in Python"
        )
    try:
        with watched(options, len(left), quiet=not left) as callback:
            run_sessions(run, _executor(options, run, callback))
    except (Diverged, BrokenEnvironment):
        report.conclude(run.path, options)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"to resume: rl resume {run.path}") from None
    return conclude(run, options)


def _executor(options: argparse.Namespace, run: Run, callback: Callback) -> Executor:
    from rl.running.executors import Inline

    if len(run.manifest["seeds"]) == 1 and options.executor == "local":
        return Inline(callback)
    return processes(options, callback, run.specification)


def add(verbs: Verbs) -> None:
    """Adds `rl resume` to the command line."""
    verb = add_verb(
        verbs, "resume", resume,
        "resume what was interrupted, with the same final result, or go on beyond the end",
        "rl resume lunarlander_dqn --steps 300000",
        "run", "--steps", "--episodes", "--jobs", *RAY, "--quiet", "--no-report", *LOGGING,
    )  # fmt: skip
    verb.add_argument("--past-solved", action="store_true",
                      help="go on with --steps although it is solved")  # fmt: skip
