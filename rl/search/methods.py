"""Search methods that need no results: which parameters trial 0, 1, 2, ... has.

The parameters of a trial are a function of its number (and, for random search, of the seed), so
that a search that was interrupted goes on with the same trials.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from rl.search.space import Choice, Dimension, Parameters

_LARGEST_GRID = 1_000_000
DEFAULT_TRIALS = 20  # of a method without an end of its own
Claim = Callable[[int], bool]  # of a trial's number: nobody else runs it, and it has not ended


class Method(ABC):
    """Proposes trials.

    `learns` says whether what it proposes depends on the results that it was told.
    """

    learns = False

    @abstractmethod
    def propose(self) -> tuple[int, Parameters] | None:
        """The number and parameters of the next trial to run; None when there is no more."""

    @abstractmethod
    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        """Says how a trial ended: its `state`, `score` and `curve`."""

    def told(self) -> Iterator[tuple[int, Parameters]]:
        """The trials of which the method keeps how they ended, and cannot be told otherwise."""
        return iter(())


class Listed(Method):
    """Trials whose parameters follow from their numbers.

    Args:
        claim: says whether a trial is to be run by this process.
        trials: how many at most.
    """

    def __init__(self, claim: Claim, trials: int) -> None:
        self._claim, self._numbers = claim, iter(range(trials))

    @abstractmethod
    def parameters(self, number: int) -> Parameters:
        """Those of a trial."""

    def propose(self) -> tuple[int, Parameters] | None:
        for number in self._numbers:
            if self._claim(number):
                return number, self.parameters(number)
        return None

    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        """Changes nothing."""


class Grid(Listed):
    """Every combination; the last parameter changes quickest."""

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
    """The specification as it stands, then each parameter in turn, the others left as they are."""

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
    """Drawn at random; where there are only lists, the grid in a random order, none twice.

    Of a grid too large to be put in an order, trials are drawn; they hardly ever meet.
    """

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


METHODS: dict[str, type[Grid] | type[Line] | type[Random]] = {
    "grid": Grid,
    "line": Line,
    "random": Random,
}
