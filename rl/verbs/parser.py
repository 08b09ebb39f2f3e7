"""The verbs, and the parser of their options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from rl.distribution import __version__
from rl.errors import UserError
from rl.verbs import (
    check,
    completion,
    dashboard,
    export,
    importing,
    look,
    merge,
    note,
    play,
    report,
    resume,
    run,
    search,
    site,
    spec,
)
from rl.verbs.arguments import refuse_unknown

VERBS = (run, resume, search, merge, note, look, spec, importing, play, report, dashboard, site,
         export, check, completion)  # fmt: skip


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parses the options; their `call` answers them.

    Raises:
        UserError: something that was typed is wrong.
    """
    parser, verbs = make_parser()
    _check_verb(arguments, verbs)
    options, unknown = parser.parse_known_args(arguments)
    if getattr(options, "text", None) == [] and not any(each[:1] == "-" for each in unknown):
        options.text, unknown = unknown, []  # words behind an option, before Python 3.12.7
    if unknown:
        refuse_unknown(unknown, arguments[0], verbs)
    return options


def make_parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and that of each verb by its name."""
    parser = _Parser(
        prog="rl", description="A reinforcement-learning lab. Each verb has its own --help."
    )
    parser.add_argument("--version", action="version", version=f"rl {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for module in VERBS:
        module.add(verbs)
    return parser, verbs.choices


def _check_verb(arguments: Sequence[str], verbs: Iterable[str]) -> None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in verbs:
        from nn.names import suggestion

        raise UserError(f"unknown verb {arguments[0]!r}{suggestion(arguments[0], verbs)}")


class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Refuses `--output=--`, of which some versions of Python make a list, and `--output ""`.

        An empty value is mostly a variable of the shell that is not set.
        """
        for text in arg_strings if action.option_strings else ():
            if text == "--" or not text.strip():
                raise UserError(f"{action.option_strings[-1]}: needs a value, not {text!r}")
        return super()._get_values(action, arg_strings)
