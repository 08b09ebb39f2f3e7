"""A worker process: it runs one job, reports on it, and does not outlive its parent."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rl.session.job import Job

SECONDS_WITHOUT_PARENT = 8.0  # in which an orphaned worker may save
SECONDS_BETWEEN_LOOKS = 0.5


def work(line: Connection) -> None:
    """The main function of a worker: receives its job and sends messages (kind, content)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    _watch_parent()
    with suppress(EOFError, OSError):  # the parent is gone
        line.send(("begun", None))
        line.send(("ended", _attempt(line, line.recv())))


def _attempt(line: Connection, job: Job) -> dict[str, Any]:
    from rl.console.output import lenient
    from rl.running.jobs import attempt
    from rl.running.reporter import PipeReporter

    reporter = PipeReporter(line)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
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
    os.closerange(file + 1, os.sysconf("SC_OPEN_MAX"))


def _end_orphan(worker: int) -> None:
    deadline = time.monotonic() + SECONDS_WITHOUT_PARENT
    while os.getppid() == worker and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS / 5)
    if os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
