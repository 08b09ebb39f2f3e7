"""Search methods that use no results.

The parameters of a trial are a function of its number (and, for random search, of the seed), so an
interrupted search resumes with the same trials.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from rl.proposing import METHODS, Claim, Listed, Parameters
from rl.search.space import Choice, Dimension

_LARGEST_GRID = 1_000_000
DEFAULT_TRIALS = 20  # of a method that never ends by itself


class Grid(Listed):
    """Every combination; the last parameter varies fastest."""

    def __init__(
        self, space: Mapping[str, Dimension], claim: Claim, trials: int | None, seed: int = 0
    ) -> None:
        del seed
        self._paths = list(space)
        self._values = [dimension.grid() for dimension in space.values()]
        size = math.prod(map(len, self._values))
        super().__init__(claim, min(size, trials or size))

    def parameters(self, number: int) -> Parameters:
        values = []
        for choices in reversed(self._values):
            number, place = divmod(number, len(choices))
            values.append(choices[place])
        return dict(zip(self._paths, reversed(values), strict=True))


class Line(Listed):
    """The specification as it is, then each value of each parameter, one change at a time."""

    def __init__(
        self, space: Mapping[str, Dimension], claim: Claim, trials: int | None, seed: int = 0
    ) -> None:
        del seed
        lines = ([{path: value} for value in each.grid()] for path, each in space.items())
        self._trials: list[Parameters] = [{}, *itertools.chain.from_iterable(lines)]
        super().__init__(claim, min(len(self._trials), trials or len(self._trials)))

    def parameters(self, number: int) -> Parameters:
        return self._trials[number]


class Random(Listed):
    """Random draws; of lists alone, the grid in a random order, unless it is too large for that."""

    def __init__(
        self, space: Mapping[str, Dimension], claim: Claim, trials: int | None, seed: int = 0
    ) -> None:
        self._space, self._seed = space, seed
        self._grid: Grid | None = None
        trials = trials or DEFAULT_TRIALS
        size = math.prod(len(each.grid()) for each in space.values())
        if all(isinstance(each, Choice) for each in space.values()) and size <= _LARGEST_GRID:
            self._grid = Grid(space, claim, None)
            self._order = np.random.default_rng(seed).permutation(size)
            trials = min(trials, size)
        super().__init__(claim, trials)

    def parameters(self, number: int) -> Parameters:
        if self._grid:
            return self._grid.parameters(int(self._order[number]))
        rng = np.random.default_rng([self._seed, number])
        return {path: each.draw(rng) for path, each in self._space.items()}


METHODS.update(grid=Grid, line=Line, random=Random)
