"""Running a job in this process, with all of its files."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import gethostname
from typing import Any

from rl.console.signals import is_asked
from rl.errors import BrokenEnvironment, Busy, DiskError, Diverged, UserError, on_disk
from rl.running.reporter import Reporter
from rl.session.callback import Callback, Callbacks, unpacked
from rl.session.evaluation import Stopped
from rl.session.job import Job, Outcome
from rl.session.saved import evaluate_player, load_player, report, weights_digest
from rl.session.session import Session
from rl.session.status import ENDS
from rl.specification.build import build
from rl.storage import machine
from rl.storage.files import write_text
from rl.storage.session_folder import SessionFolder


def run_job(job: Job, callback: Callback | None = None) -> Outcome:
    """Runs a session in this process and leaves all of its files.

    A session that was interrupted in this folder goes on where it was.

    Returns:
        How it ended (`Session.outcome`), with the seed; of a session that was not interrupted also
        the `evaluation` of its best checkpoint and of its last one (`final`) on unseen episodes,
        with the `returns` of each, and the `weights`: a digest of what it has learned.

    Raises:
        Diverged: a number is not finite.
        UserError: the specification is wrong, and nothing was written; or another process is at
            work in the folder; or the disk is full.
    """
    remedy = f"put that right, and then: rl resume {job.folder.parents[1]}"
    with one_blas_thread(), on_disk(job.folder, remedy=remedy):
        experiment = build(job.specification, job.seed)
        folder = SessionFolder(job.folder)
        folder.create()
        with folder.lock():
            folder.clean()
            if folder.has_ended:  # meanwhile, by a process that had it before
                return folder.read_outcome()
            folder.note_machine({"node": gethostname(), **machine.describe(), **job.where})
            session = Session(job, experiment, callback)
            session.go_on()
            return _run(job, session)


def _run(job: Job, session: Session) -> Outcome:
    """The outcome of a session, with what its agent is worth if it was not interrupted."""
    folder, outcome = session.folder, _train(job, session)
    if outcome["status"] in ENDS:
        try:
            outcome |= _evaluations(session, outcome)
            outcome["weights"] = weights_digest(folder)
            outcome["kept"] = session.persistence.can_stay
        except Stopped:  # whoever goes on has nothing left but this evaluation
            outcome["status"] = "interrupted"
        folder.write_outcome(outcome)
        if folder.has_ended:
            session.persistence.discard(keep=outcome["kept"])
            folder.forget_noted()
    return outcome


def _train(job: Job, session: Session) -> Outcome:
    """The outcome of a session that has run, whether to its end or not."""
    folder = session.folder
    try:
        session.run()
        outcome = _outcome(job, session)
        folder.write_outcome(outcome)  # before anything is drawn: little time may be left
        return outcome
    except BaseException as error:
        with suppress(OSError):  # if the disk is full, it is `error` that is to be told
            folder.write_outcome({**_outcome(job, session), **_end(error)})
            _keep_traceback(folder, error)
        raise


def attempt(job: Job, callback: Callback | None = None) -> Outcome:
    """`run_job` for a process of its own: the outcome's `reason` tells what failed.

    If that is the disk, the outcome is `unsaved`: the session is as it was when it last saved.
    """
    try:
        with on_disk(job.folder):
            return _attempt(job, callback)
    except DiskError as error:
        outcome = {"seed": job.seed, "status": "failed", "reason": str(error)}
        outcome["unfinished"] = True
        with suppress(OSError, UserError):
            folder = SessionFolder(job.folder)
            folder.write_outcome({**folder.read_outcome(), **outcome})
        return {**outcome, "unsaved": True}


def _attempt(job: Job, callback: Callback | None) -> Outcome:
    folder, reporter = SessionFolder(job.folder), callback or Callback()
    raised: list[BaseException] = []

    def failed(error: BaseException) -> None:
        raised.append(error)
        if isinstance(reporter, Reporter):
            reporter.stop("interrupted")

    carried = Callbacks([], failed)
    try:
        carried.callbacks += _carried(job)
        outcome = run_job(job, Callbacks([reporter, carried]))
        if raised:
            raise raised.pop()
    except DiskError:
        raise
    except Busy as error:  # the folder's outcome is that of the other process
        outcome = {"seed": job.seed, **_end(error), "unfinished": True}
    except BaseException as error:
        folder.create()
        outcome = {"seed": job.seed, **folder.read_outcome(), **_end(error)}
        outcome["unfinished"] = _is_of_the_machine(error)
        _keep_traceback(folder, error)
        folder.write_outcome(outcome)
        if is_asked(error):
            raise
    carried.ended(job, outcome)
    for late in raised:
        reporter.noted(f"session {job.session}: a callback raised {type(late).__name__}: {late}")
    return outcome


def _carried(job: Job) -> list[Callback]:
    """The callbacks that have come with a job into this process.

    Raises:
        UserError: their classes cannot be found here.
    """
    try:
        return unpacked(job.callbacks)
    except Exception as error:
        raise UserError(f"callbacks: cannot be loaded in the session's process: {error}") from error


def _is_of_the_machine(error: BaseException) -> bool:
    """Returns True if the session may succeed another time: the disk or the memory was full."""
    if isinstance(error, UserError) and not isinstance(error, BrokenEnvironment):
        return isinstance(error.__context__, OSError)
    return isinstance(error, (OSError, MemoryError))


def _keep_traceback(folder: SessionFolder, error: BaseException) -> None:
    """Writes the traceback of a bug here or in an environment."""
    foreseen = isinstance(error, (Diverged, UserError))
    if not foreseen or (error.__cause__ and not isinstance(error, DiskError)):
        text = "".join(traceback.format_exception(error))
        write_text(folder.traceback, text)


def _outcome(job: Job, session: Session) -> Outcome:
    return {"seed": job.seed, **session.outcome(), "ran_on": session.folder.machines}


def _end(error: BaseException) -> dict[str, str]:
    """The status of a session that raised something, and the reason."""
    if is_asked(error):
        return {"status": "interrupted", "reason": "it was ended without saving"}
    status = "diverged" if isinstance(error, Diverged) else "failed"
    known = isinstance(error, (Diverged, UserError))
    return {"status": status, "reason": str(error) if known else f"{type(error).__name__}: {error}"}


def _evaluations(session: Session, outcome: Outcome) -> dict[str, Any]:
    """The evaluations of the best and the last checkpoint on unseen episodes."""
    experiment, found = session.experiment, dict[str, Any]()
    names = ["best"] if outcome["best_step"] == outcome["steps"] else ["best", "last"]

    def heed(played: int, to_play: int) -> None:
        session.heed(len(found) * to_play + played, len(names) * to_play)

    for name in names:
        player = load_player(experiment.specification, session.folder, name)
        result = evaluate_player(player, experiment.problem, heed=heed)
        found[name] = {**report(result, experiment.problem), "returns": result.returns}
    return {"evaluation": found["best"], "final": found[names[-1]]}


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within, BLAS uses one thread, the fastest for matrices of these sizes."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
