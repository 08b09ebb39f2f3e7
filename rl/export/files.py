"""A policy into a file of one of the formats."""

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
    """How a policy is written.

    Args:
        suffix: the end of the file's name.
        operations: the names of the steps that it knows.
        write: takes the policy, a title and the file; returns the files that it wrote.
    """

    suffix: str
    operations: Collection[str]
    write: Callable[[Policy, str, Path], list[Path]]


FORMATS = {
    "numpy": Format(".npz", LINES, write_script),
    "onnx": Format(".onnx", NODES, write_graph),
}


def find_format(name: str) -> Format:
    """The format called so.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    try:
        return lookup(FORMATS, name, "format")
    except ValueError as error:
        raise UserError(f"--format: {error}") from None


def export(policy: Policy, format: Format, title: str, file: Path) -> list[Path]:
    """Writes a policy; returns the files.

    Args:
        policy: to be written.
        format: how.
        title: whose policy it is.
        file: where; its name must end as the format wants.

    Raises:
        UserError: the name ends in another way, the file cannot be written, the format does not
            know an operation, or what it needs is not installed.
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
