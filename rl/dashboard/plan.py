"""What a run is to do, as its manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rl.errors import UserError
from rl.storage.files import read_specification
from rl.storage.forms import block_of, is_count, is_text
from rl.storage.run_folder import RunFolder, TrialFolder

_SPECIFICATION = block_of(
    {
        "problem": is_text,
        "agent": block_of({"name": is_text}),
        "train": block_of({"steps": is_count}),
    }
)


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Args:
        kind: "run", "trial" (of several sessions) or "search".
        experiment: its name.
        problem: the environment's id.
        agent: the name of the algorithm.
        steps: of a session.
        sessions: of a run, or of each trial of a search.
        started: when, in seconds since 1970.
        search: the settings of a search.
    """

    kind: str
    experiment: str
    problem: str
    agent: str
    steps: int
    sessions: int
    started: float
    search: Mapping[str, Any]

    @property
    def day(self) -> str:
        """When it was started, to be read."""
        return f"{datetime.fromtimestamp(self.started):%Y-%m-%d %H:%M}"


def read_plan(folder: RunFolder, trial: TrialFolder | None = None) -> Plan:
    """What a run is to do, or a single trial of a search.

    Raises:
        UserError: the manifest or the specification is damaged.
    """
    manifest = folder.read_manifest()
    is_search = manifest.get("kind") == "search" and trial is None
    values = _specification(folder, trial, manifest)
    search = manifest["search"] if is_search else {}
    if not _SPECIFICATION(values):
        raise UserError(f"{folder.manifest}: is damaged; the run cannot be read")
    several = len(manifest["seeds"]) > 1
    return Plan(
        "search" if is_search else "trial" if several else "run",
        manifest["experiment"],
        values["problem"],
        values["agent"]["name"],
        values["train"]["steps"],
        len(manifest["seeds"]),
        _started(folder, manifest),
        search,
    )


def _specification(
    folder: RunFolder, trial: TrialFolder | None, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """That of a search's trial, or the run's, which its manifest holds too and faster."""
    if trial is not None and trial.spec.exists():
        return read_specification(trial.spec, manifest["experiment"])
    known = manifest.get("specification")
    return known or read_specification(folder.spec, manifest["experiment"])


def _started(folder: RunFolder, manifest: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(manifest["started"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return folder.manifest.stat().st_mtime
