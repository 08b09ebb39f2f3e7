"""A worker process: it runs one job, says how that goes, and does not outlive its parent."""

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

SECONDS_WITHOUT_PARENT = 8.0  # in which an orphaned worker may save what it has
SECONDS_BETWEEN_LOOKS = 0.5


def work(line: Connection) -> None:
    """What a worker process does: it receives its job, and sends (kind, content) in return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be kept away
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
    """Starts a process that kills this one, should its parent end and it not follow.

    A thread would not do: whatever hangs may keep the interpreter to itself.
    """
    parent, worker = parent_process(), os.getpid()
    if parent is None or not hasattr(os, "fork"):
        return
    try:
        is_worker = os.fork() > 0
    except OSError:  # there are too many processes for a guard
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
    """Others must see a pipe of the worker's end with it."""
    os.closerange(0, file)
    os.closerange(file + 1, os.sysconf("SC_OPEN_MAX"))


def _end_orphan(worker: int) -> None:
    deadline = time.monotonic() + SECONDS_WITHOUT_PARENT
    while os.getppid() == worker and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS / 5)
    if os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
