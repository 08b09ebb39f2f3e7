"""Overrides: settings by their dotted paths, as texts or from a program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rl.errors import UserError, brief
from rl.specification.keys import KEYS
from rl.storage.paths import unquoted
from rl.storage.scalars import scalar
from rl.storage.texts import parse_yaml

_SECOND = re.compile(rf"([,;])\s*((?:{'|'.join(KEYS)})(?:\.\w+)*)=")  # --set a=1,b=2
_SPACE = "search.space."
_SECOND_ARGUMENT = re.compile(r"""[^\['"{][^,;]*([,;])\s*([A-Za-z_]\w*)=""")  # without quotes


def given_by(given: Iterable[str] | Mapping[str, Any], option: str = "--set") -> dict[str, Any]:
    """The values of texts `KEY=VALUE`, or of a mapping, by their dotted paths.

    Raises:
        UserError: a text is of another form; the message names the option that it is of.
    """
    if isinstance(given, Mapping):
        return dict(_settings(given))
    texts = [given] if isinstance(given, str) else list(given)
    return dict(_assignment(each, texts[at + 1 :], option) for at, each in enumerate(texts))


def _settings(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The dotted paths and the values of overrides from Python.

    Raises:
        UserError: a key is no text.
    """
    for path, value in given.items():
        if not isinstance(path, str) or not all(path.split(".")):
            raise UserError(f"overrides: {brief(path)} is no dotted path, such as 'agent.gamma'")
        if "." not in path and isinstance(value, Mapping) and value:
            yield from _settings({f"{path}.{key}": each for key, each in value.items()})
        else:
            yield path, plain(value)


def keys_on(path: str, value: Any) -> list[str]:
    """The keys on a dotted path; that of a search's parameter has dots itself."""
    if not path.startswith(_SPACE):
        return path.split(".")
    parameter = path.removeprefix(_SPACE)
    above, _, end = parameter.rpartition(".")
    is_end = bool(above) and not isinstance(value, (list, dict))  # of a range
    return ["search", "space", *([above, end] if is_end else [parameter])]


def plain(value: Any) -> Any:
    """A value as JSON has it: NumPy's numbers and arrays as Python's, mappings as dictionaries."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _assignment(text: str, following: list[str], option: str) -> tuple[str, Any]:
    """The dotted path and the value of `KEY=VALUE`; what follows is for the message."""
    path, equals, value = unquoted(text).partition("=")
    path, value = path.strip(), value.strip()
    if not equals or not path:
        example = "optimizer.learning_rate=0.001" if option == "--set" else "is_slippery=false"
        said = " ".join([unquoted(text), *following[:2]])
        if apart := re.match(r"([\w.-]+)\s*[:= ]\s*([^\s=]+)(?!\S*=)", said):
            example = f"{apart[1]}={apart[2]}"
        raise UserError(
            f"{option}: {text!r} is not KEY=VALUE, without spaces around '=', such as {example}"
        )
    more = _SECOND.search(value) if option == "--set" else _SECOND_ARGUMENT.match(value)
    if more:
        raise UserError(f"{option}: put a space before {more[2]!r}, not {more[1]!r}")
    try:
        return path, _parse(value)
    except ValueError as error:
        raise UserError(f"{option}: {path}: {error}") from None


def _parse(text: str) -> Any:
    """What a text stands for in YAML; one that would be a comment, say, stands for itself."""
    if text.startswith("{"):
        return parse_yaml(text)
    if not text.startswith(("[", '"', "'")):
        return scalar(text) if text else text
    try:
        return parse_yaml(text)
    except ValueError:
        return text
