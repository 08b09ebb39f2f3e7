"""A search: trials of different settings, each of several sessions, ranked by a statistic.

The run folder is the memory of a search. A trial's folder says what is tried in it and, once it has
ended, what it was worth; who has a trial under way holds a lock that ends with the process. So a
search that was killed goes on where it was, and several processes can share one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.analysis.metrics import STATISTICS
from rl.analysis.search import analyze_search, describe_parameters
from rl.errors import UserError
from rl.experiment.build import build
from rl.experiment.executors import Executor, Listener, Outcome
from rl.experiment.jobs import Job
from rl.experiment.methods import METHODS, Method
from rl.experiment.optuna_methods import SAMPLERS, Pruning, Sampled
from rl.experiment.run import Run
from rl.experiment.search_settings import SearchSettings, read_search
from rl.experiment.search_space import Dimension, Parameters
from rl.experiment.session import Progress
from rl.experiment.specification import Specification, read_specifications
from rl.experiment.trial import stopped_by_signals
from rl.files import read_json, read_table, write_json, write_specification
from rl.run_folder import RunFolder, TrialFolder, default_path

if TYPE_CHECKING:
    from filelock import BaseFileLock

ENDED = ("complete", "pruned", "diverged", "failed", "refused")


def start_search(
    specification: Specification,
    output: str | Path | None,
    storage: str | Path | None,
    executor: Executor,
) -> Search:
    """A search ready to run: a new one, or the one that `storage` holds already.

    Raises:
        UserError: its block is missing or wrong, or the storage is another search's.
    """
    settings, space = read_search(specification)
    if storage is not None:
        if settings.method not in SAMPLERS:
            raise UserError(
                f"--storage is for {' and '.join(SAMPLERS)}; a {settings.method} search is shared "
                "by its run folder: rl search --resume RUN"
            )
        if (known := Path(f"{storage}.json")).exists():
            return _joined(specification, Path(read_json(known)["run"]), output, executor)
    path = Path(output) if output is not None else default_path(specification.name)
    journal = Path(storage).absolute() if storage is not None else path.absolute() / "study.journal"
    if not journal.parent.exists() and storage is not None:
        raise UserError(f"{journal.parent}: there is no such folder for --storage")
    seeds = range(settings.seed, settings.seed + settings.sessions)
    more = {
        "kind": "search",
        "search": {
            **asdict(settings),
            "lag": lag_of(executor.capacity, settings.sessions),
            "journal": str(journal),
            "space": specification.block("search")["space"],
        },
    }
    folder = RunFolder.create(path, specification.name, specification.values, sys.argv, seeds, more)
    if storage is not None:
        write_json(Path(f"{storage}.json"), {"run": str(path.absolute())})
    return Search(folder, specification, settings, space, executor)


def _joined(
    specification: Specification, path: Path, output: str | Path | None, executor: Executor
) -> Search:
    """The search in `path`, if it is of this specification."""
    search = resume_search(path, executor)
    if _digest(search.specification) != _digest(specification):
        raise UserError(
            f"{path}: the storage belongs to this search, whose specification is another; "
            "use another --storage"
        )
    if output is not None and Path(output).absolute() != path:
        raise UserError(f"--output: the storage belongs to {path}; leave --output out")
    return search


def _digest(specification: Specification) -> str:
    return hashlib.sha256(json.dumps(specification.values, sort_keys=True).encode()).hexdigest()


def resume_search(path: str | Path, executor: Executor, trials: int | None = None) -> Search:
    """The search in a run folder, to go on with.

    Args:
        path: of the run folder.
        executor: where sessions run.
        trials: how many there are to be now; by default as many as were wanted.

    Raises:
        UserError: there is no search there.
    """
    folder = RunFolder.open(path)
    manifest = folder.read_manifest()
    if manifest.get("kind") != "search":
        raise UserError(f"{folder.path}: is no search; `rl search` makes one")
    specification = read_specifications(folder.spec)[manifest["experiment"]]
    settings, space = read_search(specification)
    if trials is not None:
        settings = SearchSettings(**{**asdict(settings), "trials": trials})
    return Search(folder, specification, settings, space, executor)


def lag_of(capacity: int, sessions: int) -> int:
    """How many trials are under way at once: enough to keep so many processes busy.

    A method that learns proposes a trial from the results of those that are at least so far back,
    and no others: what it proposes does not hang on which session happens to end first.
    """
    return 1 if capacity == 1 else -(-capacity // sessions) + 1


@dataclass
class _Trial:
    """A trial of this process."""

    number: int
    parameters: Parameters
    folder: TrialFolder
    jobs: list[Job] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    curves: dict[int, dict[int, float]] = field(default_factory=dict)  # of sessions, by step
    curve: list[tuple[int, float]] = field(default_factory=list)
    pruning: Pruning | None = None
    pruned: bool = False
    result: dict[str, Any] | None = None
    told: bool = False

    @property
    def ended(self) -> bool:
        """Whether all that is to be run has been."""
        return len(self.outcomes) == len(self.jobs)


class Search:
    """Proposes trials, runs their sessions, and keeps what they were worth.

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
        self._locks: dict[int, BaseFileLock] = {}
        self._proposed: tuple[int, Parameters] | None = None
        self._trials: list[_Trial] = []  # of this process, in the order they were begun
        self._by_folder: dict[Path, _Trial] = {}
        self._method = self._make_method(space, Path(manifest["journal"]))
        resolved = build(specification, seed=0)
        self.total_steps = resolved.training.steps
        every = resolved.training.evaluate_every
        self._evaluations = -(-self.total_steps // every)
        executor.listener = _Relay(executor.listener, self._evaluated)

    def _make_method(self, space: Mapping[str, Dimension], journal: Path) -> Method:
        settings = self.settings
        if settings.method in METHODS:
            return METHODS[settings.method](space, self._claim, settings.trials, settings.seed)
        return Sampled(settings.method, space, self._claim, settings.trials, settings.seed, journal)

    def run(self) -> None:
        """Runs trials until there are no more, or until it is interrupted."""
        executor = self.executor
        try:
            with executor, stopped_by_signals(executor.interrupt):
                while self._fill():
                    for job, outcome in executor.wait():
                        executor.listener.ended(job, outcome)
                        self._ended(job, outcome)
        finally:
            for lock in self._locks.values():
                lock.release()
            analyze_search(self.folder)

    def _fill(self) -> bool:
        """Begins trials while there is room; says whether anything is under way."""
        executor = self.executor
        while not executor.interrupted and executor.unfinished < executor.capacity:
            if self._proposed is None and self._may_propose():
                self._proposed = self._method.propose()
            if self._proposed is None or self._must_wait(self._proposed[0]):
                break
            proposed, self._proposed = self._proposed, None
            self._begin(*proposed)
        if not executor.unfinished:
            self._tell(len(self._trials))
        return executor.unfinished > 0

    def _must_wait(self, number: int) -> bool:
        """Whether a pruner lacks a result that the trial is to be measured against."""
        return self.settings.pruner != "none" and any(
            trial.result is None and trial.number <= number - self._lag for trial in self._trials
        )

    def _may_propose(self) -> bool:
        """Whether the results that the next trial is to follow from are there; tells them."""
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
            if trial.result is not None and not trial.told:
                trial.told = True
                self._method.tell(trial.number, trial.result)

    def _begin(self, number: int, parameters: Parameters) -> None:
        trial = _Trial(number, parameters, self.folder.trial(number))
        self._trials.append(trial)
        result = read_json(trial.folder.result)
        if result.get("state") in ENDED:  # ended, but whoever ran it was killed before saying so
            trial.result = result
            self._release(trial)
            return
        trial.folder.path.mkdir(parents=True, exist_ok=True)
        write_json(trial.folder.result, {"state": "running", "parameters": parameters})
        self._listen(f"trial {number}: {describe_parameters(parameters)}")
        try:
            specification = build(self.specification.assign(parameters), seed=0).specification
        except UserError as error:
            self._conclude(trial, "refused", str(error))
            return
        write_specification(trial.folder.spec, specification.name, specification.values)
        if self.settings.pruner != "none":
            trial.pruning = Pruning(
                self.settings.pruner,
                self._evaluations * self.settings.sessions,
                self._earlier(number),
            )
        self._submit(trial, specification)

    def _submit(self, trial: _Trial, specification: Specification) -> None:
        """Hands over the sessions of a trial that have not finished before."""
        settings = self.settings
        for session in range(settings.sessions):
            folder = trial.folder.session(session)
            job = Job(specification, settings.seed + session, folder.path, session, trial.number)
            trial.jobs.append(job)
            self._by_folder[folder.path] = trial
        for job in trial.jobs:
            folder = trial.folder.session(job.session)
            outcome = folder.read_outcome()
            if "evaluation" in outcome:
                trial.outcomes[job.session] = outcome
                if trial.pruning:
                    table = read_table(folder.evaluations)
                    steps = (int(step) for step in table["step"])
                    trial.curves[job.session] = dict(zip(steps, table["mean_return"], strict=True))
            else:
                self.executor.submit(job)
        self._judge(trial)
        if trial.ended:
            self._conclude_sessions(trial)

    def _earlier(self, number: int) -> list[dict[str, Any]]:
        """The results of the trials that a new one is measured against, in order."""
        results = [
            read_json(self.folder.trial(each).result) for each in range(number - self._lag + 1)
        ]
        return [result for result in results if result.get("state") in ("complete", "pruned")]

    def _evaluated(self, job: Job, progress: Progress) -> None:
        trial = self._by_folder.get(job.folder)
        if trial is not None and progress.evaluation is not None:
            curve = trial.curves.setdefault(job.session, {})
            curve.setdefault(progress.step, progress.evaluation.mean)
            self._judge(trial)

    def _judge(self, trial: _Trial) -> None:
        """Shows the pruner what is new, in the order of sessions; stops the trial if it says so."""
        if trial.pruning is None or trial.pruned:
            return
        for step, value in joint_curve(trial.curves, trial.outcomes, self._evaluations):
            if trial.curve and step <= trial.curve[-1][0]:
                continue
            trial.curve.append((step, value))
            if trial.pruning.says_stop(step, value):
                trial.pruned = True
                for job in trial.jobs:
                    if job.session not in trial.outcomes:
                        self.executor.stop(job, "pruned")
                return

    def _ended(self, job: Job, outcome: Outcome) -> None:
        trial = self._by_folder[job.folder]
        trial.outcomes[job.session] = outcome
        self._judge(trial)
        if trial.ended:
            self._conclude_sessions(trial)

    def _conclude_sessions(self, trial: _Trial) -> None:
        statuses = {outcome["status"] for outcome in trial.outcomes.values()}
        if "interrupted" in statuses:
            return  # it is run again when the search goes on
        bad = next((each for each in ("diverged", "failed") if each in statuses), None)
        reasons = [str(each["reason"]) for each in trial.outcomes.values()
                   if each["status"] == bad and "reason" in each]  # fmt: skip
        state = "pruned" if trial.pruned else bad or "complete"
        self._conclude(trial, state, "; ".join(dict.fromkeys(reasons)))

    def _conclude(self, trial: _Trial, state: str, reason: str) -> None:
        """Writes what a trial was worth."""
        result: dict[str, Any] = {"state": state, "parameters": trial.parameters, "score": None}
        if reason:
            result["reason"] = reason
        if trial.jobs:
            figures = Run(self.folder, trial.number).analyze(draw=False)
            if state == "complete":
                result["score"] = STATISTICS[self.settings.statistic](figures)
            result = {**figures, **result}
        if trial.pruning:
            result |= {"curve": trial.curve, "rungs": trial.pruning.rungs}
        trial.result = result
        write_json(trial.folder.result, result)
        self._release(trial)
        score = (
            "" if result["score"] is None else f", {self.settings.statistic} {result['score']:.4g}"
        )
        self._listen(f"trial {trial.number}: {state}{score}{f': {reason}' if reason else ''}")

    def _listen(self, text: str) -> None:
        self.executor.listener.noted(text)

    def _claim(self, number: int) -> bool:
        """Whether a trial is now this process's to run, or to say the result of."""
        from filelock import FileLock, Timeout

        locks = self.folder.path / "locks"
        locks.mkdir(exist_ok=True)
        lock = FileLock(locks / f"trial_{number:03d}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        ended = read_json(self.folder.trial(number).result).get("state") in ENDED
        if ended and self.settings.method not in SAMPLERS:
            lock.release()
            return False
        self._locks[number] = lock
        return True

    def _release(self, trial: _Trial) -> None:
        self._locks.pop(trial.number).release()


class _Relay(Listener):
    """Passes on what an executor's listener hears, and tells the search of evaluations."""

    def __init__(self, inner: Listener, evaluated: Callable[[Job, Progress], None]) -> None:
        self._inner, self._tell = inner, evaluated

    def progressed(self, job: Job, progress: Progress) -> None:
        self._inner.progressed(job, progress)

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._inner.ended(job, outcome)

    def noted(self, text: str) -> None:
        self._inner.noted(text)

    def evaluated(self, job: Job, progress: Progress) -> None:
        self._inner.evaluated(job, progress)
        self._tell(job, progress)


def joint_curve(
    curves: Mapping[int, Mapping[int, float]], ended: Mapping[int, Any], evaluations: int
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
