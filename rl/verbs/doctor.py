"""`rl doctor`: checks the installation, or whether an environment follows the rules."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.errors import UserError
from rl.verbs.arguments import FAILED, Verbs, add_verb

if TYPE_CHECKING:
    from rl.checks.doctor import Finding


def doctor(options: argparse.Namespace) -> int:
    """`rl doctor`: prints one line per finding, and the verdict."""
    from rl.checks.doctor import examine_installation

    if options.imported and not options.env:
        raise UserError("--import names the package of an environment; add --env ID")
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
    return examine_environment(options.env)


def add(verbs: Verbs) -> None:
    """Adds `rl doctor` to the command line."""
    verb = add_verb(
        verbs, "doctor", doctor,
        "check the installation, or whether an environment follows the rules",
        "rl doctor --env CartPole-v1",
    )  # fmt: skip
    verb.add_argument("--env", metavar="ID", help="check this environment instead")
    verb.add_argument("--import", dest="imported", metavar="PACKAGE",
                      help="the package that registers it")  # fmt: skip
