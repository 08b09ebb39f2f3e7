"""Specifications: which problem, which agent, which settings; read, overridden and written."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nn.names import suggestion
from rl.errors import UserError, brief
from rl.experiment.texts import DEEPEST, TOO_DEEP, parse_json, parse_yaml
from rl.problems import SPEC_FOLDER

# Each key of an experiment, and what a user may put there.
KEYS: dict[str, type] = {
    "description": str,
    "import": str,
    "problem": str,
    "agent": dict,
    "network": dict,
    "optimizer": dict,
    "memory": dict,
    "exploration": dict,
    "preprocessor": dict,
    "train": dict,
    "search": dict,
}
_REQUIRED = ("problem", "agent")
_NAME = re.compile(r"\w[\w.-]{0,59}")  # it becomes that of a folder
_LONGEST = 200_000  # characters of a file


@dataclass(frozen=True)
class Specification:
    """One experiment.

    Args:
        name: such as "lunarlander_dqn".
        source: the file it was read from, for messages.
        values: the blocks by their key, as in the file.
        overridden: the dotted paths that `--set` gave.
    """

    name: str
    source: str
    values: dict[str, Any]
    overridden: frozenset[str] = field(default_factory=frozenset)

    @property
    def digest(self) -> str:
        """Two specifications of the same values have the same."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def explain(self, path: str, complaint: str) -> UserError:
        """The error for the value at a dotted path, naming where that value came from."""
        if path in self.overridden or any(path.startswith(f"{at}.") for at in self.overridden):
            return UserError(f"--set: {path} {complaint}")
        return UserError(f"{self.source}: {self.name}: {path} {complaint}")

    def block(self, key: str) -> dict[str, Any]:
        """The block `key`, empty if it is left out."""
        return dict(self.values.get(key, {}))

    def override(self, assignments: Iterable[str]) -> Specification:
        """This specification with each "dotted.path=value" put in its place.

        Raises:
            UserError: an assignment without "=", or a path through something that is no block.
        """
        given = {}
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            if not equals or not path:
                raise UserError(
                    f"--set: {assignment!r} is not KEY=VALUE, such as optimizer.learning_rate=0.001"
                )
            given[path] = _parse(text)
        return self.assign(given, self.overridden | given.keys())

    def assign(
        self, given: Mapping[str, Any], overridden: Iterable[str] | None = None
    ) -> Specification:
        """This specification with each value put at its dotted path.

        Args:
            given: the values; a block's come before those of paths within it.
            overridden: the paths that `--set` gave; those of this specification by default.

        Raises:
            UserError: a path through something that is no block, or a key that is none.
        """
        paths = self.overridden if overridden is None else frozenset(overridden)
        changed = Specification(self.name, self.source, copy.deepcopy(self.values), paths)
        for path in sorted(given, key=lambda path: path.count(".")):
            _check_plain(changed, path, given[path])
            changed._put(path, copy.deepcopy(given[path]))
        check_form(changed)
        return changed

    def _put(self, path: str, value: Any) -> None:
        *blocks, key = path.split(".")
        values = self.values
        for block in blocks:
            values = values.setdefault(block, {})
            if not isinstance(values, dict):
                raise self.explain(path, f"cannot be set: {block} is a single value, not a block")
        values[key] = value


def _parse(text: str) -> Any:
    """A number, true, false, null, a list or a block in JSON; anything else is a name."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def read_specifications(path: Path) -> dict[str, Specification]:
    """The experiments of a JSON or YAML file, by name.

    Raises:
        UserError: the file is missing, does not parse, or is not of the right form.
    """
    values = _read(path)
    if not isinstance(values, dict) or not all(isinstance(each, dict) for each in values.values()):
        raise UserError(f"{path}: must map the name of each experiment to its specification")
    found = {name: Specification(name, str(path), each) for name, each in values.items()}
    for name, specification in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(
                f"{path}: {brief(name)} cannot be the name of an experiment: up to 60 letters, "
                "digits, '_', '-' and '.', of which the first is a letter or a digit"
            )
        check_form(specification)
    return found


def _read(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: cannot be read: {reason}") from None
    if len(text) > _LONGEST:
        raise UserError(f"{path}: is no specification: it has more than {_LONGEST:,} characters")
    form, parse = ("JSON", parse_json) if path.suffix == ".json" else ("YAML", parse_yaml)
    try:
        return parse(text)
    except ValueError as error:
        raise UserError(f"{path}: is not valid {form}: {error}") from None


def check_form(specification: Specification) -> None:
    """Refuses unknown and missing keys, blocks of the wrong kind, and values that JSON has not.

    Raises:
        UserError: the message names the file, the experiment and the key.
    """
    _check_plain(specification, "", specification.values)
    for key, value in specification.values.items():
        if key not in KEYS:
            raise specification.explain(key, f"is an unknown key{suggestion(key, KEYS)}")
        if not isinstance(value, KEYS[key]):
            kind = "a block of settings" if KEYS[key] is dict else "a text"
            raise specification.explain(key, f"must be {kind}, not {brief(value)}")
    for key in _REQUIRED:
        if key not in specification.values:
            raise specification.explain(key, "is missing")


def _check_plain(specification: Specification, path: str, value: Any, depth: int = 0) -> None:
    """Refuses what JSON has not, such as a date or a key that is no text, and endless nesting."""
    if depth > DEEPEST:
        raise specification.explain(path, TOO_DEEP)
    if isinstance(value, dict):
        for key, each in value.items():
            name = key if isinstance(key, str) else brief(key)
            inner = f"{path}.{name}" if path else name
            if not isinstance(key, str) or not key:
                raise specification.explain(inner, "is no key: keys are texts, perhaps in quotes")
            _check_plain(specification, inner, each, depth + 1)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check_plain(specification, path, each, depth + 1)
    elif not isinstance(value, (str, int, float, type(None))):
        kind = type(value).__name__
        raise specification.explain(path, f"is a {kind}, which JSON has not; put it in quotes")


def all_specifications() -> dict[str, Specification]:
    """Every experiment that comes with the lab, by name."""
    found: dict[str, Specification] = {}
    for path in sorted(SPEC_FOLDER.glob("*_experiment_specs.json")):
        found.update(read_specifications(path))
    return found


def load_specification(
    name: str, file: str | Path | None = None, overrides: Iterable[str] = ()
) -> Specification:
    """The experiment called `name`, from the lab's own files or from `file`, overridden.

    Raises:
        UserError: there is no such experiment (the message names the nearest), or it is malformed.
    """
    found = read_specifications(Path(file)) if file else all_specifications()
    if name not in found:
        where = f"{file}: " if file else ""
        raise UserError(f"{where}unknown experiment {name!r}{suggestion(name, found)}")
    return found[name].override(overrides)
