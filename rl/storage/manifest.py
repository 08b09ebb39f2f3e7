"""The manifest of a run: the command, the versions, the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rl.distribution import DISTRIBUTION, FORMER
from rl.storage import machine
from rl.storage.urls import without_password

FORMAT = 1
PACKAGES = "packages"  # of a manifest: the versions of those whose parts the run uses
CALLBACKS = "callbacks"  # of a manifest: the classes of the callbacks of its sessions
MERGED = "merged"  # of a manifest: the runs whose sessions were put together
LINEAGE = ("command", "started", "extended", "versions", PACKAGES, "implementation", "platform",
           "system", "libc", "processor", "processor_model", "simd", "blas", "environment",
           "executable", "git_commit")  # fmt: skip  # what is kept of each of them


def make_manifest(experiment: str, seeds: Sequence[int], command: Sequence[str]) -> dict[str, Any]:
    """The manifest of a run that starts now."""
    here = machine.describe()
    return {
        "format": FORMAT,
        "experiment": experiment,
        "command": list(map(without_password, command)),
        "seeds": list(seeds),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        **here,
        "blas": {**here["blas"], "threads": 1},  # as in every session
        "executable": sys.executable,
        "git_commit": git_commit(),
    }


def differences(
    manifest: Mapping[str, Any], ran_on: Mapping[int, Sequence[Mapping[str, Any]]] | None = None
) -> list[str]:
    """A line for each difference from the machines of a run that may change results.

    Entries that an earlier manifest lacks are skipped.

    Args:
        manifest: of the run.
        ran_on: the machines of each session; those that differ from the manifest's are named.
    """
    brought = {name: machine.installed(name) or "none" for name in manifest.get(PACKAGES, {})}
    here = {**machine.describe(), "git_commit": git_commit(), PACKAGES: brought}
    there = [manifest, *manifest.get(MERGED, ())]
    found = list(dict.fromkeys(each for one in there for each in differences_between(here, one)))
    places: dict[str, list[str]] = {}
    for number, machines in (ran_on or {}).items():
        for one in machines:
            for each in differences_between(here, one):
                places.setdefault(each, []).append(f"{number} on {one['node']}")
    more = (f"{each} (session {', '.join(at)})" for each, at in places.items() if each not in found)
    return [*found, *more]


def differences_between(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """A line for each difference between the machines of two manifests, as `differences`."""
    if "node" in there and "versions" not in there:
        return []  # of a session on Ray in an earlier version, whose entries have other meanings
    ours, theirs = dict(_comparable(here)), dict(_comparable(there))
    return [
        f"{name} {ours[name]} here, {value} there"
        for name, value in theirs.items()
        if name in ours and ours[name] != value
    ]


def _comparable(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The entries that matter, by their names in messages; a missing package is "none"."""
    for name, version in manifest.get("versions", {}).items():
        yield DISTRIBUTION if name == FORMER else name, version or "none"
    yield from manifest.get(PACKAGES, {}).items()
    for name in ("implementation", "system", "libc", "processor"):
        if manifest.get(name):
            yield name, manifest[name]
    if "simd" in manifest:
        yield "SIMD", "+".join(manifest["simd"]) or "none"
    for name in ("library", "version", "kernel"):
        if value := manifest.get("blas", {}).get(name):
            yield f"BLAS {name}", value
    if "environment" in manifest:
        for name in machine.KERNEL_VARIABLES:
            yield name, manifest["environment"].get(name, "unset")
    if manifest.get("git_commit"):
        yield "commit", manifest["git_commit"][:10]


def git_commit() -> str | None:
    """The commit of this project's checkout, or None where it is installed without one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
