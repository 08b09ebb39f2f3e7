"""Search methods of Optuna, made repeatable, and any method whose trials are in a study.

Optuna's samplers have a random generator of their own, so their proposals depend on the history of
the process. Here each draw is a function of the search's seed, the trial's number, the parameter's
name, and the results so far: a killed search that resumes proposes what it would have proposed.

Processes that share a study look at it anew, and alone, before they take or conclude a trial.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from rl.analysis.figures import any_backend
from rl.distribution import installing
from rl.errors import UserError
from rl.proposing import METHODS, Claim, Method, Parameters
from rl.search.members import Members
from rl.search.methods import DEFAULT_TRIALS
from rl.search.pruning import PRUNERS, state_of
from rl.search.space import Choice, Dimension
from rl.search.storages import Storage, T, open_study, quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial, TrialState

__all__ = ["PRUNERS", "SAMPLERS", "Studied", "open_study", "require_optuna"]

SAMPLERS = ("tpe", "cmaes")
RESULT = "result"  # the attribute of a trial that has its result, for other machines


def require_optuna(what: str) -> None:
    """Refuses a method or pruner of Optuna if that is missing.

    Raises:
        UserError: it is not installed; the message says how to install it.
    """
    try:
        with quiet(), any_backend():
            import optuna
    except ImportError:
        raise UserError(
            f"{what} needs Optuna: {installing('search')}; "
            "grid, line and random search need nothing"
        ) from None
    optuna.logging.set_verbosity(logging.ERROR)


class Studied(Method):
    """Trials that are in a study: those of a sampler, or of a method that uses no results.

    Args:
        name: "tpe" (Bergstra et al. 2011), "cmaes" (Hansen and Ostermeier 2001), or another of
            `METHODS` that uses no results.
        space: of the parameters.
        claim: locks a trial for this process.
        trials: the number of trials in the study.
        seed: of the method.
        storage: of the study.
        members: the run folders that share a server's study; None if all are in one folder.
    """

    learns = True  # those of a sampler

    def __init__(
        self,
        name: str,
        space: Mapping[str, Dimension],
        claim: Claim,
        trials: int | None,
        seed: int,
        storage: Storage,
        members: Members | None = None,
    ) -> None:
        self._space, self._claim = space, claim
        is_listed = not METHODS[name].learns
        self._listed = METHODS[name](space, claim, trials, seed) if is_listed else None
        self.learns = not is_listed
        self.size = self._listed.size if self._listed else trials or DEFAULT_TRIALS
        self._storage, self._members = storage, members
        self._study = storage.open(_repeatable(name, seed) if self.learns else None)
        self._open: dict[int, Trial] = {}  # those that this process has taken
        self._claimed: set[int] = set()  # and those that it was about to take

    def sharing(self) -> AbstractContextManager[object]:
        if self._members is None:
            return nullcontext()
        return self._members.beating(self._study, self._storage)

    def _patiently(self, call: Callable[[], T]) -> T:
        return self._storage.patiently(call, self._members.forget if self._members else bool)

    def propose(self) -> tuple[int, Parameters] | None:
        return self._patiently(self._propose)

    def _propose(self) -> tuple[int, Parameters] | None:
        """As `propose`; what a server has of an attempt that it cut off is taken up again."""
        with self._storage.exclusive(), quiet():
            trial = self._left_running() or self._new()
            if trial is None:
                return None
            if self._members:
                self._members.take(trial)
            proposed = trial.number, self._parameters(trial)
        self._open[trial.number] = trial
        return proposed

    def _take(self, number: int) -> bool:
        """Returns True if a trial is claimed by this process."""
        if number not in self._claimed and self._claim(number):
            self._claimed.add(number)
        return number in self._claimed

    def _left_running(self) -> Trial | None:
        """A trial that was begun by a process that is gone, in its folder or with its machine."""
        from optuna.trial import Trial, TrialState

        for frozen in self._trials(TrialState.RUNNING):
            is_left = not self._members or not self._members.may_live(frozen)
            if frozen.number not in self._open and is_left and self._take(frozen.number):
                return Trial(self._study, frozen._trial_id)
        return None

    def _new(self) -> Trial | None:
        """A new trial, unless there are enough."""
        while len(self._trials()) < self.size:
            asked = self._study.ask()
            if self._take(asked.number):
                return asked
        return None

    def awaits(self) -> bool:
        from optuna.trial import TrialState

        if not self._members:
            return False
        running = self._patiently(lambda: self._trials(TrialState.RUNNING))
        return any(map(self._members.is_doubtful, running))

    def elsewhere(self) -> list[int]:
        from optuna.trial import TrialState

        if not self._members:
            return []
        running = self._patiently(lambda: self._trials(TrialState.RUNNING))
        return [each.number for each in running if not self._members.is_ours(each)]

    def told(self) -> Iterator[tuple[int, Parameters]]:
        from optuna.trial import Trial

        def parameters(number: int) -> Parameters:
            with self._storage.reached():
                return self._parameters(Trial(self._study, number))

        for frozen in self._finished():
            if not self._members or self._members.is_ours(frozen):
                yield frozen.number, self._patiently(partial(parameters, frozen._trial_id))

    def results(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if members := self._members:
            for frozen in self._finished():
                if not members.is_ours(frozen) and RESULT in frozen.user_attrs:
                    made = {"made": self._patiently(partial(self._place_of, frozen))}
                    yield frozen.number, {**json.loads(frozen.user_attrs[RESULT]), **made}

    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        if trial := self._open.get(number):  # else its folder was lost: the study has its result
            self._patiently(lambda: self._tell(trial, result))
            del self._open[number]
            self._claimed.discard(number)

    def _tell(self, trial: Trial, result: Mapping[str, Any]) -> None:
        import optuna

        with self._storage.exclusive(), quiet():
            now = self._study._storage.get_trial(trial._trial_id)
            if now.state.is_finished() or (self._members and not self._members.is_ours(now)):
                return  # it is told once: the process was cut off, and another has taken its place
            for step, value in result.get("curve", ()):
                trial.report(value, step)
            if self._members:
                trial.set_user_attr(RESULT, json.dumps(result))
            state = state_of(result)
            score = result["score"] if state is optuna.trial.TrialState.COMPLETE else None
            self._study.tell(trial, score, state=state)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials of the study, as they are now."""
        with self._storage.reached():
            return self._study.get_trials(deepcopy=False, states=states or None)

    def _finished(self) -> list[FrozenTrial]:
        return [each for each in self._patiently(self._trials) if each.state.is_finished()]

    def _place_of(self, trial: FrozenTrial) -> dict[str, Any]:
        assert self._members
        with self._storage.reached():
            return self._members.place_of(trial)

    def _parameters(self, trial: Trial) -> Parameters:
        if self._listed:
            return self._listed.parameters(trial.number)
        with self._storage.reached(), quiet():
            return {path: _suggest(trial, path, each) for path, each in self._space.items()}


