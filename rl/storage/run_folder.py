"""The folder of a run: trials, of one setting each, and their sessions, of one seed each.

Everything that is known about a run later is read from here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nn import checkpoint
from nn.checkpoint import naming, sync_folder
from nn.names import suggestion
from nn.typing import State
from rl.errors import UserError, on_disk
from rl.storage.files import (
    is_held,
    is_there,
    make_folder,
    only_one,
    read_json,
    write_json,
    write_specification,
)
from rl.storage.forms import (
    CHECKPOINT,
    COUNTED,
    EVALUATED,
    MANIFEST,
    OUTCOME,
    RESULT,
    SEARCH_MANIFEST,
    SUMMARY,
)
from rl.storage.manifest import FORMAT, make_manifest
from rl.storage.paths import as_name, unquoted, user_path

RUNS = Path("runs")
CHECKPOINTS = ("best", "last")
DIED = "its process ended"  # begins the reason of a session whose process was killed or crashed
SECONDS_TO_WAIT = 10.0  # within which a session whose parent was killed ends

EPISODE_COLUMNS = ("episode", "step", "return", "length", "terminated", "seed")
EVALUATION_COLUMNS = ("step", "episodes", "mean_return", "std_return", "min_return", "max_return",
                      "mean_length", "best")  # fmt: skip
METRICS = "metrics"  # the folder of the tables of metrics that callbacks have logged
METRIC_COLUMNS = ("step", "value")


class SessionFolder:
    """The files of one session."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.episodes = self.table("episodes")
        self.updates = self.table("updates")
        self.evaluations = self.table("evaluations")
        self.outcome = path / "session.json"
        self.traceback = path / "traceback.txt"
        self.curve = path / "curve.png"
        self.film = path / "film.gif"
        self.checkpoints = path / "checkpoints"
        self._stages = self.checkpoints / "stages"
        self.resume = path / "resume"  # what an interrupted session needs to resume

    @property
    def number(self) -> int:
        """Its place among the trial's sessions."""
        return _number(self.path)

    def table(self, name: str) -> Path:
        """The file of "episodes", "updates" or "evaluations"."""
        return self.path / f"{name}.csv"

    def metric(self, name: str) -> Path:
        """Where the rows of a metric are that a callback has logged."""
        return self.table(f"{METRICS}/{name}")

    def metrics(self) -> list[str]:
        """The names of the metrics that callbacks have logged, in order."""
        folder = self.path / METRICS
        files = sorted(folder.rglob("*.csv")) if folder.is_dir() else []
        return [file.relative_to(folder).with_suffix("").as_posix() for file in files]

    def checkpoint(self, name: str) -> Path:
        """The file of the checkpoint "best" or "last", or of a stage, named by its step."""
        return (self._stages if name.isdecimal() else self.checkpoints) / f"{name}.npz"

    def stages(self) -> list[int]:
        """The steps of the stages that were kept, in order.

        Raises:
            DiskError: their folder cannot be read.
        """
        with on_disk(self._stages, "read"), suppress(FileNotFoundError):
            paths = [path for path in self._stages.iterdir() if path.suffix == ".npz"]
            return sorted(int(path.stem) for path in paths if path.stem.isdecimal())
        return []

    def create(self) -> None:
        """Creates the folders."""
        for folder in (self._stages, self.resume):
            make_folder(folder)

    def clean(self) -> None:
        """Removes the partial files of a killed process; the lock must be held."""
        for path in self.path.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def lock(self) -> AbstractContextManager[None]:
        """Within, no other process writes here; waits for one that is about to end.

        Raises:
            UserError: another process goes on.
        """
        return only_one(self.path / ".lock", SECONDS_TO_WAIT)

    @property
    def is_locked(self) -> bool:
        """Returns True if a process of this machine is known to write here."""
        return is_held(self.path / ".lock")

    def write_outcome(self, outcome: Mapping[str, Any]) -> None:
        """Writes the outcome of the session."""
        write_json(self.outcome, outcome)

    def read_outcome(self) -> dict[str, Any]:
        """The outcome of the session; empty until it has ended.

        Raises:
            UserError: the file is damaged.
        """
        outcome = read_json(self.outcome)
        form = EVALUATED if "evaluation" in outcome else OUTCOME
        if is_there(self.outcome) and not (OUTCOME(outcome) and form(outcome)):
            raise UserError(f"{self.outcome}: is damaged; remove it, and `rl resume` runs it again")
        return outcome

    @property
    def has_ended(self) -> bool:
        """Returns True if nothing is left to do."""
        return has_ended(self.read_outcome())

    def has_checkpoint(self, name: str) -> bool:
        """Returns True if the checkpoint exists.

        Raises:
            DiskError: the disk fails.
        """
        with on_disk(self.checkpoint(name), "read"):
            return is_there(self.checkpoint(name))

    @property
    def default_checkpoint(self) -> str:
        """The best checkpoint's name, or the last one's where there is no best.

        Raises:
            DiskError: the disk fails.
        """
        return "best" if self.has_checkpoint("best") else "last"

    def load_checkpoint(self, name: str) -> State:
        """A checkpoint's contents.

        Args:
            name: "best", "last", or the step of a stage.

        Raises:
            DiskError: it cannot be read.
            UserError: it is missing or damaged, or there is none of that name.
        """
        if name not in CHECKPOINTS and not name.isdecimal():
            raise UserError(f"unknown checkpoint {name!r}{suggestion(name, CHECKPOINTS)}")
        path = self.checkpoint(name)
        if not self.has_checkpoint(name):
            others = [other for other in CHECKPOINTS if self.has_checkpoint(other)]
            others += map(str, self.stages())
            remedy = (
                f"use --checkpoint {' or '.join(others)}"
                if others
                else "the run saved none; run it again"
            )
            raise UserError(f"{path}: there is no such checkpoint; {remedy}")
        return load_policy(path)


