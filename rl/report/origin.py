"""What was run, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl.report.blocks import Code, Section, Table, Text
from rl.storage.files import read_text
from rl.storage.session_folder import SessionFolder

PROGRAMS = {"run.py": "python -m rl.run", "__main__.py": "python -m rl", "rl.exe": "rl", "rl": "rl"}


def command_of(manifest: Mapping[str, Any]) -> str:
    """The command as it was typed, without the path of the program."""
    program, *arguments = manifest.get("command") or ["?"]
    name = Path(program).name
    return f"{PROGRAMS.get(name, f'python {shlex.quote(name)}')} {shlex.join(arguments)}".strip()


def origin(
    manifest: Mapping[str, Any], spec: Path, sessions: Sequence[SessionFolder] = ()
) -> Section:
    """The command, the specification, the versions and the machines."""
    commands = [command_of(each) for each in (manifest, *manifest.get("extended", ()))]
    return Section(
        "What was run",
        [
            Code("\n".join(commands), "The command"),
            Code(read_text(spec), "The specification, every default filled in", folded=True),
            Table((), _machine(manifest)),
            *_merged(manifest.get("merged", ())),
            *_machines(sessions),
        ],
    )


def _merged(runs: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The runs whose sessions were put together, with the machine of each."""
    rows = [
        (str(each["run"]), ", ".join(map(str, each.get("seeds", ()))),
         str(each.get("started", "")), str(each.get("processor_model") or ""))
        for each in runs
    ]  # fmt: skip
    return [Table(("merged from", "seeds", "started", "processor"), rows)] if rows else []


def _machines(sessions: Sequence[SessionFolder]) -> list[Table]:
    """The machines that the sessions have run on, if they are not one."""
    found: dict[tuple[str, ...], list[int]] = {}
    for session in sessions:
        for each in session.machines:
            versions, blas = each.get("versions") or {}, each.get("blas") or {}
            row = (each["node"], each.get("processor_model") or each.get("processor"),
                   versions.get("python") or each.get("Python"),
                   versions.get("numpy") or each.get("NumPy"),
                   blas.get("kernel") or each.get("BLAS kernel"),
                   (each.get("git_commit") or "")[:10] or each.get("lab"))  # fmt: skip
            numbers = found.setdefault(tuple(str(cell or "") for cell in row), [])
            numbers += [session.number] if session.number not in numbers else []
    head = ("machine", "processor", "Python", "NumPy", "BLAS kernel", "code", "sessions")
    rows = [(*row, ", ".join(map(str, numbers))) for row, numbers in found.items()]
    return [Table(head, rows)] if len(rows) > 1 else []


def _machine(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions and machine, as far as the manifest has them."""
    blas = manifest.get("blas") or {}
    rows = {
        "started": manifest.get("started"),
        "seeds": ", ".join(map(str, manifest["seeds"])),
        "commit": manifest.get("git_commit"),
        **(manifest.get("versions") or {}),
        "platform": manifest.get("platform"),
        "processor": manifest.get("processor_model") or manifest.get("processor"),
        "BLAS": " ".join(str(blas.get(key) or "") for key in ("library", "version", "kernel")),
    }
    return [(name, str(value)) for name, value in rows.items() if value]


def reproduction(commands: Sequence[str]) -> Section:
    """How to reproduce the result."""
    text = (
        "The same seed gives the same run, to the last bit, on the same machine with the "
        "same versions; elsewhere rounding may differ. Run these where the folder is."
    )
    return Section("Run it again", [Text(text), Code("\n".join(commands))])
