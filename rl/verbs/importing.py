"""`rl import`: writes the experiments of OpenAI Lab in this lab's form."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rl.console.output import say
from rl.errors import UserError
from rl.storage.paths import user_path
from rl.verbs.arguments import Verbs, add_verb

_WIDTH = 96


def import_experiments(options: argparse.Namespace) -> int:
    """`rl import`: prints a YAML file, with a comment on what is approximated."""
    from rl.openai_lab.reading import is_openai_lab
    from rl.specification.specification import read_specifications, read_values

    if not is_openai_lab(read_values(options.file)):
        raise UserError(
            f"{options.file}: is no file of OpenAI Lab: none of its experiments has an Agent"
        )
    read_specifications(options.file)  # which refuses names that cannot be a folder's
    for line in _lines(options.file):
        say(line)
    return 0


def _lines(file: Path) -> Iterator[str]:
    """The lines of all experiments; one that cannot be built is a comment."""
    from rl.openai_lab.reading import translated
    from rl.specification.specification import read_values

    for name, each in translated(file, read_values(file)).items():
        if each.refusal:
            yield from _comment(f"{name} cannot be built: {each.refusal}", 0)
            continue
        for warning in each.warnings:
            yield from _comment(warning, 0)
        yield f"{name}:"
        for key, value in each.values.items():
            yield from _block(key, value, each.notes)


def _block(key: str, value: Any, notes: Mapping[str, str]) -> Iterator[str]:
    """The lines of a block, with a comment before each key that has a note."""
    from rl.storage.files import specification_text

    for line in specification_text(key, value).splitlines():
        inner = line.strip().partition(":")[0]
        path = f"{key}.{inner}" if line.startswith("  ") else key
        if path in notes:
            yield from _comment(f"approximated: {notes[path]}", 4 if path != key else 2)
        yield f"  {line}"


def _comment(text: str, indent: int) -> list[str]:
    start = f"{' ' * indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=start)


def add(verbs: Verbs) -> None:
    """Adds `rl import` to the command line."""
    verb = add_verb(
        verbs, "import", import_experiments,
        "print the experiments of an OpenAI Lab file in this lab's form",
        "rl import classic_experiment_specs.json > mine.yaml",
    )  # fmt: skip
    verb.add_argument("file", metavar="FILE", type=user_path,
                      help="an *_experiment_specs.json of OpenAI Lab (2017)")  # fmt: skip
