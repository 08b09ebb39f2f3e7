"""A session: one agent learns one problem, from one seed."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nn import checkpoint
from rl.environments import Environments, Episode, TrainingSeeds, evaluation_seeds, make_env
from rl.errors import Diverged
from rl.experiment.build import Experiment
from rl.experiment.evaluation import EXTENDED_EPISODES, Evaluation, Evaluator
from rl.experiment.run_folder import (
    EPISODE_COLUMNS,
    EVALUATION_COLUMNS,
    UPDATE_COLUMNS,
    SessionFolder,
    Table,
)

UPDATES_A_ROW = 100
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

    def progressed(self, progress: Progress) -> None:
        """Called a few times a second."""

    def evaluated(self, progress: Progress, agent: Any) -> None:
        """Called after each evaluation."""


@dataclass(frozen=True)
class Outcome:
    """How a session ended.

    Args:
        status: "solved", "finished" (all steps done) or "interrupted".
        steps: environment steps taken.
        episodes: training episodes that ended.
        seconds: wall-clock time of learning, with its evaluations.
        best_step: the environment step of the best checkpoint.
    """

    status: str
    steps: int
    episodes: int
    seconds: float
    best_step: int


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
        self.interrupted = False

        def make() -> Any:
            return make_env(experiment.problem.id)

        seeds = TrainingSeeds(experiment.rngs["environment"])
        self.environments = Environments(make, self.training.lanes, seeds)
        self.evaluator = Evaluator(make)
        selection = int(experiment.rngs["evaluation"].integers(2**31))
        self._selection_seeds = evaluation_seeds("selection", selection, EXTENDED_EPISODES)
        self._best: tuple[float, int] | None = None  # lower bound and step
        self._solved = False

    def interrupt(self) -> None:
        """Lets the session end after the step under way, with all it has saved."""
        self.interrupted = True

    def run(self) -> Outcome:
        """Learns until solved, interrupted, or out of steps.

        Raises:
            Diverged: a number is not finite; the message names the step. Checkpoints saved before
                remain.
        """
        with self._tables():
            started = time.perf_counter()
            try:
                self._learn(started)
            except Diverged as error:
                raise Diverged(f"step {self.agent.steps}: {error.component}", error.found) from None
            finally:
                self.progress.seconds = time.perf_counter() - started
                self.environments.close()
                self.evaluator.close()
        if self._best is None or self.interrupted:
            self._save("last")
        return self._finish()

    def _learn(self, started: float) -> None:
        agent, environments, training = self.agent, self.environments, self.training
        progress = self.progress
        next_evaluation = training.evaluate_every
        next_row = UPDATES_A_ROW
        next_report = next_save = started
        environments.reset()
        while progress.step < training.steps and not self._solved and not self.interrupted:
            actions = agent.explore(environments.observations)
            agent.observe(environments.step(actions))
            agent.learn()
            progress.step = agent.steps
            for episode in environments.finished:
                self._record_episode(episode)
            if agent.updates >= next_row:
                next_row += UPDATES_A_ROW
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
        """Judges the greedy agent; keeps it if it is the best so far; says whether it solved."""
        threshold = self.experiment.problem.solved
        result = self.evaluator.judge(
            self.agent, self._selection_seeds, self.training.evaluate_episodes, threshold
        )
        self.progress.evaluation = result
        is_best = self._best is None or result.lower_bound >= self._best[0]
        if is_best:
            self._best = result.lower_bound, self.progress.step
            self._save("best")
        self._save("last")
        row = {"step": self.progress.step, "best": int(is_best), **result.summary()}
        self._evaluations.add(row)
        self._solved = (
            self.training.stop_when_solved
            and threshold is not None
            and result.episodes >= EXTENDED_EPISODES
            and result.lower_bound >= threshold
        )
        self.watcher.evaluated(self.progress, self.agent)

    def _save(self, name: str) -> None:
        state = {"step": self.progress.step, "policy": self.agent.policy_state()}
        checkpoint.save(self.folder.checkpoint(name), state)

    def _finish(self) -> Outcome:
        status = "solved" if self._solved else "interrupted" if self.interrupted else "finished"
        best_step = self._best[1] if self._best else self.progress.step
        progress = self.progress
        outcome = Outcome(status, progress.step, progress.episodes, progress.seconds, best_step)
        self.folder.outcome.write_text(json.dumps(vars(outcome), indent=2) + "\n")
        return outcome

    @contextmanager
    def _tables(self) -> Iterator[None]:
        self._episodes = Table(self.folder.episodes, EPISODE_COLUMNS)
        self._updates = Table(self.folder.updates, UPDATE_COLUMNS)
        self._evaluations = Table(self.folder.evaluations, EVALUATION_COLUMNS)
        try:
            yield
        finally:
            for table in (self._episodes, self._updates, self._evaluations):
                table.close()
