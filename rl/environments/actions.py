"""What an agent can do: actions as the agent counts them, and as the environment takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces

from nn.typing import Array, BoolArray, IntArray
from rl.environments import masks, rules
from rl.environments.continuous import Continuous, continuous
from rl.environments.rules import Unfit

MOST_COMBINATIONS = 1_024  # of several discrete actions, for agents that value each


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
        return masks.firsts(self.counts)

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
        return continuous(space)
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
