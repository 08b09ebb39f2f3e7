"""Imports that fail because a package is missing, or a file of the same name hides it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# Set for a worker, it keeps the working folder out of Python's path until the worker has the
# parent's (from 3.11 on). It is removed here, since an environment's own programs must not see it.
SAFE_PATH = {"PYTHONSAFEPATH": "a worker of rl"}
for _name, _value in SAFE_PATH.items():
    if os.environ.get(_name) == _value:
        del os.environ[_name]

_COMMANDS = ("-m", "rl", "rl.exe", "rl-script.py")  # that start the command line


@contextmanager
def told() -> Iterator[None]:
    """Within, an import that fails for such a reason names it; a command prints one line.

    Raises:
        ImportError: the message names the reason and the remedy.
    """
    try:
        yield
    except Exception as error:
        complaint = explained(error)
        if complaint is None:
            raise
        if os.path.basename(sys.argv[0]) in _COMMANDS:
            print(f"rl: {complaint}", file=sys.stderr)
            sys.exit(2)
        raise ImportError(complaint) from None


def explained(error: BaseException) -> str | None:
    """Why an import failed on this machine, and the remedy; None if it is something else."""
    return hiding(error) or _lacking(error)


def _lacking(error: BaseException) -> str | None:
    """The missing package and the remedy; None if that is not the reason."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    if package in ("rl", "nn"):
        return None
    return f"{error}: the package {package} is missing or broken; install it again with pip"


def hiding(error: BaseException) -> str | None:
    """The file that hides a module, and the remedy; None if no such file is in the error."""
    folders = {os.path.realpath(each) for each in (sys.path[0], os.curdir)} - {_OURS}
    files = [*_files_of(error)]
    if isinstance(error, (ImportError, AttributeError, TypeError)):  # a name that a module lacks
        files += _files_of_modules()
    for file in files:
        folder, name = os.path.split(os.path.realpath(file))
        if name == "__init__.py":
            folder, name = os.path.split(folder)
        elif name.endswith(".py"):
            name = name.removesuffix(".py")
        elif os.path.isfile(file):  # a command, such as bin/rl
            continue
        if folder in folders and _is_elsewhere(name, folder):
            return f"{file} hides the module {name!r}, which the lab needs; give it another name"
    return None


def _files_of(error: BaseException) -> Iterator[str]:
    """The files in the tracebacks of an error and of its contexts, the last first."""
    files = []
    traceback = error.__traceback__
    while traceback:
        files.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    yield from reversed(files)
    if error.__context__:
        yield from _files_of(error.__context__)


def _files_of_modules() -> Iterator[str]:
    """The files or folders of the loaded modules."""
    for name, module in list(sys.modules.items()):
        if name != "__main__" and "." not in name:
            yield from filter(None, [getattr(module, "__file__", None)])
            yield from list(getattr(module, "__path__", ()))[:1]


def _is_elsewhere(name: str, folder: str) -> bool:
    """Returns True if a module of this name exists outside of a folder."""
    others = [each for each in sys.path if os.path.realpath(each) != folder]
    if name in sys.stdlib_module_names or os.path.exists(os.path.join(_OURS, name, "__init__.py")):
        return True
    found = PathFinder.find_spec(name, others)
    return found is not None and found.origin is not None