METHODS.update(dict.fromkeys(SAMPLERS, Studied))


def _suggest(trial: Trial, path: str, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        values = {json.dumps(value): value for value in dimension.values}
        return values[trial.suggest_categorical(path, list(values))]
    if dimension.whole:
        return trial.suggest_int(path, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(path, dimension.low, dimension.high, log=dimension.log)


def _repeatable(name: str, seed: int) -> BaseSampler:
    """A sampler whose draws depend on the trial's number and not on earlier draws."""
    from optuna import samplers

    def make(number: int, parameter: str = "") -> BaseSampler:
        mixed = zlib.crc32(f"{seed} {number} {parameter}".encode())
        if name == "tpe":
            return samplers.TPESampler(seed=mixed, multivariate=True, constant_liar=True)
        return samplers.CmaEsSampler(seed=mixed, warn_independent_sampling=False)

    class Repeatable(samplers.BaseSampler):
        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Any:
            return make(trial.number).infer_relative_search_space(study, trial)

        def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Any) -> Any:
            return make(trial.number).sample_relative(study, trial, search_space)

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
        ) -> Any:
            sampler = make(trial.number, param_name)
            return sampler.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(
            self, study: Study, trial: FrozenTrial, state: TrialState, values: Any
        ) -> None:
            make(trial.number).after_trial(study, trial, state, values)

    with quiet():
        return Repeatable()
