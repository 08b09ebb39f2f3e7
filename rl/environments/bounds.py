"""Where the entries of an observation lie, for agents that tell finitely many states apart."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from nn.typing import Array, BoolArray
from rl.environments.observations import Flattener, Part
from rl.preprocessors import Preprocessor

_UNBOUNDED = 2e9  # the limits of float32, int64 and int32 stand for none, and are greater


@dataclass(frozen=True, eq=False)
class Bounds:
    """Of the entries of an observation vector [n].

    Args:
        low: the least value of each [n], -inf where nothing bounds it.
        high: likewise the greatest.
        whole: whether each is a whole number [n].
        groups: how many entries each of its parts has, one behind the other: 1 for a number, more
            for a choice, which is one-hot.
        grid: rows and columns that a single choice stands for; None if the environment names none.
    """

    low: Array
    high: Array
    whole: BoolArray
    groups: tuple[int, ...]
    grid: tuple[int, int] | None = None

    @property
    def are_bytes(self) -> bool:
        """Whether every entry lies between 0 and 255, as the numbers of most pictures do."""
        return bool((self.low == 0).all() and (self.high == 255).all())

    def behind(self, preprocessor: Preprocessor) -> Bounds:
        """The bounds of what an agent sees behind a preprocessor; choices may be lost there."""
        low, high = preprocessor.bounds(self.low, self.high)
        times = len(low) // len(self.low)
        if not (np.array_equal(low, np.tile(self.low, times))
                and np.array_equal(high, np.tile(self.high, times))):  # fmt: skip
            return Bounds(low, high, np.zeros(len(low), np.bool_), (1,) * len(low))
        grid = self.grid if times == 1 else None
        return Bounds(low, high, np.tile(self.whole, times), self.groups * times, grid)


def bounds_of(flatten: Flattener, env: gymnasium.Env) -> Bounds:
    """The bounds of an environment's observations."""
    parts = [_bounds(part) for part in flatten.parts]
    low, high, whole = (np.concatenate(each) for each in list(zip(*parts, strict=True))[:3])
    groups = tuple(size for part in parts for size in part[3])
    return Bounds(low, high, whole, groups, _grid(env, groups))


def _bounds(part: Part) -> tuple[Array, Array, BoolArray, tuple[int, ...]]:
    space: Any = part.space
    if not isinstance(space, spaces.Box):
        low, ones, groups = np.zeros(part.size), np.ones(part.size), (1,) * part.size
        if not isinstance(space, spaces.MultiBinary):
            counts = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec)
            groups = tuple(map(int, counts.ravel()))
            low = np.repeat(counts.ravel() == 1, counts.ravel()).astype(float)  # a choice of one
        return low, ones, np.ones(part.size, np.bool_), groups
    low, high = (np.asarray(each, float).ravel() for each in (space.low, space.high))
    low, high = np.where(low < -_UNBOUNDED, -np.inf, low), np.where(high > _UNBOUNDED, np.inf, high)
    return low, high, np.full(part.size, space.dtype.kind != "f"), (1,) * part.size


def _grid(env: gymnasium.Env, groups: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns, as Gymnasium's toy text environments have them in their attributes."""
    if len(groups) != 1:
        return None
    with suppress(Exception):  # whatever an environment has under these names
        own: Any = env.unwrapped
        shape = (own.nrow, own.ncol) if hasattr(own, "nrow") else own.shape
        rows, columns = map(int, shape)
        if rows * columns == groups[0]:
            return rows, columns
    return None
