"""Looking parts up by name, and suggesting the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Part = TypeVar("Part")
_MANY = 40

# Each is called with a table and a name that it lacks; it may add the part to the table, and
# returns the names that it could have added.
FINDERS: list[Callable[[Iterable[str], str], Iterable[str]]] = []


def lookup(table: Mapping[str, Part], name: str, kind: str) -> Part:
    """The entry of `table` called `name`; case and underscores do not matter.

    Raises:
        ValueError: there is none; the message names the nearest and all valid names.
    """
    return table[known_name(table, name, kind)]


def known_name(known: Iterable[str], name: str, kind: str) -> str:
    """A name as those that are `known`, such as a table of parts, spell it; as for `lookup`."""
    more: list[str] = []
    if (found := _match(known, name)) is None:
        more = [other for finder in FINDERS for other in finder(known, name)]
        found = _match(known, name)
    if found is None:
        raise ValueError(f"unknown {kind} {name!r}{suggestion(name, {*known, *more})}")
    return found


def _match(known: Iterable[str], name: str) -> str | None:
    return next((each for each in known if plain(each) == plain(name)), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, and all names unless they are many."""
    names = sorted(known)
    near = nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else "."
    return hint if len(names) > _MANY else f"{hint} Known: {', '.join(names)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest; case, dashes and underscores do not matter."""
    by_plain = {plain(candidate): candidate for candidate in sorted(known)}
    near = difflib.get_close_matches(plain(name), by_plain, n=1)
    return by_plain[near[0]] if near else None


def describe(table: Mapping[str, type], part: object) -> dict[str, Any]:
    """The name and the settings, its public attributes, of a part; `rebuild` takes them.

    Raises:
        ValueError: its class is not in the table.
    """
    for name, kind in table.items():
        if type(part) is kind:
            settings = {key: value for key, value in vars(part).items() if not key.startswith("_")}
            return {"name": name, **settings}
    raise ValueError(f"{type(part).__name__} is not in the tables, so it cannot be saved by name")


def rebuild(
    table: Mapping[str, Callable[..., Part]], described: Mapping[str, Any], kind: str
) -> Part:
    """The part that `describe` described."""
    settings = dict(described)
    return lookup(table, settings.pop("name"), kind)(**settings)


def plain(name: str) -> str:
    """What two spellings of a name have in common."""
    return str(name).lower().replace("_", "").replace("-", "")
