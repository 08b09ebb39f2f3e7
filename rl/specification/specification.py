"""Specifications: which problem, which agent, which settings; read, overridden and written."""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nn.names import suggestion
from rl.environments.problems import SPEC_FOLDER
from rl.errors import UserError, brief
from rl.openai_lab.reading import is_openai_lab, translated
from rl.specification.keys import KEYS
from rl.specification.modules import file_meant
from rl.specification.overrides import given_by, keys_on
from rl.storage.files import read_json, read_text
from rl.storage.paths import user_path
from rl.storage.texts import DEEPEST, TOO_DEEP, parse_json, parse_yaml

REQUIRED = ("problem", "agent")  # `environment` takes the place of `problem`
BUDGET = ("steps", "episodes", "stop_when_solved")  # what of `train` says when a session ends
_NAME = re.compile(r"\w[\w.-]{0,59}")  # it becomes that of a folder
IMPORT_FOLDER = "import_folder"  # of a manifest; several stand on lines of their own
_MODULE = re.compile(r'"[A-Za-z_][\w.]*:[A-Za-z_]')  # begins module:name in JSON
_LONGEST = 200_000  # characters of a file


def digest_of(values: Mapping[str, Any]) -> str:
    """Equal values have the same, in whatever order their keys are."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Specification:
    """One experiment.

    Args:
        name: such as "lunarlander_dqn".
        source: the file it was read from, for messages.
        values: the blocks by their key, as in the file.
        overridden: the dotted paths that `--set` gave.
        folders: where the modules that it names are looked for first.
        note: what a user should know as it begins, of how it was read.
        refusal: why nothing can be built of it; empty if something can.
    """

    name: str
    source: str
    values: dict[str, Any]
    overridden: frozenset[str] = field(default_factory=frozenset)
    folders: tuple[str, ...] = ()
    note: str = ""
    refusal: str = ""

    @property
    def digest(self) -> str:
        """Two specifications of the same values have the same."""
        return digest_of(self.values)

    @property
    def without_budget(self) -> Specification:
        """This specification without what says when a session ends."""
        train = {key: each for key, each in self.block("train").items() if key not in BUDGET}
        return replace(self, values={**self.values, "train": train})

    def explain(self, path: str, complaint: str) -> UserError:
        """The error for the value at a dotted path, naming where that value came from."""
        if path in self.overridden or any(path.startswith(f"{at}.") for at in self.overridden):
            return UserError(f"--set: {path} {complaint}")
        return UserError(": ".join(filter(None, (self.place, f"{path} {complaint}"))))

    @property
    def place(self) -> str:
        """Its file, if it is of one, and its name, for messages."""
        return ": ".join(filter(None, (self.source, self.name)))

    def block(self, key: str) -> dict[str, Any]:
        """The block `key`, empty if it is left out."""
        return dict(self.values.get(key, {}))

    @property
    def environment_id(self) -> str:
        """The environment's id, which `problem` is short for."""
        return str(self.values.get("problem") or self.values["environment"]["id"])

    @property
    def names_modules(self) -> bool:
        """Whether some of it is in modules that may not be installed."""
        named = self.values.get("problem"), self.values.get("environment")
        return "import" in self.values or bool(_MODULE.search(json.dumps(named)))

    def value(self, path: str) -> Any:
        """What stands at a dotted path; None if nothing does."""
        found: Any = self.values
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def override(self, assignments: Iterable[str] | Mapping[str, Any]) -> Specification:
        """This specification with each "dotted.path=value" put in its place.

        Args:
            assignments: the texts, or values by their dotted paths, or blocks of settings by their
                keys: {"agent.gamma": 0.9, "network": {"hidden": [64]}}.

        Raises:
            UserError: an assignment without "=", or a path through something that is no block.
        """
        given = given_by(assignments)
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
        if {"problem", "environment.id"} <= given.keys():
            raise self.explain("problem", "and environment.id are one and the same; give one")
        changed = replace(self, values=copy.deepcopy(self.values), overridden=paths)
        if any(path.partition(".")[0] == "environment" for path in given):
            changed = replace(changed, values=_with_block(changed.values))
        if "problem" in given and "environment" in changed.values:
            given = {**given, "environment.id": given["problem"]}
            given.pop("problem")
            changed = replace(changed, overridden=paths | {"environment.id"})
        made: frozenset[str] = frozenset()
        for path in sorted(given, key=lambda path: path.count(".")):
            _check_plain(changed, path, given[path])
            blocks = changed._put(path, copy.deepcopy(given[path]))
            made |= blocks if path in paths else frozenset()
        changed = replace(changed, overridden=changed.overridden | made)
        check_form(changed)
        return changed

    def _put(self, path: str, value: Any) -> frozenset[str]:
        """Puts a value at its path; returns the paths of blocks that were not there."""
        *blocks, key = keys_on(path, value)
        values, made = self.values, set()
        for number, block in enumerate(blocks, 1):
            if values.get(block) is None:
                values[block] = {}
                made.add(".".join(blocks[:number]))
            values = values[block]
            if not isinstance(values, dict):
                raise self.explain(path, f"cannot be set: {block} is a single value, not a block")
        values[key] = value
        return frozenset(made)


def _with_block(values: dict[str, Any]) -> dict[str, Any]:
    """The same with the `environment` block that `problem` is short for, in its place."""
    if "environment" in values:
        return values
    return {
        "environment" if key == "problem" else key: {"id": value} if key == "problem" else value
        for key, value in values.items()
    }


