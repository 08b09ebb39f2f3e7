"""The module that registers an environment: where it is found, and what is said if it is not."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path

from nn.names import nearest
from rl.console.signals import is_asked
from rl.errors import UserError, brief


def import_module(name: str, folders: Sequence[Path]) -> Path | None:
    """Imports a module from the first of the folders that has it, or else from where Python looks.

    The folders are looked through behind those of Python too, for what the module itself imports;
    a file in them never hides another package.

    Args:
        name: of the module, with dots.
        folders: absolute.

    Returns:
        The folder that it is in, if it is one of them.

    Raises:
        UserError: it cannot be imported; the message goes on from the name of the setting.
    """
    name = name.strip()
    if not all(map(str.isidentifier, name.split("."))) or name.endswith(".py"):
        raise UserError(f"must be the name of a package, not {brief(name)}{_meant(name)}")
    sys.path += [str(each) for each in folders if str(each) not in sys.path]
    importlib.invalidate_caches()
    try:
        _load(name, folders)
        module = importlib.import_module(name)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise UserError(f"names {name!r}, {_missing(error.name, folders)}") from None
        raise _failed(name, error, folders) from None
    except BaseException as error:  # it may call `sys.exit` too
        if is_asked(error):
            raise
        raise _failed(name, error, folders) from None
    places = [Path(place).parent for place in getattr(module, "__path__", ())]
    places = places or [Path(getattr(module, "__file__", None) or "").parent]
    roots = [place.parents[name.count(".") - 1] if "." in name else place for place in places]
    return next((each for each in folders if each.resolve() in map(Path.resolve, roots)), None)


def _load(name: str, folders: Sequence[Path]) -> None:
    """Loads the first part of a module's name from the folders, if one has it."""
    top = name.partition(".")[0]
    found = next(filter(None, (_find(top, each) for each in folders)), None)
    if found is None or not found.loader or _is_loaded(top, found):
        return
    sys.modules[top] = module_from_spec(found)
    try:
        found.loader.exec_module(sys.modules[top])
    except BaseException:
        sys.modules.pop(top, None)
        raise


def _find(top: str, folder: Path) -> ModuleSpec | None:
    """The module or package of a name that is right in a folder."""
    found = PathFinder.find_spec(top, [str(folder)])
    return found if found and found.origin else None


def _is_loaded(top: str, found: ModuleSpec) -> bool:
    """Whether this very file is loaded.

    Raises:
        UserError: another module of that name is, or Python has one.
    """
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if loaded and Path(loaded).resolve() == Path(found.origin or "").resolve():
        return True
    if loaded or top in sys.stdlib_module_names:
        other = f"{loaded} is loaded" if loaded else "Python's own module is"
        raise UserError(
            f"names {top!r}, but {other} under that name: rename {found.origin}, and import that"
        )
    return top in sys.modules


def _missing(name: str, folders: Sequence[Path]) -> str:
    """The complaint about a module that is nowhere."""
    parent, _, last = name.rpartition(".")
    if parent:
        return f"but {parent} has no module {last!r}"
    there = {
        path.stem
        for folder in folders
        for path in (*folder.glob("*.py"), *(each.parent for each in folder.glob("*/__init__.py")))
    }
    where = f"which is not installed, nor in {' or '.join(map(str, folders))}"
    if near := nearest(name, there):
        return f"{where}; did you mean {near!r}?"
    return f"{where}; put {name}.py there, or the package: python -m pip install {name}"


def _failed(name: str, error: BaseException, folders: Sequence[Path]) -> UserError:
    """The complaint about a module that does not get through its import, with file and line."""
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != __file__
    ]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    theirs = [each for each in frames if any(map(Path(each[0]).is_relative_to, folders))]
    where = "".join(f", at {file}:{line}" for file, line in (theirs or frames)[-1:])
    said = error.msg if isinstance(error, SyntaxError) else error
    return UserError(
        f"names {name!r}, which fails as it is imported ({type(error).__name__}: {said}){where}"
    )


def _meant(name: str) -> str:
    """The end of the complaint about what is no module's name: the one that was meant."""
    path = name.replace("\\", "/").removesuffix("/")
    is_absolute = path.startswith(("/", "~")) or path[1:3] == ":/"
    path = path.rpartition("/")[2] if is_absolute else path
    path = path.partition(":")[0].removesuffix(".py").strip("./")
    near = path.replace("/", ".").replace("-", "_").replace(" ", "_")
    return f"; write {near!r}" if all(map(str.isidentifier, near.split("."))) else ""


def file_meant(name: str) -> str | None:
    """The end of the complaint about what is no experiment, if it is the name of a file."""
    stem, _, end = name.rpartition(".")
    if end.lower() in ("yaml", "yml", "json"):
        return f"; a file of experiments: NAME --spec {name}"
    parts = stem.split(".")
    if not all(parts) or not Path(*parts).with_suffix(".py").is_file():
        return None
    return f"; an environment of a module is written {stem}:{'CLASS' if end == 'py' else end}"


def places(folders: Iterable[str] = ()) -> list[Path]:
    """Where a specification's modules may be: in folders that are known, or the working folder."""
    found = [Path(folder) for folder in folders]
    with suppress(OSError):  # the working folder may have been removed
        found.append(Path.cwd())
    return list(dict.fromkeys(found))
