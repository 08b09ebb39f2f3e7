"""In which settings two specifications differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rl.errors import brief

MOST_SHOWN = 3  # changes in a message
_NONE = object()


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The dotted paths at which two specifications differ."""
    return [path for path, _, _ in _changes(before, now)]


def described(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first changes as a message has them: "agent.gamma (0.98 there, 0.99 here)"."""
    found = [
        f"{path} ({_shown(old)} there, {_shown(new)} here)"
        for path, old, new in _changes(before, now)
    ]
    more = len(found) - MOST_SHOWN
    return ", ".join(found[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The path, the value before and the value now of each change."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        if _NONE in (before, now) or json.dumps(before) != json.dumps(now):
            yield path, before, now
    elif before.keys() == now.keys() and path == "search.space" and list(before) != list(now):
        yield path, list(before), list(now)  # whose order is that of a grid
    else:
        for key in {**before, **now}:
            inner = f"{path}.{key}" if path else str(key)
            yield from _changes(before.get(key, _NONE), now.get(key, _NONE), inner)


def _shown(value: Any) -> str:
    return "none" if value is _NONE else brief(value)
