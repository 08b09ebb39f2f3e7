"""A search: trials of different settings, each of several sessions, ranked by a statistic.

The run folder holds the state of a search. A trial's folder has its parameters and, once it has
ended, its result; the process that runs a trial holds a lock, which ends with the process. So a
killed search resumes where it was, and several processes can share one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rl.analysis.records import columns
from rl.analysis.search_figures import analyze_search, describe_parameters
from rl.console.signals import stopped_by_signals
from rl.errors import DiskError, UserError, on_disk
from rl.formatting import figure_of
from rl.proposing import METHODS, Method, Parameters
from rl.running.executors import Executor
from rl.running.patience import Patience
from rl.running.trial import at_the_end, refuse_unsaved
from rl.search.claims import Claims, has_ended
from rl.search.conclusion import conclude, reasons
from rl.search.members import Members
from rl.search.optuna_methods import Studied
from rl.search.pruning import Pruning
from rl.search.settings import SearchSettings
from rl.search.space import Dimension
from rl.search.storages import Storage
from rl.search.trial import SearchTrial
from rl.session.callback import Callback, Callbacks
from rl.session.job import Job, Outcome
from rl.session.player import Player
from rl.session.progress import Progress
from rl.specification.build import build
from rl.specification.specification import Specification
from rl.storage.files import make_folder, write_json, write_specification
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import is_unfinished

SECONDS_TO_WAIT = 1.0  # between two looks at other machines
UNFINISHED = "unfinished"  # the state of a trial that failed by an outside cause


class Search(Callback):
    """Proposes trials, runs their sessions, and records the results.

    Args:
        folder: of the run.
        specification: with a `search` block.
        settings: of that block.
        space: of that block.
        storage: of the study; None for a method that needs none.
        executor: where sessions run.
    """

    def __init__(
        self,
        folder: RunFolder,
        specification: Specification,
        settings: SearchSettings,
        space: Mapping[str, Dimension],
        storage: Storage | None,
        executor: Executor,
    ) -> None:
        self.folder, self.specification = folder, specification
        self.settings, self.executor = settings, executor
        manifest = folder.read_manifest()["search"]
        self._lag = int(manifest["lag"])
        # What a method learns from is told again as a search resumes, or is in its study.
        self._claims = Claims(folder, again=bool(storage) or METHODS[settings.method].learns)
        self._storage = storage
        if storage:
            storage.is_hurried = lambda: executor.interrupted
        self._lost = iter(self._find_lost())
        self._proposed: tuple[int, Parameters] | None = None
        self.elsewhere: list[int] = []  # trials that other processes run, at the end
        self._trials: list[SearchTrial] = []  # of this process, in the order they were begun
        self._by_folder: dict[Path, SearchTrial] = {}
        self._unsaved: list[Outcome] = []  # of sessions that the disk has failed
        self._method = self._make_method(space, storage)
        training = build(specification, seed=0).training
        steps = training.steps or 1  # a pruner needs them
        self._evaluations = -(-steps // (training.evaluate_every or steps))  # of a session at most
        executor.callback = Callbacks([executor.callback, self])

    def _make_method(self, space: Mapping[str, Dimension], storage: Storage | None) -> Method:
        settings, claim = self.settings, self._claims.claim
        name, trials, seed = settings.method, settings.trials, settings.seed
        if storage is None:
            method: Method = METHODS[name](space, claim, trials, seed)
            return method
        members = Members(self.folder) if storage.is_server else None
        return Studied(name, space, claim, trials, seed, storage, members)

    def _find_lost(self) -> Iterator[tuple[int, Parameters]]:
        """The trials that have ended in the study but not in the folder.

        It was removed, or an earlier version marked lost trials as failed. They are run again for
        their result; the study keeps the earlier one.
        """
        for number, parameters in self._method.told():
            if not has_ended(self.folder.trial(number)) and self._claims.claim(number):
                if has_ended(self.folder.trial(number)):  # by another process, meanwhile
                    self._claims.release(number)
                else:
                    yield number, parameters

    @property
    def unfinished(self) -> list[int]:
        """The trials of this process that were given up because their processes were lost."""
        return [trial.number for trial in self._trials
                if trial.result and trial.result["state"] == UNFINISHED]  # fmt: skip

    @property
    def sessions_left(self) -> int:
        """The sessions of trials that have not ended, at most; 0 if it is unknown."""
        trials = self._method.size - sum(map(has_ended, self.folder.trials()))
        return max(0, trials) * self.settings.sessions

    def run(self) -> None:
        """Runs trials until there are no more or it is interrupted."""
        executor, path = self.executor, self.folder.path
        disk = on_disk(path, remedy=f"put that right, and then: rl resume {path}")
        with disk, at_the_end(self._analyze), self._claims, self._method.sharing():
            with executor, stopped_by_signals(executor.interrupt, executor.lags):
                while self._fill() or self._waits():
                    for job, outcome in executor.wait() if executor.unfinished else ():
                        executor.callback.ended(job, outcome)
            refuse_unsaved(self._unsaved)
            self._fetch()
            storage = self._storage
            self.elsewhere = storage.patiently(self._others) if storage else self._others()

    def _others(self) -> list[int]:
        """The trials that other processes run.

        A look at a lock holds it for a moment, in which nobody may look for work.
        """
        with self._storage.exclusive() if self._storage else nullcontext():
            return sorted({*self._claims.others(), *self._method.elsewhere()})

    def _analyze(self) -> None:
        """Analyzes the search as it is now; a process that shares it may do so too."""
        with self._claims.alone():
            analyze_search(self.folder)

    def _waits(self) -> bool:
        """Waits a moment if another machine may be dead; returns False if there is no need."""
        if self.executor.interrupted or not self._method.awaits():
            return False
        time.sleep(SECONDS_TO_WAIT)
        return True

    def _fetch(self) -> None:
        """Writes the results of trials that other machines have run into this folder."""
        for number, result in self._method.results():
            trial = self.folder.trial(number)
            if not has_ended(trial):
                make_folder(trial.path)
                if result["state"] != "refused":
                    assigned = self.specification.assign(result["parameters"])
                    specification = build(assigned, seed=0).specification
                    write_specification(trial.spec, specification.name, specification.values)
                write_json(trial.result, result)

    def _fill(self) -> bool:
        """Begins trials while there is room; returns True if anything is running."""
        executor = self.executor
        while not executor.interrupted and executor.unfinished < executor.capacity:
            if self._proposed is None and self._may_propose():
                self._proposed = next(self._lost, None) or self._method.propose()
            if self._proposed is None or self._must_wait(self._proposed[0]):
                break
            proposed, self._proposed = self._proposed, None
            self._begin(*proposed)
        if not executor.unfinished and not executor.interrupted:  # else more would be told too soon
            self._tell(len(self._trials))
        return executor.unfinished > 0

    def _must_wait(self, number: int) -> bool:
        """Returns True if the pruner still lacks a result to compare the trial with."""
        return self.settings.pruner != "none" and any(
            trial.result is None and trial.number <= number - self._lag for trial in self._trials
        )

    def _may_propose(self) -> bool:
        """Tells the method the results for the next trial; returns False if some are missing."""
        if not self._method.learns:
            return True
        before = len(self._trials) - self._lag + 1
        if any(trial.result is None for trial in self._trials[: max(before, 0)]):
            return False
        self._tell(max(before, 0))
        return True

    def _tell(self, count: int) -> None:
        """Tells the method the results of the first `count` trials that have ended."""
        for trial in self._trials[:count]:
            if trial.result and trial.result["state"] != UNFINISHED and not trial.told:
                trial.told = True
                self._method.tell(trial.number, trial.result)
                self._claims.release(trial.number)  # now no process runs or tells it again

    def _tell_at_once(self) -> None:
        """Tells a method that does not learn all results; the others wait for their turn."""
        if not self._method.learns:
            self._tell(len(self._trials))

    def _begin(self, number: int, parameters: Parameters) -> None:
        trial = SearchTrial(number, parameters, self.folder.trial(number))
        self._trials.append(trial)
        if has_ended(trial.folder):  # but its process was killed before telling the method
            trial.result = trial.folder.read_result()
            self._tell_at_once()
            return
        trial.folder.path.mkdir(parents=True, exist_ok=True)
        write_json(trial.folder.result, {"state": "running", "parameters": parameters})
        self._note(f"trial {number}: {describe_parameters(parameters)}")
        try:
            specification = build(self.specification.assign(parameters), seed=0).specification
        except DiskError:
            raise
        except UserError as error:
            self._conclude(trial, "refused", reason=str(error))
            return
        write_specification(trial.folder.spec, specification.name, specification.values)
        if self.settings.pruner != "none":
            self._fetch()
            trial.pruning = Pruning(
                self.settings.pruner,
                self._evaluations * self.settings.sessions,
                self._earlier(number),
            )
        self._submit(trial, specification)

    def _submit(self, trial: SearchTrial, specification: Specification) -> None:
        """Submits the sessions of a trial that have not finished earlier."""
        settings, patience = self.settings, Patience(specification, trial.folder)
        for session in range(settings.sessions):
            folder = trial.folder.session(session)
            job = Job(specification, settings.seed + session, folder.path, session, trial.number)
            trial.jobs.append(job)
            self._by_folder[folder.path] = trial
        for job in trial.jobs:
            folder = trial.folder.session(job.session)
            self._read_evaluations(trial, job.session)
            if folder.has_ended:
                trial.outcomes[job.session] = folder.read_outcome()
            elif patience.waits(job):
                trial.waiting.append(job)
            else:
                self.executor.submit(job)
        self._release(trial, patience)
        self._prune(trial)
        if trial.ended:
            self._conclude_sessions(trial)

    def _release(self, trial: SearchTrial, patience: Patience) -> None:
        """Submits the sessions that waited for the first ones, or gives them up."""
        first = range(patience.first or 0)
        if not trial.waiting or not all(session in trial.outcomes for session in first):
            return
        is_over = patience.is_over
        while trial.waiting:
            job = trial.waiting.pop(0)
            if is_over:
                trial.outcomes[job.session] = patience.give_up(job)
            else:
                self.executor.submit(job)

    def _read_evaluations(self, trial: SearchTrial, session: int) -> None:
        """Adds the evaluations that another process has made in a session."""
        if trial.pruning:
            table = trial.folder.session(session).evaluations
            for step, value in zip(*columns(table, ("step", "mean_return")), strict=True):
                trial.evaluated(session, int(step), float(value))

    def restarted(self, job: Job, reason: str) -> None:
        """A session resumes in another process; some of its evaluations may not have arrived."""
        trial = self._by_folder[job.folder]
        self._read_evaluations(trial, job.session)
        self._prune(trial)

    def _earlier(self, number: int) -> list[dict[str, Any]]:
        """The results of the trials that a new one is compared with, in order."""
        results = [self.folder.trial(each).read_result() for each in range(number - self._lag + 1)]
        return [result for result in results if result.get("state") in ("complete", "pruned")]

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        trial = self._by_folder.get(job.folder)
        if trial is not None and progress.evaluation is not None:
            trial.evaluated(job.session, progress.step, progress.evaluation.mean)
            self._prune(trial)

    def _prune(self, trial: SearchTrial) -> None:
        """Stops the remaining sessions of a trial once the pruner finds it hopeless."""
        if trial.turns_hopeless(self._evaluations):
            for job in trial.jobs:
                if job.session not in trial.outcomes:
                    self.executor.stop(job, "pruned")

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.get("unsaved"):
            self.executor.interrupt()
            self._unsaved.append(outcome)
            return
        trial = self._by_folder[job.folder]
        trial.outcomes[job.session] = outcome
        self._release(trial, Patience(job.specification, trial.folder))
        self._prune(trial)
        if trial.ended:
            self._conclude_sessions(trial)

    def _conclude_sessions(self, trial: SearchTrial) -> None:
        outcomes = trial.outcomes.values()
        if any(outcome["status"] == "interrupted" for outcome in outcomes):
            return  # it resumes with the search
        if trial.pruned:
            trial.mark_pruned()
        elif lost := [each for each in outcomes if is_unfinished(each)]:
            self._conclude(trial, UNFINISHED, reason=reasons(lost))
            return
        statistic, pruned = self.settings.statistic, trial.pruned
        self._conclude(trial, *conclude(self.folder, trial.number, outcomes, statistic, pruned))

    def _conclude(
        self,
        trial: SearchTrial,
        state: str,
        score: float | None = None,
        reason: str = "",
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the result of a trial."""
        trial.result = {
            **(figures or {}),
            **trial.pruning_record(),
            "state": state,
            "parameters": trial.parameters,
            "score": score,
            **({"reason": reason} if reason else {}),
        }
        write_json(trial.folder.result, trial.result)
        self._tell_at_once()
        worth = "" if score is None else f", {self.settings.statistic} {figure_of(score)}"
        self._note(f"trial {trial.number}: {state}{worth}{f': {reason}' if reason else ''}")

    def _note(self, text: str) -> None:
        self.executor.callback.noted(text)
