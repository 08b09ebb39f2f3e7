"""A worker process: it runs one job, reports on it, and does not outlive its parent.

Where that is safe, the process that is started imports what sessions need, and forks a worker for
each job; elsewhere it is the worker of one job itself.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from rl.console.signals import handled

if TYPE_CHECKING:
    from rl.session.job import Job

NEEDED = ("rl.running.jobs", "rl.running.reporter", "rl.console.output", "gymnasium", "filelock",
          "numpy.ma", "threadpoolctl")  # fmt: skip
SECONDS_WITHOUT_PARENT = 8.0  # in which an orphaned worker may save
SECONDS_BETWEEN_LOOKS = 0.5
MOST_FILES = 1 << 16  # that are closed; a container's limit may be a billion, one by one


def work(control: Connection) -> None:
    """The main function of the process that is started, and of each worker that it forks.

    A worker receives its job by a pipe of its own, and sends messages (kind, content). What comes
    by `control` are these pipes, and what goes there are the exit codes of workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    with suppress(EOFError, OSError):  # the parent is gone, or needs no more workers
        home, line = os.getpid(), _next_line(control)
        _watch_parent()
        line.send(("begun", os.getpid()))
        line.send(("ended", _attempt(line, line.recv())))
        if os.getpid() != home:
            _end()


def _end() -> NoReturn:
    """Ends a forked process as Python does, but does not take its modules apart.

    That would copy all the memory that it shares with its home, and take as long as a session of
    a thousand steps.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(0)


def _next_line(control: Connection) -> Connection:
    """The pipe of this process's job; forks, and goes on in the new process with each pipe."""
    _import()
    while True:
        line = type(control)(recv_handle(control))  # a PipeConnection on Windows
        if not _can_fork():
            return line
        with ExitStack() as stack:
            with _held():
                worker = _fork()
                if worker:
                    stack.enter_context(_passed_on_to(worker))
            if not worker:
                control.close()
                return line
            line.close()
            _, status = os.waitpid(worker, 0)
        control.send(os.waitstatus_to_exitcode(status))


def _fork() -> int:
    """The number of a new process, in which, or if there are too many, this returns 0."""
    try:
        worker = os.fork()
    except OSError:
        return 0
    if not worker:
        np.random.seed()  # noqa: NPY002 - others draw other numbers, as in a process that starts
    return worker


@contextmanager
def _passed_on_to(worker: int) -> Iterator[None]:
    """Within, a worker receives the signals that ask this process to end."""

    def pass_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker, number)

    heeded = (each for each in _told_to_end() if signal.getsignal(each) != signal.SIG_IGN)
    with handled(dict.fromkeys(heeded, pass_on)):  # one is ignored under `nohup`
        yield


def _import() -> None:
    """Imports what every session needs; what cannot be imported fails in the session again.

    The garbage collector then leaves all of it alone: a forked process in which it went through
    that would copy the memory that it shares with its home.
    """
    for name in NEEDED:
        with suppress(Exception):
            importlib.import_module(name)
    gc.freeze()


def _can_fork() -> bool:
    """Returns True if a fork of this process is whole: no thread of it would be missing there."""
    if sys.platform != "linux":
        return False
    with suppress(OSError):  # /proc is not mounted
        return len(os.listdir("/proc/self/task")) == 1
    return False


@contextmanager
def _held() -> Iterator[None]:
    """Within, the signals that ask a process to end wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _told_to_end())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _told_to_end() -> list[signal.Signals]:
    return [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _attempt(line: Connection, job: Job) -> dict[str, Any]:
    from rl.console.output import lenient
    from rl.running.jobs import attempt
    from rl.running.reporter import PipeReporter

    reporter = PipeReporter(line)
    for number in _told_to_end():
        if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
            signal.signal(number, lambda *_: reporter.stop("interrupted"))
    with lenient():
        return attempt(job, reporter)


def _watch_parent() -> None:
    """Starts a process that kills this one if it survives its parent.

    A thread would not suffice: code that hangs may hold the interpreter's lock.
    """
    parent, worker = parent_process(), os.getpid()
    if parent is None or not hasattr(os, "fork"):
        return
    try:
        is_worker = os.fork() > 0
    except OSError:  # there are too many processes
        return
    if is_worker:
        return
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        _close_all_but(parent.sentinel)
        while os.getppid() == worker:
            if connection.wait([parent.sentinel], SECONDS_BETWEEN_LOOKS):
                _end_orphan(worker)
    finally:
        os._exit(0)


def _close_all_but(file: int) -> None:
    """Otherwise others would not see the worker's pipes close when it ends."""
    os.closerange(0, file)
    os.closerange(file + 1, MOST_FILES)


def _end_orphan(worker: int) -> None:
    deadline = time.monotonic() + SECONDS_WITHOUT_PARENT
    while os.getppid() == worker and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS / 5)
    if os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
