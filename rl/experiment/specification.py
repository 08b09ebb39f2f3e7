"""Specifications: which problem, which agent, which settings; read, overridden and written."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nn.names import suggestion
from rl.errors import UserError
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
        values = copy.deepcopy(self.values)
        for path in sorted(given, key=lambda path: path.count(".")):
            _put(values, path, copy.deepcopy(given[path]))
        paths = self.overridden if overridden is None else frozenset(overridden)
        changed = Specification(self.name, self.source, values, paths)
        check_form(changed)
        return changed


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *blocks, key = path.split(".")
    for block in blocks:
        values = values.setdefault(block, {})
        if not isinstance(values, dict):
            raise UserError(f"--set: {path}: {block} is a single value, not a block")
    values[key] = value


def _parse(text: str) -> Any:
    """A number, true, false, null, a list or a block in JSON; anything else is a name."""
    try:
        return json.loads(text)
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
    found = {str(name): Specification(str(name), str(path), each) for name, each in values.items()}
    for specification in found.values():
        check_form(specification)
    return found


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: cannot be read: {reason}") from None
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise UserError(f"{path}: is not valid JSON: {_one_line(error)}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is not valid YAML: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def check_form(specification: Specification) -> None:
    """Refuses unknown and missing keys and blocks of the wrong kind.

    Raises:
        UserError: the message names the file, the experiment and the key.
    """
    for key, value in specification.values.items():
        if key not in KEYS:
            raise specification.explain(str(key), f"is an unknown key{suggestion(str(key), KEYS)}")
        if not isinstance(value, KEYS[key]):
            kind = "a block of settings" if KEYS[key] is dict else "a text"
            raise specification.explain(key, f"must be {kind}, not {value!r}")
    for key in _REQUIRED:
        if key not in specification.values:
            raise specification.explain(key, "is missing")


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
