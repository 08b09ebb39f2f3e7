"""The search methods of OpenAI Lab: a line without its origin, and a random walk uphill."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nn.typing import Array
from rl.proposing import Claim, Listed, Method, Parameters

_DECIMALS = 4  # of a point's distances, and of the values of a range
_WIDEST, _NARROWEST = 0.5, 0.01  # steps in the unit cube
_TRIALS = 20  # by default
_DRAWS = 10  # of points for each trial, after which the search is over


class Line2017(Listed):
    """Each value of each parameter, the others being as the specification has them."""

    def __init__(
        self, space: Mapping[str, Any], claim: Claim, trials: int | None, seed: int = 0
    ) -> None:
        del seed
        self._trials = [{path: value} for path, each in space.items() for value in each.grid()]
        super().__init__(claim, min(len(self._trials), trials or len(self._trials)))

    def parameters(self, number: int) -> Parameters:
        return self._trials[number]


class Random2017(Method):
    """A random walk in the unit cube [0, 1]^D, each side of which is one parameter.

    It starts at a random point x. Trial n is at x + r u, clipped to the cube, where u is a random
    direction and r = 5 / n, at least 0.01 and at most 0.5. If its score is the best so far, x moves
    there. A point that was tried before is drawn again, and the search ends after ten draws per
    trial. Values of a range are rounded to four decimals.

    Args:
        space: of the parameters.
        claim: claims a trial for this process.
        trials: the maximum number; None is 20.
        seed: of the draws.
    """

    learns = True

    def __init__(
        self, space: Mapping[str, Any], claim: Claim, trials: int | None, seed: int = 0
    ) -> None:
        self._space, self._claim, self._seed = space, claim, seed
        self.size = trials or _TRIALS
        self._points: list[Array] = []  # one for each trial that has been proposed
        self._draws = 0
        self._best, self._score = np.random.default_rng(seed).random(len(space)), -math.inf

    def propose(self) -> tuple[int, Parameters] | None:
        number = len(self._points)
        is_over = number >= self.size or self._draws > _DRAWS * self.size
        if is_over or not self._claim(number):
            return None
        self._points.append(self._point(number))
        shares = zip(self._space.items(), self._points[-1].tolist(), strict=True)
        return number, {path: _value_at(each, share) for (path, each), share in shares}

    def _point(self, number: int) -> Array:
        """Where trial `number` is in the cube [D]."""
        rng = np.random.default_rng([self._seed, number])
        radius = np.clip(5.0 / number if number else math.inf, _NARROWEST, _WIDEST)
        while True:
            self._draws += 1
            step = rng.standard_normal(len(self._space))
            point: Array = np.clip(self._best + radius * step / np.linalg.norm(step), 0.0, 1.0)
            if self._draws > _DRAWS * self.size or self._is_new(point):
                return point

    def _is_new(self, point: Array) -> bool:
        distances = [np.linalg.norm(point - each) for each in self._points]
        return bool(np.around(distances, _DECIMALS).all())

    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        score = result.get("score")
        if score is not None and score > self._score:
            self._best, self._score = self._points[number], score


def _value_at(dimension: Any, share: float) -> Any:
    """The value of a list or a range at a share of it, from 0 to 1."""
    if (values := getattr(dimension, "values", None)) is not None:
        place = math.floor(round(share * len(values), _DECIMALS))
        return values[min(place, len(values) - 1)]
    low, high = dimension.low, dimension.high
    if dimension.log:
        value = low * (high / low) ** share
    else:
        value = round(low + share * (high - low), _DECIMALS)
    return round(value) if dimension.whole else value
