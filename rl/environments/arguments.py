"""The arguments that a specification gives to the code of others: constructors and wrappers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nn.names import suggestion
from rl.environments.registered import named
from rl.environments.settings import RESERVED
from rl.errors import UserError, brief

_NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")  # module:name
_OBJECTS = ("Callable", "Space", "type[")  # annotations of what no file can hold


def unknown_argument(part: Any, given: Mapping[str, Any], skip: int = 0) -> str | None:
    """An argument that a part does not have, by its signature; None if it has them all.

    Args:
        part: a class or a function.
        given: the arguments by name.
        skip: how many of its first parameters are given otherwise.
    """
    known, takes_any = parameters_of(part, skip)
    return None if takes_any else next((key for key in given if key not in known), None)


def missing_arguments(part: Any, given: Mapping[str, Any], skip: int = 0) -> list[str]:
    """The arguments that a part needs and that are not given."""
    known, _ = parameters_of(part, skip)
    return [key for key, each in known.items() if each.default is each.empty and key not in given]


def nearest_argument(part: Any, key: str, skip: int = 0) -> str:
    """The end of the complaint about an unknown argument: the nearest that the part has."""
    own, takes_any = parameters_of(part, skip)
    known = [*own]
    for base in getattr(part, "__mro__", ())[1:] if takes_any else ():
        known += parameters_of(base.__init__, 1)[0] if "__init__" in vars(base) else ()
    theirs = {*known} - {*RESERVED}
    return suggestion(key, theirs) if theirs else "; it takes none"


def parameters_of(part: Any, skip: int = 0) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters of a class or a function that have names, and whether it takes any others."""
    try:
        found = list(inspect.signature(part).parameters.values())[skip:]
    except (TypeError, ValueError):  # it does not say
        return {}, True
    spread = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in found)
    return {each.name: each for each in found if each.kind not in spread}, takes_any


def converted(part: Any, given: Mapping[str, Any], skip: int = 0) -> dict[str, Any]:
    """The arguments as a part takes them.

    A text `module:name` is what it names where the part wants a function, a space or a type, and a
    list is an array where it wants one.

    Raises:
        UserError: there is no such name, or a function is written as another text.
    """
    known, _ = parameters_of(part, skip)
    return {key: _converted(value, _annotation(known.get(key))) for key, value in given.items()}


def modules_in(part: Any, given: Mapping[str, Any], skip: int = 0) -> Iterator[str]:
    """The modules of the functions and spaces among the arguments."""
    known, _ = parameters_of(part, skip)
    for key, value in given.items():
        if _is_named(value, _annotation(known.get(key))):
            yield value.rpartition(":")[0]


def _annotation(parameter: inspect.Parameter | None) -> str:
    return "" if parameter is None else str(parameter.annotation)


def _is_named(value: Any, annotation: str) -> bool:
    wanted = any(each in annotation for each in _OBJECTS)
    return isinstance(value, str) and wanted and bool(_NAMED.fullmatch(value))


def _converted(value: Any, annotation: str) -> Any:
    if _is_named(value, annotation):
        return named(value)
    if isinstance(value, str) and "Callable" in annotation and "str" not in annotation:
        raise UserError(f"a function is written module:name, not {brief(value)}")
    if isinstance(value, (list, tuple)) and "ndarray" in annotation:
        return np.array(value, np.float32)
    return value
