"""How an environment is registered: by its id, or as a class or a function of a module."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nn.names import nearest, suggestion
from rl.errors import LOCAL, UserError

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

# Well-known packages by the beginning of the ids that they register when they are imported.
_PACKAGES = {"ALE/": "ale_py", "MinAtar/": "minatar", "bsuite/": "bsuite",
             "FlappyBird-": "flappy_bird_gymnasium", "Snake-v1": "gymnasium_snake_game",
             "MiniGrid-": "minigrid", "BabyAI-": "minigrid",
             "Fetch": "gymnasium_robotics", "PointMaze_": "gymnasium_robotics"}  # fmt: skip
_NEEDS_MUJOCO = "gymnasium.envs.mujoco"
# What registers them in a package's place.
_OURS = {each: f"rl.environments.{each}" for each in ("minatar", "bsuite")}
_offered: list[Callable[..., Any]] = []  # at most one
_made: dict[str, EnvSpec] = {}  # of classes and functions, by `module:NAME`


def environment_spec(id: str) -> EnvSpec:
    """How an environment is registered.

    Args:
        id: a Gymnasium id, `module:Id-v0` or `module:Class`; the module is imported.

    Raises:
        UserError: there is no such environment; the message names the nearest.
    """
    import gymnasium

    module, colon, name = id.rpartition(":")
    if colon and not name:
        raise UserError(f"{id!r}: names no environment; add its id or its class behind the colon")
    if module:
        _import(id, module)
    if name not in gymnasium.registry and (brought := _bringing(name)):
        with suppress(ImportError):  # which is said below
            importlib.import_module(brought)
    if name in gymnasium.registry:
        return gymnasium.spec(name)
    if module:
        return _spec_of(id, named(id))
    if id.startswith(LOCAL) and (_offered or id in _made):
        return _spec_of(id, _offered.pop()) if _offered else _made[id]
    raise UserError(f"unknown environment {id!r}{_remedy(id)}")


def register_local(creator: Callable[..., Any], name: str) -> str:
    """The id of what only this process can make; the same creator has the same id.

    Args:
        creator: makes an environment.
        name: what it is called, an identifier.
    """
    stem = LOCAL + name
    id, number = stem, 1
    while id in _made and _made[id].entry_point is not creator:
        number += 1
        id = f"{stem}-{number}"
    _spec_of(id, creator)
    return id


@contextmanager
def offered(creator: Callable[..., Any] | None) -> Iterator[None]:
    """Within, an environment that is local to another program is made by `creator`.

    Raises:
        UserError: there was no such environment.
    """
    _offered[:] = [creator] if creator else []
    try:
        yield
        if _offered:
            raise UserError("env: the run's environment can be made without it; leave it out")
    finally:
        _offered.clear()


def named(text: str) -> Any:
    """What `module:name` stands for.

    Raises:
        UserError: there is no such module, or no such name in it.
    """
    module, _, name = text.rpartition(":")
    found: Any = _import(text, module)
    for part in name.split("."):
        if not hasattr(found, part):
            near = _nearest(name, found)
            raise UserError(f"{text!r}: {module} has no {name!r}{near}")
        found = getattr(found, part)
    return found


def _import(text: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"{text!r}: {error}") from None


def _nearest(name: str, module: Any) -> str:
    """The end of a complaint: the nearest name of a module, or of an id that it registers."""
    import gymnasium

    top = re.split("[.:]", getattr(module, "__name__", ""))[0]
    theirs = [
        id for id, spec in gymnasium.registry.items()
        if re.split("[.:]", str(spec.entry_point))[0] == top
    ]  # fmt: skip
    known = [key for key, each in vars(module).items() if callable(each) and key[0] != "_"]
    near = nearest(name, [*theirs, *known])
    return f"; did you mean {near!r}?" if near else ""


def _spec_of(id: str, creator: Callable[..., Any]) -> EnvSpec:
    """A class or a function as if it had been registered: the same object each time."""
    from gymnasium.envs.registration import EnvSpec

    if not callable(creator):
        raise UserError(f"{id!r}: must be a class, or a function that makes an environment")
    known = _made.get(id)
    if known is None or known.entry_point is not creator:
        known = _made[id] = EnvSpec(id, entry_point=creator)
    return known


def is_installed(id: str) -> bool:
    """Whether the package of an id is there, if it is of a well-known one."""
    package = _package(id) or _package_behind(id)
    return package is None or _is_there(package)


def _package_behind(id: str) -> str | None:
    """The package that an environment of Gymnasium's own needs."""
    import gymnasium

    spec = gymnasium.registry.get(id)
    return "mujoco" if spec and str(spec.entry_point).startswith(_NEEDS_MUJOCO) else None


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _package(id: str) -> str | None:
    """The well-known package of an id."""
    return next((each for start, each in _PACKAGES.items() if id.startswith(start)), None)


def _bringing(id: str) -> str | None:
    """The module that registers an id of a well-known package."""
    package = _package(id)
    return package and _OURS.get(package, package)


def install_remedy(id: str) -> str:
    """How to install the well-known package of an id, for the end of a complaint."""
    package = _package(id.rpartition(":")[2])
    return f"; python -m pip install {package.replace('_', '-')}" if package else ""


def _remedy(id: str) -> str:
    """The end of the complaint about an unknown id."""
    import gymnasium

    if id.startswith(LOCAL):
        return (
            ": it was made by the program that trained on it, and is no class of a module; in "
            "Python, rl.load and rl.resume take env=..."
        )
    known = "is known once the specification names that package"
    if not is_installed(id):
        return f": {_package(id)} brings it{install_remedy(id)}"
    near = suggestion(id, gymnasium.registry)
    as_text = f'"import": "PACKAGE", or as PACKAGE:{id}'
    return f"{near} An environment that a package brings {known}: {as_text}"
