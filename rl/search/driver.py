"""A search: trials of different settings, each of several sessions, ranked by a statistic.

The run folder holds the state of a search. A trial's folder has its parameters and, once it has
ended, its result; the process that runs a trial holds a lock, which ends with the process. So a
killed search resumes where it was, and several processes can share one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rl.analysis.analyze import draw_trial
from rl.analysis.metrics import STATISTICS
from rl.analysis.records import columns
from rl.analysis.search_figures import analyze_search, describe_parameters
from rl.console.optional import optional
from rl.console.signals import stopped_by_signals
from rl.errors import DiskError, UserError, on_disk
from rl.running.executors import Executor
from rl.running.trial import at_the_end, refuse_unsaved
from rl.saved.run import Run
from rl.search.claims import Claims, has_ended
from rl.search.methods import METHODS, Method
from rl.search.optuna_methods import SAMPLERS, Pruning, Sampled, checked_storage
from rl.search.settings import SearchSettings, changes, read_search
from rl.search.space import Dimension, Parameters
from rl.search.trial import SearchTrial
from rl.session.callback import Callback, Callbacks
from rl.session.job import Job, Outcome
from rl.session.player import Player
from rl.session.progress import Progress
from rl.specification.build import build
from rl.specification.environment import import_modules
from rl.specification.packages import packages_in
from rl.specification.repeats import settled
from rl.specification.specification import Specification, read_specifications
from rl.storage.files import read_json, write_json, write_specification
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, default_path, is_unfinished

JOURNAL = "study.journal"  # without --storage
UNFINISHED = "unfinished"  # the state of a trial that failed by an outside cause


def start_search(
    specification: Specification,
    output: str | Path | None,
    storage: str | Path | None,
    executor: Executor,
) -> Search:
    """A search ready to run: a new one, or the existing one of `storage`.

    Raises:
        UserError: its block is missing or wrong, or the storage belongs to another search.
    """
    path = user_path(output) if output is not None else default_path(specification.name)
    settings, space = read_search(specification)
    if not any(path.partition(".")[0] in ("problem", "environment") for path in space):
        specification, notes = settled(specification, build(specification, seed=0).problem)
        for note in notes:
            executor.callback.noted(note)
    if storage is not None:
        storage = checked_storage(storage, settings.method)
        if (known := Path(f"{storage}.json")).exists():
            return _joined(specification, known, output, executor)
    seeds = range(settings.seed, settings.seed + settings.sessions)
    more = {
        **import_modules(specification),
        **packages_in(specification.values),
        "kind": "search",
        "search": {
            **asdict(settings),
            "lag": lag_of(executor.capacity, settings.sessions),
            "journal": JOURNAL if storage is None else str(storage),
            "space": specification.block("search")["space"],
        },
    }
    folder = RunFolder.create(path, specification.name, specification.values, sys.argv, seeds, more)
    if storage is not None:
        write_json(Path(f"{storage}.json"), {"run": str(path)})
    return Search(folder, specification, settings, space, executor)


def _joined(
    specification: Specification, known: Path, output: str | Path | None, executor: Executor
) -> Search:
    """The search that a file beside the storage names, if it has this specification."""
    path = Path(str(read_json(known).get("run", known)))
    if not path.exists():
        raise UserError(
            f"{path}: the storage belongs to this run folder, which is not there; if it was moved: "
            "rl search --resume RUN"
        )
    before = _specification_of(RunFolder.open(path))
    changed = changes(before.values, specification.values)
    if others := [each for each in changed if each != "search.trials"]:
        raise UserError(
            f"{path}: the storage belongs to this search, whose specification is another (in "
            f"{', '.join(others)}); use another --storage"
        )
    if output is not None and user_path(output) != path:
        raise UserError(f"--output: the storage belongs to {path}; leave --output out")
    return resume_search(path, executor, specification.block("search").get("trials"))


def resume_search(path: str | Path, executor: Executor, trials: int | None = None) -> Search:
    """The search in a run folder, ready to resume.

    Args:
        path: of the run folder.
        executor: where sessions run.
        trials: the new maximum number; by default the last one. Trials that have begun are
            finished in any case.

    Raises:
        UserError: there is no search there, its specification was changed, or its journal is gone.
    """
    folder = RunFolder.open(path)
    specification = _specification_of(folder)
    settings, space = read_search(specification)
    _find_journal(folder, settings.method)
    wanted = _set_trials(folder, trials, executor.callback)
    return Search(folder, specification, replace(settings, trials=wanted), space, executor)


def _specification_of(folder: RunFolder) -> Specification:
    """The specification of the search in a run folder, unchanged since it began."""
    manifest = folder.read_manifest()
    if manifest.get("kind") != "search":
        raise UserError(f"{folder.path}: is no search; `rl search` makes one")
    specification = read_specifications(folder.spec)[manifest["experiment"]]
    values = specification.values
    if changed := changes(manifest.get("specification", values), values):
        raise UserError(
            f"{folder.spec}: was changed since the search began (in {', '.join(changed)}), and it "
            "goes on as it began; put that back, or begin another with `rl search NAME --spec`"
        )
    return specification


def _set_trials(folder: RunFolder, trials: int | None, callback: Callback) -> int | None:
    """Records the maximum number of trials, if it is given; returns the number to run."""
    manifest = folder.read_manifest()
    search, begun = manifest["search"], len(folder.trials())
    if trials is None:
        trials = search.get("trials")
    elif trials != search.get("trials"):
        write_json(folder.manifest, {**manifest, "search": {**search, "trials": trials}})
        if trials < begun:
            callback.noted(f"{begun} trials have begun, and {trials} are wanted: none is added")
    return None if trials is None else max(trials, begun)


def _find_journal(folder: RunFolder, method: str) -> Path:
    """The file of the study of a search.

    Raises:
        UserError: it is missing, or belongs to another run folder.
    """
    journal = Path(folder.read_manifest()["search"]["journal"])
    inside = folder.path / JOURNAL
    if not journal.is_absolute() or inside.exists():  # earlier versions wrote the old path
        journal = inside
    elif (known := Path(f"{journal}.json")).exists():
        _take_storage(known, folder.path)
    if method in SAMPLERS and folder.trials() and not journal.exists():
        raise UserError(
            f"{journal}: is not there, and has the trials of {folder.path}; put it back"
        )
    return journal


def _take_storage(known: Path, path: Path) -> None:
    """Records the run folder that a storage belongs to, if it was moved.

    Raises:
        UserError: it is still in its place, and this one is a copy.
    """
    before = Path(str(read_json(known).get("run", path)))
    if before == path:
        return
    if before.exists() and not before.samefile(path):
        raise UserError(f"{path}: is a copy; its storage belongs to {before}, which can go on")
    write_json(known, {"run": str(path)})


def lag_of(capacity: int, sessions: int) -> int:
    """The number of trials that run at once: enough to keep all processes busy.

    A method that learns proposes a trial only from the results of trials at least this far back, so
    its proposals do not depend on which session happens to end first.
    """
    return 1 if capacity == 1 else -(-capacity // sessions) + 1


class Search(Callback):
    """Proposes trials, runs their sessions, and records the results.

    Args:
        folder: of the run.
        specification: with a `search` block.
        settings: of that block.
        space: of that block.
        executor: where sessions run.
    """

    def __init__(
        self,
        folder: RunFolder,
        specification: Specification,
        settings: SearchSettings,
        space: Mapping[str, Dimension],
        executor: Executor,
    ) -> None:
        self.folder, self.specification = folder, specification
        self.settings, self.executor = settings, executor
        manifest = folder.read_manifest()["search"]
        self._lag = int(manifest["lag"])
        self._claims = Claims(folder, again=settings.method in SAMPLERS)
        self._lost = iter(self._find_lost())
        self._proposed: tuple[int, Parameters] | None = None
        self._trials: list[SearchTrial] = []  # of this process, in the order they were begun
        self._by_folder: dict[Path, SearchTrial] = {}
        self._unsaved: list[Outcome] = []  # of sessions that the disk has failed
        self._method = self._make_method(space, _find_journal(folder, settings.method))
        training = build(specification, seed=0).training
        steps = training.steps or 1  # a pruner needs them
        self._evaluations = -(-steps // (training.evaluate_every or steps))  # of a session at most
        executor.callback = Callbacks([executor.callback, self])

    def _make_method(self, space: Mapping[str, Dimension], journal: Path) -> Method:
        settings, claim = self.settings, self._claims.claim
        if settings.method in METHODS:
            return METHODS[settings.method](space, claim, settings.trials, settings.seed)
        return Sampled(settings.method, space, claim, settings.trials, settings.seed, journal)

    def _find_lost(self) -> Iterator[tuple[int, Parameters]]:
        """The trials that have ended in the study but not in the folder.

        It was removed, or an earlier version marked lost trials as failed. They are run again for
        their result; the study keeps the earlier one.
        """
        for number, parameters in self._method.told():
            if not has_ended(self.folder.trial(number)) and self._claims.claim(number):
                yield number, parameters

    @property
    def unfinished(self) -> list[int]:
        """The trials of this process that were given up because their processes were lost."""
        return [trial.number for trial in self._trials
                if trial.result and trial.result["state"] == UNFINISHED]  # fmt: skip

    def run(self) -> None:
        """Runs trials until there are no more or it is interrupted."""
        executor, path = self.executor, self.folder.path
        disk = on_disk(path, remedy=f"put that right, and then: rl resume {path}")
        with disk, at_the_end(lambda: analyze_search(self.folder)), self._claims:
            with executor, stopped_by_signals(executor.interrupt, executor.lags):
                while self._fill():
                    for job, outcome in executor.wait():
                        executor.callback.ended(job, outcome)
            refuse_unsaved(self._unsaved)

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

    def _begin(self, number: int, parameters: Parameters) -> None:
        trial = SearchTrial(number, parameters, self.folder.trial(number))
        self._trials.append(trial)
        if has_ended(trial.folder):  # but its process was killed before telling the method
            trial.result = trial.folder.read_result()
            self._claims.release(number)
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
            trial.pruning = Pruning(
                self.settings.pruner,
                self._evaluations * self.settings.sessions,
                self._earlier(number),
            )
        self._submit(trial, specification)

    def _submit(self, trial: SearchTrial, specification: Specification) -> None:
        """Submits the sessions of a trial that have not finished earlier."""
        settings = self.settings
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
            else:
                self.executor.submit(job)
        self._prune(trial)
        if trial.ended:
            self._conclude_sessions(trial)

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
        self._prune(trial)
        if trial.ended:
            self._conclude_sessions(trial)

    def _conclude_sessions(self, trial: SearchTrial) -> None:
        statuses = {outcome["status"] for outcome in trial.outcomes.values()}
        if "interrupted" in statuses:
            return  # it resumes with the search
        if trial.pruned:
            trial.mark_pruned()
        elif any(map(is_unfinished, trial.outcomes.values())):
            lost = {str(each["reason"]): None for each in trial.outcomes.values()
                    if is_unfinished(each)}  # fmt: skip
            self._conclude(trial, UNFINISHED, reason="; ".join(lost))
            return
        bad = next((each for each in ("diverged", "failed") if each in statuses), None)
        reasons = {str(each.get("reason", "")): None for each in trial.outcomes.values()
                   if each["status"] == bad}  # fmt: skip
        state = "pruned" if trial.pruned else bad or "complete"
        figures = Run(self.folder, trial.number).figures()
        with optional(str(trial.folder.curve), "nothing else is missing"):
            draw_trial(trial.folder, figures)
        score = STATISTICS[self.settings.statistic](figures) if state == "complete" else None
        self._conclude(trial, state, score, "; ".join(reasons), figures)

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
        self._claims.release(trial.number)
        worth = "" if score is None else f", {self.settings.statistic} {score:.4g}"
        self._note(f"trial {trial.number}: {state}{worth}{f': {reason}' if reason else ''}")

    def _note(self, text: str) -> None:
        self.executor.callback.noted(text)
