"""Saving a session, and restoring it: as it was, or with a larger budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nn.checkpoint import CheckpointError
from nn.typing import State
from rl.errors import UserError, on_disk
from rl.session.checkpoints import Checkpoints
from rl.session.job import Job
from rl.session.longer import (
    budget_of,
    extends,
    is_longer,
    keep_best,
    lengthen_files,
    lengthened,
)
from rl.session.progress import Progress
from rl.session.recorder import Recorder
from rl.session.saved import origin_of
from rl.specification.build import Experiment
from rl.storage.forms import RESUMABLE
from rl.storage.session_folder import SessionFolder


class Persistence:
    """Saves a session as it learns, and restores it.

    Args:
        job: whose session it is; its folder must exist.
        experiment: the parts.
        recorder: of the tables.
        note: is told what a user wants to know.
    """

    def __init__(
        self, job: Job, experiment: Experiment, recorder: Recorder, note: Callable[[str], None]
    ) -> None:
        self._job, self._experiment, self._recorder, self._note = job, experiment, recorder, note
        self._folder, self._training = SessionFolder(job.folder), experiment.training
        self._origin = origin_of(experiment.specification)
        self.checkpoints = Checkpoints(self._folder, experiment.agent.replay)

    def save(self, state: State, progress: Progress, names: Iterable[str] = ()) -> None:
        """Saves everything, and the policy as the last one and under further names.

        Args:
            state: of the session; it must hold copies of what changes.
            progress: of the session.
            names: of the policy's checkpoints.
        """
        agent, preprocessor = self._experiment.agent, self._experiment.preprocessor.state()
        policy = {
            **self._origin,
            "step": progress.step,
            "seconds": progress.seconds,
            "policy": agent.policy_state(),
            "preprocessor": preprocessor,
            "learned": agent.learned_state(),
        }
        whole = {
            **state,
            "specification": self._experiment.specification.digest,
            "task": self._experiment.tasks[-1],
            "budget": budget_of(self._training),
            "tables": self._recorder.sizes,
            "agent": agent.state(),
            "preprocessor": preprocessor,
        }
        policies = dict.fromkeys((*names, "last"), policy)
        self.checkpoints.save(whole, policies, self._recorder.sync)

    def keep_best(self, step: int) -> None:
        """Keeps a copy of the best policy, of this step, which is about to be replaced."""
        self.checkpoints.wait()
        keep_best(self._folder, step)

    def load(self) -> State | None:
        """Restores tables, agent and preprocessor from the latest intact checkpoint, if any.

        Returns:
            The checkpoint, or None. If the budget is larger now, it is as it would be within that.

        Raises:
            DiskError: a file cannot be read; none was touched.
            UserError: the checkpoint is of another specification.
        """
        folder = self._folder.path
        remedy = f"nothing was changed; put that right, and then: rl resume {folder.parents[1]}"
        with on_disk(folder, "read", remedy):
            state, complaints = self.checkpoints.load(self._accept)
        for complaint in complaints:
            self._note(complaint)
        if state:
            return self._restored(state)
        if complaints:
            self._note(f"{folder}: begins anew")
        return None

    def _accept(self, state: State) -> None:
        if not RESUMABLE(state):
            raise CheckpointError(f"{self._folder.resume}: a checkpoint in it is of no session")
        tables = state["tables"]
        if is_longer(state, self._training):  # which were perhaps written anew already
            tables = {**lengthened(state, self._training)["tables"], "updates": 0}
        self._recorder.check(tables)

    def _restored(self, state: State) -> State:
        experiment = self._experiment
        same = state["specification"] in experiment.digests
        if not same and state.get("task") not in experiment.tasks:
            raise self._of_another()
        longer = is_longer(state, self._training)
        if longer:
            state = self._lengthened(state)
        self._recorder.restore(state["due"], state["tables"])
        if longer:
            self._recorder.lengthen(state["progress"]["step"], self._training.lanes)
        experiment.agent.restore(state["agent"])
        experiment.preprocessor.restore(state["preprocessor"])
        return state

    def _lengthened(self, state: State) -> State:
        """A complete checkpoint of a session that had a smaller budget."""
        if not extends(budget_of(self._training), state["budget"]):
            raise self._of_another()
        if not state["due"]["history"]["whole"]:
            raise UserError(
                f"{self._folder.path}: was begun by an earlier version, and its end cannot be moved"
            )
        longer = lengthened(state, self._training)
        lengthen_files(self._folder, state, longer, self._origin["specification"])
        return longer

    def _of_another(self) -> UserError:
        return UserError(
            f"{self._folder.path}: its checkpoint was made with another specification; put that "
            "back, or remove the folder"
        )

    @property
    def can_stay(self) -> bool:
        """Whether the state may stay for continuing beyond the end, as never in a search."""
        most = self._training.keep_state * 1_000_000
        is_alone = self._job.trial is None
        return is_alone and self._recorder.is_whole and self.checkpoints.size <= most

    def discard(self, keep: bool) -> None:
        """Removes all that resuming needs but the policies, or what only a failure needs."""
        keep_state = self._training.keep_state
        if not keep and self._job.trial is None and keep_state:
            self._note(
                f"{self._folder.path}: its state, {self.checkpoints.size / 1e6:,.1f} MB, is not "
                f"kept (train.keep_state is {keep_state}), so that `rl resume --steps` cannot go "
                "on from here"
            )
        self.checkpoints.discard(keep)
