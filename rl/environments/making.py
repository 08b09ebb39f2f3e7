"""Making an environment as its block says: arguments, time limit, options, wrappers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator

from rl.console.place import in_place
from rl.environments import rules
from rl.environments.arguments import (
    converted,
    misread,
    missing_arguments,
    modules_in,
    nearest_argument,
    parameters_of,
    unknown_argument,
)
from rl.environments.names import with_names
from rl.environments.problems import Problem, problem_in
from rl.environments.registered import environment_spec, install_remedy
from rl.environments.renewed import Renewed
from rl.environments.settings import RESERVED, EnvironmentSettings, UnfitEnvironment
from rl.environments.spaces import Spaces, probed_spaces
from rl.environments.wrapping import wrapped, wrapper_of
from rl.errors import BrokenEnvironment, UserError


def make_env(id: str, **settings: Any) -> gymnasium.Env:
    """An environment by its id, ready to `reset` and `step`.

    Args:
        id: such as "LunarLander-v3".
        settings: passed on to the environment, such as render_mode="human".

    Raises:
        UserError: there is no such environment, or its package is missing.
        BrokenEnvironment: its constructor raises something.
    """
    return environment_of(problem_in(EnvironmentSettings(id=id)), **settings)


def environment_of(problem: Problem, **settings: Any) -> gymnasium.Env:
    """An environment of a problem.

    Args:
        problem: whose `environment` says how it is made.
        settings: further arguments of `gymnasium.make`.

    Raises:
        UnfitEnvironment: its arguments or wrappers are refused.
        UserError, BrokenEnvironment: as for `make_env`.
    """
    block, spec = problem.environment, environment_spec(problem.id)
    arguments = {**_arguments(block, spec), **settings}
    limit = arguments.pop("max_episode_steps", None) or block.max_episode_steps
    if any("AddRenderObservation" in name for name, _ in block.named_wrappers()):
        arguments.setdefault("render_mode", "rgb_array")

    def make() -> gymnasium.Env:
        return gymnasium.make(spec, max_episode_steps=limit, disable_env_checker=True, **arguments)

    try:
        with rules.guarded("its constructor"):
            env: gymnasium.Env = Renewed(make) if problem.renewed else make()
    except rules.Breach as found:
        raise _unmade(problem, settings, found) from found.__cause__
    if block.reset_options:
        env = _WithOptions(env, block.reset_options)
    for name, given in block.named_wrappers():
        env = wrapped(env, problem.id, name, given)
    return env


_known: dict[str, tuple[Any, Any, Spaces]] = {}  # by label, with the registration they are of


def known_spaces(problem: Problem) -> Spaces:
    """The sizes of a problem's environment, which is made only the first time in a process.

    One that is not just as it is registered begins an episode too, as a constructor may take
    anything.

    Raises:
        UnfitEnvironment: its block does not fit.
        UserError: as for `make_env` and `spaces_of`.
    """
    registered, block = environment_spec(problem.id), problem.environment
    settings = repr((registered.kwargs, block))
    known = _known.get(problem.label)
    if known is None or known[0] is not registered or known[1] != settings:
        with in_place():
            env = environment_of(problem)
            try:
                spaces = with_names(probed_spaces(env, problem.id), env, block)
                if not block.is_plain:
                    _try_reset(env, block)
            finally:
                rules.close(env)
        known = _known[problem.label] = registered, settings, spaces
    return known[2]


def _try_reset(env: gymnasium.Env, block: EnvironmentSettings) -> None:
    """Begins an episode, to find what the constructor did not refuse."""
    try:
        rules.reset(env, 0)
    except rules.Breach as found:
        key = "reset_options" if block.reset_options else "wrappers" if block.wrappers else "kwargs"
        raise UnfitEnvironment(block.id, key, f"do not fit: {found}") from found.__cause__


def _arguments(block: EnvironmentSettings, spec: EnvSpec) -> dict[str, Any]:
    """The block's arguments of the constructor, as that takes them."""
    if not block.kwargs and not callable(spec.entry_point):
        return {}
    creator, given = creator_of(spec), block.kwargs or {}
    if key := unknown_argument(creator, given):
        raise _no_argument(block.id, creator, key)
    if missing := missing_arguments(creator, {**spec.kwargs, **given}):
        raise UnfitEnvironment(block.id, "kwargs", f"must have {', '.join(missing)}")
    if found := misread(creator, given):
        raise UnfitEnvironment(block.id, f"kwargs.{found[0]}", found[1])
    try:
        return converted(creator, given)
    except UserError as error:
        raise UnfitEnvironment(block.id, "kwargs", f"do not fit: {error}") from None


def _no_argument(id: str, creator: Any, key: str) -> UnfitEnvironment:
    near = nearest_argument(creator, key)
    return UnfitEnvironment(id, f"kwargs.{key}", f"is no argument of {id}{near}")


def creator_of(spec: EnvSpec) -> Any:
    """The class or function that makes an environment; its package may be missing."""
    if not isinstance(spec.entry_point, str):
        return spec.entry_point
    try:
        return load_env_creator(spec.entry_point)
    except (ImportError, gymnasium.error.Error) as error:
        raise _missing(spec.id, error) from None


def default_argument(id: str, name: str) -> Any:
    """The default of a constructor's argument; None if it has none."""
    known, _ = parameters_of(creator_of(environment_spec(id)))
    found = known[name].default if name in known else None
    return None if found is inspect.Parameter.empty else found


def _unmade(problem: Problem, settings: Mapping[str, Any], found: rules.Breach) -> UserError:
    """The error for a constructor that has raised something."""
    if isinstance(found.__cause__, (gymnasium.error.DependencyNotInstalled, ImportError)):
        return _missing(problem.id, found.__cause__)
    own = {key: value for key, value in settings.items() if key not in RESERVED}
    if given := {**(problem.environment.kwargs or {}), **own}:
        said = str(found).partition(" raised ")[2].partition(" was raised from the environment")[0]
        unexpected = re.search(r"unexpected keyword argument '(\w+)'", said)
        if unexpected and unexpected[1] in given:
            creator = creator_of(environment_spec(problem.id))
            return _no_argument(problem.id, creator, unexpected[1])
        if unexpected:  # of the lab's own, such as `render_mode`
            return BrokenEnvironment(problem.id, str(found))
        return UnfitEnvironment(problem.id, "kwargs", f"are refused by {problem.id}: {said}")
    return BrokenEnvironment(problem.id, str(found))


def _missing(id: str, error: object) -> UserError:
    remedy = install_remedy(id)
    return UserError(f"environment {id!r} needs a package that is missing: {error}{remedy}")


def named_modules(block: EnvironmentSettings) -> Iterator[str]:
    """The modules of a block's environment and wrappers."""
    names = [block.id, *(name for name, _ in block.named_wrappers())]
    return (name.rpartition(":")[0] for name in names if ":" in name)


def function_modules(block: EnvironmentSettings) -> Iterator[str]:
    """The modules of the functions among its arguments; those of `named_modules` are imported."""
    if block.kwargs:
        yield from modules_in(creator_of(environment_spec(block.id)), block.kwargs)
    for name, given in block.named_wrappers():
        yield from modules_in(wrapper_of(name), given, skip=1)


class _WithOptions(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds options to those of each `reset`."""

    def __init__(self, env: gymnasium.Env, options: Mapping[str, Any]) -> None:
        super().__init__(env)
        self._options = options

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        return self.env.reset(seed=seed, options={**self._options, **(options or {})})
