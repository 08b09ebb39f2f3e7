"""A session's folder in pieces: after each of them the session can be resumed from the copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rl.running.executors import Inline
from rl.running.jobs import run_job
from rl.running.parcels import Known, Piece, known_in, parcel, unpack
from rl.running.ray_node import differences, facts
from rl.running.ray_session import PREFIX, SECONDS_TO_LOCK, _remove_stale
from rl.running.trial import run_all
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.player import Player
from rl.session.progress import Progress
from rl.session.session import Session
from rl.specification.build import build
from rl.storage.session_folder import SessionFolder
from tests.rl.test_executors import TINY, assert_same_bits, make_jobs

SMALL = 1_000


class Sending(Callback):
    """Sends what is new with each evaluation, and is interrupted after one of them."""

    def __init__(self, known: Known, until: int) -> None:
        self.known, self.until = known, until
        self.pieces: list[Piece] = []

    def started(self, job: Job, session: Session) -> None:
        self.session = session

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        self.session.persistence.checkpoints.wait()
        self.pieces += parcel(job.folder, self.known)
        if progress.step == self.until:
            self.session.interrupt()


def steps_at(job: Job) -> int:
    """The step that a session would go on from; fails if its checkpoint is damaged."""
    complaints: list[str] = []
    listening = Callback()
    listening.noted = complaints.append  # type: ignore[method-assign, assignment]
    session = Session(job, build(job.specification, job.seed), listening)
    session.go_on()
    session.persistence.checkpoints.close()
    assert not complaints
    return session.progress.step


def test_a_copy_can_be_resumed_after_each_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.running.parcels.LARGEST_PIECE", SMALL)
    whole, sent = (make_jobs(tmp_path / name, range(1), *TINY)[0] for name in ("whole", "sent"))
    with Inline() as executor:
        run_all([whole], executor)
    there = replace(sent, folder=tmp_path / "there" / sent.folder.name)
    reached = 0
    for until in (200, 400):  # it goes on elsewhere from what has come
        shutil.rmtree(there.folder, ignore_errors=True)
        known: Known = {}
        if sent.folder.exists():
            for piece in parcel(sent.folder, {}):
                unpack(there.folder, piece)
            known = known_in(there.folder)
        sending = Sending(known, until)
        run_job(there, sending)
        assert (
            max(len(each.content) for each in sending.pieces if each.name[-4:] == ".bin") <= SMALL
        )
        for piece in sending.pieces:
            unpack(sent.folder, piece)
            if (sent.folder / "resume/latest.npz").exists():
                copy = replace(sent, folder=tmp_path / "copy" / sent.folder.name)
                shutil.rmtree(copy.folder, ignore_errors=True)
                shutil.copytree(sent.folder, copy.folder)
                reached = max(reached, step := steps_at(copy))
                assert step == reached
        assert reached == until
    known = {}
    for piece in parcel(sent.folder, known):
        unpack(there.folder, piece)
    run_job(there)
    for piece in parcel(there.folder, known_in(sent.folder)):
        unpack(sent.folder, piece)
    assert_same_bits(whole, sent)
    assert SessionFolder(sent.folder).has_ended


def test_a_piece_that_comes_twice_changes_nothing_and_what_is_gone_goes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "resume").mkdir(parents=True)
    (here / "a.csv").write_text("one\n")
    (here / "resume/old.npz").write_text("old")
    known: Known = {}
    pieces = list(parcel(here, known))
    (here / "a.csv").write_text("one\ntwo\n")
    (here / "resume/old.npz").unlink()
    (here / "resume").rmdir()
    (here / ".lock").touch()
    more = list(parcel(here, known))
    assert [(each.name, each.content) for each in more if each.names is None] == [
        ("a.csv", b"two\n")
    ]
    for piece in [*pieces, *more, *more]:
        unpack(there, piece)
    assert [path.name for path in there.rglob("*")] == ["a.csv"]
    assert (there / "a.csv").read_text() == "one\ntwo\n"


def test_the_lab_is_known_by_its_code_not_by_its_version() -> None:
    here = facts("reinforcement-by-hand")
    assert not differences(here, facts("no-such-distribution"))
    assert differences(here, {**here, "lab": "0.1.0 0123456789"}) == [
        f"lab 0.1.0 0123456789 there, {here['lab']} here"
    ]
    assert len(differences(here, {**here, "Python": "3.0.0", "BLAS kernel": "Mine"})) == 2


KILLED = """
import os, signal, sys
from rl.running.ray_session import _temporary
with _temporary() as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell")
def test_a_process_that_is_killed_leaves_no_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.run(
        [sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True
    )
    assert child.returncode == -signal.SIGKILL
    folder = Path(child.stdout.strip())
    assert folder.parent == tmp_path
    while folder.exists():
        time.sleep(0.01)


def test_folders_that_are_left_are_removed_by_the_next_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, held, young = (tmp_path / f"{PREFIX}{name}" for name in ("left", "held", "young"))
    for folder in (left, held, young):
        folder.mkdir()
    with FileLock(held / ".lock"):
        long_ago = time.time() - 2 * SECONDS_TO_LOCK
        for folder in (left, held):
            os.utime(folder, (long_ago, long_ago))
        _remove_stale()
    assert {path.name for path in tmp_path.iterdir()} == {held.name, young.name}
