"""`rl completion`: a script by which a shell completes verbs, options, names and files."""

from __future__ import annotations

import argparse
from typing import Any

from rl.console.output import say
from rl.distribution import installing
from rl.errors import UserError
from rl.verbs.arguments import Verbs, add_verb

SHELLS = ("bash", "zsh", "tcsh")
FILES = ("FILE", "RUN")  # metavars of paths; a RUN may be a single file such as best.npz
FOLDERS = ("DIR", "FOLDER")


def completion(options: argparse.Namespace) -> int:
    """`rl completion`: prints the script."""
    try:
        import shtab
    except ImportError:
        raise UserError(f"rl completion needs shtab: {installing('completion')}") from None
    from rl.verbs.parser import make_parser

    parser, verbs = make_parser()
    for verb in verbs.values():
        for action in verb._actions:
            _describe(action, shtab)
    say(*shtab.complete(parser, options.shell).splitlines())
    return 0


def _describe(action: Any, shtab: Any) -> None:
    """Says what completes an argument: names that are known now, files or folders."""
    from rl.agents import AGENTS
    from rl.environments.problems import known_problems
    from rl.specification.specification import all_specifications

    if action.metavar in FILES:
        action.complete = shtab.FILE
    elif action.metavar in FOLDERS:
        action.complete = shtab.DIRECTORY
    elif action.dest == "name":
        action.choices = [*all_specifications(), *known_problems()]
    elif action.dest == "agent":
        action.choices = list(AGENTS)
    elif action.dest == "checkpoint":
        action.choices = ["best", "last"]


def add(verbs: Verbs) -> None:
    """Adds `rl completion` to the command line."""
    verb = add_verb(
        verbs, "completion", completion,
        "print a script by which your shell completes commands of the lab",
        "rl completion bash > ~/.local/share/bash-completion/completions/rl",
    )  # fmt: skip
    verb.add_argument("shell", choices=SHELLS, help="your shell")
