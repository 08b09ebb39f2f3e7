"""Greedy policies to export: their operations, and in words their input and output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.typing import Array
from rl.environments.actions import mask_size
from rl.environments.spaces import Actions, Combinations, Continuous, Discrete, Spaces
from rl.errors import UserError
from rl.export.steps import Step, of_actions, of_agent, of_preprocessor
from rl.formatting import count_of
from rl.preprocessors import PREPROCESSORS, Difference, Normalize, Pictures, Preprocessor, Stack
from rl.preprocessors.pictures import Atari, Crop, FrameStack, Grayscale, Resize
from rl.session.player import Player


@dataclass(frozen=True)
class Policy:
    """From an input vector to an action."""

    size: int  # of the input
    sees: str  # what the input is
    gives: str  # what the action is
    steps: list[Step]
    like: Array  # an action, for its shape and dtype
    masks: int = 0  # entries of the mask that it takes too, if any


def policy_of(player: Player) -> Policy:
    """The greedy policy of a player.

    Raises:
        UserError: it has no greedy policy, or its preprocessor is not one of the lab.
    """
    agent, preprocessor, actions = player.agent, player.preprocessor, player.spaces.actions
    if type(preprocessor) not in SEEN:
        names = ", ".join(name for name, each in PREPROCESSORS.items() if each in SEEN)
        raise UserError(f"{type(preprocessor).__name__} cannot be exported; these can: {names}")
    shows = isinstance(preprocessor, Pictures)
    return Policy(
        preprocessor.frames * preprocessor.raw_size if shows else preprocessor.size,
        SEEN[type(preprocessor)](preprocessor) + _form(player.spaces),
        _action(actions),
        [*of_preprocessor(preprocessor), *of_agent(agent), *of_actions(actions)],
        _like(actions),
        _masks(actions),
    )


def _of_difference(preprocessor: Difference) -> str:
    less = "the observation less the one before (at first 0)"
    return f"the observation, and behind it {less}" if preprocessor.settings.keep else less


def _of_pictures(preprocessor: Pictures) -> str:
    frames, settings = preprocessor.frames, preprocessor.settings
    latest = f"the last {frames} pictures, the newest last (at first the first one each time)"
    seen = latest if frames > 1 else "the picture"
    if isinstance(settings, Atari.Settings) and settings.skip > 1:
        greater = "a picture is the greater, at each pixel, of the last two screens of an action"
        return f"{seen}; {greater}, which is done {settings.skip} times"
    return seen


SEEN: dict[type[Preprocessor], Callable[[Any], str]] = {
    Preprocessor: lambda _: "the observation",
    Normalize: lambda _: "the observation",
    Stack: lambda stack: (
        f"the last {stack.settings.length} observations, the newest last (at "
        "first the first one each time)"
    ),
    Difference: _of_difference,
    **dict.fromkeys((Grayscale, Resize, Crop, FrameStack, Atari), _of_pictures),
}


def _form(spaces: Spaces) -> str:
    if not spaces.flatten:
        return ""
    parts = spaces.flatten.parts
    if len(parts) == 1 and not parts[0].path:
        form = "row by row" if parts[0].is_box else "one-hot"
        return f", {form} as gymnasium.spaces.flatten makes it"
    return f", as one vector ({', '.join(map(str, parts))})"


def _action(actions: Actions) -> str:
    if isinstance(actions, Continuous):
        size = count_of(actions.size, "entry", "entries")
        return f"an action of {size} in the environment's own units"
    if type(actions) is Discrete:
        return f"an action from {actions.first} to {actions.first + actions.count - 1}"
    return f"an action of the form {list(_like(actions).shape)}, each entry a choice"


def _like(actions: Actions) -> Array:
    if type(actions) is Discrete:
        return np.array(0, np.int64)
    return np.asarray(actions.for_environment(actions.array(1)[0]))


def _masks(actions: Actions) -> int:
    return mask_size(actions.components if isinstance(actions, Combinations) else actions)
