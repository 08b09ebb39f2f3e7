"""Starting a search, joining one that other processes run, and resuming one."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

from rl.errors import UserError
from rl.running.executors import Executor
from rl.search.driver import Search
from rl.search.optuna_methods import SAMPLERS, checked_storage
from rl.search.settings import read_search
from rl.session.callback import Callback
from rl.specification.build import build
from rl.specification.changes import changes
from rl.specification.environment import import_modules
from rl.specification.packages import packages_in
from rl.specification.repeats import settled
from rl.specification.specification import Specification, read_specifications
from rl.storage.files import read_json, write_json
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, default_path

JOURNAL = "study.journal"  # without --storage


def start_search(
    specification: Specification,
    output: str | Path | None,
    storage: str | Path | None,
    executor: Executor,
) -> Search:
    """A search ready to run: a new one, or the existing one of `storage`.

    Raises:
        UserError: its block is missing or wrong, or the storage belongs to another search.
    """
    path = user_path(output) if output is not None else default_path(specification.name)
    settings, space = read_search(specification)
    if not any(path.partition(".")[0] in ("problem", "environment") for path in space):
        specification, notes = settled(specification, build(specification, seed=0).problem)
        for note in notes:
            executor.callback.noted(note)
    if storage is not None:
        storage = checked_storage(storage, settings.method)
        if (known := Path(f"{storage}.json")).exists():
            return _joined(specification, known, output, executor)
    seeds = range(settings.seed, settings.seed + settings.sessions)
    more = {
        **import_modules(specification),
        **packages_in(specification.values),
        "kind": "search",
        "search": {
            **asdict(settings),
            "lag": lag_of(executor.capacity, settings.sessions),
            "journal": JOURNAL if storage is None else str(storage),
            "space": specification.block("search")["space"],
        },
    }
    folder = RunFolder.create(path, specification.name, specification.values, sys.argv, seeds, more)
    if storage is not None:
        write_json(Path(f"{storage}.json"), {"run": str(path)})
    journal = path / JOURNAL if storage is None else Path(storage)
    return Search(folder, specification, settings, space, journal, executor)


def _joined(
    specification: Specification, known: Path, output: str | Path | None, executor: Executor
) -> Search:
    """The search that a file beside the storage names, if it has this specification."""
    path = Path(str(read_json(known).get("run", known)))
    if not path.exists():
        raise UserError(
            f"{path}: the storage belongs to this run folder, which is not there; if it was moved: "
            "rl search --resume RUN"
        )
    before = _specification_of(RunFolder.open(path))
    changed = changes(before.values, specification.values)
    if others := [each for each in changed if each != "search.trials"]:
        raise UserError(
            f"{path}: the storage belongs to this search, whose specification is another (in "
            f"{', '.join(others)}); use another --storage"
        )
    if output is not None and user_path(output) != path:
        raise UserError(f"--output: the storage belongs to {path}; leave --output out")
    return resume_search(path, executor, specification.block("search").get("trials"))


def resume_search(path: str | Path, executor: Executor, trials: int | None = None) -> Search:
    """The search in a run folder, ready to resume.

    Args:
        path: of the run folder.
        executor: where sessions run.
        trials: the new maximum number; by default the last one. Trials that have begun are
            finished in any case.

    Raises:
        UserError: there is no search there, its specification was changed, or its journal is gone.
    """
    folder = RunFolder.open(path)
    specification = _specification_of(folder)
    settings, space = read_search(specification)
    journal = _find_journal(folder, settings.method)
    wanted = _set_trials(folder, trials, executor.callback)
    settings = replace(settings, trials=wanted)
    return Search(folder, specification, settings, space, journal, executor)


def _specification_of(folder: RunFolder) -> Specification:
    """The specification of the search in a run folder, unchanged since it began."""
    manifest = folder.read_manifest()
    if manifest.get("kind") != "search":
        raise UserError(f"{folder.path}: is no search; `rl search` makes one")
    specification = read_specifications(folder.spec)[manifest["experiment"]]
    values = specification.values
    if changed := changes(manifest.get("specification", values), values):
        raise UserError(
            f"{folder.spec}: was changed since the search began (in {', '.join(changed)}), and it "
            "goes on as it began; put that back, or begin another with `rl search NAME --spec`"
        )
    return specification


def _set_trials(folder: RunFolder, trials: int | None, callback: Callback) -> int | None:
    """Records the maximum number of trials, if it is given; returns the number to run."""
    manifest = folder.read_manifest()
    search, begun = manifest["search"], len(folder.trials())
    if trials is None:
        trials = search.get("trials")
    elif trials != search.get("trials"):
        write_json(folder.manifest, {**manifest, "search": {**search, "trials": trials}})
        if trials < begun:
            callback.noted(f"{begun} trials have begun, and {trials} are wanted: none is added")
    return None if trials is None else max(trials, begun)


def _find_journal(folder: RunFolder, method: str) -> Path:
    """The file of the study of a search.

    Raises:
        UserError: it is missing, or belongs to another run folder.
    """
    journal = Path(folder.read_manifest()["search"]["journal"])
    inside = folder.path / JOURNAL
    if not journal.is_absolute() or inside.exists():  # earlier versions wrote the old path
        journal = inside
    elif (known := Path(f"{journal}.json")).exists():
        _take_storage(known, folder.path)
    if method in SAMPLERS and folder.trials() and not journal.exists():
        raise UserError(
            f"{journal}: is not there, and has the trials of {folder.path}; put it back"
        )
    return journal


def _take_storage(known: Path, path: Path) -> None:
    """Records the run folder that a storage belongs to, if it was moved.

    Raises:
        UserError: it is still in its place, and this one is a copy.
    """
    before = Path(str(read_json(known).get("run", path)))
    if before == path:
        return
    if before.exists() and not before.samefile(path):
        raise UserError(f"{path}: is a copy; its storage belongs to {before}, which can go on")
    write_json(known, {"run": str(path)})


def lag_of(capacity: int, sessions: int) -> int:
    """The number of trials that run at once: enough to keep all processes busy.

    A method that learns proposes a trial only from the results of trials at least this far back, so
    its proposals do not depend on which session happens to end first.
    """
    return 1 if capacity == 1 else -(-capacity // sessions) + 1
