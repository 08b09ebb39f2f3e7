"""The tables of a session: its episodes, updates and evaluations, and metrics of callbacks."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError, sync_folder
from nn.typing import State
from rl.agents import Agent
from rl.environments import Episode
from rl.errors import UserError, brief, on_disk
from rl.session.evaluation import Evaluation
from rl.session.progress import Progress
from rl.storage.files import Table, is_there, make_folder
from rl.storage.run_folder import (
    EPISODE_COLUMNS,
    EVALUATION_COLUMNS,
    METRIC_COLUMNS,
    METRICS,
    SessionFolder,
)

# The columns of the tables; those of the updates are the agent's.
TABLES = {"episodes": EPISODE_COLUMNS, "updates": (), "evaluations": EVALUATION_COLUMNS}

UPDATES_A_ROW = 100
ROWS = 200  # of updates at least, where there are as many updates
MOST_METRICS = 200  # of callbacks; each has a file that is open
_METRIC = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")  # it becomes the path of a file
_LONGEST = 100  # characters of a metric's name


class Recorder:
    """Writes the rows of a session as it learns.

    An update has a row if it is the hundredth since the last that a multiple of 100 had, or if a
    200th of all steps has passed since the latest row.

    Args:
        folder: of the session.
        agent: whose updates they are.
        steps: of the whole session.
    """

    def __init__(self, folder: SessionFolder, agent: Agent, steps: int) -> None:
        self._folder, self._agent, self._steps_a_row = folder, agent, steps // ROWS
        self._next_update, self._next_step = UPDATES_A_ROW, self._steps_a_row
        self._recorded = 0  # updates at the latest row
        self._tables: dict[str, Table] = {}
        self._kept = dict.fromkeys(TABLES, 0)  # bytes of each table that is there already
        self._files = ExitStack()

    def open(self) -> None:
        """Opens the tables, each behind the rows that it is to keep.

        Raises:
            OSError: one cannot be written.
        """
        columns = {**TABLES, "updates": ("step", "update", *self._agent.metric_names)}
        for name in TABLES:
            table = Table(self._folder.table(name), columns[name], self._kept[name])
            self._tables[name] = table
            self._files.callback(table.close)
        for metric in self._folder.metrics():  # of before; what has come since the checkpoint goes
            if f"{METRICS}/{metric}" in self._kept:
                self._open_metric(metric)
            else:
                self._folder.metric(metric).unlink()

    def _open_metric(self, name: str) -> Table:
        path, key = self._folder.metric(name), f"{METRICS}/{name}"
        make_folder(path.parent)
        table = self._tables[key] = Table(path, METRIC_COLUMNS, self._kept.get(key, 0))
        self._files.callback(table.close)
        sync_folder(path.parent)
        return table

    def close(self) -> None:
        """Closes those that are open."""
        self._files.close()
        self._tables.clear()

    def sync(self) -> None:
        """Sees to it that the rows so far outlast a power cut."""
        for table in list(self._tables.values()):  # of another thread: it may grow meanwhile
            table.sync()

    def episode(self, episode: Episode, progress: Progress) -> None:
        """Adds an episode."""
        progress.episodes += 1
        progress.recent.append(episode.total)
        self._tables["episodes"].add(
            {
                "episode": progress.episodes,
                "step": progress.step,
                "return": episode.total,
                "length": episode.length,
                "terminated": int(episode.terminated),
                "seed": episode.seed,
            }
        )

    def updates(self, progress: Progress) -> None:
        """Adds the metrics of the agent's latest update, if it has a row."""
        updates, step = self._agent.updates, progress.step
        is_late = updates > self._recorded and step >= self._next_step
        if updates < self._next_update and not is_late:
            return
        self._recorded, self._next_step = updates, step + self._steps_a_row
        self._next_update = updates - updates % UPDATES_A_ROW + UPDATES_A_ROW
        progress.metrics = self._agent.metrics()
        self._tables["updates"].add({"step": step, "update": updates, **progress.metrics})

    def metric(self, name: Any, value: Any, step: int) -> None:
        """Adds a value of a callback's metric.

        Raises:
            UserError: the name or the value does not fit, or the tables are not open.
        """
        number, table = _number(name, value), self._tables.get(f"{METRICS}/{name}")
        with on_disk(self._folder.path):
            if table is None:
                self._check_new(name)
                table = self._open_metric(name)
            table.add({"step": step, "value": number})

    def _check_new(self, name: Any) -> None:
        """Refuses a name that no further metric can have."""
        if not self._tables:
            raise UserError(f"metric {brief(name)}: is logged while no session runs")
        if not isinstance(name, str) or not _METRIC.fullmatch(name) or len(name) > _LONGEST:
            raise UserError(
                f"metric {brief(name)}: a name is up to {_LONGEST} letters, digits, '_', '-', '.', "
                "and '/' between them"
            )
        if name.lower() == "step":
            raise UserError(f"metric {name!r}: is the name of a column; use another")
        metrics = [key.partition("/")[2] for key in self._tables if key.startswith(f"{METRICS}/")]
        if alike := next((each for each in metrics if each.lower() == name.lower()), None):
            raise UserError(f"metric {name!r}: differs from {alike!r} by case alone; use one")
        if len(metrics) >= MOST_METRICS:
            raise UserError(f"metric {name!r}: there are {MOST_METRICS} already, and no more fit")

    def evaluation(self, result: Evaluation, step: int, is_best: bool) -> None:
        """Adds an evaluation."""
        row = {"step": step, "best": int(is_best), **result.summary()}
        self._tables["evaluations"].add(row)

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each table so far, by keys that a checkpoint takes."""
        return {_key(name): table.size for name, table in self._tables.items()}

    def check(self, sizes: dict[str, int]) -> None:
        """Raises a `CheckpointError` if a table lacks rows that a checkpoint relies on."""
        for key, size in sizes.items():
            path = self._folder.table(_name(key))
            if not is_there(path):
                raise CheckpointError(f"{path}: is missing")
            if path.stat().st_size < size:
                raise CheckpointError(f"{path}: is shorter than the checkpoint says", path)

    def state(self) -> State:
        """What `restore` needs beside the sizes."""
        steps = {"row": self._next_update, "row_step": self._next_step}
        return {**steps, "recorded": self._recorded}

    def restore(self, state: State, sizes: dict[str, int]) -> None:
        """Takes over a saved state; call it before `open`."""
        self._next_update, self._next_step = state["row"], state["row_step"]
        self._recorded = state["recorded"]
        self._kept = {_name(key): size for key, size in sizes.items()}


def _key(name: str) -> str:
    """A table's key in a checkpoint, which has no slash and does not end in ".npy"."""
    return name.replace("/", ":") + ":" if "/" in name else name


def _name(key: str) -> str:
    return key.removesuffix(":").replace(":", "/")


def _number(name: Any, value: Any) -> float:
    """The value of a metric: any real number, or an array of one; nan and inf are numbers too.

    Raises:
        UserError: it is something else.
    """
    array = np.asarray(value) if isinstance(value, (int, float, np.generic, np.ndarray)) else None
    if array is None or array.size != 1 or array.dtype.kind not in "biuf":
        raise UserError(f"metric {brief(name)}: must be a number, not {brief(value)}")
    return float(array.reshape(-1)[0])
