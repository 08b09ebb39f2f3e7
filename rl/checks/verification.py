"""Verifying a result: the run is repeated, or its saved agents are evaluated again."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nn.checkpoint import open_regular
from rl.console.signals import stopped_by_signals
from rl.errors import UserError
from rl.running.executors import Executor
from rl.running.jobs import one_blas_thread
from rl.running.trial import run_all
from rl.saved.run import Run
from rl.session.job import Job
from rl.session.status import Status
from rl.specification.environment import problem_of
from rl.specification.packages import require_packages
from rl.specification.specification import Specification, check_form
from rl.storage.session_folder import SessionFolder

CHECKPOINTS = {"evaluation": "best", "final": "last"}  # by the key of their returns
COUNTS = ("status", "steps", "updates", "episodes", "best_step")
# The tables, with the column that numbers their rows and what a row is called.
ROWS = {"episodes": ("episode", "episode"), "updates": ("update", "update"),
        "evaluations": ("step", "evaluation")}  # fmt: skip

Outcome = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The result of comparing one session.

    Args:
        session: its number.
        seed: of it.
        difference: the first thing that differs, or None if all is identical to the bit.
    """

    session: int
    seed: int
    difference: str | None


def verify(run: Run, sessions: int | None, executor: Executor) -> list[Verdict]:
    """Repeats sessions of a run from its manifest alone, and compares all of their files.

    Args:
        run: of the trial that is meant.
        sessions: how many of those that have finished; all by default.
        executor: where they run.

    Raises:
        UserError: no session has finished, or the manifest does not say what was run.
    """
    require_packages(run.manifest, run.path)
    numbers = _finished(run)[:sessions]
    specification, seeds = _from_manifest(run), run.manifest["seeds"]
    problem_of(specification)  # which must be here
    if run.start:
        run.start.check()
    with TemporaryDirectory(prefix="rl_verify_") as place:
        jobs = [
            Job(specification, seeds[number], Path(place) / str(number), number, run.trial.number,
                stops_at=_stopped_at(run.trial.session(number).read_outcome()), start=run.start)
            for number in numbers
        ]  # fmt: skip
        with executor, stopped_by_signals(executor.interrupt, executor.lags):
            run_all(jobs, executor)
        if executor.interrupted:
            raise KeyboardInterrupt
        return [
            Verdict(
                job.session,
                job.seed,
                difference(SessionFolder(job.folder), run.trial.session(job.session)),
            )
            for job in jobs
        ]


def _stopped_at(outcome: Outcome) -> int | None:
    """The step at which a callback stopped a session, since callbacks are not saved; or None."""
    return outcome["steps"] if outcome["status"] == Status.STOPPED.value else None


def verify_evaluation(run: Run, sessions: int | None = None) -> list[Verdict]:
    """Evaluates the saved agents again on the episodes of the result, which takes seconds.

    Raises:
        UserError: no session has finished, or a checkpoint is damaged.
    """
    verdicts = []
    for number in _finished(run)[:sessions]:
        session = Run(run.folder, run.trial.number, number)
        with one_blas_thread():
            found = _replayed(session)
        verdicts.append(Verdict(number, run.manifest["seeds"][number], found))
    return verdicts


def _replayed(session: Run) -> str | None:
    for key, name in CHECKPOINTS.items():
        theirs = _returns(session.outcome, key)
        ours = session.evaluate(len(theirs), checkpoint=name).returns
        if text := _of_returns(ours, theirs, name):
            return text
    return None


def _finished(run: Run) -> list[int]:
    """The numbers of the sessions that were evaluated.

    Raises:
        UserError: there is none.
    """
    seeds = run.manifest["seeds"]
    numbers = [
        number for number in range(len(seeds))
        if "final" in run.trial.session(number).read_outcome()
    ]  # fmt: skip
    if not numbers:
        raise UserError(
            f"{run.path}: has no session that finished, so there is nothing to verify; "
            f"to resume it: rl resume {run.path}"
        )
    return numbers


def _from_manifest(run: Run) -> Specification:
    """What was run, as the manifest has it; of a search, with what the trial has tried.

    Raises:
        UserError: the manifest does not say, or something that is no specification.
    """
    file, name = str(run.folder.manifest), run.manifest["experiment"]
    values = run.manifest.get("specification")
    if not isinstance(values, dict):
        raise UserError(f"{file}: has no specification; it was made before manifests had one")
    specification = Specification(name, file, values, folders=run.specification.folders)
    check_form(specification)
    return specification.assign(run.result.get("parameters", {}))


def difference(ours: SessionFolder, theirs: SessionFolder) -> str | None:
    """What differs first between a session that was run here and the one of a run; or None.

    Raises:
        UserError: an outcome is damaged.
    """
    found = [_of_tables(ours.table(name), theirs.table(name), name) for name in ROWS]
    earliest = min((each for each in found if each), default=None)
    if earliest:
        return earliest[1]
    here, there = ours.read_outcome(), theirs.read_outcome()
    for name in COUNTS:
        if here.get(name) != there.get(name):
            return f"{name}: {here.get(name)} here, {there.get(name)} in the run"
    for key, name in CHECKPOINTS.items():
        if text := _of_returns(_returns(here, key), _returns(there, key), name):
            return text
    if here.get("weights") != there.get("weights"):
        return "the final weights: their digests differ"
    return None


def _returns(outcome: Outcome, key: str) -> Sequence[float]:
    return outcome.get(key, {}).get("returns", ())


def _of_returns(ours: Sequence[float], theirs: Sequence[float], name: str) -> str | None:
    for number, (here, there) in enumerate(zip_longest(ours, theirs), 1):
        if here != there:
            return (
                f"the {name} checkpoint on unseen episode {number}: return {here} here, {there} "
                "in the run"
            )
    return None


def _of_tables(ours: Path, theirs: Path, name: str) -> tuple[int, str] | None:
    """The environment step of the first row that differs, and what differs in it."""
    column, what = ROWS[name]
    with _rows(ours) as here, _rows(theirs) as there:
        for own, other in zip_longest(here, there):
            if own != other:
                row = own or other
                place = f"{what} {row.get(column)} (step {row.get('step')})"
                return _step(row), f"{place}: {_of_rows(own, other)}"
    return None


def _of_rows(own: dict[str, str] | None, other: dict[str, str] | None) -> str:
    if own is None or other is None:
        return "is in the run alone" if own is None else "is missing in the run"
    name = next((name for name in own if own[name] != other.get(name)), "cells")
    return f"{name} {own.get(name)} here, {other.get(name)} in the run"


def _step(row: Mapping[str, str]) -> int:
    text = row.get("step") or ""
    return int(text) if text.isdecimal() and len(text) < 20 else 0


@contextmanager
def _rows(path: Path) -> Iterator[Iterator[dict[str, str]]]:
    try:
        file = open_regular(path)
    except FileNotFoundError:
        yield iter(())
        return
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    with TextIOWrapper(file, newline="", encoding="utf-8", errors="replace") as text:
        try:
            yield csv.DictReader(text)
        except csv.Error as error:
            raise UserError(f"{path}: is damaged: {error}") from None
