"""Where a run comes from: what was run, and how it is run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl.report.blocks import Block, Code, Section, Table, Text
from rl.storage.files import read_text
from rl.storage.run_folder import RunFolder

INTERPRETED = {
    "run.py": "python -m rl.run",
    "__main__.py": "python -m rl",
    "rl": "rl",
    "rl.exe": "rl",
}


def command_of(manifest: Mapping[str, Any]) -> str:
    """The command as it was typed, without where this machine has its programs."""
    program, *arguments = manifest.get("command") or ["?"]
    name = Path(program).name
    return f"{INTERPRETED.get(name, f'python {shlex.quote(name)}')} {shlex.join(arguments)}".strip()


def origin(folder: RunFolder, manifest: Mapping[str, Any], spec: Path) -> Section:
    """The command, the specification, the versions and the machine."""
    specification = read_text(spec)
    blocks: list[Block] = [
        Code(command_of(manifest), "The command"),
        Code(specification, "The specification, every default filled in", folded=True),
        Table((), _machine(manifest)),
    ]
    return Section("What was run", blocks)


def _machine(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions and machine, as far as the manifest says them."""
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
    """How the result is had again."""
    return Section(
        "Run it again",
        [
            Text(
                "The same seed gives the same run, to the last bit, on the same machine with the "
                "same versions; elsewhere rounding may differ. Run these where the folder is."
            ),
            Code("\n".join(commands)),
        ],
    )
