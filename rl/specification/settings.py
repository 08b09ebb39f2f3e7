"""Settings as a specification gives them: checked, converted, and filled in with the defaults.

What a part can be told stands in its `Settings`, or in the part itself where that is nothing but
its settings (`nn.settings`). This module knows the texts' side of it.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field
from typing import Any

import numpy as np

from nn.names import lookup, suggestion
from nn.schedules import SCHEDULES, Schedule, make_schedule
from nn.settings import SettingError, fields_of
from rl.errors import UserError, brief
from rl.storage.scalars import near_number

_LARGEST_INTEGER = 2**53  # up to which a float holds every whole number
_TINY, _HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}

Explain = Callable[[str, str], UserError]  # key and complaint -> the error to raise


def settings_class(part: Any) -> Any:
    """The class of a part's settings."""
    return getattr(part, "Settings", part)


def settings_of(part: Any) -> dict[str, Field[Any]]:
    """The settings of a part by name; a variant's include its base's."""
    return fields_of(settings_class(part))


@functools.cache
def types_of(part: Any) -> dict[str, Any]:
    """The types of a part's settings, by name."""
    return typing.get_type_hints(settings_class(part))


def resolve(part: Any, given: Mapping[str, Any], explain: Explain) -> dict[str, Any]:
    """Every setting of a part: those given, checked, and the defaults of the rest.

    Raises:
        UserError: a key that is no setting, a value of the wrong type, or a missing one.
    """
    known = settings_of(part)
    for key in given:
        if key not in known:
            from rl.specification.whereabouts import where  # which needs all parts

            raise explain(key, f"is no setting{_of(part)}{where(key, part)}")
    resolved = {}
    for name, field in known.items():
        if name in given:
            resolved[name] = _typed(given[name], types_of(part)[name], name, explain)
        elif field.default is MISSING:
            raise explain(name, "is missing" + (f"; {part.__name__} needs it" if _of(part) else ""))
        else:
            resolved[name] = field.default
    return resolved


def _of(part: Any) -> str:
    """The name of a part in a message; a block such as `train`, which names none, has none."""
    is_part = hasattr(part, "Settings") or issubclass(part, Schedule)
    return f" of {part.__name__}" if is_part else ""


def make_settings(part: Any, resolved: Mapping[str, Any], explain: Explain) -> Any:
    """The settings object of a part.

    Raises:
        UserError: a value that the part refuses.
    """
    kinds = types_of(part)
    made = {name: _made(value, kinds[name], name, explain) for name, value in resolved.items()}
    return refusing(explain, lambda: settings_class(part)(**made))


def refusing(explain: Explain, make: Callable[[], Any]) -> Any:
    """What `make` makes; its refusal of a setting becomes a `UserError`."""
    try:
        return make()
    except SettingError as error:
        raise explain(error.setting, error.complaint) from None
    except ValueError as error:
        raise explain("", str(error)) from None


def _made(value: Any, annotation: Any, name: str, explain: Explain) -> Any:
    """`value`, or the schedule or the parts that it has the blocks of."""
    if (part := part_in(annotation)) is not None:
        at = enumerate(value)
        return tuple(make_settings(part, each, _within(explain, f"{name}[{i}]")) for i, each in at)
    if Schedule not in alternatives(annotation):
        return value
    try:
        return make_schedule(value) if isinstance(value, Mapping) else value
    except ValueError as error:
        raise explain(name, f"does not fit: {error}") from None


def part_in(annotation: Any) -> Any:
    """The settings class of which a setting is a list, each entry a block; None of any other."""
    items = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
    return next((each for each in items if dataclasses.is_dataclass(each)), None)


def _within(explain: Explain, path: str) -> Explain:
    """`explain` for what is wrong with a setting of the block at `path`."""
    return lambda key, complaint: explain(f"{path}.{key}" if key else path, complaint)


