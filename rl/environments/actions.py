"""What an agent can do: actions as the agent counts them, and as the environment takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from nn.typing import Array, BoolArray, IntArray
from rl.environments import masks, rules

MOST_COMBINATIONS = 1_024  # of several discrete actions, for agents that value each

_MEANT = 1e18  # beyond this a bound is there for form's sake; its square overflows float32
_NUMBERS = "iuf"  # the kinds of dtypes that actions may have


class Unfit(ValueError):
    """A space whose actions no agent can take; the message says why, and what to do."""


@dataclass(frozen=True)
class Discrete:
    """Actions 0 to count - 1.

    Args:
        count: how many.
        first: what the environment calls the first one.
        kind: NumPy's type of its actions.
        masked: whether the environment says in each state which of them are allowed.
    """

    count: int
    first: int = 0
    kind: type[np.integer[Any]] = np.int64
    masked: bool = False

    @property
    def choices(self) -> int:
        """Entries of a mask, and outputs of a policy."""
        return self.count

    @property
    def firsts(self) -> IntArray:
        """The first entry of each component's in a mask; there is only one."""
        return np.zeros(1, np.int64)

    def array(self, length: int) -> IntArray:
        """Room for `length` actions [length]."""
        return np.zeros(length, np.int64)

    def for_environment(self, action: Any) -> Any:
        """One action as the environment's own `sample` gives it."""
        return self.kind(int(action) + self.first)

    def mask(self, given: Any) -> BoolArray:
        """Which actions are allowed [count], of what the environment says.

        Raises:
            Breach: it is no mask, or allows none.
        """
        return masks.mask_of(given, [self.count])


@dataclass(frozen=True)
class MultiDiscrete:
    """Several discrete actions at once, the components [k]; each counts from 0.

    Args:
        counts: how many actions each has.
        start: what the environment calls the first ones, in the shape and type of its actions.
        binary: whether they are yes or no, whose masks Gymnasium writes in another way.
        masked: as for `Discrete`.
    """

    counts: tuple[int, ...]
    start: Array = field(repr=False)
    binary: bool = False
    masked: bool = False

    @property
    def choices(self) -> int:
        """Entries of a mask, and outputs of a policy."""
        return sum(self.counts)

    @property
    def firsts(self) -> IntArray:
        """The first entry of each component's in a mask [k]."""
        return np.cumsum([0, *self.counts[:-1]])

    def array(self, length: int) -> IntArray:
        """Room for `length` actions [length, k]."""
        return np.zeros((length, len(self.counts)), np.int64)

    def for_environment(self, action: Any) -> Any:
        """One action [k] as the environment's own `sample` gives it."""
        start = self.start
        return (start + np.reshape(action, start.shape)).astype(start.dtype)

    def mask(self, given: Any) -> BoolArray:
        """Which actions of each component are allowed, one component behind the other.

        The environment gives them so, or as `action_space.sample(mask)` takes them: a mask for each
        component or, of yes and no, 0, 1 or 2 (both).

        Raises:
            Breach: it is no mask, or allows none of a component.
        """
        array = rules.array_of(given)
        if self.binary and array.shape == self.start.shape and array.dtype.kind in rules.NUMBERS:
            given = masks.of_two(array)
        return masks.mask_of(masks.joined(given, self.counts), self.counts)


@dataclass(frozen=True)
class Combinations(Discrete):
    """All combinations of several discrete actions, numbered: the last component runs fastest.

    Args:
        components: what is combined.
    """

    components: MultiDiscrete = field(kw_only=True)

    @cached_property
    def actions(self) -> IntArray:
        """The components of each combination [count, k]."""
        return np.stack(np.unravel_index(np.arange(self.count), self.components.counts), axis=1)

    @cached_property
    def places(self) -> IntArray:
        """The entries of the components' mask that each combination needs [count, k]."""
        return self.actions + self.components.firsts

    def for_environment(self, action: Any) -> Any:
        return self.components.for_environment(self.actions[int(action)])

    def mask(self, given: Any) -> BoolArray:
        return np.all(self.components.mask(given)[self.places], axis=1)


