"""A trial of a search while it runs."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from rl.proposing import Parameters
from rl.search.pruning import Pruning
from rl.session.job import Job, Outcome
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import SessionFolder, is_unfinished


@dataclass
class SearchTrial:
    """The state of a trial.

    Args:
        number: its place among the trials.
        parameters: of it.
        folder: of its results.
        jobs: its sessions.
        waiting: those that wait for the first ones (`Patience`).
        outcomes: of the sessions that have ended, by their number.
        pruning: decides whether it is hopeless; None without a pruner.
        pruned: whether it is.
        result: once it has ended.
        told: whether the search's method has received the result.
    """

    number: int
    parameters: Parameters
    folder: TrialFolder
    jobs: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    pruning: Pruning | None = None
    pruned: bool = False
    result: dict[str, Any] | None = None
    told: bool = False
    _curves: dict[int, dict[int, float]] = field(default_factory=dict)  # of sessions, by step
    _seen: list[tuple[int, float]] = field(default_factory=list)  # by the pruner
    _pruned_in: int = 0  # the session

    @property
    def ended(self) -> bool:
        """Returns True if every session has ended."""
        return len(self.outcomes) == len(self.jobs)

    def evaluated(self, session: int, step: int, mean_return: float) -> None:
        """Adds an evaluation; a repeated one changes nothing."""
        self._curves.setdefault(session, {}).setdefault(step, mean_return)

    def turns_hopeless(self, evaluations: int) -> bool:
        """Shows the pruner new points, in the order of sessions; returns True if it says stop.

        Args:
            evaluations: of a session that runs to its last step.
        """
        if self.pruning is None or self.pruned:
            return False
        seen = self._seen[-1][0] if self._seen else 0
        ended = {session for session, outcome in self.outcomes.items()
                 if outcome["status"] != "interrupted" and not is_unfinished(outcome)}  # fmt: skip
        for place, value in joint_curve(self._curves, ended, evaluations):
            if place > seen:
                self._seen.append((place, value))
                if self.pruning.says_stop(place, value):
                    self.pruned = True
                    self._pruned_in = (place - 1) // evaluations
                    return True
        return False

    def mark_pruned(self) -> None:
        """Marks the sessions from the one in which the trial was pruned as pruned.

        How far each had come depends on the machine: it may not have begun, or have ended.
        """
        for job in self.jobs[self._pruned_in :]:
            folder = SessionFolder(job.folder)
            folder.path.mkdir(exist_ok=True)
            kept = {key: value for key, value in folder.read_outcome().items()
                    if key not in ("evaluation", "final", "weights", "reason")}  # fmt: skip
            folder.write_outcome({**kept, "seed": job.seed, "status": "pruned"})

    def pruning_record(self) -> dict[str, Any]:
        """The part of the result that the pruner of later trials needs."""
        if self.pruning is None:
            return {}
        return {"curve": self._seen, "rungs": self.pruning.rungs}


def joint_curve(
    curves: Mapping[int, Mapping[int, float]], ended: Container[int], evaluations: int
) -> list[tuple[int, float]]:
    """One curve of several sessions, by which running trials are compared.

    Session k's i-th evaluation is point k E + i, and its value the mean over sessions 0 to k of
    their i-th evaluations: trials are compared on the same seeds, in the same order, whichever
    runs first. A session that has ended keeps its last value. Session k adds points once those
    before it have ended.

    Args:
        curves: mean return by environment step, of each session.
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
