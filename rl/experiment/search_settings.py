"""The `search` block of a specification: how to search, beside what to search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nn.names import lookup
from rl.analysis.metrics import STATISTICS
from rl.errors import UserError
from rl.experiment.methods import METHODS
from rl.experiment.optuna_methods import PRUNERS, SAMPLERS, require_optuna
from rl.experiment.search_space import Dimension, Range, read_space
from rl.experiment.settings import resolve
from rl.experiment.specification import Specification

MOST_SESSIONS = 1_000


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The `search` block without its space.

    Args:
        method: "grid", "line", "random", "tpe" or "cmaes".
        trials: how many at most; null is all of a grid or a line and 20 of the others.
        sessions: of each trial, with the seeds `seed`, `seed` + 1, ...: the same for all trials.
        seed: of the method, and of each trial's first session.
        pruner: "none", "median" or "asha".
        statistic: what trials are ranked by.
    """

    method: str = "random"
    trials: int | None = None
    sessions: int = 1
    seed: int = 0
    pruner: str = "none"
    statistic: str = "mean_return"

    def __post_init__(self) -> None:
        for name, known in (
            ("method", (*METHODS, *SAMPLERS)), ("pruner", PRUNERS), ("statistic", STATISTICS),
        ):  # fmt: skip
            try:
                found = lookup({each: each for each in known}, getattr(self, name), name)
            except ValueError as error:
                raise ValueError(f"{name} names an {error}") from None
            object.__setattr__(self, name, found)  # as the tables spell it
        for name, least in (("trials", 1), ("sessions", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if self.sessions > MOST_SESSIONS:
            raise ValueError(f"sessions must be at most {MOST_SESSIONS}, not {self.sessions}")


def changes(before: Any, now: Any, path: str = "") -> list[str]:
    """The dotted paths at which two specifications differ."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return [] if json.dumps(before) == json.dumps(now) else [path]
    if before.keys() == now.keys() and path == "search.space" and list(before) != list(now):
        return [path]  # a grid goes through it in order
    found = []
    for key in {**before, **now}:
        inner = f"{path}.{key}" if path else str(key)
        both = key in before and key in now
        found += changes(before[key], now[key], inner) if both else [inner]
    return found


def read_settings(specification: Specification) -> SearchSettings:
    """The settings of a specification's `search` block.

    Raises:
        UserError: there is none, or an unknown key or value in it.
    """
    block = specification.block("search")
    if not block:
        raise specification.explain(
            "search", 'is missing: a block such as {"space": {"agent.gamma": [0.98, 0.99]}}'
        )
    block.pop("space", None)

    def explain(key: str, complaint: str) -> UserError:
        return specification.explain(f"search.{key}" if key else "search", complaint)

    settings = resolve(SearchSettings, block, explain)
    try:
        return SearchSettings(**settings)
    except ValueError as error:
        key, complaint = str(error).split(" ", 1)
        raise explain(key, complaint) from None


def read_search(specification: Specification) -> tuple[SearchSettings, dict[str, Dimension]]:
    """The settings and the space of a search that can be run here.

    Raises:
        UserError: something in the block is wrong, or needs a package that is missing.
    """
    settings, space = read_settings(specification), read_space(specification)
    for name, needed in ((settings.method, SAMPLERS), (settings.pruner, PRUNERS[1:])):
        if name in needed:
            require_optuna(name)
    if settings.method == "cmaes" and not any(isinstance(each, Range) for each in space.values()):
        raise specification.explain(
            "search.space", 'has no range, and cmaes needs one: {"low": ..., "high": ...}'
        )
    return settings, space
