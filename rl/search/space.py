"""The space of a search: what each parameter may be.

A parameter is the dotted path of a value or of a whole block in a specification. What it may be is
a list of values, or a range: {"low": 0.0001, "high": 0.01, "log": true}. A range is of whole
numbers if its ends and the parameter's own value are; "points" is how many of them a grid takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.names import suggestion
from rl.errors import UserError, brief
from rl.specification.build import build
from rl.specification.settings import as_bool, unfit
from rl.specification.specification import Specification

Parameters = dict[str, Any]  # a value for each dotted path

RANGE_KEYS = ("low", "high", "log", "points")
MOST_VALUES = 1_000  # of one parameter; each end of a range, and each value of a list, is tried


@dataclass(frozen=True)
class Choice:
    """One of several values, of any kind."""

    values: tuple[Any, ...]

    def grid(self) -> list[Any]:
        """The values that a grid takes."""
        return list(self.values)

    def ends(self) -> list[Any]:
        """The values that are tried before a search begins."""
        return list(self.values)

    def draw(self, rng: np.random.Generator) -> Any:
        """One of the values, each as likely."""
        return self.values[int(rng.integers(len(self.values)))]


@dataclass(frozen=True)
class Range:
    """A number between two, both included.

    Args:
        low: the minimum.
        high: the maximum.
        log: whether the scale is logarithmic.
        whole: whether values are integers.
        points: number of evenly spaced values in a grid.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    points: int = 3

    def grid(self) -> list[Any]:
        """`points` numbers at even distances, fewer where whole numbers fall together."""
        spread = np.geomspace if self.log else np.linspace
        values = [self._fit(value) for value in spread(self.low, self.high, self.points)]
        return list(dict.fromkeys(values))

    def ends(self) -> list[Any]:
        """The values that are tried before a search begins."""
        return [self._fit(self.low), self._fit(self.high)]

    def draw(self, rng: np.random.Generator) -> Any:
        """A number, each as likely on the range's scale."""
        if self.whole and not self.log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        if self.log:
            return self._fit(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self._fit(rng.uniform(self.low, self.high))

    def _fit(self, value: float) -> Any:
        inside = min(max(float(value), self.low), self.high)
        return round(inside) if self.whole else inside


Dimension = Choice | Range


def read_space(specification: Specification) -> dict[str, Dimension]:
    """The space of a specification's `search` block, each value of it tried.

    Raises:
        UserError: it is empty, malformed, or names what is no parameter.
    """
    space = specification.block("search").get("space")
    if not isinstance(space, Mapping) or not space:
        raise specification.explain(
            "search.space",
            "must map the dotted path of each parameter to its values, such as "
            '{"optimizer.learning_rate": [0.001, 0.002]}',
        )
    default = build(specification, seed=0).specification
    dimensions = {}
    for path, definition in space.items():
        dimension = _read(specification, path, definition, _value_at(default.values, path))
        for value in dimension.ends():
            _try(specification, path, value)
        dimensions[path] = dimension
    return dimensions


def _read(specification: Specification, path: str, definition: Any, default: Any) -> Dimension:
    where = f"search.space.{path}"
    if isinstance(definition, list):
        if not definition:
            raise specification.explain(where, "has no values to choose from")
        if len(definition) > MOST_VALUES:
            raise specification.explain(
                where, f"has {len(definition)} values; {MOST_VALUES} are the most, or give a range"
            )
        return Choice(tuple(_whole(each, default) for each in definition))
    if not isinstance(definition, Mapping):
        raise specification.explain(
            where,
            f'must be a list of values or {{"low": ..., "high": ...}}, not {brief(definition)}',
        )
    for key in definition:
        if key not in RANGE_KEYS:
            raise specification.explain(
                f"{where}.{key}", f"is an unknown key{suggestion(str(key), RANGE_KEYS)}"
            )
    return _range(specification, where, definition, default)


def _whole(value: Any, default: Any) -> Any:
    """`1e3` as 1000, where the parameter's own value is a whole number."""
    is_whole = isinstance(default, int) and isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def _range(
    specification: Specification, where: str, given: Mapping[str, Any], default: Any
) -> Range:
    for key in ("low", "high"):
        value = given.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise specification.explain(f"{where}.{key}", f"must be a number, not {brief(value)}")
        if complaint := unfit(value):
            raise specification.explain(f"{where}.{key}", complaint)
    low, high = (_whole(given[key], default) for key in ("low", "high"))
    points, log = _whole(given.get("points", 3), 0), as_bool(given.get("log", False))
    if not low < high:
        raise specification.explain(where, f"is empty: low is {low} and high {high}")
    if log is None:
        raise specification.explain(f"{where}.log", "must be true or false")
    if log and not low > 0:
        raise specification.explain(f"{where}.low", "must be greater than 0 on a logarithmic scale")
    if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= MOST_VALUES:
        raise specification.explain(
            f"{where}.points", f"must be a whole number from 2 to {MOST_VALUES}"
        )
    whole = all(isinstance(each, int) for each in (low, high)) and not isinstance(default, float)
    return Range(float(low), float(high), log, whole, points)


def _value_at(values: Any, path: str) -> Any:
    """What stands at a dotted path; None if nothing does."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _try(specification: Specification, path: str, value: Any) -> None:
    """Refuses a value that the specification would refuse in its place."""
    try:
        build(specification.assign({path: value}), seed=0)
    except UserError as error:
        complaint = str(error).removeprefix(f"{specification.source}: {specification.name}: ")
        raise specification.explain(
            f"search.space.{path}", f"does not fit with {brief(value)}: {complaint}"
        ) from None
