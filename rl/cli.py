"""The command line: finds the verb, and turns what goes wrong into one line and a status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from rl.errors import Diverged, UserError, on_disk
from rl.hidden import hiding
from rl.output import warn
from rl.signals import noticed
from rl.verbs import (
    dashboard,
    doctor,
    export,
    film,
    look,
    play,
    report,
    resume,
    run,
    search,
    spec,
    verify,
)
from rl.verbs.arguments import INTERRUPTED, refuse_unknown

VERBS = (run, resume, search, look, spec, play, film, report, dashboard, export, verify, doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parser, verbs = _parser()
        _check_verb(given, verbs)
        options, unknown = parser.parse_known_args(given)
        if unknown:
            refuse_unknown(unknown, verbs[given[0]])
        with noticed(), on_disk("a file"):
            status: int = options.call(options)
    except UserError as error:
        warn(error)
        return UserError.exit_status
    except Diverged as error:
        warn(error)
        return Diverged.exit_status
    except KeyboardInterrupt:
        warn("interrupted")
        return INTERRUPTED
    except Exception as error:
        if complaint := hiding(error):
            warn(complaint)
            return UserError.exit_status
        raise
    return status


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and that of each verb."""
    parser = _Parser(
        prog="rl", description="A reinforcement-learning lab. Each verb has its own --help."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for module in VERBS:
        module.add(verbs)
    return parser, verbs.choices


def _check_verb(arguments: Sequence[str], verbs: Iterable[str]) -> None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in verbs:
        from nn.names import suggestion

        raise UserError(f"unknown verb {arguments[0]!r}{suggestion(arguments[0], verbs)}")


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")
