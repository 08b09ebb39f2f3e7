"""Which of a session's policies are kept: the best one, and stages on the way to it."""

from __future__ import annotations

import math

from nn.typing import State
from rl.session.evaluation import Evaluation
from rl.session.progress import Progress


class Choice:
    """Chooses the best checkpoint, by the lower confidence bound of its evaluation.

    Args:
        threshold: the mean return from which the problem is solved; None if there is none.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self.best_bound = -math.inf
        self.best_step = 0
        self.reached: dict[str, float] | None = None

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

    def state(self) -> State:
        """What `restore` needs."""
        return {name: vars(self)[name] for name in ("best_bound", "best_step", "reached")}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        vars(self).update({name: state[name] for name in self.state()})


def is_stage(evaluations: int) -> bool:
    """Whether the policy after so many evaluations is kept for good: after 1, 2, 4, 8, ...

    Policies change fast at first; a thousand evaluations leave ten of them.
    """
    return evaluations & (evaluations - 1) == 0
