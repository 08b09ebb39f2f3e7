"""Where sessions run: in this process, or in several processes of this machine.

An executor takes jobs and returns their outcomes, in the order in which they end, and calls a
callback meanwhile. The same job gives the same numbers on every executor.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, resource_tracker
from pathlib import Path
from typing import Any

from rl.console.hidden import SAFE_PATH
from rl.console.signals import ENDING
from rl.running.home import Home
from rl.running.jobs import run_job
from rl.session.callback import Callback, Callbacks
from rl.session.job import Job, Outcome
from rl.session.session import Session
from rl.storage.session_folder import DIED, SessionFolder

BEGUN_AGAIN = 2  # how often a job whose process was lost begins again
SECONDS_BETWEEN_LOOKS = 0.2  # for an interrupt, while no process sends anything
SECONDS_TO_STOP = 8.0  # in which a process must end
SECONDS_TO_HEED = 30.0  # in which sessions save, before the user is told to wait
WORKER = "rl session"  # begins the name of each worker process
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "VECLIB_MAXIMUM_THREADS")  # fmt: skip


class Executor(ABC):
    """Runs jobs, `capacity` of them at once.

    Args:
        capacity: the number of parallel jobs.
        callback: is called as they run.
    """

    def __init__(self, capacity: int, callback: Callback | None = None) -> None:
        self.capacity, self.callback = capacity, callback or Callback()
        self.interrupted = False
        self._since = math.inf  # time of the interrupt, by the monotonic clock

    @property
    @abstractmethod
    def unfinished(self) -> int:
        """The number of jobs that were submitted and not returned."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Takes a job, which runs when there is room."""

    @abstractmethod
    def wait(self) -> list[tuple[Job, Outcome]]:
        """The jobs that have ended since the last call; waits for one if there are none."""

    @abstractmethod
    def stop(self, job: Job, status: str) -> None:
        """Ends a job soon, with this status; one that has not begun does not begin."""

    def interrupt(self) -> None:
        """Ends every job soon, as interrupted; safe to call from a signal handler."""
        self.interrupted, self._since = True, time.monotonic()

    def lags(self) -> bool:
        """Returns True if an interrupt has waited for so long that the user is told."""
        return time.monotonic() > self._since + SECONDS_TO_HEED

    @abstractmethod
    def close(self) -> None:
        """Ends the jobs that still run."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Inline(Executor, Callback):
    """Runs each job in this process when `wait` is called; exceptions are raised.

    Args:
        callback: is called as jobs run.
    """

    def __init__(self, callback: Callback | None = None) -> None:
        super().__init__(1, callback)
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
        return [(job, run_job(job, Callbacks([self, self.callback])))]

    def stop(self, job: Job, status: str) -> None:
        self._stopped.append((job, status))
        if self._session and job not in self._waiting:
            self._session.interrupt(status)

    def interrupt(self) -> None:
        super().interrupt()
        if self._session:
            self._session.interrupt()

    def lags(self) -> bool:
        return self._session is None or self._session.is_learning

    def close(self) -> None:
        self._waiting.clear()

    def started(self, job: Job, session: Session) -> None:
        self._session = session
        if self.interrupted:
            session.interrupt()


def not_begun(job: Job, status: str) -> Outcome:
    """The outcome of a job that was stopped before it ran."""
    return {"seed": job.seed, "status": status, "steps": 0, "reason": "it had not begun"}


class Concurrent(Executor):
    """A queue of jobs that run elsewhere, at most `capacity` of them at once."""

    def __init__(self, capacity: int, callback: Callback | None = None) -> None:
        super().__init__(capacity, callback)
        self._waiting: deque[Job] = deque()
        self._ended: list[tuple[Job, Outcome]] = []

    @property
    @abstractmethod
    def running(self) -> list[Job]:
        """The jobs that have been begun and not ended."""

    @abstractmethod
    def begin(self, job: Job) -> None:
        """Starts a job elsewhere."""

    @abstractmethod
    def hear(self) -> list[tuple[Job, Outcome]]:
        """Passes messages of running jobs on, for a moment at most; returns those that ended."""

    @abstractmethod
    def stop_running(self, job: Job, status: str) -> None:
        """Asks a running job to end; repeating it changes nothing."""

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
        self._since = math.inf


class Processes(Concurrent):
    """Runs each job in a fresh process of its own with one BLAS thread, several at once.

    If a process is killed or crashes, its job resumes in a new one, up to `BEGUN_AGAIN` times.
    The processes come from homes, one for each of those that run at once.
    """

    def __init__(self, capacity: int, callback: Callback | None = None) -> None:
        super().__init__(capacity, callback)
        self._workers: list[_Worker] = []
        self._idle: list[Home] = []
        self._lost: Counter[Path] = Counter()  # processes, by the folder of their job

    @property
    def running(self) -> list[Job]:
        return [worker.job for worker in self._workers]

    def begin(self, job: Job) -> None:
        self._workers.append(_Worker(job, self._idle.pop() if self._idle else self._new_home()))

    def _new_home(self) -> Home:
        resource_tracker.ensure_running()  # to start it lets Ctrl-C through
        with _one_thread_each(), _no_ctrl_c(), _no_lost_main():
            return Home(WORKER)

    def hear(self) -> list[tuple[Job, Outcome]]:
        connection.wait([worker.line for worker in self._workers], SECONDS_BETWEEN_LOOKS)
        ended = []
        for worker in list(self._workers):
            outcome = worker.hear(self.callback)
            if outcome is not None:
                self._workers.remove(worker)
                self._idle += worker.leave()
                ended += self._conclude(worker, outcome)
        return ended

    def _conclude(self, worker: _Worker, outcome: Outcome) -> list[tuple[Job, Outcome]]:
        """The job with its outcome; nothing if its process was lost and it begins again."""
        job, folder = worker.job, SessionFolder(worker.job.folder)
        if outcome["status"] != "interrupted" or worker.stopped_as or self.interrupted:
            return [(job, outcome)]
        if folder.has_ended:  # and the process before it could say so
            return [(job, folder.read_outcome())]
        self._lost[job.folder] += 1
        reason = outcome.get("reason", f"{DIED}: a signal asked it to")
        if worker.can_begin and self._lost[job.folder] <= BEGUN_AGAIN:
            self._waiting.appendleft(job)
            self.callback.restarted(job, reason)
            return []
        outcome = {"seed": job.seed, "status": "failed", "reason": reason}
        outcome["unfinished"] = worker.can_begin
        folder.create()
        folder.write_outcome({**folder.read_outcome(), **outcome})
        return [(job, outcome)]

    def stop_running(self, job: Job, status: str) -> None:
        for worker in self._workers:
            if worker.job == job:
                worker.stop(status)

    def close(self) -> None:
        super().close()
        workers, self._workers = self._workers, []
        try:
            for worker in workers:
                worker.terminate()
            deadline = time.monotonic() + SECONDS_TO_STOP
            while any(worker.is_alive for worker in workers) and time.monotonic() < deadline:
                time.sleep(SECONDS_BETWEEN_LOOKS / 4)
        finally:
            for worker in workers:
                worker.kill()
            idle, self._idle = self._idle, []
            for home in idle:
                home.leave()
            for home in idle:
                home.join()


class _Worker:
    """The process of a job.

    Args:
        job: the job.
        home: of the process.
    """

    def __init__(self, job: Job, home: Home) -> None:
        self.job, self._home = job, home
        self.stopped_as = ""
        self.pid = 0  # once it has begun
        self.line, theirs = get_context("spawn").Pipe()
        home.begin(theirs)
        with suppress(OSError):
            self.line.send(job)

    @property
    def is_alive(self) -> bool:
        """Whether the process is alive; its own children may keep the pipe open."""
        return self._home.code is None

    @property
    def can_begin(self) -> bool:
        """Whether the process has begun, or was killed before it could.

        One that ended by itself before that cannot import its program, and never will.
        """
        return self.pid > 0 or (self._home.code or 0) < 0

    def leave(self) -> list[Home]:
        """Leaves its home, which is returned if another process can come from there."""
        self.line.close()
        if self._home.can_begin:
            return [self._home]
        self.kill()  # if only its home has ended
        return []

    def hear(self, callback: Callback) -> Outcome | None:
        """Passes its messages on; returns the outcome if the job or the process has ended."""
        is_alive = self.is_alive  # asked first, so that its last messages are read too
        try:
            while self.line.poll():
                kind, content = self.line.recv()
                if kind == "ended":
                    self._leave()
                    return dict(content)
                self._pass_on(callback, kind, content)
        except (EOFError, OSError):
            self._leave()
            is_alive = False
        return None if is_alive else self._died()

    def _pass_on(self, callback: Callback, kind: str, content: Any) -> None:
        if kind == "begun":
            self.pid = content
        elif kind == "noted":
            callback.noted(content)
        else:
            if kind == "evaluated":
                callback.evaluated(self.job, content, None)
            callback.progressed(self.job, content)

    def stop(self, status: str) -> None:
        """Asks the process to end its session, once."""
        if not self.stopped_as:
            self.stopped_as = status
            with suppress(OSError):
                self.line.send(status)

    def terminate(self) -> None:
        """Asks the process to save and end."""
        self._home.process.terminate()  # which passes it on

    def kill(self) -> None:
        """Kills the process, with its home."""
        self._home.kill(self.pid)

    def _leave(self) -> None:
        """Waits for the end of the process, which may wait for children of its own."""
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self.is_alive and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.is_alive:
            self.kill()

    def _died(self) -> Outcome:
        """The outcome of a session whose process ended without one."""
        code = self._home.code or 0
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        if -code not in (9, *ENDING):  # it was not killed
            problem = self.job.specification.environment_id
            how += f"; environment {problem}, or a library that it uses, has crashed"
        status, reason = self.stopped_as or "interrupted", f"{DIED}: {how}"
        return {"seed": self.job.seed, "status": status, "reason": reason}


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Within, new processes use one BLAS thread, which must be set before NumPy is loaded."""
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
def _no_lost_main() -> Iterator[None]:
    """Within, new processes do not read the main program again if it has no file."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file and not os.path.exists(file):
        main.__file__ = None
    try:
        yield
    finally:
        if file:
            main.__file__ = file


@contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Within, Ctrl-C waits, and processes that are started ignore it for good.

    A terminal sends it to the whole group, but the parent handles it and stops the others.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