def combined(actions: MultiDiscrete) -> Combinations:
    """The combinations of several discrete actions.

    Raises:
        Unfit: there are too many.
    """
    count = math.prod(actions.counts)
    if count > MOST_COMBINATIONS:
        raise Unfit(
            f"{count:,} combinations of {len(actions.counts)} discrete actions, and values are "
            f"learned of at most {MOST_COMBINATIONS:,}"
        )
    return Combinations(count, masked=actions.masked, components=actions)


@dataclass(frozen=True)
class Continuous:
    """Actions [k], each entry from -1 to 1; the environment's bounds are known here alone.

    They stand for an entry's bounds. Where both are missing they stand for themselves, and where
    one is, for an interval of length 2 from the other on. A bound too large to be meant counts as
    missing.

    Args:
        low: the environment's lower bounds [k], of the type of its actions.
        high: the environment's upper bounds [k].
        shape: of the environment's actions, if it is not [k].
    """

    low: Array
    high: Array
    shape: tuple[int, ...] | None = None
    masked: ClassVar[bool] = False

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
        given = within if self._is_whole else self._converted(within)
        return given if self.shape is None else given.reshape(self.shape)

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


Actions = Discrete | MultiDiscrete | Continuous


def mask_size(actions: Actions) -> int:
    """Entries of a mask of the actions; 0 if there are no masks."""
    return 0 if isinstance(actions, Continuous) or not actions.masked else actions.choices


def actions_of(space: spaces.Space[Any]) -> Actions:
    """The actions of a space.

    Raises:
        Unfit: no agent can take them.
    """
    if isinstance(space, spaces.Discrete):
        return _discrete(space)
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        return _several(space)
    if isinstance(space, spaces.Box):
        return _continuous(space)
    raise Unfit(
        f"actions must be Discrete, MultiDiscrete, MultiBinary or a Box, but are "
        f"{type(space).__name__}; add a wrapper that makes them one of these "
        "(gymnasium.wrappers.TransformAction)"
    )


def _discrete(space: spaces.Discrete) -> Discrete:
    actions = Discrete(int(space.n), int(space.start), np.dtype(space.dtype).type)
    try:
        ends = [actions.for_environment(end) for end in (0, actions.count - 1)]
    except OverflowError:
        ends = [None]
    if not all(map(space.contains, ends)):
        raise Unfit(f"the actions of {space} do not fit its type, {space.dtype}")
    return actions


def _several(space: spaces.MultiDiscrete | spaces.MultiBinary) -> MultiDiscrete:
    if isinstance(space, spaces.MultiBinary):
        counts, start = np.full(space.shape, 2), np.zeros(space.shape, space.dtype)
    else:
        counts, start = space.nvec, space.start.copy()
    binary = isinstance(space, spaces.MultiBinary)
    actions = MultiDiscrete(tuple(map(int, counts.ravel())), start, binary)
    if not actions.counts:
        raise Unfit("actions must have at least one entry")
    ends = [[0] * len(actions.counts), [count - 1 for count in actions.counts]]
    if not all(space.contains(actions.for_environment(end)) for end in ends):
        raise Unfit(f"the actions of {space} do not fit its type, {space.dtype}")
    return actions


def _continuous(space: spaces.Box) -> Continuous:
    shape = None if len(space.shape) == 1 else space.shape
    actions = Continuous(space.low.reshape(-1).copy(), space.high.reshape(-1).copy(), shape)
    if not actions.size:
        raise Unfit("actions must have at least one entry")
    if actions.kind.kind not in _NUMBERS:
        raise Unfit(f"actions must be numbers, but are of type {actions.kind}")
    possible = (actions.low <= actions.high) & (actions.low < np.inf) & (actions.high > -np.inf)
    if not possible.all():
        raise Unfit(f"no action lies within the bounds of {space}")
    low, high = actions.ends
    given = [actions.for_environment(np.full(actions.size, end)) for end in (-1.0, 0.0, 1.0)]
    scaled = (low < high) | (actions.low == actions.high)
    if not (scaled.all() and all(map(space.contains, given))):
        raise Unfit(
            f"actions of {space} cannot be scaled: a bound is too large for its type; "
            "bound the actions on both sides (gymnasium.wrappers.RescaleAction)"
        )
    return actions
