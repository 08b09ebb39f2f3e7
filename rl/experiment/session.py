"""A session: one agent learns one problem, from one seed."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn import checkpoint
from rl.environments import Environments, Episode, TrainingSeeds, evaluation_seeds, make_env
from rl.errors import Diverged
from rl.experiment.build import Experiment
from rl.experiment.evaluation import Evaluation, Evaluator
from rl.experiment.player import Player
from rl.files import Table
from rl.run_folder import EPISODE_COLUMNS, EVALUATION_COLUMNS, SessionFolder

UPDATES_A_ROW = 100
ROWS = 200  # of updates at least, where there are as many updates
RECENT_EPISODES = 100
SECONDS_BETWEEN_REPORTS = 0.2


@dataclass
class Progress:
    """How far a session has come; what a watcher is shown."""

    total_steps: int
    step: int = 0
    episodes: int = 0
    seconds: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_EPISODES))
    evaluation: Evaluation | None = None
    metrics: dict[str, float] = field(default_factory=dict)


class Watcher:
    """Is told what happens in a session; this one does nothing with it."""

    def started(self, session: Session) -> None:
        """Called before the first step."""

    def progressed(self, progress: Progress) -> None:
        """Called a few times a second."""

    def evaluated(self, progress: Progress, player: Player) -> None:
        """Called after each evaluation."""


class Session:
    """The learning loop.

    Args:
        experiment: the parts; they are used up.
        folder: where rows and checkpoints go; it must exist.
        watcher: is told of progress.
    """

    def __init__(
        self, experiment: Experiment, folder: SessionFolder, watcher: Watcher | None = None
    ) -> None:
        self.experiment, self.folder = experiment, folder
        self.agent, self.training = experiment.agent, experiment.training
        self.watcher = watcher or Watcher()
        self.progress = Progress(self.training.steps)

        id, limit = experiment.problem.id, self.training.max_episode_steps
        self.environments = Environments(
            lambda: make_env(id, max_episode_steps=limit),
            self.training.lanes,
            TrainingSeeds(experiment.rngs["environment"]),
            experiment.preprocessor.for_lanes(self.training.lanes, learning=True),
        )
        self.evaluator = Evaluator(lambda: make_env(id), experiment.preprocessor)
        selection = int(experiment.rngs["evaluation"].integers(2**31))
        self._selection_seeds = evaluation_seeds(
            "selection", selection, self.training.extended_episodes
        )
        self._best_bound, self._best_step = -math.inf, 0
        self._evaluation_seconds = 0.0
        self._reached: dict[str, float] | None = None
        self._status = "failed"  # until it has ended in one of the other ways
        self._ends_as: str | None = None

    def interrupt(self, status: str = "interrupted") -> None:
        """Lets the session end after the step under way, with all it has saved."""
        self._ends_as = status

    def run(self) -> None:
        """Learns until solved, interrupted, or out of steps.

        Raises:
            Diverged: a number is not finite; the message names the step. Checkpoints saved before
                remain.
        """
        # What overflows is found by the checks for finite numbers; NumPy's warnings add nothing.
        with self._tables(), np.errstate(over="ignore", invalid="ignore"):
            self._started = started = time.perf_counter()
            self.watcher.started(self)
            try:
                self._learn(started)
                self._save("last")
            except Diverged as error:
                self._status = "diverged"
                raise Diverged(f"step {self.agent.steps}: {error.component}", error.found) from None
            finally:
                self.progress.seconds = time.perf_counter() - started
                self.environments.close()
                self.evaluator.close()

    def outcome(self) -> dict[str, Any]:
        """How the session ended.

        `status` is "solved", "finished" (all steps done), "interrupted", "pruned", "diverged" or
        "failed"; `seconds` is the wall-clock time of learning with its evaluations, and
        `evaluation_seconds` that of the evaluations alone. `reached` is when an evaluation of
        enough episodes first had a mean at the threshold: step, training episodes and seconds;
        None if none had.
        """
        return {
            "status": self._status,
            "steps": self.progress.step,
            "updates": self.agent.updates,
            "episodes": self.progress.episodes,
            "seconds": self.progress.seconds,
            "evaluation_seconds": self._evaluation_seconds,
            "best_step": self._best_step,
            "reached": self._reached,
        }

    def _learn(self, started: float) -> None:
        agent, environments, training = self.agent, self.environments, self.training
        progress = self.progress
        next_evaluation = training.evaluate_every
        next_row, next_row_step = UPDATES_A_ROW, training.steps // ROWS
        recorded = 0  # updates at the latest row
        next_report = next_save = started
        environments.reset()
        while self._goes_on():
            actions = agent.explore(environments.observations)
            agent.observe(environments.step(actions))
            agent.learn()
            progress.step = agent.steps
            for episode in environments.finished:
                self._record_episode(episode)
            few = agent.updates > recorded and progress.step >= next_row_step
            if agent.updates >= next_row or few:
                recorded = agent.updates
                next_row = recorded - recorded % UPDATES_A_ROW + UPDATES_A_ROW
                next_row_step = progress.step + training.steps // ROWS
                self._record_update()
            if progress.step >= next_evaluation or progress.step >= training.steps:
                next_evaluation += training.evaluate_every
                self._evaluate()
            now = time.perf_counter()
            if now >= next_report:
                next_report = now + SECONDS_BETWEEN_REPORTS
                progress.seconds = now - started
                self.watcher.progressed(progress)
            if now >= next_save:
                next_save = now + training.checkpoint_seconds
                self._save("last")

    def _goes_on(self) -> bool:
        if self.progress.step >= self.training.steps and self._status != "solved":
            self._status = "finished"
        elif self._ends_as:
            self._status = self._ends_as
        return self._status == "failed"

    def _record_episode(self, episode: Episode) -> None:
        progress = self.progress
        progress.episodes += 1
        progress.recent.append(episode.total)
        self._episodes.add(
            {
                "episode": progress.episodes,
                "step": progress.step,
                "return": episode.total,
                "length": episode.length,
                "terminated": int(episode.terminated),
                "seed": episode.seed,
            }
        )

    def _record_update(self) -> None:
        agent = self.agent
        self.progress.metrics = agent.metrics()
        self._updates.add({"step": agent.steps, "update": agent.updates, **self.progress.metrics})

    def _evaluate(self) -> None:
        """Judges the greedy agent, and keeps it if it is the best so far."""
        threshold, started = self.experiment.problem.solved, time.perf_counter()
        result = self.evaluator.judge(
            self.agent, self._selection_seeds, self.training.evaluate_episodes, threshold
        )
        now = time.perf_counter()
        self._evaluation_seconds += now - started
        self.progress.seconds, self.progress.evaluation = now - self._started, result
        is_best = result.lower_bound >= self._best_bound
        if is_best:
            self._best_bound, self._best_step = result.lower_bound, self.progress.step
            self._save("best")
        self._save("last")
        if self._reached is None and result.solves(threshold):
            self._reached = {
                "step": self.progress.step,
                "episodes": self.progress.episodes,
                "seconds": self.progress.seconds,
            }
        row = {"step": self.progress.step, "best": int(is_best), **result.summary()}
        self._evaluations.add(row)
        if self.training.stop_when_solved and result.surely_solves(threshold):
            self._status = "solved"
        self.watcher.evaluated(self.progress, self.experiment.player())

    def _save(self, name: str) -> None:
        state = {
            "step": self.progress.step,
            "policy": self.agent.policy_state(),
            "preprocessor": self.experiment.preprocessor.state(),
        }
        checkpoint.save(self.folder.checkpoint(name), state)

    @contextmanager
    def _tables(self) -> Iterator[None]:
        self._episodes = Table(self.folder.episodes, EPISODE_COLUMNS)
        self._updates = Table(self.folder.updates, ("step", "update", *self.agent.metric_names))
        self._evaluations = Table(self.folder.evaluations, EVALUATION_COLUMNS)
        try:
            yield
        finally:
            for table in (self._episodes, self._updates, self._evaluations):
                table.close()