def _blocks(value: Any, part: Any, name: str, explain: Explain) -> list[dict[str, Any]]:
    """The blocks of a list, each with every setting of the part."""
    if not isinstance(value, (list, tuple)):
        remedy = f"; write [{brief(value)}]" if isinstance(value, Mapping) else ""
        raise explain(name, f"must be a list of blocks, not {brief(value)}{remedy}")
    for number, each in enumerate(value):
        if not isinstance(each, Mapping):
            raise explain(f"{name}[{number}]", f"must be a block of settings, not {brief(each)}")
    at = enumerate(value)
    return [resolve(part, each, _within(explain, f"{name}[{number}]")) for number, each in at]


def _typed(value: Any, annotation: Any, name: str, explain: Explain) -> Any:
    """`value` as the annotated type; 5 serves as 5.0, and 1e5 as 100000."""
    if (part := part_in(annotation)) is not None:
        return _blocks(value, part, name, explain)
    if Schedule in alternatives(annotation) and isinstance(value, Mapping):
        return _schedule(value, _within(explain, name))
    if annotation not in (bool, str):
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if complaint := unfit(each):
                raise explain(name, complaint)
    for kind in alternatives(annotation):
        converted = _convert(value, kind)
        if converted is not None or (value is None and kind is type(None)):
            return converted
    wanted = f"must be {describe_type(annotation)}, not {brief(value)}"
    raise explain(name, wanted + _remedy(value, annotation))


def _remedy(value: Any, annotation: Any) -> str:
    """The end of a complaint: how to write the numbers that were meant, if one can tell."""
    kinds = alternatives(annotation)
    if isinstance(value, str) and (int in kinds or float in kinds):
        near = near_number(value)
        return f"; write {near}" if near else ""
    lists = [kind for kind in kinds if typing.get_origin(kind) is tuple]
    if lists and isinstance(value, (str, int)):
        entries: list[Any] = str(value).replace(",", " ").split()
        if typing.get_args(lists[0])[0] in (int, float):
            entries = [near_number(each) for each in entries]
        return f"; write [{', '.join(map(str, entries))}]" if entries and all(entries) else ""
    return ""


def unfit(value: Any) -> str | None:
    """What is wrong with a number that cannot be computed with; None for any other value."""
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return f"must be at most {_LARGEST_INTEGER:,} in magnitude, not {brief(value)}"
    if isinstance(value, float) and value and not _TINY <= abs(value) <= _HUGE:  # nan is neither
        return f"must be a finite number within the range of float32, not {value}"
    return None


def _schedule(block: Mapping[str, Any], explain: Explain) -> dict[str, Any]:
    """A schedule's block, checked."""
    settings = dict(block)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise explain("name", f"must be a schedule's name{suggestion('', SCHEDULES)}")
    try:
        part = lookup(SCHEDULES, name, "schedule")
    except ValueError as error:
        raise explain("name", f"names an {error}") from None
    return {"name": name, **resolve(part, settings, explain)}


def _convert(value: Any, kind: Any) -> Any:
    """`value` as `kind`, or None if it is not of that kind."""
    if kind is Any:
        return value
    if typing.get_origin(kind) is dict:
        return dict(value) if isinstance(value, Mapping) else None
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            return None
        items = tuple(_convert(item, typing.get_args(kind)[0]) for item in value)
        return None if None in items else items
    if kind is bool:
        return as_bool(value)
    if isinstance(value, bool):
        return None
    if kind is float and isinstance(value, (int, float)):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value) if abs(value) <= _LARGEST_INTEGER else None
    return value if kind in (int, str) and isinstance(value, kind) else None


def as_bool(value: Any) -> bool | None:
    """True or false, also where YAML 1.1 has `yes` or `off`; None of anything else."""
    if isinstance(value, str):
        return _TRUTHS.get(value.lower())
    return value if isinstance(value, bool) else None


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types that an annotation allows."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


_NAMES = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a name",
    Any: "a name or a block",
    Schedule: "a schedule",
}


def describe_type(annotation: Any) -> str:
    """What a setting of this type may be, in words."""
    described = []
    for kind in alternatives(annotation):
        if part_in(kind) is not None:
            described.append("a list of blocks")
        elif typing.get_origin(kind) is tuple:
            described.append("a list, each of it " + _NAMES[typing.get_args(kind)[0]])
        elif typing.get_origin(kind) is dict:
            described.append("a block")
        else:
            described.append("null" if kind is type(None) else _NAMES[kind])
    return " or ".join(described)
