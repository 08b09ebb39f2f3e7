"""Wrappers by name, with the arguments that a specification gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from nn.names import nearest
from rl.environments import rules
from rl.environments.arguments import (
    converted,
    misread,
    missing_arguments,
    nearest_argument,
    unknown_argument,
)
from rl.environments.atari import Atari
from rl.environments.registered import named
from rl.environments.settings import UnfitEnvironment
from rl.errors import UserError

# Wrappers that do what the lab does itself, and how.
_INSTEAD = {
    "RecordVideo": "rl film and rl watch --mp4 make films",
    "HumanRendering": "rl watch and --render show it",
    "RenderCollection": "rl film and rl watch show it",
}


def wrapped(env: gymnasium.Env, id: str, name: str, given: Mapping[str, Any]) -> gymnasium.Env:
    """The environment in a wrapper.

    Args:
        env: closed if that fails.
        id: its id.
        name: of the wrapper.
        given: the wrapper's arguments.

    Raises:
        UnfitEnvironment: there is no such wrapper, or it refuses the arguments or the environment.
    """
    try:
        wrapper = wrapper_of(name)
        if key := unknown_argument(wrapper, given, skip=1):
            near = nearest_argument(wrapper, key, skip=1)
            said = f"give {name} the argument {key!r}, which it does not have{near}"
            raise UnfitEnvironment(id, "wrappers", said)
        if missing := missing_arguments(wrapper, given, skip=1):
            raise UnfitEnvironment(id, "wrappers", f"must give {name} {', '.join(missing)}")
        if found := misread(wrapper, given, skip=1):
            raise UnfitEnvironment(id, "wrappers", f"give {name} {found[0]}, which {found[1]}")
        arguments = converted(wrapper, given, skip=1)
        with rules.guarded(name):
            made = wrapper(env, **arguments)
        if not isinstance(made, gymnasium.Env):
            kind = type(made).__name__
            raise UnfitEnvironment(id, "wrappers", f"name {name}, which returns {kind} and no Env")
        return made
    except rules.Breach as found:
        rules.close(env)
        instead = f"; leave it out: {_INSTEAD[name]}" if name in _INSTEAD else ""
        why = found.__cause__ if isinstance(found.__cause__, UserError) else found
        said = f"cannot be applied: {why}{instead}"
        raise UnfitEnvironment(id, "wrappers", said) from found.__cause__
    except UnfitEnvironment:
        rules.close(env)
        raise
    except UserError as error:
        rules.close(env)
        raise UnfitEnvironment(id, "wrappers", f"do not fit: {error}") from None


def wrapper_of(name: str) -> Callable[..., Any]:
    """A wrapper by name: Gymnasium's, or `module:Class`.

    Raises:
        UserError: there is none, or it is for vector environments.
    """
    from gymnasium import wrappers
    from gymnasium.vector import VectorWrapper

    plain = re.sub(r"^gymnasium\.wrappers[.:](?!.*:)", "", name)
    found: Any = Atari if plain == "Atari" else None
    if plain in wrappers.__all__ and plain != "vector":
        found = _gymnasium_wrapper(plain)
    elif ":" in plain:
        found = named(plain)
    elif hasattr(wrappers.vector, plain.removeprefix("vector.")):
        found = VectorWrapper
    if isinstance(found, type) and issubclass(found, VectorWrapper):
        raise UserError(
            f"{name} wraps vector environments, and the lab steps single ones (train.lanes)"
        )
    if not callable(found):
        near = nearest(plain, wrappers.__all__)
        meant = f"did you mean {near!r}?" if near else "one's own is written module:Class"
        raise UserError(f"Gymnasium has no wrapper {name!r}; {meant}")
    return found


def changes_rewards(name: str) -> bool:
    """Whether a wrapper is one of those that are there for the rewards."""
    found = wrapper_of(name)
    is_known = isinstance(found, type) and issubclass(found, gymnasium.RewardWrapper)
    return is_known or name.endswith("NormalizeReward")


def _gymnasium_wrapper(name: str) -> Any:
    from gymnasium import wrappers

    try:
        return getattr(wrappers, name)
    except (ImportError, gymnasium.error.Error) as error:
        raise UserError(f"{name} needs a package that is missing: {error}") from None
