"""A trial: sessions of one setting, one seed each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from rl.console.signals import stopped_by_signals
from rl.errors import DiskError, UserError, on_disk
from rl.running.executors import Executor
from rl.running.patience import Patience
from rl.saved.run import Run
from rl.saved.source import Source
from rl.session.callback import (
    SESSION_METHODS,
    Callback,
    Callbacks,
    overrides,
)
from rl.session.job import Job, Outcome
from rl.specification.build import build
from rl.specification.changes import described
from rl.specification.environment import import_modules
from rl.specification.notes import notes_of
from rl.specification.packages import packages_in, require_packages
from rl.specification.repeats import settled
from rl.specification.specification import Specification
from rl.storage.manifest import CALLBACKS, git_commit
from rl.storage.paths import user_path
from rl.storage.run_folder import SECONDS_TO_CREATE, RunFolder, default_path

MOST_SESSIONS = 10_000  # of a run; each has a folder, and an entry of the manifest


def create_trial(
    specification: Specification,
    seeds: Sequence[int],
    output: str | os.PathLike[str] | None,
    callbacks: Iterable[Callback] = (),
    source: Source | None = None,
    shared: bool = False,
) -> Run:
    """The folder of a run whose sessions have not begun.

    Args:
        specification: of the experiment.
        seeds: of the sessions.
        output: the folder; by default it is named by the experiment and the time.
        callbacks: of the user; the manifest names those that a session listens to.
        source: the trained agent that all sessions start from.
        shared: whether several processes call this, of which the first creates the folder.

    Raises:
        UserError: the specification is wrong, and nothing was written; or the folder cannot be
            written.
    """
    if len(seeds) > MOST_SESSIONS:
        raise UserError(f"sessions must be at most {MOST_SESSIONS:,}, not {len(seeds):,}")
    if min(seeds) < 0:
        raise UserError(f"seed must not be negative, but is {min(seeds)}")
    if source:
        specification = source.adopted(specification)
    name = specification.name
    path = user_path(output) if output is not None else default_path(name)
    experiment = build(specification, seeds[0])
    if source:
        source.check(experiment)
    specification, notes = settled(experiment.specification, experiment.problem)
    listening = [each for each in callbacks if overrides(each, *SESSION_METHODS)]
    named = {CALLBACKS: [type(each).__qualname__ for each in listening]} if listening else {}
    more = {**import_modules(specification), **packages_in(specification.values), **named}
    if source:
        more["start"] = source.lineage
    file = source.file if source else None
    values = specification.values

    def create() -> RunFolder:
        return RunFolder.create(path, name, values, sys.argv, seeds, more, file)

    run = Run(RunFolder.share(path, create) if shared else create())
    if shared:
        check_same(run, specification, seeds, more)
    run.notes = [*notes, *notes_of(experiment), *(source.notes(experiment) if source else ())]
    return run


def run_sessions(
    run: Run,
    executor: Executor,
    draw: bool = True,
    carried: bytes = b"",
    only: int | None = None,
) -> Run:
    """Runs or resumes the sessions of a run that have not ended, and analyzes the run.

    The result is, to the bit, that of the run without an interruption.

    Args:
        run: the run.
        executor: where its sessions run.
        draw: whether learning curves are drawn.
        carried: callbacks for the processes of the sessions, `packed`.
        only: the number of the only session to run, where other processes run the others; the
            process whose session is the last to end analyzes the run.

    Raises:
        UserError: the run is damaged, or another process is at work on it.
        Diverged: a number is not finite, in the only session.
    """
    require_packages(run.manifest, run.path)
    folders = {
        number: run.trial.session(number)
        for number in (range(len(run.manifest["seeds"])) if only is None else [only])
    }
    where = {"git_commit": git_commit()}
    jobs = [
        Job(run.specification, run.manifest["seeds"][number], each.path, number,
            callbacks=carried, start=run.start, where=where)
        for number, each in folders.items() if not each.has_ended
    ]  # fmt: skip
    raised: list[BaseException] = []

    def failed(error: BaseException) -> None:
        raised.append(error)
        executor.interrupt()

    executor.callback = Callbacks([executor.callback], failed)
    remedy = f"put that right, and then: rl resume {run.path}"
    disk = on_disk(run.path, remedy=remedy)
    analyzed = at_the_end(lambda: _analyze(run, only, draw))
    with run.folder.lock() if only is None else nullcontext(), disk, analyzed:
        with executor, stopped_by_signals(executor.interrupt, executor.lags):
            for note in run.notes:
                executor.callback.noted(note)
            patience = Patience(run.specification, run.trial) if only is None else None
            outcomes = run_all(jobs, executor, patience)
        refuse_unsaved(outcomes)
    if raised:
        raise raised[0]
    return run


def check_number(kind: str, number: int, count: int) -> None:
    """Refuses a session or a trial that is not there.

    Raises:
        UserError: the message says which are.
    """
    if number >= count:
        known = f"they are from 0 to {count - 1}" if count > 1 else "there is 0 alone"
        raise UserError(f"--only-{kind}: there is no {kind} {number}; {known}")


def check_same(
    run: Run, specification: Specification, seeds: Sequence[int], more: Mapping[str, Any]
) -> None:
    """Refuses a run that is not the one that was asked for.

    Raises:
        UserError: the message names what differs.
    """
    manifest, another = run.manifest, "; name another folder with --output"
    if manifest.get("kind") != more.get("kind"):
        raise UserError(f"{run.path}: is a {manifest.get('kind', 'run')} already{another}")
    there = manifest.get("specification", run.specification.values)
    asked = {"experiment": specification.name, **specification.values}
    if changed := described({"experiment": manifest["experiment"], **there}, asked):
        raise UserError(f"{run.path}: was begun with other settings: {changed}{another}")
    if manifest["seeds"] != list(seeds):
        raise UserError(
            f"{run.path}: has {_counted(manifest['seeds'])} there, and {_counted(seeds)} here"
            f"{another}"
        )
    starts = [each.get("start", {}).get("sha256") for each in (manifest, more)]
    if starts[0] != starts[1]:
        raise UserError(f"{run.path}: its sessions start from another agent than here{another}")


def _counted(seeds: Sequence[int]) -> str:
    return f"--sessions {len(seeds)} --seed {seeds[0]}"


def _analyze(run: Run, only: int | None, draw: bool) -> None:
    """Analyzes a run, or draws its only session that ran here and leaves that to the last one."""
    if only is None:
        run.analyze(draw)
        return
    if draw:
        run.draw_sessions([run.trial.session(only)])
    if run.is_over and not run.is_analyzed:
        with run.folder.lock(SECONDS_TO_CREATE):
            run.analyze(draw)


@contextmanager
def at_the_end(analyze: Callable[[], object]) -> Iterator[None]:
    """Calls `analyze` afterwards; an exception from within takes precedence over its own."""
    try:
        yield
    except BaseException:
        with suppress(OSError, UserError):
            analyze()
        raise
    analyze()


def refuse_unsaved(outcomes: Iterable[Outcome]) -> None:
    """Raises a `DiskError` if one of the sessions could not be saved."""
    for outcome in outcomes:
        if outcome.get("unsaved"):
            raise DiskError(outcome["reason"])


def run_all(
    jobs: Sequence[Job], executor: Executor, patience: Patience | None = None
) -> list[dict[str, Any]]:
    """The outcomes of the jobs, in their order.

    Args:
        jobs: sessions, of one trial if there is a `patience`.
        executor: where they run.
        patience: says which wait for the first ones, and whether they run.
    """
    waiting = [job for job in jobs if patience and patience.waits(job)]
    outcomes: dict[int, dict[str, Any]] = {}

    def run(now: Sequence[Job]) -> None:
        for job in now:
            executor.submit(job)
        while executor.unfinished:
            for job, outcome in executor.wait():
                outcomes[jobs.index(job)] = outcome
                executor.callback.ended(job, outcome)

    run([job for job in jobs if job not in waiting])
    if patience and waiting and patience.is_over:
        for job in waiting:
            outcomes[jobs.index(job)] = patience.give_up(job)
        executor.callback.noted(outcomes[jobs.index(waiting[0])]["reason"])
    else:
        run(waiting)
    return [outcomes[number] for number in range(len(jobs))]
