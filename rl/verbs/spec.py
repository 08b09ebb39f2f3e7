"""`rl spec`: prints a specification, or the schema of all specifications."""

from __future__ import annotations

import argparse

from rl.console.output import say
from rl.errors import UserError
from rl.verbs.arguments import ENVIRONMENT, Verbs, add_verb, specification_in


def spec(options: argparse.Namespace) -> int:
    """`rl spec`: prints an experiment's specification, or the JSON Schema of specifications."""
    if options.schema == (options.name is not None):
        raise UserError(
            "name an experiment or an environment, or give --schema; `rl list` shows the first"
        )
    if options.schema:
        import json

        from rl.checks.schema import specification_schema

        say(*json.dumps(specification_schema(), indent=2).splitlines())
        return 0
    from rl.specification.build import build
    from rl.specification.commented import commented
    from rl.specification.specification import all_specifications
    from rl.storage.files import specification_text

    found, own = specification_in(options), all_specifications().get(options.name)
    is_whole = own is not None and own.values == found.values
    built = found if is_whole else build(found, seed=0).specification  # or refused
    if own or options.spec:
        text = specification_text(found.name, found.values)
    else:
        text = commented(found.name, built.values)
    say(*text.splitlines())
    return 0


def add(verbs: Verbs) -> None:
    """Adds `rl spec` to the command line."""
    verb = add_verb(
        verbs, "spec", spec,
        "print an experiment's specification, as a start for your own",
        "rl spec cartpole_dqn > mine.yaml",
        "--set", "--steps", "--episodes", "--spec", *ENVIRONMENT,
    )  # fmt: skip
    verb.add_argument("name", metavar="NAME", nargs="?",
                      help="an experiment of the lab, or an environment")  # fmt: skip
    verb.add_argument("--schema", action="store_true",
                      help="print the JSON Schema instead, with which editors complete and check "
                      "specifications")  # fmt: skip
