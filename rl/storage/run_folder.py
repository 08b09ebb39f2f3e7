"""The folder of a run: trials, of one setting each, and their sessions, of one seed each.

Everything that is known about a run later is read from here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nn.checkpoint import naming, sync_folder
from nn.names import suggestion
from rl.errors import UserError, on_disk
from rl.storage.files import (
    is_there,
    make_folder,
    only_one,
    read_json,
    write_json,
    write_specification,
)
from rl.storage.forms import COUNTED, MANIFEST, RESULT, SEARCH_MANIFEST, SUMMARY
from rl.storage.manifest import FORMAT, make_manifest
from rl.storage.paths import as_name, unquoted, user_path
from rl.storage.session_folder import SessionFolder, number_of
from rl.storage.shipped import shipped_file, shipped_names

RUNS = Path("runs")
LOCK = ".lock"
SECONDS_TO_CREATE = 60.0  # in which another process creates or analyzes a shared folder


class TrialFolder:
    """The files of the sessions of one setting, and of their joint result."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.result = path / "trial.json"
        self.spec = path / "spec.yaml"  # of a search's trial; that of a run is the run's
        self.curve = path / "learning_curve.png"

    @property
    def number(self) -> int:
        """Its place among the run's trials."""
        return number_of(self.path)

    def read_result(self) -> dict[str, Any]:
        """The state or the result of a search's trial; empty until it begins.

        Raises:
            UserError: the file is damaged.
        """
        result = read_json(self.result)
        if result:
            result = {"state": "running", "score": None, "parameters": {}, **result}
            form = COUNTED if result.get("counted") else RESULT
            if not (RESULT(result) and form(result)):
                raise UserError(f"{self.result}: is damaged; remove it, and then: rl resume RUN")
        return result

    @property
    def made_elsewhere(self) -> str:
        """Where another machine has run it that shares the search; empty if none has."""
        made = self.read_result().get("made")
        return f"on {made['host']}, in {made['folder']}" if made else ""

    def session(self, number: int) -> SessionFolder:
        """The folder of one session."""
        return SessionFolder(self.path / f"session_{number:03d}")

    def sessions(self) -> list[SessionFolder]:
        """The existing sessions, in order."""
        return [SessionFolder(path) for path in _numbered(self.path, "session")]


