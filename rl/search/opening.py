"""Starting a search, joining one that other processes run, and resuming one."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rl.errors import UserError
from rl.proposing import METHODS
from rl.running.executors import Executor
from rl.search.claims import Claims
from rl.search.driver import Search
from rl.search.members import Members, find_folder
from rl.search.optuna_methods import SAMPLERS, require_optuna
from rl.search.servers import Server, server
from rl.search.settings import SearchSettings, read_search
from rl.search.storages import Journal, Storage, checked_journal
from rl.session.callback import Callback
from rl.specification.build import build
from rl.specification.changes import changes
from rl.specification.environment import import_modules
from rl.specification.packages import packages_in
from rl.specification.repeats import settled
from rl.specification.specification import Specification, read_specifications
from rl.storage.files import write_json
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, default_path
from rl.storage.urls import is_url

JOURNAL = "study.journal"  # without --storage
ABOUT = "search"  # the attribute of a server's study that says what is searched


def start_search(
    specification: Specification,
    output: str | Path | None,
    storage: str | Path | None,
    executor: Executor,
    study: str | None = None,
) -> Search:
    """A search ready to run: a new one, or the existing one of `storage`.

    Args:
        specification: with a `search` block.
        output: the run folder; by default it is named by the experiment and the time.
        storage: a file or the URL of a server, by which processes share the search.
        executor: where sessions run.
        study: the search's name on a server; by default that of the experiment.

    Raises:
        UserError: its block is missing or wrong, the storage belongs to another search, or cannot
            be reached.
    """
    path = user_path(output) if output is not None else default_path(specification.name)
    settings, space = read_search(specification)
    if specification.note:
        executor.callback.noted(specification.note)
    if not any(path.partition(".")[0] in ("problem", "environment") for path in space):
        specification, notes = settled(specification, build(specification, seed=0).problem)
        for note in notes:
            executor.callback.noted(note)
    place = None if storage is None else _place(storage, study or specification.name)
    if study is not None and not isinstance(place, Server):
        raise UserError("--study: names a search on a server; it needs --storage URL")
    if place is not None and METHODS[settings.method].learns and settings.method not in SAMPLERS:
        raise UserError(
            f"--storage: several processes cannot share a search by {settings.method}; leave it "
            "out, and give several --jobs"
        )
    opening = _Opening(specification, settings, path, output is not None, executor)
    if place is None:
        inside = settings.method in SAMPLERS
        return opening.search(opening.create(), Journal(path / JOURNAL) if inside else None)
    if isinstance(place, Server):
        return opening.on_server(place)
    assert isinstance(place, Journal)
    return opening.with_journal(place)


def _place(storage: str | Path, study: str) -> Storage:
    """What `--storage` names."""
    require_optuna("--storage")
    if isinstance(storage, str) and is_url(storage):
        return server(storage, study)
    return checked_journal(storage)


class _Opening:
    """A search that is started, or joined if its storage has it already.

    Args:
        specification: of the search.
        settings: of its block.
        path: of a new run folder.
        is_given: whether the user has named that.
        executor: where sessions run.
    """

    def __init__(
        self,
        specification: Specification,
        settings: SearchSettings,
        path: Path,
        is_given: bool,
        executor: Executor,
    ) -> None:
        self.specification, self.settings = specification, settings
        self.path, self.is_given, self.executor = path, is_given, executor

    def search(self, folder: RunFolder, storage: Storage | None) -> Search:
        """The search in a new folder."""
        _, space = read_search(self.specification)
        return Search(folder, self.specification, self.settings, space, storage, self.executor)

    def create(self, **more: str) -> RunFolder:
        """A new run folder.

        Args:
            more: further entries of the search in the manifest.
        """
        settings, specification = self.settings, self.specification
        seeds = range(settings.seed, settings.seed + settings.sessions)
        search = {
            **asdict(settings),
            "lag": lag_of(self.executor.capacity, settings.sessions),
            "journal": JOURNAL,
            "space": specification.block("search")["space"],
            **more,
        }
        entries = {
            **import_modules(specification),
            **packages_in(specification.values),
            "kind": "search",
            "search": search,
        }
        name, values = specification.name, specification.values
        return RunFolder.create(self.path, name, values, sys.argv, seeds, entries)

    def with_journal(self, journal: Journal) -> Search:
        """The search of a journal: one process begins it, the others join."""
        with journal.exclusive():
            run = journal.run
            if run is None or not (run.exists() or journal.has_trials):
                id = uuid.uuid4().hex
                journal.give_to(self.path, id)  # first: whoever is killed now leaves no second run
                place = journal.place_from(self.path)
                folder = self.create(journal=place, storage=journal.name, id=id)
                return self.search(folder, journal)
        return self._join(journal, run)

    def _join(self, journal: Journal, path: Path) -> Search:
        if not path.exists():
            raise UserError(
                f"{path}: the storage belongs to this run folder, which is not there; if it was "
                "moved: rl search --resume RUN"
            )
        self._check(path, _specification_of(RunFolder.open(path)).values)
        if self.is_given and not (self.path.exists() and self.path.samefile(path)):
            raise UserError(f"--output: the storage belongs to {path}; leave --output out")
        return self._resume(path)

    def _resume(self, path: Path, storage: Storage | None = None) -> Search:
        trials = self.specification.block("search").get("trials")
        return resume_search(path, self.executor, trials, storage)

    def _check(self, place: str | Path, before: Mapping[str, Any]) -> None:
        """Refuses to join a search of another specification."""
        changed = changes(before, self.specification.values)
        if others := [each for each in changed if each != "search.trials"]:
            raise UserError(
                f"{place}: the storage belongs to this search, whose specification is another (in "
                f"{', '.join(others)}); use another --storage"
            )

    def on_server(self, place: Server) -> Search:
        """The search of a server, in a run folder of this machine."""
        with place.exclusive():
            study = place.open()
            about = study.user_attrs.get(ABOUT)
            if about is not None:
                self._check(f"{place.name}, study {place.study}", about["specification"])
            found = find_folder(study, self.path if self.is_given else None)
            if found is None:
                member = uuid.uuid4().hex
                found = self.create(journal=place.name, study=place.study, member=member)
                Members(found).announce(study)
                if about is None:
                    study.set_user_attr(ABOUT, {"specification": self.specification.values})
                return self.search(found, place)
        return self._resume(found.path, place)


def resume_search(
    path: str | Path,
    executor: Executor,
    trials: int | None = None,
    storage: Storage | str | Path | None = None,
) -> Search:
    """The search in a run folder, ready to resume.

    Args:
        path: of the run folder.
        executor: where sessions run.
        trials: the new maximum number; by default the last one. Trials that have begun are
            finished in any case.
        storage: where its study is now; by default where it was.

    Raises:
        UserError: there is no search there, its specification was changed, or its study is gone.
    """
    folder = RunFolder.open(path)
    specification = _specification_of(folder)
    settings, space = read_search(specification)
    if not isinstance(storage, Storage):
        storage = find_storage(folder, settings.method, storage, executor.callback)
    with Claims(folder, again=True).alone():
        wanted = _set_trials(folder, trials, executor.callback)
    settings = replace(settings, trials=wanted)
    return Search(folder, specification, settings, space, storage, executor)


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


def find_storage(
    folder: RunFolder, method: str, given: str | Path | None, callback: Callback
) -> Storage | None:
    """Where the study of a search is; None if it has none.

    Raises:
        UserError: it is missing, or belongs to another search.
    """
    search = folder.read_manifest()["search"]
    place = str(given or search["journal"])
    if is_url(place):
        require_optuna("--storage")
        found = server(place, search.get("study", ""))
        found.open()  # before anything is changed
        return found
    inside = Journal(folder.path / JOURNAL)
    if not given and (inside.path.exists() or place == JOURNAL):
        return inside if inside.path.exists() or method in SAMPLERS else None
    if not given and "storage" not in search and method not in SAMPLERS:
        return None  # of an earlier version, which wrote where a journal would be
    return _attached(folder, _named(folder, search, given), callback)


def _named(folder: RunFolder, search: Mapping[str, Any], given: str | Path | None) -> Journal:
    """The journal that was named by --storage.

    Relative to the folder it is found where a share is mounted elsewhere; if only the folder was
    moved, it is where it was.
    """
    places = [folder.path / search["journal"], Path(search.get("storage", search["journal"]))]
    paths = [user_path(given)] if given else places
    journals = [Journal(Path(os.path.realpath(path))) for path in paths]
    for journal in journals:
        is_there = journal.path.exists() or not folder.trials()
        if is_there and journal.belongs_to(search.get("id", "")):
            return journal
    wanted = journals[0]
    if not search.get("id") and wanted.path.exists() and wanted.run is None:
        return wanted  # of an earlier version
    if wanted.path.exists():
        raise UserError(f"{wanted.path}: is not that of the search in {folder.path}")
    raise UserError(
        f"{wanted.path}: is not there, and has the trials of {folder.path}; put it back, "
        "or say where it is: rl search --resume RUN --storage FILE"
    )


def _attached(folder: RunFolder, journal: Journal, callback: Callback) -> Journal:
    """The journal of a folder that may have been moved; a copy gets one of its own."""
    run, path = journal.run, folder.path
    manifest = folder.read_manifest()
    search = dict(manifest["search"])
    if run and run.exists() and not run.samefile(path):
        callback.noted(f"{path}: is a copy of {run}, and goes on with a journal of its own")
        journal.copy_to(path / JOURNAL)
        journal = Journal(path / JOURNAL)
        search["journal"] = JOURNAL
    else:
        if run and not run.exists():
            journal.give_to(path, search.get("id", ""))
        search |= {"journal": journal.place_from(path), "storage": journal.name}
    if search != manifest["search"]:
        write_json(folder.manifest, {**manifest, "search": search})
    return journal


def lag_of(capacity: int, sessions: int) -> int:
    """The number of trials that run at once: enough to keep all processes busy.

    A method that learns proposes a trial only from the results of trials at least this far back, so
    its proposals do not depend on which session happens to end first.
    """
    return 1 if capacity == 1 else -(-capacity // sessions) + 1
