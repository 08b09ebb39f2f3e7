"""The agents that a run's agent descends from, if it was started from a trained one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rl.errors import UserError
from rl.report.blocks import Section, Table, Text
from rl.storage.run_folder import RunFolder

Start = Mapping[str, Any]  # of a manifest: the agent that a run was started from

DIGITS = 12  # of a checkpoint's SHA-256, which tell it from any other
UNKNOWN = "Where the earliest of them came from is not known: its run is no longer there."


def lineage(manifest: Mapping[str, Any]) -> Section:
    """A row for each agent that the run's descends from, the latest first; empty of any other run.

    Args:
        manifest: of the run.
    """
    starts = list(_starts(manifest))
    rows = [_row(start) for start, _ in starts]
    head = ("started from", "at step", "mean return", "normalization", "SHA-256", "file")
    lost = [Text(UNKNOWN)] if starts and starts[-1][1] is None else []
    return Section("Lineage", [Table(head, rows), *lost] if rows else [])


def _starts(manifest: Mapping[str, Any]) -> Iterator[tuple[Start, RunFolder | None]]:
    """The agents, each with the folder of the run that trained it, if that is there."""
    seen: set[Path] = set()
    while start := manifest.get("start"):
        folder, manifest = _trained_in(Path(start["path"]))
        yield start, folder
        if folder is None or folder.path in seen:
            return
        seen.add(folder.path)


def _trained_in(file: Path) -> tuple[RunFolder | None, Mapping[str, Any]]:
    """The run folder that holds a checkpoint, and its manifest; None if it cannot be read."""
    for path in file.parents:
        try:
            folder = RunFolder(path)
            if folder.manifest.is_file():
                return folder, folder.read_manifest()
        except (OSError, UserError):
            break
    return None, {}


def _row(start: Start) -> list[Any]:
    anew = "begun anew" if start["fresh"] else "taken over"
    score, digest = start.get("mean_return"), start["sha256"][:DIGITS]
    return [start["experiment"], start["step"], score, anew, digest, start["path"]]
