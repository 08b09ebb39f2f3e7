"""A session: one agent learns one problem, from one seed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from nn.checkpoint import sync_folder
from nn.typing import State
from rl.errors import MISFIT, DiskError, Diverged, UserError, on_disk, one_line
from rl.session.arena import Arena
from rl.session.callback import Callback, overrides, saving
from rl.session.choice import ENDLESS, Choice
from rl.session.evaluation import LANES, Stopped
from rl.session.forecast import Forecast
from rl.session.job import Job, Outcome
from rl.session.persistence import Persistence
from rl.session.player import player_of
from rl.session.progress import Progress
from rl.session.recorder import Recorder
from rl.session.saved import title_of
from rl.session.status import ENDS, Status
from rl.specification.build import Experiment
from rl.storage.session_folder import SessionFolder

SECONDS_BETWEEN_REPORTS = 0.2


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
        steps, note = self.training.steps, self.callback.noted
        problem = experiment.problem
        self.progress = Progress(
            steps,
            total_episodes=self.training.episodes,
            title=title_of(experiment.specification, problem),
            threshold=problem.solved,
        )
        self._forecast = Forecast(
            self.progress, self.training.evaluate_every, 1 if problem.shared else LANES
        )
        self._arena = Arena(experiment, self.heed, note)
        self.environments, self.evaluator = self._arena.environments, self._arena.evaluator
        self._recorder = Recorder(self.folder, self.agent, steps)
        self._choice = Choice(problem.solved, self.training.evaluate_every)
        self.persistence = Persistence(job, experiment, self._recorder, note)
        self._stops_at = job.stops_at  # environment step, as a callback wants it
        self._reason: str | None = None  # why a callback has stopped it
        self._is_begun = False
        self.is_learning = True  # or about to; False once it saves for the last time
        self.status = Status.RUNNING
        self._ends_as: Status | None = None
        self._next_report = 0.0

    def go_on(self) -> None:
        """Restores the latest complete checkpoint in the folder, if there is one.

        Call it before `run`. A damaged checkpoint is skipped, and the callback told: a session that
        resumes from an earlier one, or begins anew, ends with the same result.

        Raises:
            DiskError: a file cannot be read; none was touched.
            UserError: the checkpoint is of another specification.
        """
        try:
            if state := self.persistence.load():
                self._restore(state)
            elif self.job.start:
                self.job.start.apply(self.experiment)
        except MISFIT as error:
            raise UserError(
                f"{self.folder.resume}: its checkpoint does not fit ({error}); remove that "
                "folder, and the session begins anew"
            ) from None

    def _state(self) -> State:
        stop = {"stops_at": self._stops_at, "reason": self._reason}
        return {
            "end": self._choice.end,
            "progress": self.progress.state(),
            "due": {**stop, **self._recorder.state(), **self._choice.state()},
            "status": self.status.value,
            **self._arena.state(),
            "callbacks": {name: each.state() for name, each in saving(self.callback).items()},
        }

    def _restore(self, state: State) -> None:
        self.progress.restore(state["progress"])
        due, status = state["due"], Status(state["status"])
        self._stops_at, self._reason = due.get("stops_at"), due.get("reason")
        self._choice.restore(due, state.get("end"), self.progress.step)
        self.status = status if status.value in ENDS else Status.RUNNING  # again
        for name, each in saving(self.callback).items():
            if name in state.get("callbacks", {}):
                each.restore(state["callbacks"][name])
        self._arena.restore(state)
        self._is_begun = True

    def interrupt(self, status: str = "interrupted") -> None:
        """Ends the session after the current step, once it is saved.

        An evaluation under way is abandoned, and repeated when the session is resumed.
        """
        self._ends_as = Status(status)

    def stop(self, reason: str = "") -> None:
        """Ends the training after the current step, for a callback.

        The agent is evaluated as after the last step, and the status is `stopped`.

        Args:
            reason: is shown with the status.
        """
        if self.is_learning and not self._is_spent:
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
        """Learns until the problem is solved, the budget is spent, or the session is interrupted.

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
                self.persistence.checkpoints.wait()
            except Diverged as error:
                self.status = Status.DIVERGED
                raise Diverged(f"step {self.agent.steps}: {error.component}", error.found) from None

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Opens the tables, and closes everything afterwards."""
        run = self.folder.path.parents[1]
        remedy = f"what was saved before is whole: put that right, and then: rl resume {run}"
        with on_disk(self.folder.path, remedy=remedy), self._in_place(), ExitStack() as stack:
            ends = (self._recorder.close, self._arena.close, self.persistence.checkpoints.close)
            for end in (*ends, self._stop_clock):
                stack.callback(end)
            self._recorder.open()
            sync_folder(self.folder.path)
            yield

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Within, an error is explained that comes from a folder that is gone."""
        try:
            yield
        except FileNotFoundError as error:
            if self.folder.path.is_dir():
                raise
            raise DiskError(
                f"{self.folder.path}: was moved or removed while its session ran"
            ) from error

    def _stop_clock(self) -> None:
        self.progress.seconds = time.perf_counter() - self._started

    def outcome(self) -> Outcome:
        """How the session ended, or how it stands.

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
            "evaluation_seconds": self._choice.seconds,
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
        if self._choice.is_unfinished:
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
                if training.stop_at_training_mean:
                    self._stop_at_mean()
            self._recorder.updates(progress)
            if self._tells_steps:
                self.callback.stepped(self.job, self, transitions)
            if progress.step >= self._choice.next_step or self._is_spent:
                self._choice.advance(progress, self._recorder.sizes)
                self._evaluate() if training.evaluate_every else self._keep_last()
                next_save = time.perf_counter() + training.checkpoint_seconds
            now = time.perf_counter()
            if self._report(now):
                self.persistence.checkpoints.note()
            if now >= next_save:
                next_save = now + training.checkpoint_seconds
                self._save()

    def _stop_at_mean(self) -> None:
        """Stops once the mean return of the latest training episodes is at the threshold."""
        mean, threshold = float(np.mean(self.progress.recent)), self.experiment.problem.solved
        if threshold is not None and mean >= threshold:
            self.stop(f"mean return of the latest training episodes: {mean:.6g}")

    @property
    def _is_done(self) -> bool:
        """Whether the session has done all steps, or all episodes."""
        progress, training = self.progress, self.training
        return progress.step >= (training.steps or ENDLESS) or progress.episodes >= (
            training.episodes or ENDLESS
        )

    @property
    def _is_spent(self) -> bool:
        """Whether it has, or a callback has stopped it."""
        stops_at = self._stops_at
        return self._is_done or (stops_at is not None and self.progress.step >= stops_at)

    def _goes_on(self) -> bool:
        if self.status is not Status.RUNNING:
            return False
        is_evaluated = self._choice.latest_step >= self.progress.step
        if self._is_spent and is_evaluated and not self._choice.is_unfinished:
            self.status = Status.FINISHED if self._is_done else Status.STOPPED
        elif self._ends_as:
            self.status = self._ends_as
        return self.status is Status.RUNNING

    def _report(self, now: float) -> bool:
        """Calls the callback with the progress, if it is time to; returns True if it was."""
        if now < self._next_report:
            return False
        self._next_report = now + SECONDS_BETWEEN_REPORTS
        if self.is_learning:
            self.progress.seconds = now - self._started
        self._forecast.update(now, not self.is_learning)
        self.callback.progressed(self.job, self.progress)
        return True

    def heed(self, played: int, to_play: int) -> None:
        """Is called after each step of an evaluation, which may take minutes.

        Args:
            played: episodes that have ended.
            to_play: all episodes.

        Raises:
            Stopped: the session must end; after its training only an interruption ends it.
        """
        now = time.perf_counter()
        self._forecast.plays(played, to_play, now)
        self._report(now)
        if self._ends_as is Status.INTERRUPTED or (self._ends_as and self.is_learning):
            raise Stopped

    def _evaluate(self) -> None:
        """Evaluates the greedy agent, and keeps it if it is the best so far."""
        started, progress, choice = time.perf_counter(), self.progress, self._choice
        choice.is_unfinished = True
        try:
            result = self._arena.evaluate()
        except Stopped:
            return
        choice.is_unfinished, choice.latest_step = False, progress.step
        if choice.end:  # a longer session does not make this evaluation
            self.persistence.keep_best(choice.best_step)
        now = time.perf_counter()
        self._forecast.learns(now)
        choice.seconds += now - started
        progress.seconds, progress.evaluation = now - self._started, result
        is_best = choice.is_best(result, progress)
        threshold = self.experiment.problem.solved
        if self.training.stop_when_solved and result.surely_solves(threshold):
            self.status = Status.SOLVED
        self._recorder.evaluation(result, progress.step, is_best)
        stage = [str(progress.step)] if choice.is_stage else []
        self._save(*(["best"] if is_best else []), *stage)
        self.callback.evaluated(self.job, progress, player_of(self.experiment))

    def _keep_last(self) -> None:
        """Keeps the agent as the best one, where none is evaluated while it learns."""
        self._choice.best_step = self._choice.latest_step = self.progress.step
        self._save("best")

    def _save(self, *names: str) -> None:
        self.persistence.save(self._state(), self.progress, names)
