"""Making one trial of separate run folders: `rl merge RUN... --output RUN`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from rl.console.place import shown
from rl.errors import UserError, on_disk
from rl.saved.run import Run
from rl.specification.build import build
from rl.specification.changes import described
from rl.storage.files import make_folder
from rl.storage.manifest import CALLBACKS, LINEAGE, MERGED, differences_between
from rl.storage.notes import carry_notes
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, TrialFolder, runs_in
from rl.storage.session_folder import SessionFolder

NO_SETTINGS = ("description", "search")  # blocks of a specification that no session reads
OWN = ("command", "seeds", "specification", "started", "extended", MERGED)  # not of the merged run
MOST_NAMED = 4  # runs in a message
TOO_MUCH = "the notes of the runs are too long for one, and their end was left out"
LEFT = shutil.ignore_patterns(".lock", ".*.tmp")


def merge(paths: Iterable[str | os.PathLike[str]], output: str | os.PathLike[str]) -> Run:
    """A new run folder with the sessions of others, which stay as they are.

    Its sessions are in the order of their seeds. One that was planned and never begun stays
    planned. What is noted about the runs, and their tags, are noted about the new one. The `notes`
    of the run say on how many machines it was made.

    Args:
        paths: the run folders.
        output: the new one.

    Raises:
        UserError: they have other settings, or have begun the same seed, or a process is at work on
            one; nothing was written.
    """
    runs = [_open(path) for path in paths]
    _check_same(runs)
    begun = _begun(runs)
    seeds = sorted({seed for run in runs for seed in run.manifest["seeds"]})
    path = user_path(output)
    folder = RunFolder(path.with_name(f".{path.name}.{os.getpid()}.tmp"))
    with on_disk(path, remedy="name another folder with --output"), ExitStack() as stack:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path}: is there already; name another folder with --output")
        for each in begun.values():
            if not each.has_ended:
                stack.enter_context(each.lock())
        make_folder(path.parent)
        stack.callback(shutil.rmtree, folder.path, ignore_errors=True)
        _create(folder, runs, seeds)
        _copy(begun, folder.trial(), seeds)
        whole = [
            carry_notes((run.path for run in runs), folder.path),
            carry_notes((run.trial.path for run in runs), folder.trial().path),
        ]
        if path.is_dir():
            path.rmdir()
        folder.path.rename(path)
    merged = Run(RunFolder(path))
    merged.notes = [*_notes(runs), *([] if all(whole) else [TOO_MUCH])]
    return merged


def settings_of(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """What makes runs those of one setting: their sessions differ by their seeds alone."""
    known: dict[str, dict[str, Any]] = {}
    found = []
    for run in runs:
        text, start = json.dumps(run.specification.values), run.manifest.get("start")
        if text not in known:
            known[text] = _resolved(run)
        from_agent = start and [start["sha256"], start["fresh"]]
        callbacks = run.manifest.get(CALLBACKS)
        found.append({**known[text], "--from": from_agent, CALLBACKS: callbacks})
    return found


def _resolved(run: Run) -> dict[str, Any]:
    """The settings of a run with every default, which an earlier version may have left out."""
    values = build(run.specification, seed=0).specification.values
    kept = {key: each for key, each in values.items() if key not in NO_SETTINGS}
    return {"experiment": run.manifest["experiment"], **kept}


def begun_sessions(run: Run) -> dict[int, SessionFolder]:
    """The sessions of a run that have begun, by their seeds."""
    seeds = run.manifest["seeds"]
    return {
        seeds[each.number]: each
        for each in run.trial.sessions()
        if each.number < len(seeds) and (each.outcome.exists() or each.episodes.exists())
    }


def _open(path: str | os.PathLike[str]) -> Run:
    place = user_path(path)
    if within := runs_in(place):
        raise UserError(
            f"{place}: is no run folder, but holds {len(within)}; to merge them: rl merge "
            f"{shown(place)}/* --output RUN"
        )
    folder = RunFolder.open(path)
    if folder.read_manifest().get("kind") == "search":
        raise UserError(f"{folder.path}: is a search, whose trials have settings of their own")
    return Run(folder)


def _check_same(runs: Sequence[Run]) -> None:
    first, *others = settings_of(runs)
    for run, settings in zip(runs[1:], others, strict=True):
        if changed := described(first, settings):
            raise UserError(
                f"{run.path}: has other settings than {runs[0].path}: {changed}; merge takes runs "
                "of one setting, and `rl compare` compares settings"
            )


def _begun(runs: Sequence[Run]) -> dict[int, SessionFolder]:
    """The sessions of all runs, by their seeds.

    Raises:
        UserError: two have the same seed.
    """
    found: dict[int, SessionFolder] = {}
    for run in runs:
        for seed, each in begun_sessions(run).items():
            if seed in found:
                raise UserError(
                    f"seed {seed} is in {found[seed].path} and in {each.path}; leave one of the "
                    "runs out, or remove that session from it"
                )
            found[seed] = each
    return found


def _create(folder: RunFolder, runs: Sequence[Run], seeds: Sequence[int]) -> None:
    first = runs[0]
    more = {key: value for key, value in first.manifest.items() if key not in OWN}
    more[MERGED] = [each for run in runs for each in _lineage(run)]
    values, start = first.specification.values, first.folder.start if first.start else None
    RunFolder.create(
        folder.path, first.manifest["experiment"], values, sys.argv, seeds, more, start
    )


def _lineage(run: Run) -> list[dict[str, Any]]:
    """What a manifest says of a run that it was made of; of one that was merged, of its own."""
    if MERGED in run.manifest:
        return list(run.manifest[MERGED])
    known = {key: run.manifest[key] for key in LINEAGE if key in run.manifest}
    return [{"run": str(run.path), "seeds": sorted(begun_sessions(run)), **known}]


def _copy(begun: Mapping[int, SessionFolder], trial: TrialFolder, seeds: Sequence[int]) -> None:
    for number, seed in enumerate(seeds):
        if seed in begun:
            shutil.copytree(begun[seed].path, trial.session(number).path, ignore=LEFT)


def mergeable(runs: Iterable[Run]) -> list[list[Run]]:
    """Those of the runs that hold one session each of the same setting, with other seeds."""
    single = [run for run in runs if len(begun_sessions(run)) == 1]
    groups: dict[str, dict[int, Run]] = {}
    for run, settings in zip(single, settings_of(single), strict=True):
        (seed,) = begun_sessions(run)
        groups.setdefault(json.dumps(settings), {}).setdefault(seed, run)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def command_for(runs: Sequence[Run]) -> str:
    """The command that merges runs, not all of which are named if they are many."""
    paths = [shlex.quote(shown(run.path)) for run in runs]
    named = paths if len(paths) <= MOST_NAMED else [*paths[:2], f"... ({len(paths)} in all)"]
    return f"rl merge {' '.join(named)} --output RUN"


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    """How the machines of the runs differ, once for each kind."""
    first = runs[0].manifest
    kinds: dict[str, list[str]] = {}
    for run in runs:
        for each in run.manifest.get(MERGED, [run.manifest]):
            if found := "; ".join(differences_between(each, first)):
                kinds.setdefault(found, []).append(shown(each.get("run", run.path)))
    for found, paths in kinds.items():
        others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"{paths[0]}{others}: made on another machine than {shown(runs[0].path)}: {found}"
