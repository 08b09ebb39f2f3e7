"""Passing the growing tables of sessions to loggers.

The process of the display reads the rows from the run folder, so it does not matter where sessions
run, and a logger cannot affect what is learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rl.console.signals import is_asked
from rl.errors import UserError
from rl.running.loggers import Logger, Row
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.session.progress import Progress
from rl.session.recorder import TABLES
from rl.storage.session_folder import METRICS, SessionFolder
from rl.storage.tables import LOGGED, GrowingTable

SECONDS_BETWEEN_READS = 2.0
UNSHOWN = ("step", "episode", "episodes", "update", "seed", "terminated", "best")  # no curves


class SessionFeed:
    """Passes the rows of one session to loggers.

    A logger that fails is dropped: it is no reason for a run to end.

    Args:
        job: of the session.
        loggers: that have not begun yet.
        complain: prints a line on why a logger failed.
    """

    def __init__(
        self, job: Job, loggers: Sequence[Logger], complain: Callable[[str], None]
    ) -> None:
        self._folder = SessionFolder(job.folder)
        self._tables = {name: GrowingTable(self._folder.table(name)) for name in TABLES}
        self._session, self._loggers, self._complain = job.session, list(loggers), complain
        self._next = 0.0
        self._each(lambda logger: logger.begin(job))

    def pass_on(self) -> None:
        """Passes new rows on, if it is time to read again."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_READS
            self._pass_on()

    def finish(self) -> None:
        """Passes the remaining rows on, and closes the loggers."""
        self._pass_on()
        self._each(lambda logger: logger.close())

    def _pass_on(self) -> None:
        try:
            rows = sorted(self._new_rows(), key=lambda row: row[0])
        except UserError as error:  # a damaged table, which training finds too
            self._loggers.clear()
            self._complain(str(error))
        self._each(lambda logger: logger.log(rows))

    def _new_rows(self) -> Iterator[Row]:
        for metric in self._folder.metrics():
            if f"{METRICS}/{metric}" not in self._tables:
                self._tables[f"{METRICS}/{metric}"] = GrowingTable(self._folder.metric(metric))
        for name, table in self._tables.items():
            rows, _ = table.read()
            for cells in rows.tolist():
                row = dict(zip(table.titles, cells, strict=True))
                step = int(row["step"])
                if name not in TABLES:
                    yield step, {name: row[LOGGED]}
                else:
                    yield step, {f"{name}/{key}": row[key] for key in row if key not in UNSHOWN}

    def _each(self, call: Callable[[Logger], None]) -> None:
        for logger in list(self._loggers):
            try:
                call(logger)
            except BaseException as error:
                if is_asked(error):
                    raise
                self._loggers.remove(logger)
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                self._complain(f"{logger.name}: no more of session {self._session}: {reason}")


class Feed(Callback):
    """Passes the rows of each session to loggers of its own.

    Args:
        kinds: the classes of the loggers.
        complain: prints a line on why a logger failed.
    """

    def __init__(self, kinds: Sequence[type[Logger]], complain: Callable[[str], None]) -> None:
        self._kinds, self._complain = kinds, complain
        self._feeds: dict[Path, SessionFeed] = {}

    def progressed(self, job: Job, progress: Progress) -> None:
        if job.folder not in self._feeds:
            loggers = [kind() for kind in self._kinds]
            self._feeds[job.folder] = SessionFeed(job, loggers, self._complain)
        self._feeds[job.folder].pass_on()

    def ended(self, job: Job, outcome: Outcome) -> None:
        if job.folder in self._feeds:  # it had begun
            self._feeds.pop(job.folder).finish()

    def close(self) -> None:
        """Finishes with sessions that failed, for which `ended` was not called."""
        for feed in self._feeds.values():
            feed.finish()
