"""Writes a policy in one of the formats."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from nn.names import lookup
from rl.errors import UserError
from rl.export.graph import NODES, write_graph
from rl.export.policy import Policy
from rl.export.script import LINES, write_script
from rl.storage.paths import user_path


@dataclass(frozen=True)
class Format:
    """A file format of policies."""

    suffix: str  # of the file's name
    operations: Collection[str]  # the names of the steps that it knows
    write: Callable[[Policy, str, Path], list[Path]]  # policy, title, file -> the files written


FORMATS = {
    "numpy": Format(".npz", LINES, write_script),
    "onnx": Format(".onnx", NODES, write_graph),
}


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        UserError: there is none; the message suggests the nearest.
    """
    try:
        return lookup(FORMATS, name, "format")
    except ValueError as error:
        raise UserError(f"--format: {error}") from None


def export(policy: Policy, format: Format, title: str, file: Path) -> list[Path]:
    """Writes a policy under a title; returns the files.

    Raises:
        UserError: the file has another suffix than the format or cannot be written, the format
            does not know an operation, or a package is missing.
    """
    if user_path(file).suffix.lower() != format.suffix:
        raise UserError(f"{file}: must end in {format.suffix}")
    for step in policy.steps:
        if step.name not in format.operations:
            raise UserError(f"{file}: cannot be written: the format has no {step.name}")
    try:
        return format.write(policy, title, file)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None
