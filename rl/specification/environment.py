"""From a specification to its problem: the environment block, the modules it needs, its spaces."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn.names import lookup
from rl.environments import known_spaces
from rl.environments.making import function_modules, named_modules
from rl.environments.problems import Problem, problem_in
from rl.environments.settings import EnvironmentSettings, UnfitEnvironment
from rl.environments.spaces import Spaces
from rl.errors import BrokenEnvironment, UserError
from rl.preprocessors import PREPROCESSORS, Preprocessor
from rl.specification.modules import import_module, places
from rl.specification.packages import guarded
from rl.specification.settings import make_settings, resolve
from rl.specification.specification import IMPORT_FOLDER, Specification


def environment_block(specification: Specification) -> dict[str, Any]:
    """The `environment` block with every default, empty where `problem` stands for it.

    Raises:
        UserError: an unknown key, or a value of the wrong type.
    """
    block = specification.block("environment")
    if not block:
        return {}
    return resolve(EnvironmentSettings, block, lambda *found: _explain(specification, *found))


def environment_in(specification: Specification) -> EnvironmentSettings:
    """How a specification's environment is made, also where `problem` stands for the block.

    Raises:
        UserError: as for `environment_block`, or a value that is refused.
    """
    block = environment_block(specification) or {"id": specification.values["problem"]}
    settings: EnvironmentSettings = make_settings(
        EnvironmentSettings, block, lambda *found: _explain(specification, *found)
    )
    return settings


def _explain(specification: Specification, key: str, complaint: str) -> UserError:
    if key == "id" and "environment" not in specification.values:
        return specification.explain("problem", complaint)
    if key == "wrappers" and not specification.block("environment").get("wrappers"):
        return specification.explain("preprocessor", complaint)  # it brings them
    path = f"environment.{key}" if key else "environment"
    return specification.explain(path, complaint)


def registered_problem(specification: Specification) -> Problem:
    """The problem of a specification, whose modules are imported.

    Raises:
        UserError: a module cannot be imported, or the environment is not registered.
    """
    block = _with_brought(specification, environment_in(specification))
    import_modules(specification)
    try:
        return problem_in(block)
    except UserError as error:
        raise _explain(specification, "id", f"does not fit: {error}") from None


def _with_brought(specification: Specification, block: EnvironmentSettings) -> EnvironmentSettings:
    """The block with what the preprocessor brings; what the specification says goes first."""
    given, part = specification.block("preprocessor"), Preprocessor
    with suppress(ValueError):  # an unknown one is refused later
        part = lookup(PREPROCESSORS, str(given.pop("name", "Identity")), "preprocessor")
    if not part.brings:
        return block

    def explain(key: str, complaint: str) -> UserError:
        return specification.explain(f"preprocessor.{key}", complaint)

    settings = make_settings(part, resolve(part, given, explain), explain)
    brought = part.environment(block.id, settings)
    wrappers = (*(block.wrappers or ()), *brought["wrappers"])
    return replace(
        block, kwargs={**brought["kwargs"], **(block.kwargs or {})} or None, wrappers=wrappers
    )


def problem_of(specification: Specification) -> Problem:
    """As `registered_problem`, with what the `train` block says of the environment."""
    return as_set(registered_problem(specification), specification.block("train"))


def as_set(problem: Problem, train: Mapping[str, Any]) -> Problem:
    """A problem with what the settings of `train` say of its environment."""
    renewed = train.get("renew_environment")
    return replace(
        problem,
        renewed=problem.renewed if renewed is None else renewed,
        cut=train.get("max_evaluation_steps", problem.cut),
        shared=train.get("share_environment", problem.shared),
    )


def spaces_in(specification: Specification, problem: Problem) -> Spaces:
    """The spaces of a specification's problem.

    Raises:
        UserError: the environment cannot be made so, or has spaces that are not supported.
    """
    try:
        return known_spaces(problem)
    except UnfitEnvironment as error:
        raise _explain(specification, error.key, error.complaint) from error.__cause__
    except BrokenEnvironment:  # the specification is not at fault
        raise
    except UserError as error:
        key = "wrappers" if problem.environment.wrappers else "id"
        raise _explain(specification, key, f"does not fit: {error}") from None


def import_modules(specification: Specification) -> dict[str, str]:
    """Imports the modules that a specification names: `import`, and those of its environment.

    Returns:
        What a manifest remembers: the folders that they were found in, if not all are installed.

    Raises:
        UserError: one cannot be imported.
    """
    found: dict[str, None] = {}
    if (name := specification.values.get("import")) is not None:
        _import(specification, "import", name, found)
    block = environment_in(specification)
    for name in named_modules(block):
        _import(specification, "environment", name, found)
    functions: list[str] = []
    with suppress(UserError):  # which is said when the environment is made
        functions += function_modules(block)
    for name in functions:
        _import(specification, "environment", name, found)
    return {IMPORT_FOLDER: "\n".join(found)} if found else {}


def module_files(specification: Specification) -> list[Path]:
    """The files, or folders of packages, that a specification's modules were imported from.

    Those of installed packages are not among them, but modules that lie beside its own are.

    Raises:
        UserError: a module cannot be imported.
    """
    folders = import_modules(specification).get(IMPORT_FOLDER, "").splitlines()
    names = sorted({name.partition(".")[0] for name in sys.modules})
    places = [Path(folder, name) for folder in folders for name in names]
    packages = [place for place in places if place.is_dir() and _is_from(place.name, place)]
    modules = [place.with_suffix(".py") for place in places if place not in packages]
    return packages + [each for each in modules if each.is_file() and _is_from(each.stem, each)]


def _is_from(name: str, place: Path) -> bool:
    """Whether a module that is loaded comes from a file, or a package's folder."""
    module = sys.modules[name]
    found = getattr(module, "__path__", None) or [getattr(module, "__file__", None) or ""]
    return any(Path(each).resolve() == place.resolve() for each in found)


def _import(specification: Specification, path: str, name: str, found: dict[str, None]) -> None:
    """Imports a module, and notes the folder that it was found in, if it is not installed."""
    try:
        folder = guarded(lambda: import_module(name, places(specification.folders)))
    except UserError as error:
        if path == "environment" and "problem" in specification.values:
            path = "problem"
        raise specification.explain(path, str(error)) from None
    if folder:
        found.setdefault(str(folder))
