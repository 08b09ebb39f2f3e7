"""What the actions and the entries of the observations are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any

import gymnasium

from rl.environments.settings import EnvironmentSettings, UnfitEnvironment
from rl.environments.spaces import Combinations, Continuous, MultiDiscrete, Spaces
from rl.errors import UserError, brief, printable

FILE = Path(__file__).parents[1] / "spec" / "names.json"
KEYS = ("action_names", "observation_names")  # in `metadata` and in the environment block

Names = tuple[str, ...]


def with_names(spaces: Spaces, env: gymnasium.Env, block: EnvironmentSettings) -> Spaces:
    """The spaces with the names that the block gives, or else the environment, or the lab knows.

    Raises:
        UnfitEnvironment: the block gives another number of names, or no texts.
        UserError: the environment does.
    """
    actions, observations = (_of(key, spaces, env, block) for key in KEYS)
    return replace(spaces, action_names=actions, observation_names=observations)


def _of(key: str, spaces: Spaces, env: gymnasium.Env, block: EnvironmentSettings) -> Names:
    wanted = _wanted(key, spaces)
    given = getattr(block, key)
    if given is not None:
        return _checked(given, wanted, partial(UnfitEnvironment, block.id, key))
    metadata = env.metadata if isinstance(env.metadata, Mapping) else {}
    if key in metadata:

        def wrong(complaint: str) -> UserError:
            return UserError(f"{block.id}: metadata[{key!r}] {complaint}")

        names = _checked(metadata[key], None, wrong)
        if block.wrappers and len(names) not in wanted:  # they may change what is named
            return ()
        return _checked(names, wanted, wrong)
    names = tuple(_known().get(_base(block.id), {}).get(key.partition("_")[0] + "s", ()))
    names = names or (_meanings(env) if key == "action_names" else ())
    return names if len(names) in wanted else ()


def _meanings(env: gymnasium.Env) -> Names:
    """What packages say: `get_action_meanings()` of ale-py, the enum `actions` of minigrid."""
    try:
        own: Any = env.unwrapped
        if isinstance(kinds := getattr(own, "actions", None), type) and issubclass(kinds, Enum):
            return tuple(each.name.replace("_", " ") for each in kinds)
        return tuple(str(each).lower() for each in own.get_action_meanings())
    except Exception:  # whatever is called so, it gives no names
        return ()


def _wanted(key: str, spaces: Spaces) -> list[int]:
    """How many names there may be: of several actions, for each or for all their choices."""
    if key == "observation_names":
        return [spaces.observation_size]
    actions = spaces.actions
    several = [len(actions.counts)] if isinstance(actions, MultiDiscrete) else []
    return [*several, actions.size if isinstance(actions, Continuous) else actions.choices]


def _checked(given: Any, wanted: Sequence[int] | None, error: Callable[[str], UserError]) -> Names:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, str) for each in given):
        raise error(f"must be a list of texts, not {brief(given)}")
    if wanted is not None and len(given) not in wanted:
        numbers = " or ".join(map(str, wanted))
        raise error(f"must have {numbers} names, not {len(given)}")
    return tuple(map(printable, given))


@cache
def _known() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text())
    return found


def _base(id: str) -> str:
    """An id without its module and version."""
    return re.sub(r"-v\d+$", "", id.rpartition(":")[2])


def bar_names(spaces: Spaces) -> Names:
    """What the bars of an agent's thoughts are called; empty where their numbers say as much."""
    actions, names = spaces.actions, spaces.action_names
    if isinstance(actions, Combinations):
        actions = actions.components
    return tuple(_of_components(actions, names)) if isinstance(actions, MultiDiscrete) else names


def _of_components(actions: MultiDiscrete, names: Names) -> Iterator[str]:
    if len(names) == actions.choices != len(actions.counts):
        yield from names
        return
    for number, count in enumerate(actions.counts):
        name = names[number] if names else f"{number}:"
        yield from (f"{name} {choice}" for choice in range(count))
