"""The specification that a name means: an experiment or, with the defaults, an environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn.names import nearest, plain
from rl.environments.registered import environment_spec
from rl.errors import UserError
from rl.specification.defaults import default_agent, default_blocks
from rl.specification.environment import registered_problem, spaces_in
from rl.specification.overrides import given_by
from rl.specification.specification import (
    Specification,
    all_specifications,
    load_specification,
)
from rl.storage.paths import as_name

_ENVIRONMENT = re.compile(r".*[:/].*|.*-v\d+")  # what can only be an environment's id


def specification_of(
    name: str,
    file: str | Path | None = None,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    agent: str | None = None,
    kwargs: Iterable[str] | Mapping[str, Any] = (),
    like: Specification | None = None,
) -> Specification:
    """The experiment called `name` or else, with every default, one on the environment `name`.

    Args:
        name: of an experiment, or an environment's id; an experiment goes first.
        file: of experiments; `name` is one of them then.
        overrides: settings by their dotted paths, as for `Specification.override`.
        agent: of an environment; by default the one that its actions call for.
        kwargs: arguments of the environment's constructor, "KEY=VALUE" or a mapping.
        like: of an environment; its settings take the place of the defaults, unless an agent is
            named.

    Raises:
        UserError: there is neither, it is malformed, or the environment cannot be made.
    """
    name = name.strip()
    found = given_by(kwargs, "--env-kwargs")
    given = {f"environment.kwargs.{key}": value for key, value in found.items()}
    if file or not _is_environment(name, agent):
        if agent is not None:
            raise UserError(
                f"--agent is for an environment, and {name} is an experiment: --set agent.name="
                f"{agent}, perhaps with other settings"
            )
        return load_specification(name, file, overrides).assign(given)
    if ":" not in name:
        environment_spec(name)
    bare = Specification(as_name(name), "", {"problem": name, "agent": {}})
    if like and agent is None:
        bare = replace(bare, values=_elsewhere(like.values) | bare.values, folders=like.folders)
        bare = bare.assign({"agent": like.block("agent")}, ())
    return with_defaults(bare.assign(given, ()).override(overrides), agent)


def with_defaults(given: Specification, agent: str | None = None) -> Specification:
    """A specification that may lack an agent, with what `default_blocks` says.

    Args:
        given: goes before the defaults.
        agent: its name where the specification has none.

    Raises:
        UserError: the environment cannot be made.
    """
    problem = registered_problem(given)
    spaces, train = spaces_in(given, problem), given.block("train")
    chosen = given.block("agent").get("name") or agent or default_agent(spaces)
    values = {**given.values, "agent": {"name": chosen, **given.block("agent")}}
    for key, block in default_blocks(spaces, str(chosen), train, problem.horizon).items():
        if key == "exploration" and given.block("network").get("noisy"):
            continue  # its noise explores
        values[key] = _completed(values.get(key, {}), block)
    return replace(given, values=values)


def _completed(own: Any, block: Mapping[str, Any]) -> Any:
    """A block of a specification with the defaults that it lacks, if they are of the same part."""
    if not isinstance(own, Mapping):
        return own
    name = own.get("name", block.get("name"))
    if "name" in block and plain(str(name)) != plain(block["name"]):
        return own
    return {**block, **own}


def _elsewhere(values: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of an experiment on another environment too."""
    train = {key: each for key, each in values["train"].items() if key != "renew_environment"}
    dropped = ("environment", "description", "search", "train")
    return {**{key: each for key, each in values.items() if key not in dropped}, "train": train}


def _is_environment(name: str, agent: str | None) -> bool:
    """Whether a name is to be an environment.

    Raises:
        UserError: it is neither that nor an experiment; the message names the nearest.
    """
    import gymnasium

    experiments, is_registered = all_specifications(), name in gymnasium.registry
    if name in experiments:
        return is_registered and agent is not None
    if is_registered or _ENVIRONMENT.fullmatch(name):
        return True
    if name.isidentifier() and Path(f"{name}.py").is_file():
        raise UserError(f"{name} is a module; name an environment in it: {name}:CLASS or {name}:ID")
    near = nearest(name, [*experiments, *gymnasium.registry])
    if near in gymnasium.registry:
        raise UserError(f"unknown experiment or environment {name!r}; did you mean {near!r}?")
    return False  # which is said with the experiments there are
