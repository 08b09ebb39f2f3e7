"""Environments for a program, by whatever says how they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium

from rl.environments import environment_of
from rl.environments.problems import Problem
from rl.errors import BrokenEnvironment
from rl.saved.opened import Opened
from rl.saved.policy_file import open_saved
from rl.specification.environment import problem_of, spaces_in
from rl.specification.objects import block_from
from rl.specification.overrides import given_by
from rl.specification.specification import (
    Specification,
    all_specifications,
)


def make_env(source: Any, **settings: Any) -> gymnasium.Env:
    """An environment, ready to `reset` and `step`.

    Args:
        source: an environment's id, `module:Class`, an `environment` block, a class or a function;
            or a specification, an experiment's name, a run or its folder, whose environment it is.
        settings: passed on to the environment, such as render_mode="human".

    Raises:
        UserError: there is no such environment, its package is missing, or its arguments are
            refused.
        BrokenEnvironment: its constructor raises something.
    """
    return environment_of(problem_from(source), **settings)


def problem_from(source: Any, kwargs: Iterable[str] | Mapping[str, Any] = ()) -> Problem:
    """The problem of whatever `make_env` takes.

    Args:
        source: as for `make_env`.
        kwargs: further arguments of the constructor, "KEY=VALUE" or a mapping.

    Raises:
        UserError: as for `make_env`.
    """
    given = {
        f"environment.kwargs.{key}": value
        for key, value in given_by(kwargs, "--env-kwargs").items()
    }
    found = _specification(source).assign(given)
    problem = problem_of(found)
    if not problem.environment.is_plain:
        with suppress(BrokenEnvironment):  # which is told to whoever makes it
            spaces_in(found, problem)  # refuses what it is given, in the specification's words
    return problem


def _specification(source: Any) -> Specification:
    if isinstance(source, Opened):
        return source.specification
    if isinstance(source, Specification):
        return source
    if isinstance(source, str):
        if found := all_specifications().get(source):
            return found
        if source not in gymnasium.registry and _is_saved(source):
            return open_saved(source).specification
    if isinstance(source, Mapping) and "id" not in source:
        return Specification("environment", "", {"agent": {}, **source})
    block, folders = block_from(source)
    values: dict[str, Any] = {"environment": block}
    if [*block] == ["id"]:
        values = {"problem": block["id"]}
    return Specification(str(block.get("id", "")), "", {**values, "agent": {}}, folders=folders)


def _is_saved(source: str) -> bool:
    """Whether a text is the path of a run or a checkpoint."""
    return Path(source).exists() or Path("runs", source).is_dir()
