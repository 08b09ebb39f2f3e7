"""Parts that installed packages bring: declared as entry points, loaded once a name asks for them.

A package declares a part under the group of its kind:

    [project.entry-points."rl.agents"]
    MellowDQN = "my_package.mellow:MellowDQN"

Nothing is read of the packages that are installed before a name is asked for that the lab has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeVar

import nn
from nn.names import FINDERS, plain, suggestion
from rl.agents import AGENTS, Agent
from rl.console.signals import is_asked
from rl.errors import UserError
from rl.exploration import CONTINUOUS_EXPLORERS, DISCRETE_EXPLORERS, Explorer
from rl.memory import REPLAYS, ROLLOUTS, Replay, Rollout
from rl.preprocessors import PREPROCESSORS, Preprocessor
from rl.proposing import METHODS, Method
from rl.storage.manifest import PACKAGES

# Each kind of parts: its table, and the class that all of them derive from, if there is one.
KINDS: dict[str, tuple[dict[str, Any], type | None]] = {
    "agents": (AGENTS, Agent),
    "replays": (REPLAYS, Replay),
    "rollouts": (ROLLOUTS, Rollout),
    "discrete_explorers": (DISCRETE_EXPLORERS, Explorer),
    "continuous_explorers": (CONTINUOUS_EXPLORERS, Explorer),
    "preprocessors": (PREPROCESSORS, Preprocessor),
    "activations": (nn.ACTIVATIONS, nn.Activation),
    "initializers": (nn.INITIALIZERS, None),
    "costs": (nn.COSTS, nn.Cost),
    "optimizers": (nn.OPTIMIZERS, nn.Optimizer),
    "schedules": (nn.SCHEDULES, nn.Schedule),
    "search_methods": (METHODS, Method),
}
T = TypeVar("T")
_GROUP = "rl."  # begins the name of each group of entry points
LAB = ("rl", "nn")  # the packages of the lab's own parts


@dataclass(frozen=True)
class Declared:
    """A part that a package declares.

    Args:
        kind: one of `KINDS`, or what a package takes for one.
        point: the entry point.
        package: which declares it.
        version: of the package.
    """

    kind: str
    point: metadata.EntryPoint
    package: str
    version: str

    @property
    def name(self) -> str:
        """Of the part, as a specification names it."""
        return self.point.name

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return f"{self.package} {self.version} ({self.point.value})"

    def load(self) -> Any:
        """The part.

        Raises:
            UserError: it cannot be imported, or is none of its kind.
        """
        said = f"package {self.package} {self.version}: {self.name!r} of its rl.{self.kind}"
        try:
            part = self.point.load()
        except BaseException as error:
            if is_asked(error):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"{said} cannot be loaded ({self.point.value}): {reason}") from None
        base = KINDS[self.kind][1]
        fits = callable(part) if base is None else isinstance(part, type) and issubclass(part, base)
        if not fits:
            wanted = f"a class derived from {base.__name__}" if base else "a function"
            raise UserError(f"{said} must be {wanted} ({self.point.value})")
        return part


_loaded: dict[str, Declared] = {}  # by the name of the part


def declared() -> list[Declared]:
    """What the installed packages declare; none of it is loaded."""
    return [part for parts, _ in _installed() for part in parts]


def _installed() -> Iterator[tuple[list[Declared], str]]:
    """The parts of each installed package, and a line if what it says of itself is damaged."""
    seen: set[str] = set()
    for found in metadata.distributions():
        try:
            name, version, points = found.metadata["Name"], found.version, found.entry_points
            parts = [
                Declared(point.group.removeprefix(_GROUP), point, str(name), str(version))
                for point in points
                if point.group.startswith(_GROUP)
            ]
        except Exception as error:  # whatever a damaged file makes of it
            place = getattr(found, "_path", found)
            yield [], f"{place}: its entry points cannot be read ({error}); install it again"
            continue
        if plain(str(name)) not in seen:  # an older one further down the path does not count
            seen.add(plain(str(name)))
            yield parts, ""


def find(known: Iterable[str], name: str) -> list[str]:
    """Loads the part called `name` into its table, if a package declares one.

    Args:
        known: the table.
        name: which it lacks.

    Returns:
        The names that packages declare for this table.

    Raises:
        UserError: two packages declare it, or it cannot be loaded.
    """
    kind = next((kind for kind, (table, _) in KINDS.items() if table is known), None)
    theirs = [each for each in declared() if each.kind == kind] if kind else []
    fitting = {each.origin: each for each in theirs if plain(each.name) == plain(name)}
    if kind and fitting:
        refuse_several(fitting.values())
        part = next(iter(fitting.values()))
        KINDS[kind][0][part.name] = part.load()
        _loaded[part.name] = part
    return [each.name for each in theirs]


FINDERS.append(find)


def load_all() -> None:
    """Loads every part that a package declares, as for tests that run over the tables.

    Raises:
        UserError: one cannot be loaded.
    """
    for part in declared():
        if part.kind in KINDS and part.name not in KINDS[part.kind][0]:
            find(KINDS[part.kind][0], part.name)


def refuse_several(parts: Iterable[Declared]) -> None:
    """Refuses parts that share a name.

    Raises:
        UserError: there is more than one.
    """
    first, *others = parts
    if others:
        origins = " and ".join(each.origin for each in (first, *others))
        raise UserError(
            f"{first.name!r} of rl.{first.kind} is declared by {origins}: uninstall one of them"
        )


def packages_in(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What a manifest remembers of a specification's parts: their packages, with the versions."""
    used = [_loaded[text] for text in _texts(values) if text in _loaded]
    return {PACKAGES: {each.package: each.version for each in used}} if used else {}


