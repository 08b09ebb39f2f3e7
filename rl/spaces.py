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
from rl.errors import UserError


@dataclass(frozen=True)
class Discrete:
    """Actions 0 to count - 1.

    Args:
        count: how many.
        first: what the environment calls the first one.
    """

    count: int
    first: int = 0

    def array(self, length: int) -> IntArray:
        """Room for `length` actions [length]."""
        return np.zeros(length, np.int64)

    def for_environment(self, action: Any) -> Any:
        """One action as the environment takes it."""
        return int(action) + self.first


@dataclass(frozen=True)
class Continuous:
    """Actions [k], each entry from -1 to 1; the environment's bounds are known here alone.

    An entry without bounds is passed on as it is.

    Args:
        low: the environment's lower bounds [k].
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
        """Whether all bounds are finite."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    def array(self, length: int) -> Array:
        """Room for `length` actions [length, k]."""
        return np.zeros((length, self.size), np.float32)

    def for_environment(self, action: Any) -> Any:
        """One action [k] in the environment's units: an array of its own, within the bounds."""
        scaled = self.middle + self.reach * np.array(action, np.float32)
        return np.minimum(np.maximum(scaled, self.low), self.high)

    @cached_property
    def middle(self) -> Array:
        """What 0 stands for [k]."""
        low, high = self._scaled_bounds()
        return 0.5 * (low + high)

    @cached_property
    def reach(self) -> Array:
        """How far 1 is from there [k]."""
        low, high = self._scaled_bounds()
        return 0.5 * (high - low)

    def _scaled_bounds(self) -> tuple[Array, Array]:
        """What -1 and 1 stand for: the bounds, or themselves."""
        finite = np.isfinite(self.low) & np.isfinite(self.high)
        one = np.ones_like(self.low)
        return np.where(finite, self.low, -one), np.where(finite, self.high, one)


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
        UserError: the spaces are of another kind, such as dictionaries or images.
    """
    return Spaces(
        _observation_size(env.observation_space, id),
        _actions(env.action_space, id),
        _flattener(env.observation_space),
    )


def _observation_size(space: spaces.Space[Any], id: str) -> int:
    flat = isinstance(space, spaces.Box) and len(space.shape) == 1
    discrete = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
    if not flat and not discrete:
        raise UserError(
            f"{id}: observations must be a flat Box or Discrete, but are {_brief(space)}; "
            "an environment with a wrapper that flattens them can be registered under an id of "
            "its own"
        )
    return int(spaces.flatdim(space))


def _actions(space: spaces.Space[Any], id: str) -> Actions:
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return Continuous(np.asarray(space.low, np.float32), np.asarray(space.high, np.float32))
    raise UserError(f"{id}: actions must be Discrete or a flat Box, but are {_brief(space)}")


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
