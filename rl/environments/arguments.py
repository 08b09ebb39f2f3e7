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
from rl.storage.scalars import near_number

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

    A text `module:name` is what it names where the part wants a function, a space or a type. A list
    is an array or a tuple where it wants one, and 1e3 a whole number.

    Raises:
        UserError: there is no such name, or a function is written as another text.
    """
    known, _ = parameters_of(part, skip)
    return {key: _converted(value, known.get(key)) for key, value in given.items()}


def misread(part: Any, given: Mapping[str, Any], skip: int = 0) -> tuple[str, str] | None:
    """An argument that is a text and was meant to be something else, by its default.

    Returns:
        Its name and the complaint, or None.
    """
    known, _ = parameters_of(part, skip)
    for key, value in given.items():
        if key in known and isinstance(value, str) and (wanted := _wanted(value, known[key])):
            return key, f"must be {wanted}, not {value!r}"
    return None


def _wanted(text: str, parameter: inspect.Parameter) -> str | None:
    """What a text must be instead; None if it may be meant."""
    default = parameter.default
    if isinstance(default, bool):  # any text would count as true
        return "true or false"
    if isinstance(default, str) or "str" in _annotation(parameter):
        return None
    if isinstance(default, (int, float)):
        near = near_number(text)
        return "a number" + (f" such as {near}" if near else "") if near or not text else None
    return "a list or a block with its closing bracket" if text.startswith(("[", "{")) else None


def modules_in(part: Any, given: Mapping[str, Any], skip: int = 0) -> Iterator[str]:
    """The modules of the functions and spaces among the arguments."""
    known, _ = parameters_of(part, skip)
    for key, value in given.items():
        if _is_named(value, _annotation(known.get(key))):
            yield value.rpartition(":")[0]


def _annotation(parameter: inspect.Parameter | None) -> str:
    """The text of a parameter's annotation; empty if it has none."""
    known = parameter is not None and parameter.annotation is not parameter.empty
    return str(parameter.annotation) if parameter is not None and known else ""


def _is_named(value: Any, annotation: str) -> bool:
    wanted = any(each in annotation for each in _OBJECTS)
    return isinstance(value, str) and wanted and bool(_NAMED.fullmatch(value))


def _converted(value: Any, parameter: inspect.Parameter | None) -> Any:
    annotation = _annotation(parameter)
    if _is_named(value, annotation):
        return named(value)
    if isinstance(value, str) and "Callable" in annotation and "str" not in annotation:
        raise UserError(f"a function is written module:name, not {brief(value)}")
    if isinstance(value, (list, tuple)):
        return _of_list(value, annotation, parameter)
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole and _is_count(annotation, parameter) else value


def _of_list(
    value: list[Any] | tuple[Any, ...], annotation: str, parameter: inspect.Parameter | None
) -> Any:
    """A list as an array or a tuple, where the part wants one."""
    if "ndarray" in annotation:
        return np.array(value, np.float32)
    is_tuple = parameter is not None and isinstance(parameter.default, tuple)
    said = annotation.lower()
    return _tuple(value) if (is_tuple or "tuple" in said) and "list" not in said else value


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, (list, tuple)) else value


def _is_count(annotation: str, parameter: inspect.Parameter | None) -> bool:
    """Whether a part wants a whole number."""
    if annotation in ("int", "<class 'int'>"):
        return True
    return not annotation and parameter is not None and type(parameter.default) is int
