"""Continuous actions: from -1 to 1 as the agent sees them, and in the environment's own units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from nn.typing import Array
from rl.environments.rules import Unfit

_MEANT = 1e18  # beyond this a bound is there for form's sake; its square overflows float32
_NUMBERS = "iuf"  # the kinds of dtypes that actions may have


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


def continuous(space: spaces.Box) -> Continuous:
    """The actions of a Box.

    Raises:
        Unfit: they are no numbers, or its bounds cannot be scaled to.
    """
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
