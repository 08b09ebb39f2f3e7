"""The end of a trial whose first sessions have not solved the problem."""

from __future__ import annotations

from rl.analysis.fitness_2017 import until_solved
from rl.analysis.records import Record, read_record
from rl.session.job import Job, Outcome
from rl.session.status import Status
from rl.specification.specification import Specification
from rl.storage.files import make_folder
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import SessionFolder, has_ended


class Patience:
    """Which sessions of a trial wait for the first ones, and whether they run at all.

    Args:
        specification: `train.give_up_after` is the number of first sessions; without it none waits.
        trial: the folder of the trial.
    """

    def __init__(self, specification: Specification, trial: TrialFolder) -> None:
        train = specification.block("train")
        self.first: int | None = train.get("give_up_after")
        self._by_training = bool(train.get("stop_at_training_mean"))
        self._trial = trial

    def waits(self, job: Job) -> bool:
        """Returns True if a session begins only after the first ones."""
        return self.first is not None and job.session >= self.first

    @property
    def is_over(self) -> bool:
        """Returns True if the first sessions have ended and none has solved the problem."""
        records = [read_record(self._trial.session(n)) for n in range(self.first or 0)]
        return all(has_ended(each.outcome) and not self._has_solved(each) for each in records)

    def _has_solved(self, record: Record) -> bool:
        """Whether a session has solved its problem, by the criterion that would stop it."""
        if self._by_training:
            return until_solved(record.trained, record.threshold)[1]
        return record.solved

    def give_up(self, job: Job) -> Outcome:
        """Writes the outcome of a session that will not run, and returns it."""
        reason = f"it did not begin: none of the first {self.first} sessions solved the problem"
        outcome = {"seed": job.seed, "status": Status.PRUNED.value, "steps": 0, "reason": reason}
        make_folder(job.folder)
        SessionFolder(job.folder).write_outcome(outcome)
        return outcome
