"""A session: one agent learns one problem, from one seed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import CheckpointError, sync_folder
from nn.typing import State
from rl.environments import (
    Environments,
    TrainingSeeds,
    environment_of,
    evaluation_seeds,
)
from rl.errors import DiskError, Diverged, UserError, on_disk, one_line
from rl.session.callback import Callback, overrides, saving
from rl.session.checkpoints import Checkpoints
from rl.session.choice import Choice, is_stage
from rl.session.evaluation import Evaluator, Stopped
from rl.session.job import Job, Outcome
from rl.session.longer import (
    budget_of,
    extends,
    is_longer,
    is_spent,
    keep_best,
    lengthen_files,
    lengthened,
)
from rl.session.player import player_of
from rl.session.progress import Progress
from rl.session.recorder import Recorder
from rl.session.saved import origin_of
from rl.session.status import ENDS, Status
from rl.specification.build import Experiment
from rl.storage.forms import RESUMABLE
from rl.storage.run_folder import SessionFolder

SECONDS_BETWEEN_REPORTS = 0.2
ENDLESS = 2**53  # steps, which nobody has


class Session:
    """The learning loop.

    Args:
        job: whose session it is; its folder must exist.
        experiment: the parts; they are used up.
        callback: is told of progress.
    """

    def __init__(self, job: Job, experiment: Experiment, callback: Callback | None = None) -> None:
        self.job, self.experiment, self.folder = job, experiment, SessionFolder(job.folder)
        self.agent, self.training = experiment.agent, experiment.training
        self.callback = callback or Callback()
        self._tells_steps = overrides(self.callback, "stepped")
        self._tells_episodes = overrides(self.callback, "episode_ended")
        steps, episodes = self.training.steps, self.training.episodes
        self.progress = Progress(steps, total_episodes=episodes)

        self._seeds = TrainingSeeds(experiment.rngs["environment"])
        self.environments = self._training_environments()
        self.evaluator = self._evaluator()
        selection = int(experiment.rngs["evaluation"].integers(2**31))
        self._selection_seeds = evaluation_seeds(
            "selection", selection, self.training.extended_episodes
        )
        self._checkpoints = Checkpoints(self.folder, self.agent.replay)
        self._recorder = Recorder(self.folder, self.agent, steps)
        self._choice = Choice(experiment.problem.solved)
        self._origin = origin_of(experiment.specification)
        self._next_evaluation = self._evaluate_every  # environment step
        self._evaluated_at = -1  # likewise
        self._stops_at = job.stops_at  # likewise, as a callback wants it
        self._reason: str | None = None  # why a callback has stopped it
        self._evaluation_seconds = 0.0
        self._is_evaluating = False  # or was stopped as it did
        self._is_begun = False
        self.is_learning = True  # or about to; False once it saves for the last time
        self.status = Status.RUNNING
        self._ends_as: Status | None = None
        self._next_report = 0.0
        self._has_lost = False  # an episode, to an evaluation
        self._end: State | None = None  # what an evaluation has changed that is due at no step

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
            actions=self.experiment.spaces.actions,
        )

    def _evaluator(self) -> Evaluator:
        problem = self.experiment.problem
        return Evaluator.of(
            problem,
            self.experiment.preprocessor,
            self.experiment.spaces.actions,
            self.heed,
            self.environments.lend if problem.shared else None,
        )

    @property
    def _last_step(self) -> int:
        """The environment step that it learns until, at most."""
        steps = self.training.steps or ENDLESS
        return steps if self._stops_at is None else min(steps, self._stops_at)

    @property
    def _evaluate_every(self) -> int:
        """Environment steps between two evaluations; of none, more than anybody has."""
        return self.training.evaluate_every or ENDLESS

    def go_on(self) -> None:
        """Takes over the latest complete checkpoint in its folder, if there is one.

        Call it before `run`. What is damaged is passed over, and the callback told: a session
        that goes on from further back, or from its beginning, comes to the same end.

        Raises:
            DiskError: a file cannot be read; none was touched.
            UserError: the checkpoint is of another specification.
        """
        remedy = f"nothing was changed; put that right, and then: rl resume {self._run_folder}"
        try:
            with on_disk(self.folder.path, "read", remedy):
                state, complaints = self._checkpoints.load(self._accept)
            for complaint in complaints:
                self.callback.noted(complaint)
            if state:
                self._check_specification(state)
                if is_longer(state, self.training):
                    state = self._lengthened(state)
                self._restore(state)
                return
            if self.job.start:
                self.job.start.apply(self.experiment)
            if complaints:
                self.callback.noted(f"{self.folder.path}: begins anew")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.folder.resume}: its checkpoint does not fit ({error}); remove that "
                "folder, and the session begins anew"
            ) from None

    def _accept(self, state: State) -> None:
        if not RESUMABLE(state):
            raise CheckpointError(f"{self.folder.resume}: a checkpoint in it is of no session")
        tables = state["tables"]
        if is_longer(state, self.training):  # which were perhaps written anew already
            tables = {**lengthened(state, self.training)["tables"], "updates": 0}
        self._recorder.check(tables)

    def _lengthened(self, state: State) -> State:
        """A complete checkpoint of a session that had a smaller budget."""
        if not extends(budget_of(self.training), state["budget"]):
            raise self._of_another()
        if not state["due"]["history"]["whole"]:
            raise UserError(
                f"{self.folder.path}: was begun by an earlier version, and its end cannot be moved"
            )
        longer = lengthened(state, self.training)
        specification = origin_of(self.experiment.specification)["specification"]
        lengthen_files(self.folder, state, longer, specification)
        return longer

    def _check_specification(self, state: State) -> None:
        same = state["specification"] in self.experiment.digests
        if not same and state.get("task") not in self.experiment.tasks:
            raise self._of_another()

    def _of_another(self) -> UserError:
        return UserError(
            f"{self.folder.path}: its checkpoint was made with another specification; put that "
            "back, or remove the folder"
        )

    def _state(self) -> State:
        return {
            "specification": self.experiment.specification.digest,
            "task": self.experiment.tasks[-1],
            "budget": budget_of(self.training),
            "end": self._end,
            "progress": self.progress.state(),
            "due": {
                "evaluation": self._next_evaluation,
                "evaluation_seconds": self._evaluation_seconds,
                "unfinished": self._is_evaluating,
                "evaluated_at": self._evaluated_at,
                "stops_at": self._stops_at,
                "reason": self._reason,
                **self._recorder.state(),
                **self._choice.state(),
            },
            "status": self.status.value,
            "tables": self._recorder.sizes,
            "agent": self.agent.state(),
            "preprocessor": self.experiment.preprocessor.state(),
            "environments": self.environments.state(),
            "seeds": self._seeds.state(),
            "callbacks": {name: each.state() for name, each in saving(self.callback).items()},
        }

    def _restore(self, state: State) -> None:
        self.progress.restore(state["progress"])
        due, status = state["due"], Status(state["status"])
        self._next_evaluation, self._is_evaluating = due["evaluation"], due["unfinished"]
        self._evaluation_seconds = due["evaluation_seconds"]
        # An earlier version did not say, but it evaluated before it saved for the last time.
        learned = -1 if self._is_evaluating else self.progress.step
        self._evaluated_at = due.get("evaluated_at", learned)
        self._stops_at, self._reason = due.get("stops_at"), due.get("reason")
        self._recorder.restore(due, state["tables"])
        if is_longer(state, self.training):
            self._recorder.lengthen(self.progress.step, self.training.lanes)
        self._end = state.get("end")
        self._choice.restore(due)
        self.status = status if status.value in ENDS else Status.RUNNING  # again
        self.agent.restore(state["agent"])
        self.experiment.preprocessor.restore(state["preprocessor"])
        self._seeds.restore(state["seeds"])
        for name, each in saving(self.callback).items():
            if name in state.get("callbacks", {}):
                each.restore(state["callbacks"][name])
        if self._rebuild(state["environments"]):
            self.callback.noted(
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

    @property
    def keeps_state(self) -> bool:
        """Whether what is needed to go on beyond the end may stay; it never does in a search."""
        most = self.training.keep_state * 1_000_000
        return self.job.trial is None and self._recorder.is_whole and self._checkpoints.size <= most

    def discard(self, keep: bool) -> None:
        """Removes what is needed to go on, once all is done, or most of it; the policies stay."""
        if not keep and self.job.trial is None and self.training.keep_state:
            self.callback.noted(
                f"{self.folder.path}: its state, {self._checkpoints.size / 1e6:,.1f} MB, is not "
                f"kept (train.keep_state is {self.training.keep_state}), so that `rl resume "
                "--steps` cannot go on from here"
            )
        self._checkpoints.discard(keep)

    def interrupt(self, status: str = "interrupted") -> None:
        """Lets the session end after the step under way, with all it has saved.

        An evaluation under way is left, and made from its beginning by whoever goes on.
        """
        self._ends_as = Status(status)

    def stop(self, reason: str = "") -> None:
        """Ends the learning after the step under way, for a callback.

        The agent is evaluated as at the end of all steps, and the session is done: `stopped`.

        Args:
            reason: is said wherever the status is.
        """
        if self.is_learning and self.progress.step < self._last_step:
            self._stops_at, self._reason = self.progress.step, one_line(str(reason))

    def log(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Logs metrics of a callback at this step: `log(distance=2.5)` or `log({"a/b": 1})`.

        Each has a table of its own, `metrics/NAME.csv`, and a chart.

        Raises:
            UserError: a value is no number, or a name cannot be that of a file.
        """
        for name, value in {**(metrics or {}), **more}.items():
            self._recorder.metric(name, value, self.progress.step)

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
            self.callback.started(self.job, self)
            try:
                try:
                    self._learn()
                finally:
                    self.is_learning = False
                self._save()
                self._checkpoints.wait()
            except Diverged as error:
                self.status = Status.DIVERGED
                raise Diverged(f"step {self.agent.steps}: {error.component}", error.found) from None

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Within, the tables are open; afterwards everything is closed."""
        run = self._run_folder
        remedy = f"what was saved before is whole: put that right, and then: rl resume {run}"
        with on_disk(self.folder.path, remedy=remedy), self._in_place(), ExitStack() as stack:
            ends = (self._recorder.close, self._close_environments, self._checkpoints.close)
            for end in (*ends, self._stop_clock):
                stack.callback(end)
            self._recorder.open()
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
            self.callback.noted(f"environment {self.environments.id}: {complaint}")

    def _stop_clock(self) -> None:
        self.progress.seconds = time.perf_counter() - self._started

    def outcome(self) -> Outcome:
        """How the session ended, or stands.

        `status` is the value of a `Status`; `seconds` is the wall-clock time of learning with its
        evaluations, and `evaluation_seconds` that of the evaluations alone. `reached` is when an
        evaluation of enough episodes first had a mean at the threshold: step, training episodes
        and seconds; None if none had.
        """
        return {
            "status": self.status.value,
            "steps": self.progress.step,
            "updates": self.agent.updates,
            "episodes": self.progress.episodes,
            "seconds": self.progress.seconds,
            "evaluation_seconds": self._evaluation_seconds,
            "best_step": self._choice.best_step,
            "reached": self._choice.reached,
            **({"reason": self._reason} if self._reason else {}),
        }

    def _learn(self) -> None:
        agent, environments, training = self.agent, self.environments, self.training
        progress = self.progress
        next_save = time.perf_counter() + training.checkpoint_seconds
        if not self._is_begun:
            environments.reset()
            self._save(str(progress.step))
        if self._is_evaluating:
            self._evaluate()
        while self._goes_on():
            transitions = environments.step(agent.explore(*environments.seen))
            agent.observe(transitions)
            agent.learn()
            progress.step = agent.steps
            for episode in environments.finished:
                self._recorder.episode(episode, progress)
                if self._tells_episodes:
                    self.callback.episode_ended(self.job, self, episode)
            self._recorder.updates(progress)
            if self._tells_steps:
                self.callback.stepped(self.job, self, transitions)
            if progress.step >= self._next_evaluation or self._is_spent:
                if progress.step < self._next_evaluation:
                    self._end = self._without_end()
                self._next_evaluation += self._evaluate_every
                self._evaluate() if training.evaluate_every else self._keep_last()
                next_save = time.perf_counter() + training.checkpoint_seconds
            now = time.perf_counter()
            if self._report(now):
                self._checkpoints.note()
            if now >= next_save:
                next_save = now + training.checkpoint_seconds
                self._save()

    @property
    def _is_spent(self) -> bool:
        """Whether the session has done all steps, or all episodes."""
        step, episodes = self._done
        return step >= self._last_step or episodes >= (self.training.episodes or ENDLESS)

    @property
    def _done(self) -> tuple[int, int]:
        return self.progress.step, self.progress.episodes

    def _without_end(self) -> State:
        """What `lengthened` needs to undo an evaluation that only the end asks for."""
        evaluations = {"evaluation": self._next_evaluation, "evaluated_at": self._evaluated_at}
        return {
            "evaluation": self.progress.state()["evaluation"],
            "tables": self._recorder.sizes,
            "due": {**evaluations, **self._choice.state()},
        }

    def _goes_on(self) -> bool:
        if self.status is not Status.RUNNING:
            return False
        if self._is_spent and self._evaluated_at >= self.progress.step and not self._is_evaluating:
            is_whole = is_spent(budget_of(self.training), *self._done)
            self.status = Status.FINISHED if is_whole else Status.STOPPED
        elif self._ends_as:
            self.status = self._ends_as
        return self.status is Status.RUNNING

    def _report(self, now: float) -> bool:
        """Tells the callback of the progress, if it is time to; says whether it was."""
        if now < self._next_report:
            return False
        self._next_report = now + SECONDS_BETWEEN_REPORTS
        self.progress.seconds = now - self._started
        self.callback.progressed(self.job, self.progress)
        return True

    def heed(self) -> None:
        """To be called between two steps of an evaluation, of which some take minutes.

        Raises:
            Stopped: the session is to end; one that has learned all is at most interrupted.
        """
        self._report(time.perf_counter())
        if self._ends_as is Status.INTERRUPTED or (self._ends_as and self.is_learning):
            raise Stopped

    def _evaluate(self) -> None:
        """Judges the greedy agent, and keeps it if it is the best so far."""
        threshold, started = self.experiment.problem.solved, time.perf_counter()
        progress, self._is_evaluating = self.progress, True
        try:
            result = self.evaluator.evaluate(
                self.agent, self._selection_seeds, self.training.evaluate_episodes, threshold
            )
        except Stopped:
            return
        self._take_back()
        self._is_evaluating, self._evaluated_at = False, progress.step
        self._keep_best()
        now = time.perf_counter()
        self._evaluation_seconds += now - started
        progress.seconds, progress.evaluation = now - self._started, result
        is_best = self._choice.is_best(result, progress)
        if self.training.stop_when_solved and result.surely_solves(threshold):
            self.status = Status.SOLVED
        self._recorder.evaluation(result, progress.step, is_best)
        self._save(*(["best"] if is_best else []), *self._stage())
        self.callback.evaluated(self.job, progress, player_of(self.experiment))

    def _take_back(self) -> None:
        """Puts the training episode back into an environment that an evaluation has shared."""
        shared = self.experiment.problem.shared
        if shared and self._rebuild(self.environments.state()) and not self._has_lost:
            self._has_lost = True
            self.callback.noted(
                f"{self.environments.id} does not repeat itself: each evaluation, which shares the "
                "environment, ends the training episode under way, and a new one begins"
            )

    def _keep_best(self) -> None:
        """Keeps the best policy so far from an evaluation that a longer session does not make."""
        if self._end:
            self._checkpoints.wait()
            keep_best(self.folder, self._choice.best_step)

    def _keep_last(self) -> None:
        """Keeps the agent as the best one, where none is evaluated while it learns."""
        self._choice.best_step = self._evaluated_at = self.progress.step
        self._save("best")

    def _stage(self) -> list[str]:
        """The name under which the policy of this evaluation is kept, if it is."""
        evaluations = self._next_evaluation // self._evaluate_every - 1
        return [str(self.progress.step)] if is_stage(evaluations) else []

    def _save(self, *names: str) -> None:
        """Saves everything, and the policy as the last one and under further names."""
        policy = {
            **self._origin,
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "policy": self.agent.policy_state(),
            "preprocessor": self.experiment.preprocessor.state(),
            "learned": self.agent.learned_state(),
        }
        policies = dict.fromkeys((*names, "last"), policy)
        self._checkpoints.save(self._state(), policies, self._recorder.sync)