def read_specifications(path: Path) -> dict[str, Specification]:
    """The experiments of a JSON or YAML file, by name.

    Raises:
        UserError: the file is missing, does not parse, or is not of the right form.
    """
    values = read_values(path)
    if not isinstance(values, dict) or not all(isinstance(each, dict) for each in values.values()):
        wanted = "must map the name of each experiment to its specification"
        raise UserError(f"{path}: {wanted}{_instead(values)}")
    home = () if path.parent == SPEC_FOLDER else _home(path)
    found = {
        name: Specification(name, str(path), each, folders=home) for name, each in values.items()
    }
    if is_openai_lab(values):
        for name, each in translated(path, values).items():
            found[name] = replace(
                found[name], values=each.values, note=each.note, refusal=each.refusal
            )
    for name, specification in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(
                f"{path}: {brief(name)} cannot be the name of an experiment: up to 60 letters, "
                "digits, '_', '-' and '.', of which the first is a letter or a digit"
            )
        if not specification.refusal:
            check_form(specification)
    return found


def _home(path: Path) -> tuple[str, ...]:
    """Where the modules of a file's experiments are: beside it, or where the run found them."""
    file = path.absolute()
    for folder in file.parents[:2]:  # a trial has a file of its own in the run folder
        with suppress(UserError):
            if remembered := read_json(folder / "manifest.json").get(IMPORT_FOLDER):
                return tuple(str(remembered).split("\n"))
    return (str(file.parent),)


def _instead(values: Any) -> str:
    """The end of a complaint: what a file holds that has no experiments."""
    if values is None or values == {}:
        return "; it is empty"
    if isinstance(values, dict) and "specification" in values:
        return "; this is a run's manifest: its specification is in the spec.yaml beside it"
    if isinstance(values, dict) and values.keys() & {*REQUIRED, "environment"}:
        return "; put a line NAME: above these keys, and indent them"
    return ""


def read_values(path: Path) -> Any:
    """What a JSON or YAML file holds, whatever its form.

    Raises:
        UserError: the file is missing, or does not parse.
    """
    if path.is_dir() and (path / "spec.yaml").exists():
        path /= "spec.yaml"
    try:
        text = read_text(path, 4 * _LONGEST)
    except FileNotFoundError:
        raise UserError(f"{path}: cannot be read: No such file or directory") from None
    if len(text) > _LONGEST:
        raise UserError(f"{path}: is no specification: it has more than {_LONGEST:,} characters")
    is_json = path.suffix.lower() == ".json"
    try:
        return parse_json(text) if is_json else parse_yaml(text)
    except ValueError as error:
        complaint = f"is not valid {'JSON' if is_json else 'YAML'}: {error}"
        raise UserError(f"{path}: {complaint}{_remedy(text, is_json)}") from None


def _remedy(text: str, is_json: bool) -> str:
    """The end of a complaint about a text that does not parse, if one can tell."""
    if not is_json:
        return "; indent with spaces, not with tabs" if re.search(r"^ *\t", text, re.M) else ""
    with suppress(ValueError):
        if isinstance(parse_yaml(text), dict):
            return "; it is YAML: let its name end in .yaml"
    return ""


def check_form(specification: Specification) -> None:
    """Refuses unknown and missing keys, blocks of the wrong kind, and values that JSON has not.

    Raises:
        UserError: the message names the file, the experiment and the key.
    """
    _check_plain(specification, "", specification.values)
    for key, value in specification.values.items():
        if key not in KEYS:
            from rl.specification.whereabouts import meant, paths_of  # which need all parts

            elsewhere = [] if key.lower() in KEYS else paths_of(key)
            near = meant(elsewhere) or suggestion(key, KEYS)
            raise specification.explain(key, f"is an unknown key{near}")
        if not isinstance(value, KEYS[key]):
            kind, remedy = "a text", "put it in quotes"
            if KEYS[key] is dict:
                kind, remedy = "a block of settings", "an empty one is {}"
            if key == "environment":
                remedy = "write environment: {id: ...}, or problem: ..."
            raise specification.explain(key, f"must be {kind}, not {brief(value)}; {remedy}")
    if "environment" in specification.values:
        if "problem" in specification.values:
            raise specification.explain("problem", "is short for environment.id; leave one out")
        required: tuple[str, ...] = ("environment.id", "agent")
    else:
        required = REQUIRED
    for key in required:
        if specification.value(key) is None:
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
        is_date = isinstance(value, datetime.date)
        remedy = "put it in quotes" if is_date else "in Python, env=lambda: ... takes anything"
        kind = type(value).__name__
        raise specification.explain(path, f"is a {kind}, which JSON has not; {remedy}")


def all_specifications() -> dict[str, Specification]:
    """Every experiment that comes with the lab, by name."""
    found: dict[str, Specification] = {}
    for path in sorted(SPEC_FOLDER.glob("*_experiment_specs.json")):
        found.update(read_specifications(path))
    return found


def load_specification(
    name: str,
    file: str | Path | None = None,
    overrides: Iterable[str] | Mapping[str, Any] = (),
) -> Specification:
    """The experiment called `name`, from the lab's own files or from `file`, overridden.

    Raises:
        UserError: there is no such experiment (the message names the nearest), or it is malformed.
    """
    name = name.strip()
    found = read_specifications(user_path(file)) if file else all_specifications()
    if name not in found:
        where = f"{file}: " if file else ""
        near = (None if file else file_meant(name)) or suggestion(name, found)
        raise UserError(f"{where}unknown experiment {name!r}{near}")
    if found[name].refusal:
        raise UserError(f"{found[name].place}: cannot be built: {found[name].refusal}")
    return found[name].override(overrides)