def load_policy(path: Path) -> State:
    """What a file of a policy holds.

    Raises:
        DiskError: it cannot be read.
        UserError: it is missing or damaged.
    """
    try:
        with on_disk(path, "read"):
            state = checkpoint.load(path)
        if not CHECKPOINT(state):
            raise checkpoint.CheckpointError(f"{path}: is intact, but holds no policy of this lab")
        return state
    except checkpoint.CheckpointError as error:
        raise UserError(f"{error}; use another checkpoint, or run it again") from None


def has_ended(outcome: Mapping[str, Any]) -> bool:
    """Returns True if a session is over: it was evaluated, or its numbers were not finite."""
    return "evaluation" in outcome or outcome.get("status") == "diverged"


def is_unfinished(outcome: Mapping[str, Any]) -> bool:
    """Returns True if a session failed by an outside cause and can resume.

    Its process was killed, say, or the disk was full. Earlier versions gave only the reason.
    """
    return bool(outcome.get("unfinished")) or str(outcome.get("reason", "")).startswith(DIED)


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
        return _number(self.path)

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
            if path.is_dir() and any(path.iterdir()):
                raise UserError(
                    f"{path}: is there already; name another folder with --output, or remove it"
                )
            manifest = {**make_manifest(name, seeds, command), "specification": values}
            folder._fill(name, values, {**manifest, **(more or {})}, start)
        return folder

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
        of_environment = RUNS / as_name(str(path))  # a run of the environment that it names
        known = next((each for each in (named, of_environment) if each.is_dir()), path)
        folder = path if path.exists() else known
        if not (folder / "manifest.json").exists() and folder.is_dir():
            runs = sorted(each.parent for each in folder.glob("*/manifest.json"))
            folder = runs[-1] if runs else folder
        if folder.is_file():
            raise UserError(
                f"{path}: is a file, and this needs the whole run folder; a saved agent alone is "
                "enough for `rl evaluate`, `rl watch`, `rl film` and `rl export`"
            )
        if not folder.is_dir():
            raise UserError(f"{path}: there is no such run folder; `rl run NAME` makes one")
        run = cls(folder)
        for file in (run.spec, run.manifest):
            if not file.exists():
                raise UserError(f"{folder}: is no run folder: it has no {file.name}")
        return run

    def lock(self) -> AbstractContextManager[None]:
        """Within, no other process runs sessions of this run.

        Raises:
            UserError: another process does.
        """
        return only_one(self.path / ".lock")

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


def _number(path: Path) -> int:
    """The number after the last underscore."""
    return int(path.name.rpartition("_")[2])


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


def default_path(name: str, now: datetime | None = None) -> Path:
    """runs/NAME/TIMESTAMP, with a number appended if two runs start in one second."""
    base = user_path(RUNS) / name / (now or datetime.now()).strftime("%Y-%m-%d_%H%M%S")
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}_{number}"), number + 1
    return path
