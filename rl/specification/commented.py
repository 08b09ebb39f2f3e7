"""A specification as a text to start from: every setting, with its meaning as a comment."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from typing import Any

from nn.names import lookup
from rl.specification.keys import KEYS
from rl.specification.settings import settings_of
from rl.specification.whereabouts import BLOCKS, TABLES
from rl.storage.files import specification_text

_WIDTH = 96


def commented(name: str, values: Mapping[str, Any]) -> str:
    """An experiment as YAML.

    Args:
        name: of the experiment.
        values: with every default filled in, as `build` leaves them.
    """
    lines = [f"# rl run {name} --spec FILE runs it, if FILE is the name of this file", f"{name}:"]
    for key in filter(values.__contains__, KEYS):
        value = values[key]
        if isinstance(value, Mapping):
            lines += [f"  {key}:", *_block(key, value, 4)]
        else:
            lines += _indented(specification_text(key, value), 2)
    return "\n".join(lines) + "\n"


def _block(key: str, block: Mapping[str, Any], indent: int) -> Iterator[str]:
    """The lines of a block; one with a block for each network has those within."""
    known = settings_of(_part(key, block))
    for name, value in block.items():
        if name != "name" and name not in known:  # a network's role
            yield f"{' ' * indent}{name}:"
            yield from _block(key, value, indent + 2)
            continue
        if name in known:
            yield from _comment(known[name], value, indent)
        yield from _indented(specification_text(name, value), indent)


def _part(key: str, block: Mapping[str, Any]) -> Any:
    if key in BLOCKS:
        return BLOCKS[key]
    table = TABLES[key]
    return lookup(table, block["name"], key) if "name" in block else next(iter(table.values()))


def _comment(field: Any, value: Any, indent: int) -> list[str]:
    more = [field.metadata["bounds"].describe()]
    if field.default is not MISSING and field.default != value:
        more.append(f"default {json.dumps(field.default)}")
    said = "; ".join(filter(None, more))
    meaning = field.metadata["meaning"] + (f" ({said})" if said else "")
    start = f"{' ' * indent}# "
    return textwrap.wrap(meaning, _WIDTH, initial_indent=start, subsequent_indent=start)


def _indented(text: str, indent: int) -> list[str]:
    return textwrap.indent(text.rstrip("\n"), " " * indent).splitlines()
