"""What an agent must know of an environment: the sizes of what it sees and does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from nn.typing import Array, IntArray
from rl.errors import UserError, brief

_MEANT = 1e18  # beyond this a bound is there for form's sake; its square overflows float32
_NUMBERS = "iuf"  # the kinds of dtypes that actions may have


@dataclass(frozen=True)
class Discrete:
    """Actions 0 to count - 1.

    Args:
        count: how many.
        first: what the environment calls the first one.
        kind: NumPy's type of its actions.
    """

    count: int
    first: int = 0
    kind: type[np.integer[Any]] = np.int64

    def array(self, length: int) -> IntArray:
        """Room for `length` actions [length]."""
        return np.zeros(length, np.int64)

    def for_environment(self, action: Any) -> Any:
        """One action as the environment's own `sample` gives it."""
        return self.kind(int(action) + self.first)


@dataclass(frozen=True)
class Continuous:
    """Actions [k], each entry from -1 to 1; the environment's bounds are known here alone.

    They stand for an entry's bounds. Where both are missing they stand for themselves, and where
    one is, for an interval of length 2 from the other on. A bound too large to be meant counts as
    missing.

    Args:
        low: the environment's lower bounds [k], of the type of its actions.
        high: the environment's upper bounds [k].
    """

    low: Array
    high: Array

    @property
    def size(self) -> int:
        """k."""
        return len(self.low)

    @property
    def bounded(self) -> bool:
        """Whether all entries have both bounds."""
        return not (self._endless_below.any() or self._endless_above.any())

    def array(self, length: int) -> Array:
        """Room for `length` actions [length, k]."""
        return np.zeros((length, self.size), np.float32)

    def for_environment(self, action: Any) -> Any:
        """One action [k] in the environment's units: an array of its own, within the bounds."""
        scaled = self.middle + self.reach * np.array(action, self._working)
        within = np.minimum(np.maximum(scaled, self.least), self.most)
        return within if self._is_whole else self._converted(within)

    def _converted(self, within: Array) -> Array:
        """Numbers [k] within the bounds in the type of the environment's actions."""
        return (np.rint(within) if self.kind.kind in "iu" else within).astype(self.kind)

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of the environment's actions."""
        return self.low.dtype

    @cached_property
    def _working(self) -> np.dtype[Any]:
        """What actions are computed in: float32 or, where that has too few digits, float64."""
        return np.result_type(self.kind, np.float32)

    @cached_property
    def _is_whole(self) -> bool:
        """Whether that is the type of the environment's actions."""
        return self._working == self.kind

    @cached_property
    def middle(self) -> Array:
        """What 0 stands for [k]."""
        low, high = self.ends
        return 0.5 * low + 0.5 * high

    @cached_property
    def reach(self) -> Array:
        """How far 1 is from there [k]."""
        low, high = self.ends
        return 0.5 * high - 0.5 * low

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """What -1 and 1 stand for [k]."""
        low, high = self.least, self.most
        below, above, one = self._endless_below, self._endless_above, np.ones_like(self.least)
        return (
            np.where(below, np.where(above, -one, high - 2 * one), low),
            np.where(above, np.where(below, one, low + 2 * one), high),
        )

    @cached_property
    def least(self) -> Array:
        """The lower bounds [k] in the type that is computed in."""
        return self._nearest(self.low)

    @cached_property
    def most(self) -> Array:
        """The upper bounds [k] in that type."""
        return self._nearest(self.high)

    def _nearest(self, bounds: Array) -> Array:
        """Bounds [k] in the type that is computed in; 64-bit integers may have to move inwards."""
        near = bounds.astype(self._working)
        if self.kind.kind in "iu":
            pairs = zip(near.tolist(), bounds.tolist(), strict=True)
            beyond = [abs(int(one)) > abs(other) for one, other in pairs]
            near = np.where(beyond, np.nextafter(near, np.zeros_like(near)), near)
        return near

    @cached_property
    def _endless_below(self) -> Any:
        """Which entries [k] have no lower bound."""
        return (self.least <= -_beyond_meaning(self.kind)) & (self.low < self.high)

    @cached_property
    def _endless_above(self) -> Any:
        """Which entries [k] have no upper bound."""
        return (self.most >= _beyond_meaning(self.kind)) & (self.low < self.high)

    def notes(self) -> list[str]:
        """What a user should know of entries without bounds; nothing if there are none."""
        found: dict[str, list[str]] = {}
        bounds = zip(self._endless_below, self._endless_above, *self.ends, strict=True)
        for entry, (below, above, low, high) in enumerate(bounds):
            if below or above:
                said = f"{_lacks(below, above)}: the agent's -1 to 1 stand for {low:g} to {high:g}"
                found.setdefault(said, []).append(str(entry))
        return [f"entry {', '.join(each)} of the action has {said}" for said, each in found.items()]


