"""Where sessions run: in this process, or in several processes of this machine.

An executor takes jobs and hands back how each ended, in the order in which they end. Meanwhile it
tells a watcher how they go. Whatever an executor is, the same job gives the same numbers.
"""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from rl.experiment.jobs import Job, attempt, run_job
from rl.experiment.player import Player
from rl.experiment.progress import Progress
from rl.experiment.session import Session, Watcher
from rl.hidden import SAFE_PATH
from rl.run_folder import SessionFolder

SECONDS_BETWEEN_LOOKS = 0.2  # for an interrupt, while nothing is heard of any process
SECONDS_BETWEEN_MESSAGES = 0.5
SECONDS_TO_STOP = 10.0
WORKER = "rl session"  # begins the name of each worker process
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "VECLIB_MAXIMUM_THREADS")  # fmt: skip

Outcome = dict[str, Any]


class Listener:
    """Is told how jobs go; this one does nothing with it."""

    def progressed(self, job: Job, progress: Progress) -> None:
        """A few times a second for each job that is running."""

    def evaluated(self, job: Job, progress: Progress) -> None:
        """After each evaluation of each job."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """After each job."""

    def noted(self, text: str) -> None:
        """With anything else that a user wants to know."""


class Executor(ABC):
    """Runs jobs, `capacity` of them at once.

    Args:
        capacity: how many.
        listener: is told how they go.
    """

    def __init__(self, capacity: int, listener: Listener | None = None) -> None:
        self.capacity, self.listener = capacity, listener or Listener()
        self.interrupted = False

    @property
    @abstractmethod
    def unfinished(self) -> int:
        """How many jobs were submitted and have not been handed back."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Takes a job; it runs when there is room."""

    @abstractmethod
    def wait(self) -> list[tuple[Job, Outcome]]:
        """The jobs that have ended since the last call; waits for one if there are none."""

    @abstractmethod
    def stop(self, job: Job, status: str) -> None:
        """Lets a job end soon, as `status`; one that has not begun does not begin."""

    def interrupt(self) -> None:
        """Lets every job end soon as interrupted; safe to call from a signal handler."""
        self.interrupted = True

    @abstractmethod
    def close(self) -> None:
        """Ends whatever still runs."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Inline(Executor):
    """Runs each job in this process, once it is waited for. What fails is raised.

    Args:
        listener: is told how jobs go.
        watcher: is told of each session at first hand, with its player.
    """

    def __init__(self, listener: Listener | None = None, watcher: Watcher | None = None) -> None:
        super().__init__(1, listener)
        self._watcher = watcher or Watcher()
        self._waiting: deque[Job] = deque()
        self._stopped: list[tuple[Job, str]] = []
        self._session: Session | None = None

    @property
    def unfinished(self) -> int:
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def wait(self) -> list[tuple[Job, Outcome]]:
        job = self._waiting.popleft()
        status = next((status for stopped, status in self._stopped if stopped == job), None)
        if self.interrupted or status:
            return [(job, not_begun(job, status or "interrupted"))]
        return [(job, run_job(job, _FirstHand(job, self, self._watcher)))]

    def stop(self, job: Job, status: str) -> None:
        self._stopped.append((job, status))
        if self._session and job not in self._waiting:
            self._session.interrupt(status)

    def interrupt(self) -> None:
        super().interrupt()
        if self._session:
            self._session.interrupt()

    def close(self) -> None:
        self._waiting.clear()

    def begun(self, session: Session) -> None:
        """Says which session is under way."""
        self._session = session
        if self.interrupted:
            session.interrupt()


class _FirstHand(Watcher):
    """Tells an inline executor's listener and a watcher of one job."""

    def __init__(self, job: Job, executor: Inline, watcher: Watcher) -> None:
        self._job, self._executor, self._watcher = job, executor, watcher

    def started(self, session: Session) -> None:
        self._executor.begun(session)
        self._watcher.started(session)

    def progressed(self, progress: Progress) -> None:
        self._executor.listener.progressed(self._job, progress)
        self._watcher.progressed(progress)

    def evaluated(self, progress: Progress, player: Player) -> None:
        self._executor.listener.evaluated(self._job, progress)
        self._watcher.evaluated(progress, player)

    def noted(self, text: str) -> None:
        self._executor.listener.noted(text)
        self._watcher.noted(text)


def not_begun(job: Job, status: str) -> Outcome:
    """The outcome of a job that was stopped before it ran."""
    return {"seed": job.seed, "status": status, "steps": 0, "reason": "it had not begun"}


class Concurrent(Executor):
    """Keeps a queue in front of jobs that run elsewhere, at most `capacity` of them at once."""

    def __init__(self, capacity: int, listener: Listener | None = None) -> None:
        super().__init__(capacity, listener)
        self._waiting: deque[Job] = deque()
        self._ended: list[tuple[Job, Outcome]] = []

    @property
    @abstractmethod
    def running(self) -> list[Job]:
        """The jobs that have been begun and not ended."""

    @abstractmethod
    def begin(self, job: Job) -> None:
        """Lets a job run elsewhere."""

    @abstractmethod
    def hear(self) -> list[tuple[Job, Outcome]]:
        """Passes on what is said of running jobs, for a moment at most; those that have ended."""

    @abstractmethod
    def stop_running(self, job: Job, status: str) -> None:
        """Asks a running job to end; asking again changes nothing."""

    @property
    def unfinished(self) -> int:
        return len(self._waiting) + len(self.running) + len(self._ended)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def wait(self) -> list[tuple[Job, Outcome]]:
        while not self._ended and self.unfinished:
            if self.interrupted:
                for job in [*self._waiting, *self.running]:
                    self.stop(job, "interrupted")
            while self._waiting and len(self.running) < self.capacity:
                self.begin(self._waiting.popleft())
            self._ended += self.hear()
        ended, self._ended = self._ended, []
        return ended

    def stop(self, job: Job, status: str) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            self._ended.append((job, not_begun(job, status)))
        elif job in self.running:
            self.stop_running(job, status)

    def close(self) -> None:
        self._waiting.clear()


