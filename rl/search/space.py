"""The space of a search: the values of each parameter.

A parameter is the dotted path of a value or of a whole block in a specification. Its values are a
list or a range: {"low": 0.0001, "high": 0.01, "log": true}. A range is of integers if its ends and
the parameter's default are; "points" is the number of values in a grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import BaseSettings, SettingError, setting
from rl.environments.making import default_argument
from rl.errors import UserError, brief
from rl.specification.build import build
from rl.specification.settings import Explain, make_settings, resolve
from rl.specification.specification import Specification

MOST_VALUES = 1_000  # of one parameter, each of which is checked


@dataclass(frozen=True)
class Choice:
    """One of several values, of any kind."""

    values: tuple[Any, ...]

    def grid(self) -> list[Any]:
        """The values in a grid."""
        return list(self.values)

    def ends(self) -> list[Any]:
        """The values that are checked before a search begins."""
        return list(self.values)

    def draw(self, rng: np.random.Generator) -> Any:
        """One of the values, uniformly."""
        return self.values[int(rng.integers(len(self.values)))]


@dataclass(frozen=True)
class Range(BaseSettings):
    """A range as a specification gives it."""

    low: float = setting("the minimum")
    high: float = setting("the maximum")
    log: bool = setting("whether the scale is logarithmic", False)
    points: int = setting("number of evenly spaced values in a grid", 3, least=2, most=MOST_VALUES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise SettingError("high", f"must be greater than low, {self.low}, not {self.high}")
        if self.log and not self.low > 0:
            raise SettingError("low", "must be greater than 0 on a logarithmic scale")


@dataclass(frozen=True)
class Numbers(Range):
    """A number between `low` and `high`, both included."""

    whole: bool = setting("whether values are integers", False)

    def grid(self) -> list[Any]:
        """`points` evenly spaced numbers, fewer where integers coincide."""
        spread = np.geomspace if self.log else np.linspace
        values = [self._fit(value) for value in spread(self.low, self.high, self.points)]
        return list(dict.fromkeys(values))

    def ends(self) -> list[Any]:
        """The values that are checked before a search begins."""
        return [self._fit(self.low), self._fit(self.high)]

    def draw(self, rng: np.random.Generator) -> Any:
        """A number, uniform on the range's scale."""
        if self.whole and not self.log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        if self.log:
            return self._fit(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self._fit(rng.uniform(self.low, self.high))

    def _fit(self, value: float) -> Any:
        inside = min(max(float(value), self.low), self.high)
        return round(inside) if self.whole else inside


Dimension = Choice | Numbers


def read_space(specification: Specification) -> dict[str, Dimension]:
    """The space of a specification's `search` block, each value of it checked.

    Raises:
        UserError: it is empty, malformed, or does not fit the specification.
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
        dimension = _read(specification, path, definition, _default(default, path))
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
    return _range(definition, default, lambda key, complaint: specification.explain(
        f"{where}.{key}" if key else where, complaint
    ))  # fmt: skip


def _whole(value: Any, default: Any) -> Any:
    """`1e3` as 1000, where the parameter's default is an integer."""
    is_whole = isinstance(default, int) and isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def _range(given: Mapping[str, Any], default: Any, explain: Explain) -> Numbers:
    settings = resolve(Range, given, explain)
    ends = [_whole(given[key], default) for key in ("low", "high")]
    whole = all(isinstance(end, int) for end in ends) and not isinstance(default, float)
    return make_settings(Numbers, {**settings, "whole": whole}, explain)


def _default(specification: Specification, path: str) -> Any:
    """The value at a dotted path, if need be that of the environment's constructor."""
    value = specification.value(path)
    if value is None and path.startswith("environment.kwargs."):
        value = default_argument(specification.environment_id, path.rpartition(".")[2])
    return value


def _try(specification: Specification, path: str, value: Any) -> None:
    """Refuses a value that the specification refuses."""
    try:
        build(specification.assign({path: value}), seed=0)
    except UserError as error:
        complaint = str(error).removeprefix(f"{specification.place}: ")
        raise specification.explain(
            f"search.space.{path}", f"does not fit with {brief(value)}: {complaint}"
        ) from None
