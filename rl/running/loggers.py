"""TensorBoard and Weights & Biases, which receive the rows of a session."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rl.distribution import installing
from rl.errors import UserError
from rl.session.job import Job

Row = tuple[int, dict[str, float]]  # environment steps, and values by "table/column"

SECONDS_BETWEEN_FLUSHES = 5


class Logger:
    """Receives the rows of one session."""

    name: str  # of the package, the extra and the option

    def begin(self, job: Job) -> None:
        """Called once, before any row."""
        raise NotImplementedError

    def log(self, rows: Sequence[Row]) -> None:
        """Receives rows, in the order of their steps."""
        raise NotImplementedError

    def close(self) -> None:
        """Called once, after the last row."""
        raise NotImplementedError


class TensorBoard(Logger):
    """Writes event files into the run folder: tensorboard/session_000, and so on."""

    name = "tensorboard"

    def begin(self, job: Job) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = _run_folder(job) / self.name / job.folder.name
        shutil.rmtree(folder, ignore_errors=True)  # a resumed session passes all rows again
        self._writer = EventFileWriter(str(folder), flush_secs=SECONDS_BETWEEN_FLUSHES)
        self._add(0, hparams_pb(hyper_parameters(job)))

    def log(self, rows: Sequence[Row]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        for step, values in rows:
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
            self._add(step, Summary(value=scalars))

    def _add(self, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases(Logger):
    """A run of the project `rl-lab` for each session; the sessions of a run are a group."""

    name = "wandb"

    def begin(self, job: Job) -> None:
        import wandb

        folder = _run_folder(job)
        self._run = wandb.init(
            project="rl-lab", group=folder.name, name=f"{folder.name}/{job.folder.name}",
            dir=folder, config=hyper_parameters(job),
            reinit="create_new",  # several sessions may run
            settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        self._run.define_metric("*", step_metric="step")

    def log(self, rows: Sequence[Row]) -> None:
        for step, values in rows:
            self._run.log({"step": step, **values})

    def close(self) -> None:
        self._run.finish()


LOGGERS: tuple[type[Logger], ...] = (TensorBoard, WeightsAndBiases)


def require_logger(kind: type[Logger]) -> None:
    """Refuses a logger whose package is missing.

    Raises:
        UserError: it is not installed; the message says how to.
    """
    try:
        importlib.import_module(kind.name)
    except ImportError:
        raise UserError(f"--{kind.name} needs a package: {installing(kind.name)}") from None


def hyper_parameters(job: Job) -> dict[str, Any]:
    """The seed, and the values of the specification by their dotted paths."""
    return {"seed": job.seed, **dict(_dotted(job.specification.values))}


def _dotted(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{path}{key}.")
        else:  # TensorBoard takes numbers, texts, and true or false
            yield f"{path}{key}", value if isinstance(value, (bool, int, float)) else str(value)


def _run_folder(job: Job) -> Path:
    return job.folder.parents[1]
