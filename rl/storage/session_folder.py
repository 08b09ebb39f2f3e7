"""The folder of a session: its tables, its outcome and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from nn import checkpoint
from nn.names import suggestion
from nn.typing import State
from rl.errors import UserError, on_disk
from rl.storage.files import is_held, is_there, make_folder, only_one, read_json, write_json
from rl.storage.forms import CHECKPOINT, EVALUATED, NOTED, OUTCOME

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
        self._noted = self.resume / "machines.json"  # of a session that has not ended

    @property
    def number(self) -> int:
        """Its place among the trial's sessions."""
        return number_of(self.path)

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
        """Returns True if a process is known to write here."""
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
    def machines(self) -> list[dict[str, Any]]:
        """The machines that it has run on, one after the other; the latest comes last.

        Raises:
            UserError: a file is damaged.
        """
        noted = read_json(self._noted)
        if noted and not NOTED(noted):
            raise UserError(f"{self._noted}: is damaged; remove it")
        return list(noted["machines"] if noted else self.read_outcome().get("ran_on", ()))

    def note_machine(self, machine: Mapping[str, Any]) -> None:
        """Adds a machine, unless it is the latest one; this outlives the process."""
        if (before := self.machines)[-1:] != [machine]:
            write_json(self._noted, {"machines": [*before, machine]})

    def forget_noted(self) -> None:
        """Removes the file of machines, which the outcome has now."""
        self._noted.unlink(missing_ok=True)

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
                f"those of the session are {', '.join(others)}"
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


def is_over(outcome: Mapping[str, Any]) -> bool:
    """Returns True if a session was evaluated, diverged, was pruned or failed."""
    return has_ended(outcome) or outcome.get("status") in ("pruned", "failed")


def is_unfinished(outcome: Mapping[str, Any]) -> bool:
    """Returns True if a session failed by an outside cause and can resume.

    Its process was killed, say, or the disk was full. Earlier versions gave only the reason.
    """
    return bool(outcome.get("unfinished")) or str(outcome.get("reason", "")).startswith(DIED)


def number_of(path: Path) -> int:
    """The number after the last underscore of a folder's name."""
    return int(path.name.rpartition("_")[2])
