"""The tables of a session: its episodes, updates and evaluations."""

from __future__ import annotations

from contextlib import ExitStack

from nn.checkpoint import CheckpointError
from nn.typing import State
from rl.agents import Agent
from rl.environments import Episode
from rl.session.evaluation import Evaluation
from rl.session.progress import Progress
from rl.storage.files import Table, is_there
from rl.storage.run_folder import EPISODE_COLUMNS, EVALUATION_COLUMNS, SessionFolder

# The columns of the tables; those of the updates are the agent's.
TABLES = {"episodes": EPISODE_COLUMNS, "updates": (), "evaluations": EVALUATION_COLUMNS}

UPDATES_A_ROW = 100
ROWS = 200  # of updates at least, where there are as many updates


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

    def close(self) -> None:
        """Closes those that are open."""
        self._files.close()

    def sync(self) -> None:
        """Sees to it that the rows so far outlast a power cut."""
        for table in self._tables.values():
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

    def evaluation(self, result: Evaluation, step: int, is_best: bool) -> None:
        """Adds an evaluation."""
        row = {"step": step, "best": int(is_best), **result.summary()}
        self._tables["evaluations"].add(row)

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each table so far."""
        return {name: table.size for name, table in self._tables.items()}

    def check(self, sizes: dict[str, int]) -> None:
        """Raises a `CheckpointError` if a table lacks rows that a checkpoint relies on."""
        for name, size in sizes.items():
            path = self._folder.table(name)
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
        self._recorded, self._kept = state["recorded"], sizes
