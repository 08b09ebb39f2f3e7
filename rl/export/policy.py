"""What is exported: a greedy policy's operations, and in words what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rl.environments.spaces import Actions, Discrete, Spaces
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
    """

    size: int
    sees: str
    gives: str
    steps: list[Step]


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
    return ", one-hot as gymnasium.spaces.flatten makes it" if spaces.flatten else ""


def _action(actions: Actions) -> str:
    if isinstance(actions, Discrete):
        return f"an action from {actions.first} to {actions.first + actions.count - 1}"
    return f"an action of {actions.size} entries in the environment's own units"
