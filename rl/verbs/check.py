"""`rl doctor` and `rl verify`: check the installation, an environment or a result."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.errors import UserError
from rl.verbs.arguments import FAILED, Verbs, add_verb, positive, processes, warn_of_differences

if TYPE_CHECKING:
    from rl.checks.doctor import Finding
    from rl.checks.verification import Verdict
    from rl.environments.problems import Problem
    from rl.saved.run import Run


def doctor(options: argparse.Namespace) -> int:
    """`rl doctor`: prints one line per finding, and the verdict."""
    from rl.checks.doctor import examine_installation

    if options.imported and not options.env:
        raise UserError("--import names the package of an environment; add --env ID")
    if options.env_kwargs and not options.env:
        raise UserError("--env-kwargs are arguments of an environment; add --env ID")
    if options.env:
        findings, subject = _environment(options), options.env
    else:
        findings, subject = examine_installation(), "the installation"
    failures = 0
    for finding in findings:
        say(finding)
        failures += finding.fails
    say(f"{subject}: {f'{failures} to be fixed' if failures else 'all is well'}")
    return FAILED if failures else 0


def _environment(options: argparse.Namespace) -> Iterator[Finding]:
    from rl.checks.environment_check import examine_environment
    from rl.specification.modules import import_module, places

    if options.imported:
        try:
            import_module(options.imported, places())
        except UserError as error:
            raise UserError(f"--import {error}") from None
    return examine_environment(_problem(options))


def _problem(options: argparse.Namespace) -> Problem:
    """The environment that --env names: its id, or the experiment or the run that has it."""
    from rl.saved.problem import problem_from

    return problem_from(options.env, options.env_kwargs)


def verify(options: argparse.Namespace) -> int:
    """`rl verify`: re-runs a run, or replays its evaluation, and compares bit by bit."""
    from rl.saved.run import Run

    run = Run.open(options.run, options.trial)
    warn_of_differences(run.manifest, run.trial)
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
    """Adds `rl doctor` and `rl verify` to the command line."""
    verb = add_verb(
        verbs, "doctor", doctor,
        "check the installation, or whether an environment follows the rules",
        "rl doctor --env CartPole-v1",
        "--env-kwargs",
    )  # fmt: skip
    verb.add_argument("--env", metavar="ID",
                      help="check that of an id, an experiment or a run instead")  # fmt: skip
    verb.add_argument("--import", dest="imported", metavar="PACKAGE",
                      help="the package that registers it")  # fmt: skip

    verb = add_verb(
        verbs, "verify", verify,
        "re-run from the manifest, and check that every number is identical",
        "rl verify lunarlander_dqn --evaluation",
        "run", "--trial", "--jobs",
    )  # fmt: skip
    verb.add_argument("--sessions", type=positive, metavar="K", help="only the first K sessions")
    verb.add_argument("--evaluation", action="store_true",
                      help="only replay the episodes of the result (takes seconds)")  # fmt: skip
    verb.add_argument("--quiet", action="store_true", help="print only the verdicts")
