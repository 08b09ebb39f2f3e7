"""What is exported: a greedy policy's operations, and in words what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.typing import Array
from rl.environments.actions import mask_size
from rl.environments.spaces import Actions, Combinations, Continuous, Discrete, Spaces
from rl.errors import UserError
from rl.export.steps import Step, of_actions, of_agent, of_preprocessor
from rl.preprocessors import Difference, Normalize, Preprocessor, Stack
from rl.session.player import Player


@dataclass(frozen=True)
class Policy:
    """From what is seen to an action.

    Args:
        size: entries of what is seen.
        sees: what that is.
        gives: what the action is.
        steps: from the one to the other.
        like: an action, of the same form and type.
        masks: entries of the mask that it takes beside; 0 if it takes none.
    """

    size: int
    sees: str
    gives: str
    steps: list[Step]
    like: Array
    masks: int = 0


def policy_of(player: Player) -> Policy:
    """The greedy policy of a player.

    Raises:
        UserError: it has no greedy policy, or its preprocessor is none of the lab's own.
    """
    agent, preprocessor, actions = player.agent, player.preprocessor, player.spaces.actions
    _require_known(preprocessor, SEEN)
    return Policy(
        preprocessor.size,
        SEEN[type(preprocessor)](preprocessor) + _form(player.spaces),
        _action(actions),
        [*of_preprocessor(preprocessor), *of_agent(agent), *of_actions(actions)],
        _like(actions),
        _masks(actions),
    )


def _require_known(part: object, known: Mapping[type[Any], Any]) -> None:
    if type(part) not in known:
        names = ", ".join(each.__name__ for each in known)
        raise UserError(f"{type(part).__name__} cannot be exported; these can: {names}")


def _of_observation(preprocessor: Preprocessor) -> str:
    return "the observation"


def _of_stack(preprocessor: Stack) -> str:
    return (
        f"the last {preprocessor.settings.length} observations, the newest last (at first the "
        "first one each time)"
    )


def _of_difference(preprocessor: Difference) -> str:
    less = "the observation less the one before (at first 0)"
    return f"the observation, and behind it {less}" if preprocessor.settings.keep else less


SEEN: dict[type[Preprocessor], Callable[[Any], str]] = {
    Preprocessor: _of_observation,
    Normalize: _of_observation,
    Stack: _of_stack,
    Difference: _of_difference,
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
        return f"an action of {actions.size} entries in the environment's own units"
    if isinstance(actions, Discrete) and not isinstance(actions, Combinations):
        return f"an action from {actions.first} to {actions.first + actions.count - 1}"
    return f"an action of the form {list(_like(actions).shape)}, each entry a choice"


def _like(actions: Actions) -> Array:
    if isinstance(actions, Discrete) and not isinstance(actions, Combinations):
        return np.array(0, np.int64)
    return np.asarray(actions.for_environment(actions.array(1)[0]))


def _masks(actions: Actions) -> int:
    return mask_size(actions.components if isinstance(actions, Combinations) else actions)
