"""The `search` block of a specification: its settings and its space."""

from __future__ import annotations

from dataclasses import dataclass

from nn.settings import BaseSettings, setting
from rl.analysis.metrics import STATISTICS
from rl.errors import UserError
from rl.proposing import METHODS
from rl.search.optuna_methods import SAMPLERS, require_optuna
from rl.search.pruning import PRUNERS
from rl.search.space import Dimension, Numbers, read_space
from rl.specification.environment import import_modules
from rl.specification.settings import make_settings, resolve
from rl.specification.specification import Specification

MOST_SESSIONS = 1_000


@dataclass(frozen=True, kw_only=True)
class SearchSettings(BaseSettings):
    """The `search` block without its space."""

    method: str = setting(
        "grid, line, random, tpe, cmaes, or a method of a package", "random", names=METHODS
    )
    trials: int | None = setting(
        "maximum number; null is all of a grid or a line, and 20 for other methods", None, least=1
    )
    sessions: int = setting(
        "sessions per trial, with the seeds `seed`, `seed` + 1, ...: the same for all trials", 1,
        least=1, most=MOST_SESSIONS,
    )  # fmt: skip
    seed: int = setting("random seed of the method, and of each trial's first session", 0, least=0)
    pruner: str = setting(f"one of {', '.join(PRUNERS)}", "none", names=PRUNERS)
    statistic: str = setting("score to rank trials by", "mean_return", names=STATISTICS)


def read_settings(specification: Specification) -> SearchSettings:
    """The settings of a specification's `search` block.

    Raises:
        UserError: there is none, or an unknown key or value in it.
    """
    import_modules(specification)  # which may register methods
    block = specification.block("search")
    if not block:
        raise specification.explain(
            "search", 'is missing: a block such as {"space": {"agent.gamma": [0.98, 0.99]}}'
        )
    block.pop("space", None)

    def explain(key: str, complaint: str) -> UserError:
        return specification.explain(f"search.{key}" if key else "search", complaint)

    given = resolve(SearchSettings, block, explain)
    settings: SearchSettings = make_settings(SearchSettings, given, explain)
    return settings


def read_search(specification: Specification) -> tuple[SearchSettings, dict[str, Dimension]]:
    """The settings and the space of a search that can be run here.

    Raises:
        UserError: the block is wrong, or needs a package that is missing.
    """
    settings, space = read_settings(specification), read_space(specification)
    for name, needed in ((settings.method, SAMPLERS), (settings.pruner, PRUNERS[1:])):
        if name in needed:
            require_optuna(name)
    if settings.method == "cmaes" and not any(isinstance(each, Numbers) for each in space.values()):
        raise specification.explain(
            "search.space", 'has no range, and cmaes needs one: {"low": ..., "high": ...}'
        )
    if settings.pruner != "none" and specification.block("train").get("steps") is None:
        raise specification.explain(
            "search.pruner",
            f"is {settings.pruner}, which needs the steps of a session; set train.steps too",
        )
    if settings.pruner != "none" and specification.block("train").get("give_up_after"):
        raise specification.explain(
            "search.pruner", f"is {settings.pruner}, which does not go with train.give_up_after"
        )
    return settings, space
