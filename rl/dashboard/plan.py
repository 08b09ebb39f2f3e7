"""What a run is to do, according to its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rl.environments.settings import EnvironmentSettings
from rl.errors import UserError
from rl.storage.files import read_specification
from rl.storage.forms import block_of, is_count, is_text, optional
from rl.storage.run_folder import RunFolder, TrialFolder

AGENT = block_of({"name": is_text})
TRAIN = block_of({}, dict.fromkeys(("steps", "episodes"), optional(is_count)))
SPECIFICATION = block_of({"agent": AGENT, "train": TRAIN})
EARLY = ("stop_when_solved", "stop_at_training_mean")  # settings that end a session when it is good


@dataclass(frozen=True)
class Plan:
    """What a run is to do."""

    kind: str  # "run", "trial" (of several sessions) or "search"
    experiment: str
    environment: EnvironmentSettings
    agent: str  # the name of the algorithm
    steps: int | None  # of a session; None if only its episodes are counted
    episodes: int | None  # likewise
    sessions: int  # of a run, or of each trial of a search
    started: float  # seconds since 1970
    trials: int | None  # of a search that says so
    setting: str  # the same for runs that differ by their seeds alone
    may_end_early: bool  # once it is solved

    def of(self, budget: int | None) -> str:
        """The planned number for all sessions, as the note of a figure; empty without one."""
        return "" if budget is None else f"of {budget * self.sessions:,}"

    @property
    def day(self) -> str:
        """When it was started, to read."""
        return day_of(self.started)


def day_of(seconds: float) -> str:
    """A time since 1970, to read."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"


def read_plan(folder: RunFolder, trial: TrialFolder | None = None) -> Plan:
    """What a run or a single trial of a search is to do.

    Raises:
        UserError: the manifest or the specification is damaged.
    """
    manifest = folder.read_manifest()
    is_search = manifest.get("kind") == "search" and trial is None
    values = _specification(folder, trial, manifest)
    environment = _environment(values)
    if not SPECIFICATION(values) or environment is None:
        raise UserError(f"{folder.manifest}: is damaged; the run cannot be read")
    sessions = len(manifest["seeds"])
    return Plan(
        "search" if is_search else "trial" if sessions > 1 else "run",
        manifest["experiment"],
        environment,
        values["agent"]["name"],
        values["train"].get("steps"),
        values["train"].get("episodes"),
        sessions,
        _started(folder, manifest),
        manifest["search"]["trials"] if is_search else None,
        _setting(values, manifest),
        any(values["train"].get(key) for key in EARLY),
    )


def _setting(values: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """A short text that stands for what the sessions of a run were told, but for their seeds."""
    told = {key: each for key, each in values.items() if key not in ("description", "search")}
    start = (manifest.get("start") or {}).get("sha256")
    text = json.dumps([manifest["experiment"], told, start], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _specification(
    folder: RunFolder, trial: TrialFolder | None, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """That of a search's trial, or the run's, which is read faster from the manifest."""
    if trial is not None and trial.spec.exists():
        return read_specification(trial.spec, manifest["experiment"])
    known = manifest.get("specification")
    return known or read_specification(folder.spec, manifest["experiment"])


def _environment(values: Mapping[str, Any]) -> EnvironmentSettings | None:
    """The environment of a specification; None if it has none."""
    block = values.get("environment", {"id": values.get("problem")})
    try:
        return EnvironmentSettings(**block) if is_text(block["id"]) else None
    except (KeyError, TypeError, ValueError):
        return None


def _started(folder: RunFolder, manifest: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(manifest["started"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return folder.manifest.stat().st_mtime
