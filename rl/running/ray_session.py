"""A session as a Ray task, on a node that has this lab."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rl.running.jobs import attempt
from rl.running.parcels import Known, has_checkpoint, known_in, parcel, unpack
from rl.running.reporter import Reporter
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.session import Session

PREFIX = "rl_session_"  # begins the name of a session's folder on its node
MOST_OF_THE_TIME = 0.05  # that a session spends on sending its checkpoints
SECONDS_TO_LOCK = 60.0  # within which a process locks a folder that it has made


def run_session(
    number: int,
    mailbox: Any,
    here: dict[str, str],
    pieces: Sequence[Any],
    job: Job,
    start: bytes | None,
    seconds: float,
) -> tuple[str, Any]:
    """Runs a session in a temporary folder, and sends its complete checkpoints back.

    Args:
        number: of the task.
        mailbox: of the driver.
        here: what is known of this node.
        pieces: references to what the driver has of the session's folder.
        job: whose session it is.
        start: the policy's file that the session starts from.
        seconds: at least, between the checkpoints that are sent.

    Returns:
        "ended" with the outcome and references to the last pieces of the folder; or "cannot" with
        the reason, if the session could not begin.
    """
    import ray

    with _temporary() as place:
        folder = place / job.folder.name  # which says its number
        for piece in pieces:
            unpack(folder, ray.get(piece))
        if job.start and start is not None:
            file = place / job.start.file.name
            file.write_bytes(start)
            job = replace(job, start=replace(job.start, file=file))
        reporter = _MailboxReporter(mailbox, number, folder, seconds)
        outcome = attempt(replace(job, folder=folder, where=here), reporter)
        if outcome["status"] == "failed" and not reporter.has_begun:
            return "cannot", outcome["reason"]
        return "ended", (outcome, [ray.put(piece) for piece in parcel(folder, reporter.known)])


class _MailboxReporter(Reporter):
    """Reports to the mailbox, whose answers may stop the session, and sends checkpoints.

    The next one is sent once the driver has the one before, and seldom enough that sending takes a
    small part of the time.
    """

    def __init__(self, mailbox: Any, number: int, folder: Path, seconds: float) -> None:
        super().__init__()
        self.has_begun = False
        self.known: Known = known_in(folder)  # to the driver
        self._mailbox, self._number, self._folder = mailbox, number, folder
        self._seconds = seconds
        self._sent = 0
        self._on_its_way: list[Any] = []
        self._due = 0.0
        self._will_be_known: Known = {}

    def started(self, job: Job, session: Session) -> None:
        self.has_begun, self._due = True, time.monotonic() + self._seconds
        super().started(job, session)

    def noted(self, text: str) -> None:
        self.send("noted", text)

    def progressed(self, job: Job, progress: Progress) -> None:
        super().progressed(job, progress)
        is_due = not self._on_its_way and time.monotonic() >= self._due
        if is_due and has_checkpoint(self._folder, self.known):
            self._send_parcel()

    def _send_parcel(self) -> None:
        import ray

        began, self._will_be_known = time.monotonic(), dict(self.known)
        if self._session:  # what is being saved meanwhile changes its name under the reader
            self._session.persistence.checkpoints.wait()
        pieces = parcel(self._folder, self._will_be_known)
        self._on_its_way = [ray.put(piece) for piece in pieces]
        self._sent += 1
        self.send("parcel", None, *self._on_its_way)
        took = time.monotonic() - began
        self._due = time.monotonic() + max(self._seconds, took / MOST_OF_THE_TIME)

    def send(self, kind: str, content: Any, *objects: Any) -> None:
        """Sends a message; `ray.get` would yield the task's processor while it waits."""
        boxed = ([each] for each in objects)  # Ray would fetch those that are arguments themselves
        packed = pickle.dumps(content)
        answer = self._mailbox.put.remote(self._number, kind, packed, *boxed).future()
        status, received = answer.result()
        if self._on_its_way and received == self._sent:
            self.known, self._on_its_way = self._will_be_known, []
        if status:
            self.stop(status)


@contextmanager
def _temporary() -> Iterator[Path]:
    """A folder that goes with this process, however it ends."""
    from filelock import FileLock

    _remove_stale()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with _removed_behind(folder):
        try:
            with FileLock(folder / ".lock"):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _removed_behind(folder: Path) -> Iterator[None]:
    """Within, a shell waits for the end of this process, and removes the folder then.

    It is no child, as Ray kills those of a process that it ends.
    """
    try:
        shell = subprocess.Popen(
            ["sh", "-c", 'exec 3<&0; { read _ <&3; rm -rf -- "$1"; } &', "sh", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError:  # there is none: what is left is removed by the next session
        yield
        return
    with shell:
        yield


def _remove_stale() -> None:
    """Removes the folders of sessions whose processes were killed together with their shells."""
    from filelock import FileLock, Timeout

    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if time.time() > folder.stat().st_mtime + SECONDS_TO_LOCK:
                with FileLock(folder / ".lock", timeout=0):
                    shutil.rmtree(folder)
