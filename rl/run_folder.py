"""The folder that a run leaves, and everything that is read from it later."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from nn import checkpoint
from nn.names import suggestion
from nn.typing import State
from rl.errors import UserError

FORMAT = 1
RUNS = Path("runs")
CHECKPOINTS = ("best", "last")

EPISODE_COLUMNS = ("episode", "step", "return", "length", "terminated", "seed")
EVALUATION_COLUMNS = ("step", "episodes", "mean_return", "std_return", "min_return", "max_return",
                      "mean_length", "best")  # fmt: skip


class Table:
    """A CSV file that is written row by row, each flushed."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._columns = columns
        self._file: TextIO = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self.add(dict(zip(columns, columns, strict=True)))

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes one row, with a value for each column."""
        self._writer.writerow([row[column] for column in self._columns])
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_table(path: Path) -> dict[str, list[float]]:
    """The columns of a CSV file of numbers, by name."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        names = next(rows)
        whole = [[float(value) for value in row] for row in rows if len(row) == len(names)]
    return {name: [row[i] for row in whole] for i, name in enumerate(names)}


class SessionFolder:
    """What one session leaves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.episodes = path / "episodes.csv"
        self.updates = path / "updates.csv"
        self.evaluations = path / "evaluations.csv"
        self.outcome = path / "session.json"
        self.curve = path / "curve.png"
        self.checkpoints = path / "checkpoints"

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint "best" or "last" is."""
        return self.checkpoints / f"{name}.npz"

    def write_outcome(self, outcome: Mapping[str, Any]) -> None:
        """Writes how the session ended."""
        self.outcome.write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")

    def read_outcome(self) -> dict[str, Any]:
        """How the session ended; empty while it has not.

        Raises:
            UserError: the file is damaged.
        """
        try:
            return dict(json.loads(self.outcome.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError):
            raise UserError(f"{self.outcome}: is damaged") from None

    def load_checkpoint(self, name: str) -> State:
        """A checkpoint's contents.

        Raises:
            UserError: it is missing or damaged, or there is none of that name.
        """
        if name not in CHECKPOINTS:
            raise UserError(f"unknown checkpoint {name!r}{suggestion(name, CHECKPOINTS)}")
        path = self.checkpoint(name)
        if not path.exists():
            others = [other for other in CHECKPOINTS if self.checkpoint(other).exists()]
            remedy = (
                f"use --checkpoint {others[0]}" if others else "the run saved none; run it again"
            )
            raise UserError(f"{path}: there is no such checkpoint; {remedy}")
        try:
            return checkpoint.load(path)
        except checkpoint.CheckpointError as error:
            raise UserError(f"{error}; use another checkpoint, or run it again") from None


class RunFolder:
    """A run on disk: its specification, its manifest, and its sessions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.yaml"
        self.manifest = path / "manifest.json"

    def session(self, trial: int = 0, session: int = 0) -> SessionFolder:
        """The folder of one session."""
        return SessionFolder(self.path / f"trial_{trial:03d}" / f"session_{session:03d}")

    @classmethod
    def create(
        cls, path: Path, name: str, values: Mapping[str, Any], command: Sequence[str], seed: int
    ) -> RunFolder:
        """Makes the folder with the resolved specification and the manifest.

        Raises:
            UserError: it exists already or cannot be written.
        """
        import yaml

        folder = cls(path)
        if path.is_dir() and any(path.iterdir()):
            raise UserError(
                f"{path}: is there already; name another folder with --output, or remove it"
            )
        try:
            folder.session().checkpoints.mkdir(parents=True)
            text = yaml.safe_dump({name: _plain(values)}, sort_keys=False)
            folder.spec.write_text(text, encoding="utf-8")
            folder.manifest.write_text(json.dumps(_manifest(name, command, seed), indent=2) + "\n")
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """The run at `path`; the name of an experiment stands for its latest run in `runs`.

        Raises:
            UserError: there is no run there.
        """
        folder = Path(path)
        if not folder.exists() and (RUNS / folder).is_dir():
            folder = RUNS / folder
        if not (folder / "manifest.json").exists() and folder.is_dir():
            runs = sorted(each.parent for each in folder.glob("*/manifest.json"))
            folder = runs[-1] if runs else folder
        if not folder.is_dir():
            raise UserError(f"{path}: there is no such run folder; `rl run NAME` makes one")
        run = cls(folder)
        for file in (run.spec, run.manifest):
            if not file.exists():
                raise UserError(f"{folder}: is no run folder: it has no {file.name}")
        return run

    def read_manifest(self) -> dict[str, Any]:
        """What was run, with which seeds and versions.

        Raises:
            UserError: it does not parse, or was written by a newer version.
        """
        try:
            manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
            name, form = manifest["experiment"], manifest["format"]
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{self.manifest}: is damaged; the run cannot be read") from None
        if form != FORMAT or not isinstance(name, str):
            raise UserError(f"{self.manifest}: has format {form!r}; this version reads {FORMAT}")
        return dict(manifest)


def default_path(name: str, now: datetime | None = None) -> Path:
    """runs/NAME/TIMESTAMP, with a number behind it where two runs start in one second."""
    base = RUNS / name / (now or datetime.now()).strftime("%Y-%m-%d_%H%M%S")
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}_{number}"), number + 1
    return path


def _plain(values: Any) -> Any:
    """The same with lists for tuples, which YAML has not."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    return [_plain(value) for value in values] if isinstance(values, (list, tuple)) else values


def _manifest(name: str, command: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "experiment": name,
        "command": list(command),
        "seeds": [seed],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{package: _version(package) for package in ("numpy", "gymnasium", "rl-lab")},
        },
        "platform": platform.platform(),
        "processor": platform.machine(),
        "executable": sys.executable,
        "git_commit": _git_commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of this project's checkout, or None where it is installed without one."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
