"""A trial of a search while it runs."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from rl.search.optuna_methods import Pruning
from rl.search.space import Parameters
from rl.session.job import Job, Outcome
from rl.storage.run_folder import SessionFolder, TrialFolder, is_unfinished


@dataclass
class SearchTrial:
    """What is known of a trial.

    Args:
        number: its place among the trials.
        parameters: that are tried.
        folder: where it leaves everything.
        jobs: its sessions.
        outcomes: of those sessions that have ended, by their number.
        pruning: says whether it is hopeless; None if nobody asks.
        pruned: whether it has said so.
        result: what it was worth, once it has ended.
        told: whether the search's method knows.
    """

    number: int
    parameters: Parameters
    folder: TrialFolder
    jobs: list[Job] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    pruning: Pruning | None = None
    pruned: bool = False
    result: dict[str, Any] | None = None
    told: bool = False
    _curves: dict[int, dict[int, float]] = field(default_factory=dict)  # of sessions, by step
    _judged: list[tuple[int, float]] = field(default_factory=list)  # what the pruner has seen
    _pruned_in: int = 0  # the session, of those whose evaluations are one curve

    @property
    def ended(self) -> bool:
        """Whether all that is to be run has been."""
        return len(self.outcomes) == len(self.jobs)

    def evaluated(self, session: int, step: int, mean_return: float) -> None:
        """Adds an evaluation; one that a repeated session repeats changes nothing."""
        self._curves.setdefault(session, {}).setdefault(step, mean_return)

    def turns_hopeless(self, evaluations: int) -> bool:
        """Shows the pruner what is new, in the order of sessions; whether it now says stop.

        Args:
            evaluations: of a session that runs to its last step.
        """
        if self.pruning is None or self.pruned:
            return False
        seen = self._judged[-1][0] if self._judged else 0
        ended = {session for session, outcome in self.outcomes.items()
                 if outcome["status"] != "interrupted" and not is_unfinished(outcome)}  # fmt: skip
        for place, value in joint_curve(self._curves, ended, evaluations):
            if place > seen:
                self._judged.append((place, value))
                if self.pruning.says_stop(place, value):
                    self.pruned = True
                    self._pruned_in = (place - 1) // evaluations
                    return True
        return False

    def mark_pruned(self) -> None:
        """Writes that the sessions were pruned from the one on in which the trial was.

        How far each had come by then hangs on the machine: it may not have begun, or have ended.
        """
        for job in self.jobs[self._pruned_in :]:
            folder = SessionFolder(job.folder)
            folder.path.mkdir(exist_ok=True)
            kept = {key: value for key, value in folder.read_outcome().items()
                    if key not in ("evaluation", "final", "weights", "reason")}  # fmt: skip
            folder.write_outcome({**kept, "seed": job.seed, "status": "pruned"})

    def judgement(self) -> dict[str, Any]:
        """What trials that come later are to know of this one, if anybody prunes."""
        if self.pruning is None:
            return {}
        return {"curve": self._judged, "rungs": self.pruning.rungs}


def joint_curve(
    curves: Mapping[int, Mapping[int, float]], ended: Container[int], evaluations: int
) -> list[tuple[int, float]]:
    """One curve of several sessions, by which trials are measured while they run.

    Session k's i-th evaluation is point k E + i, and its value the mean over sessions 0 to k of
    their i-th evaluations: so trials are compared on the same seeds, in the same order, whatever
    runs first. A session that has ended keeps its last value. Session k adds points once those
    before it have ended.

    Args:
        curves: of each session the mean return by environment step.
        ended: the sessions that have ended.
        evaluations: E, of a session that runs to its last step.

    Returns:
        The points [number, value] from 1 on.
    """
    points = []
    session = 0
    while session in curves:
        lists = [[curves[each][at] for at in sorted(curves[each])] for each in range(session + 1)]
        for place in range(len(lists[session])):
            values = [values[min(place, len(values) - 1)] for values in lists]
            points.append((session * evaluations + place + 1, sum(values) / len(values)))
        if session not in ended:
            break
        session += 1
    return points
