"""One trial of a search, or one session of it, in a folder that several processes fill.

The parameters of a trial must follow from its number, so that no process needs to know of another:
those of a grid, a line or a random search do.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rl.analysis.search_figures import analyze_search
from rl.console.signals import stopped_by_signals
from rl.errors import DiskError, UserError, on_disk
from rl.proposing import METHODS
from rl.running.executors import Executor
from rl.running.patience import Patience
from rl.running.trial import at_the_end, check_number, check_same, refuse_unsaved, run_all
from rl.saved.run import Run
from rl.search.claims import Claims, has_ended
from rl.search.conclusion import conclude
from rl.search.opening import JOURNAL, lag_of
from rl.search.optuna_methods import SAMPLERS
from rl.search.settings import SearchSettings, read_search
from rl.session.job import Job
from rl.specification.build import build
from rl.specification.environment import import_modules
from rl.specification.packages import packages_in
from rl.specification.repeats import settled
from rl.specification.specification import Specification
from rl.storage.files import make_folder, write_json, write_specification
from rl.storage.manifest import git_commit
from rl.storage.paths import user_path
from rl.storage.run_folder import SECONDS_TO_CREATE, RunFolder
from rl.storage.session_folder import is_over, is_unfinished


class Part:
    """A trial of a search, or one session of it.

    Args:
        specification: with a `search` block.
        output: the run folder, which the first process creates.
        number: of the trial.
        session: the only one to run; None for all of the trial's.

    Raises:
        UserError: there is no such trial or session, its parameters depend on the results of
            others, or the folder is another run's.
    """

    def __init__(
        self, specification: Specification, output: Path, number: int, session: int | None
    ) -> None:
        self.settings, space = read_search(specification)
        self.number, self.session, self.note = number, session, specification.note
        _require_known(self.settings)
        if not any(path.partition(".")[0] in ("problem", "environment") for path in space):
            specification, _ = settled(specification, build(specification, seed=0).problem)
        settings, self.specification = self.settings, specification
        method = METHODS[settings.method](space, lambda _: True, settings.trials, settings.seed)
        self.trials = method.size
        check_number("trial", number, self.trials)
        check_number("session", session or 0, settings.sessions)
        self.parameters = method.parameters(number)
        self.is_analyzed = False  # whether `run` has ended the search, and analyzed it
        self.folder = self._open(user_path(output))
        self.trial = self.folder.trial(number)

    def _open(self, path: Path) -> RunFolder:
        settings, specification = self.settings, self.specification
        seeds = range(settings.seed, settings.seed + settings.sessions)
        more = {
            **import_modules(specification),
            **packages_in(specification.values),
            "kind": "search",
            "search": {
                **asdict(settings),
                "lag": lag_of(1, settings.sessions),
                "journal": JOURNAL,
                "space": specification.block("search")["space"],
            },
        }
        name, values = specification.name, specification.values
        folder = RunFolder.share(
            path, lambda: RunFolder.create(path, name, values, sys.argv, seeds, more)
        )
        check_same(Run(folder), specification, seeds, more)
        return folder

    @property
    def has_ended(self) -> bool:
        """Returns True if nothing is left to do."""
        sessions = range(self.settings.sessions) if self.session is None else [self.session]
        return has_ended(self.trial) or all(self.trial.session(n).has_ended for n in sessions)

    def run(self, executor: Executor) -> None:
        """Runs or resumes it; the last process to end analyzes the trial, and then the search.

        Raises:
            UserError: another process is at work on it, or the disk is full.
        """
        if self.note:
            executor.callback.noted(self.note)
        disk = on_disk(self.folder.path, remedy="put that right, and give the same command again")
        with executor, disk, self._claimed(), at_the_end(self._conclude):
            with stopped_by_signals(executor.interrupt, executor.lags):
                jobs = self._begin()
                alone = self.session is not None or not jobs
                patience = None if alone else Patience(jobs[0].specification, self.trial)
                outcomes = run_all(jobs, executor, patience)
            refuse_unsaved(outcomes)

    def _claimed(self) -> Any:
        """Within, no other process runs the trial; sessions alone are locked by their folders."""
        if self.session is not None:
            return nullcontext()
        claims = Claims(self.folder, again=True)
        if not claims.claim(self.number):
            raise UserError(
                f"{self.trial.path}: another process is at work there; wait for it, or end it first"
            )
        return claims

    def _begin(self) -> list[Job]:
        """The sessions to run."""
        with self.folder.lock(SECONDS_TO_CREATE):
            if has_ended(self.trial):
                return []
            make_folder(self.trial.path)
            try:
                specification = build(self.specification.assign(self.parameters), 0).specification
            except DiskError:
                raise
            except UserError as error:
                self._write("refused", reason=str(error))
                return []
            self._write("running")
            write_specification(self.trial.spec, specification.name, specification.values)
        sessions = range(self.settings.sessions) if self.session is None else [self.session]
        seed, where = self.settings.seed, {"git_commit": git_commit()}
        return [
            Job(specification, seed + each, folder.path, each, self.number, where=where)
            for each in sessions
            if not (folder := self.trial.session(each)).has_ended
        ]

    def _conclude(self) -> None:
        """Writes the result of the trial if all its sessions are over, and that of the search."""
        with self.folder.lock(SECONDS_TO_CREATE):
            if not has_ended(self.trial):
                self._conclude_trial()
            if all(has_ended(self.folder.trial(number)) for number in range(self.trials)):
                analyze_search(self.folder)
                self.is_analyzed = True

    def _conclude_trial(self) -> None:
        sessions = map(self.trial.session, range(self.settings.sessions))
        outcomes = [each.read_outcome() for each in sessions]
        if all(map(is_over, outcomes)) and not any(map(is_unfinished, outcomes)):
            statistic = self.settings.statistic
            found = conclude(self.folder, self.number, outcomes, statistic, pruned=False)
            self._write(*found)

    def _write(
        self, state: str, score: float | None = None, reason: str = "", figures: Any = None
    ) -> None:
        why = {"reason": reason} if reason else {}
        known = {"state": state, "parameters": self.parameters, "score": score}
        write_json(self.trial.result, {**(figures or {}), **known, **why})


def _require_known(settings: SearchSettings) -> None:
    """Refuses a search whose trials are not known beforehand."""
    if METHODS[settings.method].learns:
        remedy = "start processes that share its study instead: rl search NAME --storage FILE"
        if settings.method not in SAMPLERS:
            remedy = "run the search by one process, with several --jobs"
        raise UserError(
            f"--only-trial: {settings.method} proposes a trial from the results of others; {remedy}"
        )
    if settings.pruner != "none":
        raise UserError(
            f"--only-trial: the pruner {settings.pruner} compares a trial with those before it; "
            "use --pruner none"
        )
