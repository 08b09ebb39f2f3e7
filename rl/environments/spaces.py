"""What an agent must know of an environment: what it sees and does, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
from gymnasium import spaces

from rl.environments import masks, rules
from rl.environments.actions import Actions, Combinations, Discrete, MultiDiscrete, actions_of
from rl.environments.bounds import Bounds, bounds_of
from rl.environments.continuous import Continuous
from rl.environments.observations import Flattener, flattener
from rl.errors import BrokenEnvironment, UserError, brief
from rl.formatting import count_of
from rl.preprocessors.picture import Picture

# Rows and columns from which on convolutions pay: of a board, and of what people look at.
SMALLEST_BOARD, SMALLEST_PICTURE = 10, 36

__all__ = [
    "Actions", "Combinations", "Continuous", "Discrete", "MultiDiscrete", "Spaces",
    "probed_spaces", "spaces_of",
]  # fmt: skip


@dataclass(frozen=True)
class Spaces:
    """The sizes of an environment.

    Args:
        observation_size: entries of an observation as a vector.
        actions: discrete, several discrete ones, or continuous.
        flatten: turns an observation into a vector; None if it is one already.
        action_names: what the actions are called, or the entries of continuous ones; of several at
            once each, or all their choices. Empty if nobody says.
        observation_names: likewise each entry of the vector.
        bounds: of each entry of what an agent sees; None if they are not known.
    """

    observation_size: int
    actions: Actions
    flatten: Flattener | None = None
    action_names: tuple[str, ...] = ()
    observation_names: tuple[str, ...] = ()
    bounds: Bounds | None = field(default=None, compare=False, repr=False)

    @property
    def one_hot(self) -> bool:
        """Whether an observation is made of nothing but ones and zeros that stand for choices."""
        return self.flatten is not None and not any(part.is_box for part in self.flatten.parts)

    @property
    def are_large_pictures(self) -> bool:
        """Whether only convolutions can take the observations."""
        return self.picture is not None and self.picture.is_large

    @property
    def are_pictures(self) -> bool:
        """Whether convolutions suit the observations better than dense layers do.

        They suit large pictures, and others of 36 x 36 or more whose numbers are from 0 to 1 or to
        255.
        """
        if self.picture is None or self.picture.is_large:
            return self.picture is not None
        is_wide = min(self.picture.shape[:2]) >= SMALLEST_PICTURE
        return is_wide and (self._are_up_to(1) or self._are_up_to(255))

    @property
    def are_boards(self) -> bool:
        """Whether observations are a board in planes of 0 to 1, of 10 x 10 or more."""
        if self.picture is None:
            return False
        *sides, planes = self.picture.shape
        return min(sides) >= SMALLEST_BOARD and planes > 1 and self._are_up_to(1)

    def _are_up_to(self, greatest: int) -> bool:
        """Whether all numbers are from 0 to this one."""
        bounds = self.bounds
        return bounds is not None and bool(
            (bounds.low == 0).all() and (bounds.high == greatest).all()
        )

    @property
    def picture(self) -> Picture | None:
        """The form of an observation that is a picture; None of any other."""
        return self.flatten.picture if self.flatten else None

    @property
    def sizes(self) -> str:
        """In words; an agent can act wherever they are those of its training."""
        actions = self.actions
        if isinstance(actions, Combinations):
            actions = actions.components
        if isinstance(actions, Continuous):
            acted = f"actions of {count_of(actions.size, 'number')}"
        elif isinstance(actions, MultiDiscrete):
            acted = f"{' x '.join(map(str, actions.counts))} actions at once"
        else:
            acted = count_of(actions.count, "action")
        return f"observations of {count_of(self.observation_size, 'number')} and {acted}"


def spaces_of(env: gymnasium.Env, id: str) -> Spaces:
    """The sizes of an environment.

    Raises:
        UserError: a space is missing, or there is something in it that no agent can take.
    """
    seen, done = (_space(env, name, id) for name in ("observation_space", "action_space"))
    try:
        flatten, actions = flattener(seen), actions_of(done)
    except rules.Unfit as error:
        raise UserError(f"{id}: {error}") from None
    is_flat = isinstance(seen, spaces.Box) and len(seen.shape) == 1
    bounds = bounds_of(flatten, env)
    return Spaces(flatten.size, actions, None if is_flat else flatten, bounds=bounds)


def probed_spaces(env: gymnasium.Env, id: str) -> Spaces:
    """As `spaces_of`, and whether the environment says which actions are allowed: it is reset.

    Raises:
        UserError: likewise.
        BrokenEnvironment: what it says is no mask.
    """
    spaces = spaces_of(env, id)
    if isinstance(spaces.actions, Continuous):
        return spaces
    try:
        given = rules.reset(env, 0)[1].get(masks.KEY)
    except rules.Breach:  # which the run meets too, and says
        return spaces
    try:
        if given is not None:
            spaces.actions.mask(given)
    except rules.Breach as found:
        raise BrokenEnvironment(id, f"{found}, after reset") from None
    return replace(spaces, actions=replace(spaces.actions, masked=given is not None))


def _space(env: gymnasium.Env, name: str, id: str) -> spaces.Space[Any]:
    try:
        space = getattr(env, name, None)
    except Exception as error:
        raise UserError(f"{id}: its {name} raises {type(error).__name__}: {error}") from error
    if not isinstance(space, spaces.Space):
        raise UserError(
            f"{id}: must have an {name} of gymnasium.spaces, but that is {brief(space)}"
        )
    return space