def require_packages(manifest: Mapping[str, Any], path: Any) -> None:
    """Refuses a run whose parts a package has brought that is not here.

    Args:
        manifest: of the run.
        path: its folder.

    Raises:
        UserError: a package is missing; the message says how to install it.
    """
    for name, version in manifest.get(PACKAGES, {}).items():
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            raise UserError(
                f"{path}: was trained with the package {name} {version}, which is not installed: "
                f"python -m pip install {name}"
            ) from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = value.values()
    elif isinstance(value, str):
        yield value
        return
    elif not isinstance(value, (list, tuple)):
        return
    for each in value:
        yield from _texts(each)


def all_parts() -> list[tuple[str, str, str]]:
    """Every part: its kind, its name, and where it comes from."""
    rows, theirs = [], declared()
    for kind, (table, _) in KINDS.items():
        origins = {name: _home(part) for name, part in table.items()}
        origins |= {each.name: each.origin for each in theirs
                    if each.kind == kind and origins.get(each.name) != "the lab"}  # fmt: skip
        rows += [(kind, name, origin) for name, origin in origins.items()]
    return rows


def complaints() -> list[str]:
    """A line for each name that cannot be used, or not as its package means it."""
    said, theirs = [complaint for _, complaint in _installed() if complaint], declared()
    for part in theirs:
        if part.kind not in KINDS:
            groups = [_GROUP + kind for kind in KINDS]
            near = suggestion(_GROUP + part.kind, groups)
            said.append(f"{part.origin}: {_GROUP}{part.kind} is no group of parts{near}")
    theirs = [part for part in theirs if part.kind in KINDS]
    for part in theirs:
        own = KINDS[part.kind][0].get(part.name)
        if own is not None and _home(own) == "the lab":
            said.append(
                f"{part.name!r} of rl.{part.kind} is the lab's; that of {part.origin} is not used"
            )
    for part in theirs:
        same = [each for each in theirs
                if (each.kind, plain(each.name)) == (part.kind, plain(part.name))]  # fmt: skip
        try:
            refuse_several({each.origin: each for each in same}.values())
        except UserError as error:
            said.append(str(error))
    return list(dict.fromkeys(said))


def _home(part: Any) -> str:
    module = str(getattr(part, "__module__", ""))
    return "the lab" if module.partition(".")[0] in LAB else f"module {module}"


def guarded(load: Callable[[], T]) -> T:
    """Calls what imports a module, which may add parts and replace its own, but none of the lab's.

    Raises:
        UserError: it has replaced one; that is put back.
    """
    before = {kind: dict(table) for kind, (table, _) in KINDS.items()}
    result = load()
    for kind, known in before.items():
        table = KINDS[kind][0]
        for name, part in known.items():
            if table.get(name) is not part and _home(part) == "the lab":
                table[name] = part
                raise UserError(f"replaces {name!r} of the lab's {kind}: give it another name")
    return result
