"""Pruners of Optuna, each of whose decisions follows from results on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rl.search.storages import quiet

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import TrialState

PRUNERS = ("none", "median", "asha")
STARTUP_TRIALS = 4  # before the median prunes


class Pruning:
    """Decides whether a trial is hopeless, compared with the trials that ended before it began.

    Args:
        name: "median" or "asha" (successive halving, Li et al. 2020).
        steps: points of the curve of a trial that runs to its end.
        ended: the results of those trials: their `state`, `score`, `curve` and `rungs`.
    """

    def __init__(self, name: str, steps: int, ended: Sequence[Mapping[str, Any]]) -> None:
        import optuna

        with quiet():
            self._study = optuna.create_study(direction="maximize", pruner=_pruner(name, steps))
            for result in ended:
                self._study.add_trial(
                    optuna.trial.create_trial(
                        state=state_of(result),
                        value=result["score"] if result["state"] == "complete" else None,
                        intermediate_values=dict(result.get("curve", ())),
                        system_attrs=dict(result.get("rungs", {})),
                    )
                )
            self._trial = self._study.ask()

    def says_stop(self, step: int, value: float) -> bool:
        """Adds a point to the curve of this trial; returns True if it should end."""
        self._trial.report(value, step)
        return self._trial.should_prune()

    @property
    def rungs(self) -> dict[str, Any]:
        """What successive halving has recorded of this trial, for later trials."""
        return dict(self._study.get_trials(deepcopy=False)[-1].system_attrs)


def _pruner(name: str, steps: int) -> BasePruner:
    from optuna import pruners

    first = max(1, steps // 8)  # the beginning of a learning curve says too little
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=first)
    return pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=3)


def state_of(result: Mapping[str, Any]) -> TrialState:
    """The state of a study's trial that has this result."""
    from optuna.trial import TrialState

    if result["state"] == "pruned" and result.get("curve"):
        return TrialState.PRUNED
    return TrialState.COMPLETE if result["score"] is not None else TrialState.FAIL