def _lacks(below: bool, above: bool) -> str:
    if below and above:
        return "no bounds"
    return "no lower bound" if below else "no upper bound"


def _beyond_meaning(kind: np.dtype[Any]) -> float:
    """The magnitude from which a bound of actions of this type is none.

    Box takes the type's extremes for "no bound"; those of small integers are bounds.
    """
    if kind.kind != "f" and kind.itemsize < 4:
        return np.inf
    largest = np.finfo(kind).max if kind.kind == "f" else np.iinfo(kind).max
    return min(_MEANT, 0.99 * float(largest))


Actions = Discrete | Continuous


@dataclass(frozen=True)
class Spaces:
    """The sizes of an environment.

    Args:
        observation_size: entries of a flat observation.
        actions: discrete or continuous.
        flatten: turns an observation into a vector; None if it is one already.
    """

    observation_size: int
    actions: Actions
    flatten: Callable[[Any], Array] | None = None


def spaces_of(env: gymnasium.Env, id: str) -> Spaces:
    """The sizes of an environment.

    Observations may be a flat Box, or discrete, which become one-hot.

    Raises:
        UserError: a space is missing, or of another kind, such as dictionaries or images.
    """
    observations = _space(env, "observation_space", id)
    return Spaces(
        _observation_size(observations, id),
        _actions(_space(env, "action_space", id), id),
        _flattener(observations),
    )


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


def _observation_size(space: spaces.Space[Any], id: str) -> int:
    flat = isinstance(space, spaces.Box) and len(space.shape) == 1
    discrete = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
    if not flat and not discrete:
        raise UserError(
            f"{id}: observations must be a flat Box or Discrete, but are {_brief(space)}; "
            "an environment with a wrapper that flattens them can be registered under an id of "
            "its own"
        )
    size = int(spaces.flatdim(space))
    if not size:
        raise UserError(f"{id}: observations must have at least one entry")
    return size


def _actions(space: spaces.Space[Any], id: str) -> Actions:
    if isinstance(space, spaces.Discrete):
        return _discrete(space, id)
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return _continuous(space, id)
    raise UserError(f"{id}: actions must be Discrete or a flat Box, but are {_brief(space)}")


def _discrete(space: spaces.Discrete, id: str) -> Discrete:
    actions = Discrete(int(space.n), int(space.start), np.dtype(space.dtype).type)
    try:
        ends = [actions.for_environment(end) for end in (0, actions.count - 1)]
    except OverflowError:
        ends = [None]
    if not all(map(space.contains, ends)):
        raise UserError(f"{id}: the actions of {space} do not fit its type, {space.dtype}")
    return actions


def _continuous(space: spaces.Box, id: str) -> Continuous:
    actions = Continuous(np.array(space.low), np.array(space.high))
    if not actions.size:
        raise UserError(f"{id}: actions must have at least one entry")
    if actions.kind.kind not in _NUMBERS:
        raise UserError(f"{id}: actions must be numbers, but are of type {actions.kind}")
    possible = (actions.low <= actions.high) & (actions.low < np.inf) & (actions.high > -np.inf)
    if not possible.all():
        raise UserError(f"{id}: no action lies within the bounds of {space}")
    low, high = actions.ends
    given = [actions.for_environment(np.full(actions.size, end)) for end in (-1.0, 0.0, 1.0)]
    scaled = (low < high) | (actions.low == actions.high)
    if not (scaled.all() and all(map(space.contains, given))):
        raise UserError(
            f"{id}: actions of {space} cannot be scaled: a bound is too large for its type; "
            "bound the actions on both sides (gymnasium.wrappers.RescaleAction)"
        )
    return actions


def _brief(space: spaces.Space[Any]) -> str:
    """A space's kind and shape; the bounds of an image would fill pages."""
    kind = type(space).__name__
    return f"{kind}{list(space.shape)}" if isinstance(space, spaces.Box) else kind


def _flattener(space: spaces.Space[Any]) -> Callable[[Any], Array] | None:
    if isinstance(space, spaces.Box):
        return None

    def flatten(observation: Any) -> Array:
        return np.asarray(spaces.flatten(space, observation))

    return flatten
