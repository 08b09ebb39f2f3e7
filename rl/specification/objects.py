"""What a program has in place of a specification's text: classes, functions, environments."""

from __future__ import annotations

import copy
import json
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from nn.names import suggestion
from rl.environments.registered import register_local
from rl.environments.settings import RESERVED
from rl.errors import UserError, brief
from rl.specification.by_name import specification_of, with_defaults
from rl.specification.overrides import given_by, plain
from rl.specification.specification import (
    Specification,
    check_form,
)
from rl.storage.paths import as_name


def specification_from(
    name: str | Specification | Mapping[str, Any] | None,
    file: str | Path | Mapping[str, Any] | None = None,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    env: Any = None,
    agent: str | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
) -> Specification:
    """The specification that a program means.

    Args:
        name: of an experiment, an environment's id, or the specification itself; None where `env`
            is all there is.
        file: of experiments, or they themselves by their names.
        overrides: settings by their dotted paths.
        env: takes the place of the specification's environment: whatever `block_from` takes.
        agent: of an environment without a specification.
        env_kwargs: arguments of the environment's constructor.

    Raises:
        UserError: none can be made of it.
    """
    given = given_by(overrides)
    kwargs = {f"environment.kwargs.{key}": plain(each) for key, each in (env_kwargs or {}).items()}
    if isinstance(file, Mapping):
        if str(name) not in file:
            raise UserError(f"spec has no experiment {name!r}{suggestion(str(name), file)}")
        name, file = {str(name): file[str(name)]}, None
    if name is None:
        if env is None:
            raise UserError("name an experiment or an environment, or give env=")
        block, folders = block_from(env)
        called = as_name(str(block.get("id", "environment")))
        values = {"problem": block["id"]} if [*block] == ["id"] else {"environment": block}
        bare = Specification(called, "", {**values, "agent": {}}, folders=folders)
        return with_defaults(bare.assign(kwargs, ()).override(given), agent)
    if isinstance(name, str):
        found = specification_of(name, file, given if env is None else (), agent, ())
    elif agent is not None:
        raise UserError(f"agent={agent!r}: the specification names its agent; leave one out")
    else:
        found = name if isinstance(name, Specification) else _of_mapping(name)
    if env is not None:
        block, folders = block_from(env)
        found = replace(found.assign({"environment": block}), folders=(*folders, *found.folders))
    return found.assign(kwargs).override(given)


def _of_mapping(given: Mapping[str, Any]) -> Specification:
    """A specification as a dictionary: its values, or those by its name."""
    values, name = plain(given), "specification"
    if len(values) == 1 and isinstance(next(iter(values.values())), dict):
        ((name, values),) = values.items()
    found = Specification(str(name), "", values)
    check_form(found)
    return found


def block_from(env: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The environment block of what a program has, and the folders of its module.

    A class or a function that a module has is named, so that every process finds it. Anything else
    is registered in this process alone.

    Args:
        env: an id, a block, a class, a function that makes an environment, or an environment.

    Raises:
        UserError: it is none of these, or an environment that cannot be made once more.
    """
    if isinstance(env, str):
        return {"id": env}, ()
    if isinstance(env, Mapping):
        return plain(env), ()
    if isinstance(env, EnvSpec):
        return _block_of_spec(env), ()
    if isinstance(env, gymnasium.Env):
        return _block_of_instance(env), ()
    if not callable(env):
        raise UserError(f"env must be an id, a class or a function, not {brief(env)}")
    module, name = getattr(env, "__module__", ""), getattr(env, "__qualname__", "")
    if not _is_found(env, module, name):
        return {"id": register_local(env, _kind_of(env, name))}, ()
    return {"id": f"{module}:{name}"}, _folder_of(module)


def _kind_of(env: Callable[..., Any], name: str) -> str:
    """What to call a function that makes environments; one without a name is called as they are."""
    if (own := name.rpartition(".")[2]).isidentifier():
        return own
    try:
        made = env()
        made.close()
        return type(made.unwrapped).__name__
    except Exception:  # which is said when the environment is made
        return "environment"


def _is_found(env: Callable[..., Any], module: str, name: str) -> bool:
    """Whether another process finds the very object by its module and name."""
    found: Any = sys.modules.get(module) if module != "__main__" else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is env


def _folder_of(module: str) -> tuple[str, ...]:
    """Where a module is found, if it is not where Python has its packages."""
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        return ()
    root = Path(file).absolute().parents[module.count(".") + (Path(file).stem == "__init__")]
    packages = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    return () if root in packages else (str(root),)


def _block_of_spec(spec: EnvSpec) -> dict[str, Any]:
    """How an environment was made by `gymnasium.make`."""
    registered = gymnasium.registry.get(spec.id)
    before = registered.kwargs if registered else {}
    kwargs = {
        key: plain(value) for key, value in spec.kwargs.items()
        if key not in RESERVED and (key not in before or before[key] is not value)
    }  # fmt: skip
    block: dict[str, Any] = {"id": spec.id if registered else str(spec.entry_point)}
    if kwargs:
        block["kwargs"] = kwargs
    if registered and spec.max_episode_steps != registered.max_episode_steps:
        block["max_episode_steps"] = spec.max_episode_steps or -1
    for each in spec.additional_wrappers:
        if each.kwargs is None:
            raise UserError(
                f"env: its wrapper {each.name} does not say how it was made; give a function that "
                "makes the environment, env=lambda: ..."
            )
        block.setdefault("wrappers", []).append({"name": each.entry_point, **plain(each.kwargs)})
    try:
        json.dumps(block)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"env: its arguments cannot be recorded ({error}); give a function that makes the "
            "environment, env=lambda: ..."
        ) from None
    return block


def _block_of_instance(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """How an environment was made; one that does not say is copied, in this process alone."""
    if env.spec is not None:
        with suppress(UserError):
            return _block_of_spec(env.spec)
    try:
        kept = copy.deepcopy(env)
    except Exception as error:  # whatever it holds
        raise UserError(
            f"env cannot be copied ({type(error).__name__}: {error}); give a function that makes "
            "it, env=lambda: ..."
        ) from None
    return {"id": register_local(lambda: copy.deepcopy(kept), type(env).__name__)}
