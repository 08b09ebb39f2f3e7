"""Search methods and pruners of Optuna, made repeatable.

Optuna's samplers have a random generator of their own, so their proposals depend on the history of
the process. Here each draw is a function of the search's seed, the trial's number, the parameter's
name, and the results so far: a killed search that resumes proposes what it would have proposed.

The study is a journal file. Processes that share the file, also on several machines, work on one
study; a killed process gives up its lock.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.analysis.figures import any_backend
from rl.distribution import installing
from rl.errors import UserError
from rl.search.methods import DEFAULT_TRIALS, Claim, Method
from rl.search.space import Choice, Dimension, Parameters
from rl.storage.files import read_json
from rl.storage.paths import user_path

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial, TrialState

SAMPLERS = ("tpe", "cmaes")
PRUNERS = ("none", "median", "asha")
STUDY = "search"
_BEGINNING = b'{"op_code":'  # of a journal, and of each line of it
STARTUP_TRIALS = 4  # before the median prunes


def require_optuna(what: str) -> None:
    """Refuses a method or pruner of Optuna if that is missing.

    Raises:
        UserError: it is not installed; the message says how to install it.
    """
    try:
        with _quiet(), any_backend():
            import optuna
    except ImportError:
        raise UserError(
            f"{what} needs Optuna: {installing('search')}; "
            "grid, line and random search need nothing"
        ) from None
    optuna.logging.set_verbosity(logging.ERROR)


class Sampled(Method):
    """Trials that a sampler proposes from the results so far.

    Args:
        name: "tpe" (Bergstra et al. 2011) or "cmaes" (Hansen and Ostermeier 2001).
        space: of the parameters.
        claim: claims a trial for this process.
        trials: the number of trials in the study.
        seed: of the sampler.
        journal: the study's file.
    """

    learns = True

    def __init__(
        self,
        name: str,
        space: Mapping[str, Dimension],
        claim: Claim,
        trials: int | None,
        seed: int,
        journal: Path,
    ) -> None:
        self._space, self._claim = space, claim
        self._limit = trials or DEFAULT_TRIALS
        self._study = open_study(journal, _repeatable(name, seed))
        self._open: dict[int, Trial] = {}
        self._left = self._left_running()

    def _left_running(self) -> Iterator[Trial]:
        """The trials that were proposed and never concluded, once claimed by this process."""
        import optuna

        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.state is optuna.trial.TrialState.RUNNING and self._claim(frozen.number):
                yield optuna.trial.Trial(self._study, frozen._trial_id)

    def propose(self) -> tuple[int, Parameters] | None:
        trial = next(self._left, None)
        with _quiet():
            while trial is None:
                if len(self._study.get_trials(deepcopy=False)) >= self._limit:
                    return None
                asked = self._study.ask()
                trial = asked if self._claim(asked.number) else None
        self._open[trial.number] = trial
        return trial.number, self._parameters(trial)

    def told(self) -> Iterator[tuple[int, Parameters]]:
        from optuna.trial import Trial

        for number, id in self._finished().items():
            yield number, self._parameters(Trial(self._study, id))

    def _finished(self) -> dict[int, int]:
        """The ids of the trials with results, by their numbers."""
        trials = self._study.get_trials(deepcopy=False)
        return {each.number: each._trial_id for each in trials if each.state.is_finished()}

    def _parameters(self, trial: Trial) -> Parameters:
        with _quiet():
            return {path: _suggest(trial, path, each) for path, each in self._space.items()}

    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        import optuna

        if number in self._finished():  # perhaps told by a process that shares the search
            return
        trial = self._open.pop(number)
        for step, value in result.get("curve", ()):
            trial.report(value, step)
        state = _state(result)
        score = result["score"] if state is optuna.trial.TrialState.COMPLETE else None
        self._study.tell(trial, score, state=state)


def checked_storage(storage: str | Path, method: str) -> Path:
    """The journal file of a shared search.

    Raises:
        UserError: the storage is not supported; the message says which is.
    """
    if method not in SAMPLERS:
        raise UserError(
            f"--storage is for {' and '.join(SAMPLERS)}; a {method} search is shared by its run "
            "folder: rl search --resume RUN"
        )
    if re.match(r"\w[\w+]+:/", str(storage)):
        raise UserError(
            f"--storage: {storage} is a database, and a file is supported, such as study.journal; "
            "processes share it, also on several machines with a common file system"
        )
    journal = user_path(storage)
    if not journal.parent.is_dir():
        raise UserError(f"{journal.parent}: there is no such folder for --storage")
    known = Path(f"{journal}.json")
    if not _is_journal(journal) or (known.exists() and "run" not in read_json(known)):
        raise UserError(f"{storage}: --storage would take the place of what is there; name another")
    return journal


def _is_journal(path: Path) -> bool:
    """Returns True if the file is missing, or a journal, perhaps cut off."""
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return _BEGINNING.startswith(file.read(len(_BEGINNING)))


def open_study(journal: Path, sampler: BaseSampler | None = None) -> Study:
    """The study of a journal file, which is created if it is missing.

    Raises:
        UserError: the file is no journal, or cannot be written.
    """
    import optuna
    from filelock import FileLock
    from optuna.storages.journal import JournalFileBackend

    lock = FileLock(f"{journal}.lock")  # ends with its process, as Optuna's locks do not
    try:
        if not _is_journal(journal):
            raise ValueError
        _mend(journal, lock)
        with _quiet():
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal), lock))  # type: ignore[arg-type]
            return optuna.create_study(
                storage=storage, sampler=sampler, study_name=STUDY, direction="maximize",
                load_if_exists=True,
            )  # fmt: skip
    except OSError as error:
        with suppress(OSError):  # of what it has begun nothing was written
            if not journal.stat().st_size:
                journal.unlink()
        raise UserError(f"{journal}: cannot be written: {error.strerror}") from None
    except Exception:  # Optuna trusts what it reads
        raise UserError(f"{journal}: is no journal of a search, or a damaged one") from None


def _mend(journal: Path, lock: BaseFileLock) -> None:
    """Removes the partial line that a killed process has left at the end."""
    if not journal.exists():
        return
    with lock, open(journal, "r+b") as file:
        content = file.read()
        if content.startswith(_BEGINNING[: len(content)]):  # else it is another file
            file.truncate(content.rfind(b"\n") + 1)


def _suggest(trial: Trial, path: str, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        values = {json.dumps(value): value for value in dimension.values}
        return values[trial.suggest_categorical(path, list(values))]
    if dimension.whole:
        return trial.suggest_int(path, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(path, dimension.low, dimension.high, log=dimension.log)


def _state(result: Mapping[str, Any]) -> TrialState:
    from optuna.trial import TrialState

    if result["state"] == "pruned" and result.get("curve"):
        return TrialState.PRUNED
    return TrialState.COMPLETE if result["score"] is not None else TrialState.FAIL


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

    with _quiet():
        return Repeatable()


class Pruning:
    """Decides whether a trial is hopeless, compared with the trials that ended before it began.

    Args:
        name: "median" or "asha" (successive halving, Li et al. 2020).
        steps: points of the curve of a trial that runs to its end.
        ended: the results of those trials: their `state`, `score`, `curve` and `rungs`.
    """

    def __init__(self, name: str, steps: int, ended: Sequence[Mapping[str, Any]]) -> None:
        import optuna

        with _quiet():
            self._study = optuna.create_study(direction="maximize", pruner=_pruner(name, steps))
            for result in ended:
                self._study.add_trial(
                    optuna.trial.create_trial(
                        state=_state(result),
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, Optuna does not warn of its experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
