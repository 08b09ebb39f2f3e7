"""When an agent is evaluated as it learns, and which of its policies are kept."""

from __future__ import annotations

import math

from nn.typing import State
from rl.session.evaluation import Evaluation
from rl.session.progress import Progress

ENDLESS = 2**53  # steps, more than anybody has


class Choice:
    """Chooses the best checkpoint, by the lower confidence bound of its evaluation.

    An evaluation is due every so many steps, and where the session ends.

    Args:
        threshold: the mean return from which the problem is solved; None if there is none.
        every: environment steps from one evaluation to the next; None if there are none.
    """

    def __init__(self, threshold: float | None, every: int | None) -> None:
        self._threshold, self._every = threshold, every or ENDLESS
        self.next_step = self._every  # of an evaluation
        self.latest_step = -1  # likewise
        self.is_unfinished = False  # an evaluation that is under way, or was stopped
        self.seconds = 0.0  # of all evaluations
        self.best_bound = -math.inf
        self.best_step = 0
        self.reached: dict[str, float] | None = None
        self.end: State | None = None  # what an evaluation changes that only the end asks for

    def advance(self, progress: Progress, tables: dict[str, int]) -> None:
        """Moves on to the next evaluation, as one is about to be made.

        Args:
            progress: of the session.
            tables: their sizes.
        """
        if progress.step < self.next_step:
            evaluations = {"evaluation": self.next_step, "evaluated_at": self.latest_step}
            self.end = {
                "evaluation": progress.state()["evaluation"],
                "tables": tables,
                "due": {**evaluations, **self._best()},
            }
        self.next_step += self._every

    def is_best(self, result: Evaluation, progress: Progress) -> bool:
        """Takes in an evaluation; returns True if none before was better.

        The first one of enough episodes whose mean is at the threshold is noted as `reached`.
        """
        if self.reached is None and result.solves(self._threshold):
            self.reached = {
                "step": progress.step,
                "episodes": progress.episodes,
                "seconds": progress.seconds,
            }
        is_best = result.lower_bound >= self.best_bound
        if is_best:
            self.best_bound, self.best_step = result.lower_bound, progress.step
        return is_best

    @property
    def is_stage(self) -> bool:
        """Whether the policy of this evaluation is kept for good."""
        return is_stage(self.next_step // self._every - 1)

    def state(self) -> State:
        """What `restore` needs, beside `end`."""
        return {
            "evaluation": self.next_step,
            "evaluated_at": self.latest_step,
            "unfinished": self.is_unfinished,
            "evaluation_seconds": self.seconds,
            **self._best(),
        }

    def _best(self) -> State:
        return {name: vars(self)[name] for name in ("best_bound", "best_step", "reached")}

    def restore(self, state: State, end: State | None, step: int) -> None:
        """Takes over a saved state.

        Args:
            state: as it was.
            end: likewise.
            step: that the session is at.
        """
        vars(self).update({name: state[name] for name in self._best()})
        self.next_step, self.is_unfinished = state["evaluation"], state["unfinished"]
        self.seconds, self.end = state["evaluation_seconds"], end
        # An earlier version did not save this, but it evaluated before it saved for the last time.
        self.latest_step = state.get("evaluated_at", -1 if self.is_unfinished else step)


def is_stage(evaluations: int) -> bool:
    """Whether the policy after so many evaluations is kept for good: after 1, 2, 4, 8, ...

    Policies change fast at first; a thousand evaluations leave ten of them.
    """
    return evaluations & (evaluations - 1) == 0