class Processes(Concurrent):
    """Runs each job in a fresh process of its own with one BLAS thread, several at once.

    A process that is killed or fails takes nothing with it but its session. Processes are spawned,
    not forked, which is the same on every platform.
    """

    def __init__(self, capacity: int, listener: Listener | None = None) -> None:
        super().__init__(capacity, listener)
        self._workers: list[_Worker] = []

    @property
    def running(self) -> list[Job]:
        return [worker.job for worker in self._workers]

    def begin(self, job: Job) -> None:
        self._workers.append(_Worker(job))

    def hear(self) -> list[tuple[Job, Outcome]]:
        lines = {worker.line: worker for worker in self._workers}
        ended = []
        for line in connection.wait(lines, SECONDS_BETWEEN_LOOKS):
            worker = lines[line]  # type: ignore[index]
            outcome = worker.hear(self.listener)
            if outcome is not None:
                self._workers.remove(worker)
                ended.append((worker.job, outcome))
        return ended

    def stop_running(self, job: Job, status: str) -> None:
        for worker in self._workers:
            if worker.job == job:
                worker.stop(status)

    def close(self) -> None:
        super().close()
        for worker in self._workers:
            worker.end()
        self._workers.clear()


class _Worker:
    """A job's process, seen from here."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._is_stopped = False
        context = get_context("spawn")
        self.line, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_work, args=(theirs, job), name=f"{WORKER} {job.seed}", daemon=True
        )
        with _one_thread_each(), _no_ctrl_c():
            self._process.start()
        theirs.close()

    def hear(self, listener: Listener) -> Outcome | None:
        """Takes one message; returns the outcome if the job has ended."""
        try:
            kind, content = self.line.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            return self._died()
        if kind == "ended":
            self._process.join()
            outcome: Outcome = content
            return outcome
        if kind == "noted":
            listener.noted(content)
            return None
        if kind == "evaluated":
            listener.evaluated(self.job, content)
        listener.progressed(self.job, content)
        return None

    def stop(self, status: str) -> None:
        """Asks the process to end its session, once."""
        if not self._is_stopped:
            self._is_stopped = True
            with suppress(OSError):
                self.line.send(status)

    def end(self) -> None:
        """Ends the process, with its consent or without."""
        self._process.terminate()
        self._process.join(SECONDS_TO_STOP)
        if self._process.is_alive():
            self._process.kill()

    def _died(self) -> Outcome:
        code = self._process.exitcode or 0
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        reason = f"its process ended: {how}"
        outcome = {"seed": self.job.seed, "status": "failed", "reason": reason}
        folder = SessionFolder(self.job.folder)
        folder.create()
        folder.write_outcome({**folder.read_outcome(), **outcome})
        return outcome


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Within, processes that are started use one thread for BLAS; it must be said before NumPy."""
    settings = {**dict.fromkeys(THREAD_VARIABLES, "1"), **SAFE_PATH}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Within, Ctrl-C waits; a process started meanwhile never hears of it.

    A terminal sends it to the whole group, but it is for the parent, which tells the others.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(line: Connection, job: Job) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be kept away
    reporter = _PipeReporter(line)
    signal.signal(signal.SIGTERM, lambda *_: reporter.stop("interrupted"))
    outcome = attempt(job, reporter)
    with suppress(OSError):
        line.send(("ended", outcome))


class Reporter(Watcher):
    """Says elsewhere what happens in a session: each evaluation, and progress now and then."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._stopped: str | None = None
        self._next = 0.0

    def send(self, kind: str, content: Any) -> None:
        """Sends one message: what happens, and the progress, or a text."""
        raise NotImplementedError

    def listen(self) -> None:
        """Hears whether to stop, a few times a second."""

    def stop(self, status: str) -> None:
        """Lets the session end soon."""
        self._stopped = status
        if self._session:
            self._session.interrupt(status)

    def started(self, session: Session) -> None:
        self._session = session
        if self._stopped:
            session.interrupt(self._stopped)

    def progressed(self, progress: Progress) -> None:
        self.listen()
        if time.perf_counter() >= self._next:
            self._next = time.perf_counter() + SECONDS_BETWEEN_MESSAGES
            self.send("progressed", progress)

    def evaluated(self, progress: Progress, player: Player) -> None:
        self.send("evaluated", progress)


class _PipeReporter(Reporter):
    """Reports to the parent process; where that is gone, the session ends."""

    def __init__(self, line: Connection) -> None:
        super().__init__()
        self._line = line

    def noted(self, text: str) -> None:
        self.send("noted", text)

    def send(self, kind: str, content: Any) -> None:
        try:
            self._line.send((kind, content))
        except OSError:
            self.stop("interrupted")

    def listen(self) -> None:
        try:
            if self._line.poll():
                self.stop(self._line.recv())
        except (EOFError, OSError):
            self.stop("interrupted")
