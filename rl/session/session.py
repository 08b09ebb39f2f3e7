"""A session: one agent learns one problem, from one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError, sync_folder
from nn.typing import State
from rl.environments import (
    Environments,
    Episode,
    TrainingSeeds,
    environment_of,
    evaluation_seeds,
)
from rl.errors import DiskError, Diverged, UserError, on_disk
from rl.session.checkpoints import Checkpoints
from rl.session.evaluation import Evaluator, Stopped
from rl.session.player import Player, player_of
from rl.session.progress import Progress
from rl.specification.build import Experiment
from rl.storage.files import Table, is_there
from rl.storage.forms import RESUMABLE
from rl.storage.run_folder import EPISODE_COLUMNS, EVALUATION_COLUMNS, SessionFolder

ENDS = ("solved", "finished")  # in which a session has done all that it was to do
# The columns of the tables; those of the updates are the agent's.
TABLES = {"episodes": EPISODE_COLUMNS, "updates": (), "evaluations": EVALUATION_COLUMNS}

UPDATES_A_ROW = 100
ROWS = 200  # of updates at least, where there are as many updates
SECONDS_BETWEEN_REPORTS = 0.2


@dataclass
class _Due:
    """When what is done now and then is due again, and what was noted of it last."""

    evaluation: int  # environment step
    row: int = UPDATES_A_ROW  # update
    row_step: int = 0  # environment step from which an update has a row of its own
    recorded: int = 0  # updates at the latest row
    best_bound: float = -math.inf
    best_step: int = 0
    evaluation_seconds: float = 0.0
    reached: dict[str, float] | None = None
    unfinished: bool = False  # whether an evaluation was begun and stopped


class Watcher:
    """Is told what happens in a session; this one does nothing with it."""

    def started(self, session: Session) -> None:
        """Called before the first step."""

    def progressed(self, progress: Progress) -> None:
        """Called a few times a second."""

    def evaluated(self, progress: Progress, player: Player) -> None:
        """Called after each evaluation."""

    def noted(self, text: str) -> None:
        """Called with anything else that a user wants to know."""


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

        self._seeds = TrainingSeeds(experiment.rngs["environment"])
        self.environments = self._training_environments()
        self.evaluator = self._evaluator()
        selection = int(experiment.rngs["evaluation"].integers(2**31))
        self._selection_seeds = evaluation_seeds(
            "selection", selection, self.training.extended_episodes
        )
        self._checkpoints = Checkpoints(folder, self.agent.replay)
        of_rows = self.training.steps // ROWS
        self._due = _Due(evaluation=self._evaluate_every, row_step=of_rows)
        self._tables: dict[str, Table] = {}
        self._kept = dict.fromkeys(TABLES, 0)  # bytes of each table that is there already
        self._is_begun = False
        self.is_learning = True  # or about to; False once it saves for the last time
        self._status = "failed"  # until it has ended in one of the other ways
        self._ends_as: str | None = None
        self._next_report = 0.0
        self._has_lost = False  # an episode, to an evaluation

    def _training_environments(self) -> Environments:
        problem, training = self.experiment.problem, self.training
        limit, lanes = training.max_episode_steps, training.lanes
        # An evaluation that shares the environment must not find that limit in it.
        settings = {} if problem.shared else {"max_episode_steps": limit}
        return Environments(
            lambda: environment_of(problem, **settings),
            lanes,
            self._seeds,
            self.experiment.preprocessor.for_lanes(lanes, learning=True),
            longest=limit if problem.shared else None,
        )

    def _evaluator(self) -> Evaluator:
        problem = self.experiment.problem
        return Evaluator(
            self.environments.lend if problem.shared else lambda: environment_of(problem),
            self.experiment.preprocessor,
            heed=self._heed,
            playing=1 if problem.shared else None,
            longest=problem.longest,
        )

    @property
    def _evaluate_every(self) -> int:
        """Environment steps between two evaluations; of none, more than anybody has."""
        return self.training.evaluate_every or 2**53

    def go_on(self) -> None:
        """Takes over the latest complete checkpoint in its folder, if there is one.

        Call it before `run`. What is damaged is passed over, and the watcher told: a session that
        goes on from further back, or from its beginning, comes to the same end.

        Raises:
            DiskError: a file cannot be read; none was touched.
            UserError: the checkpoint is of another specification.
        """
        remedy = f"nothing was changed; put that right, and then: rl resume {self._run_folder}"
        with on_disk(self.folder.path, "read", remedy):
            state, complaints = self._checkpoints.load(self._accept)
        for complaint in complaints:
            self.watcher.noted(complaint)
        if state:
            try:
                self._restore(state)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise UserError(
                    f"{self.folder.resume}: its checkpoint does not fit ({error}); remove that "
                    "folder, and the session begins anew"
                ) from None
        elif complaints:
            self.watcher.noted(f"{self.folder.path}: begins anew")

    def _accept(self, state: State) -> None:
        if not RESUMABLE(state):
            raise CheckpointError(f"{self.folder.resume}: a checkpoint in it is of no session")
        for name, size in state["tables"].items():
            path = self.folder.table(name)
            if not is_there(path):
                raise CheckpointError(f"{path}: is missing")
            if path.stat().st_size < size:
                raise CheckpointError(f"{path}: is shorter than the checkpoint says", path)

    def _state(self) -> State:
        return {
            "specification": self.experiment.specification.digest,
            "progress": self.progress.state(),
            "due": asdict(self._due),
            "status": self._status if self._status in ENDS else "failed",
            "tables": {name: table.size for name, table in self._tables.items()},
            "agent": self.agent.state(),
            "preprocessor": self.experiment.preprocessor.state(),
            "environments": self.environments.state(),
            "seeds": self._seeds.state(),
        }

    def _restore(self, state: State) -> None:
        if state["specification"] not in self.experiment.digests:
            raise UserError(
                f"{self.folder.path}: its checkpoint was made with another specification; put that "
                "back, or remove the folder"
            )
        self.progress.restore(state["progress"])
        self._due = _Due(**state["due"])
        self._status, self._kept = state["status"], state["tables"]
        self.agent.restore(state["agent"])
        self.experiment.preprocessor.restore(state["preprocessor"])
        self._seeds.restore(state["seeds"])
        if self._rebuild(state["environments"]):
            self.watcher.noted(
                f"{self.environments.id} does not repeat itself: it goes on with new episodes, and "
                "not to the bit as it would have"
            )
        self._is_begun = True

    def _rebuild(self, state: State) -> bool:
        """Plays the episodes under way again; says whether there are some that are lost."""
        lost = self.environments.restore(state)
        for lane in lost:
            self.agent.abandon(lane)
        return bool(lost)

    def discard(self) -> None:
        """Removes what would be needed to go on; the policies stay."""
        self._checkpoints.discard()

    def interrupt(self, status: str = "interrupted") -> None:
        """Lets the session end after the step under way, with all it has saved.

        An evaluation under way is left, and made from its beginning by whoever goes on.
        """
        self._ends_as = status

    def run(self) -> None:
        """Learns until solved, interrupted, or out of steps.

        Raises:
            Diverged: a number is not finite; the message names the step. Checkpoints saved before
                remain.
            UserError: the disk is full or cannot be written; likewise.
        """
        self._started = time.perf_counter() - self.progress.seconds
        # What overflows is found by the checks for finite numbers; NumPy's warnings add nothing.
        with self._files(), np.errstate(over="ignore", invalid="ignore"):
            self.watcher.started(self)
            try:
                try:
                    self._learn()
                finally:
                    self.is_learning = False
                self._save()
                self._checkpoints.wait()
            except Diverged as error:
                self._status = "diverged"
                raise Diverged(f"step {self.agent.steps}: {error.component}", error.found) from None

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Within, the tables are open; afterwards everything is closed."""
        run = self._run_folder
        remedy = f"what was saved before is whole: put that right, and then: rl resume {run}"
        with on_disk(self.folder.path, remedy=remedy), self._in_place(), ExitStack() as stack:
            tables = stack.enter_context(ExitStack())
            for close in (self._close_environments, self._checkpoints.close):
                stack.callback(close)
            stack.callback(self._stop_clock)
            columns = {**TABLES, "updates": ("step", "update", *self.agent.metric_names)}
            for name in TABLES:
                path = self.folder.table(name)
                self._tables[name] = Table(path, columns[name], self._kept[name])
                tables.callback(self._tables[name].close)
            sync_folder(self.folder.path)
            yield

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Within, an error that comes of a folder which is no longer there says that."""
        try:
            yield
        except FileNotFoundError as error:
            if self.folder.path.is_dir():
                raise
            raise DiskError(
                f"{self.folder.path}: was moved or removed while its session ran"
            ) from error

    @property
    def _run_folder(self) -> Path:
        return self.folder.path.parents[1]

    def _close_environments(self) -> None:
        """Frees them; what goes wrong there is said, and costs nothing."""
        for complaint in dict.fromkeys(self.evaluator.close() + self.environments.close()):
            self.watcher.noted(f"environment {self.environments.id}: {complaint}")

    def _stop_clock(self) -> None:
        self.progress.seconds = time.perf_counter() - self._started

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
            "evaluation_seconds": self._due.evaluation_seconds,
            "best_step": self._due.best_step,
            "reached": self._due.reached,
        }

    def _learn(self) -> None:
        agent, environments, training = self.agent, self.environments, self.training
        progress, due = self.progress, self._due
        next_save = time.perf_counter() + training.checkpoint_seconds
        if not self._is_begun:
            environments.reset()
            self._save(str(progress.step))
        if due.unfinished:
            self._evaluate()
        while self._goes_on():
            actions = agent.explore(environments.observations)
            agent.observe(environments.step(actions))
            agent.learn()
            progress.step = agent.steps
            for episode in environments.finished:
                self._record_episode(episode)
            few = agent.updates > due.recorded and progress.step >= due.row_step
            if agent.updates >= due.row or few:
                self._record_update()
            if progress.step >= due.evaluation or progress.step >= training.steps:
                due.evaluation += self._evaluate_every
                self._evaluate() if training.evaluate_every else self._keep_last()
                next_save = time.perf_counter() + training.checkpoint_seconds
            now = time.perf_counter()
            if self._report(now):
                self._checkpoints.note()
            if now >= next_save:
                next_save = now + training.checkpoint_seconds
                self._save()

    def _goes_on(self) -> bool:
        if self._status != "failed":
            return False
        if self.progress.step >= self.training.steps and not self._due.unfinished:
            self._status = "finished"
        elif self._ends_as:
            self._status = self._ends_as
        return self._status == "failed"

    def _report(self, now: float) -> bool:
        """Tells the watcher of the progress, if it is time to; says whether it was."""
        if now < self._next_report:
            return False
        self._next_report = now + SECONDS_BETWEEN_REPORTS
        self.progress.seconds = now - self._started
        self.watcher.progressed(self.progress)
        return True

    def _heed(self) -> None:
        """Between two steps of an evaluation, of which some take minutes."""
        self._report(time.perf_counter())
        if self._ends_as:
            raise Stopped

    def _record_episode(self, episode: Episode) -> None:
        progress = self.progress
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

    def _record_update(self) -> None:
        agent, due = self.agent, self._due
        due.recorded = agent.updates
        due.row = agent.updates - agent.updates % UPDATES_A_ROW + UPDATES_A_ROW
        due.row_step = self.progress.step + self.training.steps // ROWS
        self.progress.metrics = agent.metrics()
        row = {"step": agent.steps, "update": agent.updates, **self.progress.metrics}
        self._tables["updates"].add(row)

    def _evaluate(self) -> None:
        """Judges the greedy agent, and keeps it if it is the best so far."""
        threshold, started = self.experiment.problem.solved, time.perf_counter()
        progress, due = self.progress, self._due
        due.unfinished = True
        try:
            result = self.evaluator.judge(
                self.agent, self._selection_seeds, self.training.evaluate_episodes, threshold
            )
        except Stopped:
            return
        self._take_back()
        due.unfinished = False
        now = time.perf_counter()
        due.evaluation_seconds += now - started
        progress.seconds, progress.evaluation = now - self._started, result
        is_best = result.lower_bound >= due.best_bound
        if is_best:
            due.best_bound, due.best_step = result.lower_bound, progress.step
        if due.reached is None and result.solves(threshold):
            due.reached = {
                "step": progress.step,
                "episodes": progress.episodes,
                "seconds": progress.seconds,
            }
        if self.training.stop_when_solved and result.surely_solves(threshold):
            self._status = "solved"
        row = {"step": progress.step, "best": int(is_best), **result.summary()}
        self._tables["evaluations"].add(row)
        self._save(*(["best"] if is_best else []), *self._stage())
        self.watcher.evaluated(progress, player_of(self.experiment))

    def _take_back(self) -> None:
        """Puts the training episode back into an environment that an evaluation has shared."""
        shared = self.experiment.problem.shared
        if shared and self._rebuild(self.environments.state()) and not self._has_lost:
            self._has_lost = True
            self.watcher.noted(
                f"{self.environments.id} does not repeat itself: each evaluation, which shares the "
                "environment, ends the training episode under way, and a new one begins"
            )

    def _keep_last(self) -> None:
        """Keeps the agent as the best one, where none is evaluated while it learns."""
        self._due.best_step = self.progress.step
        self._save("best")

    def _stage(self) -> list[str]:
        """The name under which the policy of this evaluation is kept, if it is."""
        evaluations = self._due.evaluation // self._evaluate_every - 1
        return [str(self.progress.step)] if is_stage(evaluations) else []

    def _save(self, *names: str) -> None:
        """Saves everything, and the policy as the last one and under further names."""
        policy = {
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "policy": self.agent.policy_state(),
            "preprocessor": self.experiment.preprocessor.state(),
        }
        policies = dict.fromkeys((*names, "last"), policy)
        self._checkpoints.save(self._state(), policies, self._sync)

    def _sync(self) -> None:
        for table in self._tables.values():
            table.sync()


def is_stage(evaluations: int) -> bool:
    """Whether the policy after so many evaluations is kept for good: after 1, 2, 4, 8, ...

    Policies change fast at first; a thousand evaluations leave ten of them.
    """
    return evaluations & (evaluations - 1) == 0
