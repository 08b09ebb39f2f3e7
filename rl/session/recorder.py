"""The tables of a session: its episodes, updates and evaluations, and metrics of callbacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError, open_regular, sync_folder
from nn.typing import State
from rl.agents import Agent
from rl.environments import Episode
from rl.errors import UserError, brief, on_disk
from rl.session.evaluation import Evaluation
from rl.session.longer import UPDATES_A_ROW, Row, next_hundred, read_history, thinned
from rl.session.progress import Progress
from rl.storage.files import Table, is_there, make_folder
from rl.storage.session_folder import (
    EPISODE_COLUMNS,
    EVALUATION_COLUMNS,
    METRIC_COLUMNS,
    METRICS,
    SessionFolder,
)

# The columns of the tables; those of the updates are the agent's.
TABLES = {"episodes": EPISODE_COLUMNS, "updates": (), "evaluations": EVALUATION_COLUMNS}
HISTORY = "history"  # the rows of updates that a longer session may have

ROWS = 200  # of updates at least, where there are as many updates
MOST_METRICS = 200  # of callbacks; each has a file that is open
_METRIC = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")  # it becomes the path of a file
_LONGEST = 100  # characters of a metric's name


class Recorder:
    """Writes the rows of a session as it learns.

    An update has a row if it is the hundredth since the last that a multiple of 100 had, or if a
    200th of all steps has passed since the latest row; where the steps are not known, if an episode
    has ended since then.

    Args:
        folder: of the session.
        agent: whose updates they are.
        steps: of the whole session; None if only its episodes are counted.
    """

    def __init__(self, folder: SessionFolder, agent: Agent, steps: int | None) -> None:
        self._folder, self._agent = folder, agent
        self._counts_steps = steps is not None
        self._interval = 1 if steps is None else steps // ROWS  # steps, or episodes
        self._next_update, self._next_place = UPDATES_A_ROW, self._interval
        self._recorded = 0  # updates at the latest row
        self._hundredth = self._noted = self._noted_episodes = 0  # of the history
        self._is_whole = True  # the history, from the first update on
        self._tables: dict[str, Table] = {}
        self._names = [*TABLES, *([HISTORY] if self._counts_steps else [])]
        self._kept = dict.fromkeys(self._names, 0)  # bytes of each table that is there already
        self._first: Sequence[Row] = ()  # of the updates, where all are written anew
        self._files = ExitStack()

    def _path(self, name: str) -> Path:
        is_history = name == HISTORY
        return self._folder.resume / "updates.csv" if is_history else self._folder.table(name)

    def open(self) -> None:
        """Opens the tables, each behind the rows that it is to keep.

        Raises:
            OSError: one cannot be written.
        """
        updates = ("step", "update", *self._agent.metric_names)
        for name in self._names:
            columns = TABLES.get(name) or updates
            self._tables[name] = table = Table(self._path(name), columns, self._kept[name])
            self._files.callback(table.close)
        for row in self._first:
            self._tables["updates"].add(row)
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
        updates, step, episodes = self._agent.updates, progress.step, progress.episodes
        place = step if self._counts_steps else episodes
        is_hundredth = updates >= self._next_update
        is_due = is_hundredth or (updates > self._recorded and place >= self._next_place)
        is_noted = self._counts_steps and (
            is_hundredth or (step >= self._hundredth + self._interval and self._is_new(progress))
        )
        if not (is_due or is_noted):
            return
        metrics = self._agent.metrics()
        row = {"step": step, "update": updates, **metrics}
        if is_noted:
            self._tables[HISTORY].add(row)
            self._noted, self._noted_episodes = updates, episodes
        if is_hundredth:
            self._hundredth = step
        if is_due:
            self._recorded, self._next_place = updates, place + self._interval
            self._next_update = next_hundred(updates)
            progress.metrics = metrics
            self._tables["updates"].add(row)

    def _is_new(self, progress: Progress) -> bool:
        """Whether the agent's metrics may have changed, but by a schedule, since the last note."""
        ended = self._agent.follows_returns and progress.episodes > self._noted_episodes
        return self._agent.updates > self._noted or ended

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
            path = self._path(_name(key))
            if not is_there(path):
                raise CheckpointError(f"{path}: is missing")
            if path.stat().st_size < size:
                raise CheckpointError(f"{path}: is shorter than the checkpoint says", path)

    def state(self) -> State:
        """What `restore` needs beside the sizes."""
        return {
            "row": self._next_update,
            "row_step": self._next_place,
            "recorded": self._recorded,
            "history": {
                "hundredth": self._hundredth,
                "noted": self._noted,
                "noted_episodes": self._noted_episodes,
                "whole": self._is_whole,
            },
        }

    def restore(self, state: State, sizes: dict[str, int]) -> None:
        """Takes over a saved state; call it before `open`."""
        self._next_update, self._next_place = state["row"], state["row_step"]
        self._recorded = state["recorded"]
        self._kept |= {_name(key): size for key, size in sizes.items()}
        history = state.get("history", {"whole": False})  # of an earlier version
        self._is_whole = history["whole"]
        if self._is_whole:
            self._hundredth, self._noted = history["hundredth"], history["noted"]
            self._noted_episodes = history["noted_episodes"]

    @property
    def is_whole(self) -> bool:
        """Whether the session can be made longer."""
        return self._is_whole

    def lengthen(self, step: int, lanes: int) -> None:
        """Writes the updates anew, as they are in a session of more steps; call it after `restore`.

        Args:
            step: that the session is at.
            lanes: environments stepped together.
        """
        if not self._counts_steps:
            return
        with open_regular(self._path(HISTORY)) as file:
            content = file.read(self._kept[HISTORY])
        self._first, state = thinned(read_history(content), self._interval, lanes, step, self._at)
        self._next_update, self._next_place = state["row"], state["row_step"]
        self._recorded, self._kept["updates"] = state["recorded"], 0

    def _at(self, row: Row, step: int) -> Row:
        return self._agent.metrics_at({**row, "step": step}, step)


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