class RunFolder:
    """A run on disk: its specification, its manifest, its trials."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.yaml"
        self.manifest = path / "manifest.json"
        self.start = path / "start.npz"  # of a run that starts from a trained agent

    def trial(self, number: int = 0) -> TrialFolder:
        """The folder of one trial."""
        return TrialFolder(self.path / f"trial_{number:03d}")

    def trials(self) -> list[TrialFolder]:
        """The existing trials, in order."""
        return [TrialFolder(path) for path in _numbered(self.path, "trial")]

    def read_summary(self) -> dict[str, Any]:
        """What a search found; empty of any other run.

        Raises:
            UserError: the file is damaged.
        """
        summary = read_json(file := self.path / "search.json")
        if not SUMMARY(summary):
            raise UserError(f"{file}: is damaged; `rl analyze RUN` writes it again")
        return summary

    def best_trial(self) -> int:
        """The number of a search's best trial; 0 of any other run."""
        return self.read_summary().get("best_trial") or 0

    def session(self, trial: int = 0, session: int = 0) -> SessionFolder:
        """The folder of one session."""
        return self.trial(trial).session(session)

    @classmethod
    def create(
        cls,
        path: Path,
        name: str,
        values: Mapping[str, Any],
        command: Sequence[str],
        seeds: Sequence[int],
        more: Mapping[str, Any] | None = None,
        start: Path | None = None,
    ) -> RunFolder:
        """Creates the folder with the specification and the manifest, atomically.

        Args:
            path: of the folder, which must be empty or not exist.
            name: of the experiment.
            values: its specification.
            command: that started it.
            seeds: of the sessions.
            more: further entries of the manifest.
            start: the policy's file that the run starts from, which is copied.

        Raises:
            UserError: it exists or cannot be written.
        """
        path = user_path(path)
        folder = cls(path)
        with on_disk(path, remedy="name another folder with --output"):
            if path.is_dir() and any(each.name != LOCK for each in path.iterdir()):
                raise UserError(
                    f"{path}: is there already; name another folder with --output, or remove it"
                )
            manifest = {**make_manifest(name, seeds, command), "specification": values}
            folder._fill(name, values, {**manifest, **(more or {})}, start)
        return folder

    @classmethod
    def share(cls, path: Path, create: Callable[[], object]) -> RunFolder:
        """The folder of a run that several processes begin: the first one creates it.

        What a killed process has left of it is written anew.

        Args:
            path: of the folder.
            create: creates it there.

        Raises:
            UserError: the folder is another run's, or cannot be written.
        """
        folder = cls(user_path(path))
        with on_disk(folder.path, remedy="name another folder with --output"):
            if not folder.exists:
                make_folder(folder.path)
                with folder.lock(SECONDS_TO_CREATE):
                    if not folder.exists:
                        for file in (folder.manifest, folder.start):
                            file.unlink(missing_ok=True)
                        create()
        return folder

    @property
    def exists(self) -> bool:
        """Returns True if the folder is that of a run."""
        return is_there(self.spec) and is_there(self.manifest)

    def _fill(
        self,
        name: str,
        values: Mapping[str, Any],
        manifest: Mapping[str, Any],
        start: Path | None,
    ) -> None:
        """Writes specification and manifest beside their place, and renames them."""
        path = self.path
        beside = RunFolder(path.with_name(f".{path.name}.{os.getpid()}.tmp"))
        with naming(self.path, beside.path):
            try:
                make_folder(beside.path)
                write_specification(beside.spec, name, values)
                write_json(beside.manifest, manifest)
                if start:
                    shutil.copyfile(start, beside.start)
                if path.is_dir():  # empty; perhaps a working directory
                    if start:
                        beside.start.rename(self.start)
                    beside.manifest.rename(self.manifest)
                    beside.spec.rename(self.spec)
                    sync_folder(path)
                else:
                    beside.path.rename(path)
                    sync_folder(path.parent)
            finally:
                shutil.rmtree(beside.path, ignore_errors=True)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """The run at `path`; the name of an experiment stands for its latest run in `runs`.

        Raises:
            UserError: there is no run there.
        """
        try:
            return cls._open(user_path(path), user_path(RUNS / unquoted(str(path))))
        except OSError as error:  # an unreadable folder within
            raise UserError(f"{path}: cannot be read: {error.strerror}") from None

    @classmethod
    def _open(cls, path: Path, named: Path) -> RunFolder:
        folder = _folder_of(path, named)
        if folder.is_file():
            raise UserError(
                f"{path}: is a file, and this needs the whole run folder; a saved agent alone is "
                "enough for `rl evaluate`, `rl watch`, `rl film` and `rl export`"
            )
        is_name = path.parent == Path.cwd() and not path.exists()
        if is_name and not _is_run(folder) and shipped_file(path.name):
            raise UserError(
                f"{path.name}: no run of it here, and the agent that comes with the lab has no run "
                f"folder, which this needs; `rl run {path.name}` makes one"
            )
        if not folder.is_dir():
            near = suggestion(path.name, shipped_names())
            raise UserError(f"{path}: there is no such run folder; `rl run NAME` makes one{near}")
        run = cls(folder)
        for file in (run.spec, run.manifest):
            if not file.exists():
                raise UserError(f"{folder}: is no run folder: it has no {file.name}")
        return run

    def lock(self, seconds: float = 0.0) -> AbstractContextManager[None]:
        """Within, no other process runs all sessions of this run, extends or analyzes it.

        Args:
            seconds: to wait for another process.

        Raises:
            Busy: another process does.
        """
        return only_one(self.path / LOCK, seconds)

    def read_manifest(self) -> dict[str, Any]:
        """The manifest: what was run, with which seeds and versions.

        Raises:
            UserError: it does not parse, or was written by a newer version.
        """
        manifest = read_json(self.manifest)
        form = manifest.get("format", FORMAT)
        if form != FORMAT:
            raise UserError(f"{self.manifest}: has format {form!r}; this version reads {FORMAT}")
        more = SEARCH_MANIFEST if manifest.get("kind") == "search" else MANIFEST
        if not (MANIFEST(manifest) and more(manifest)):
            raise UserError(f"{self.manifest}: is damaged; the run cannot be read")
        return manifest


def latest_run(path: str | os.PathLike[str]) -> Path | None:
    """The folder at `path`, or of the latest run of the experiment of this name; None without.

    Raises:
        DiskError: a folder cannot be read.
    """
    given = user_path(path)
    with on_disk(given, "read"):
        folder = _folder_of(given, user_path(RUNS / unquoted(os.fspath(path))))
        return folder if given.exists() or _is_run(folder) else None


def _folder_of(path: Path, named: Path) -> Path:
    """The folder that a path or a name stands for; it need not exist."""
    of_environment = RUNS / as_name(str(path))  # a run of the environment that it names
    known = next((each for each in (named, of_environment) if each.is_dir()), path)
    folder = path if path.exists() else known
    return (runs_in(folder) or [folder])[-1]


def _is_run(folder: Path) -> bool:
    return (folder / "manifest.json").exists()


def _numbered(folder: Path, kind: str) -> list[Path]:
    """The existing subfolders KIND_000, KIND_001, ..., in order.

    Raises:
        DiskError: the folder cannot be read.
    """
    found: dict[int, Path] = {}
    with on_disk(folder, "read"), suppress(FileNotFoundError):
        for path in folder.iterdir():
            name, _, number = path.name.rpartition("_")
            if name == kind and number.isdecimal() and path.is_dir():
                found[int(number)] = path
    return [found[number] for number in sorted(found)]


def runs_in(folder: Path) -> list[Path]:
    """The run folders in a folder, in order; none in that of a run."""
    if (folder / "manifest.json").exists() or not folder.is_dir():
        return []
    return sorted(each.parent for each in folder.glob("*/manifest.json"))


def default_path(name: str, now: datetime | None = None) -> Path:
    """runs/NAME/TIMESTAMP, with a number appended if two runs start in one second."""
    base = user_path(RUNS) / name / (now or datetime.now()).strftime("%Y-%m-%d_%H%M%S")
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}_{number}"), number + 1
    return path
