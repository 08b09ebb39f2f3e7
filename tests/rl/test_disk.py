"""A disk that fails now and then costs a run nothing but the time until it is put right."""

from __future__ import annotations

import builtins
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import checkpoint
from rl.errors import DiskError, UserError
from rl.running import jobs
from rl.running.jobs import run_job
from rl.session import transition_log
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.saved import evaluate_player
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.files import Table, read_json, read_specification
from rl.storage.tables import read_table
from tests.rl.conftest import quick
from tests.rl.test_resume import contents, damage, interrupted, job

PASSING = (errno.ESTALE, errno.EIO, errno.EACCES)
FULL = (errno.ENOSPC, errno.EIO)


@pytest.fixture(autouse=True, scope="module")
def judged_on_few_episodes() -> Iterator[None]:
    """A hundred would take longer than the learning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            jobs, "evaluate_player", lambda *who, **_: evaluate_player(who[0], who[1], 10)
        )
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a session leaves when the disk is sound."""
    folder = tmp_path_factory.mktemp("whole")
    run_job(job("ddpg", folder))
    with np.printoptions(threshold=10**9):
        return contents(folder)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that was interrupted at its second evaluation; to be copied."""
    folder = tmp_path_factory.mktemp("cut") / "session_000"
    interrupted("ddpg", folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but its lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def failing(call: Callable[..., Any], name: str, number: int) -> Callable[..., Any]:
    """The call, which fails for a file of that name."""

    def wrapped(path: Any, *arguments: Any, **more: Any) -> Any:
        if isinstance(path, (str, os.PathLike)) and Path(path).name.startswith(name):
            raise OSError(number, os.strerror(number), os.fspath(path))
        return call(path, *arguments, **more)

    return wrapped


@pytest.mark.parametrize("number", quick(1, PASSING))
@pytest.mark.parametrize("name", ["latest.npz", "transitions_", "episodes.csv", "resume"])
def test_an_error_of_the_disk_at_a_resume_touches_nothing(
    name: str, number: int, cut: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "session_000"
    shutil.copytree(cut, folder)
    before = files(folder)
    with pytest.MonkeyPatch.context() as patch:
        for place, call in (
            (builtins, "open"), (os, "open"), (os, "stat"), (os, "lstat"), (os, "mkdir"),
        ):  # fmt: skip
            patch.setattr(place, call, failing(getattr(place, call), name, number))
        with pytest.raises(DiskError, match=f"{name}.*: cannot be .*: {os.strerror(number)}; "):
            run_job(job("ddpg", folder))
    assert files(folder) == before


class Torn:
    """A file whose reads fail after the first few bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def seek(self, *_: object) -> int:
        return 1000

    def read(self, *_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("name", ["latest.npz", "transitions_"])
def test_a_read_that_fails_midway_names_the_file(name: str, cut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session_000"
    shutil.copytree(cut, folder)
    before = files(folder)

    def tearing(path: Any, open_regular: Any = checkpoint.open_regular) -> Any:
        file = open_regular(path)
        return Torn(file) if Path(path).name.startswith(name) else file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transition_log, "open_regular", tearing)
        patch.setattr(checkpoint, "open_regular", tearing)
        with pytest.raises(DiskError, match=f"{name}.*: cannot be read: Input/output error"):
            run_job(job("ddpg", folder))
    assert files(folder) == before


READERS: dict[str, Callable[[Path], object]] = {
    "a JSON object": read_json,
    "a specification": lambda path: read_specification(path, "x"),
    "a table": read_table,
}


@pytest.mark.parametrize("kind", READERS)
def test_what_cannot_be_read_is_not_called_damaged(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("a\nx\n")
    with pytest.raises(UserError, match="file: is damaged"):
        READERS[kind](path)
    for number in PASSING:
        for place in (builtins, os):
            monkeypatch.setattr(place, "open", failing(open, "file", number))
        with pytest.raises(DiskError, match=f"file: cannot be read: {os.strerror(number)}"):
            READERS[kind](path)


DAMAGE: dict[str, tuple[str, ...]] = {
    "the latest": ("resume/latest.npz",),
    "both": ("resume/latest.npz", "resume/previous.npz"),
    "the transitions": (),
}


def _common_transitions(folder: Path) -> Path:
    """The first file that both checkpoints rely on."""
    states = [checkpoint.load(folder / f"{name}.npz") for name in ("latest", "previous")]
    ours, theirs = ({mark["file"] for mark in state["transitions"]} for state in states)
    return folder / min(ours & theirs)


@pytest.mark.parametrize("which", quick(1, DAMAGE))
def test_what_is_damaged_is_renamed_and_never_removed(
    which: str, cut: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "session_000"
    shutil.copytree(cut, folder)
    paths = [folder / name for name in DAMAGE[which]] or [_common_transitions(folder / "resume")]
    damaged = {}
    for path in paths:
        damage(path)
        shutil.copy(path, f"{path}.damaged")  # of an earlier time
        damaged[path] = path.read_bytes()
    run_job(job("ddpg", folder))
    with np.printoptions(threshold=10**9):
        assert contents(folder) == whole
    for path, content in damaged.items():
        assert Path(f"{path}.damaged").read_bytes() == content
        assert Path(f"{path}.2.damaged").read_bytes() == content
    left = {path.name for path in (folder / "resume").iterdir()}
    assert not {"previous.npz", "new.npz"} & left


CALLS = ("open", "fsync", "replace", "rename", "write", "ftruncate", "unlink", "close", "lseek")


class Failing:
    """Lets the `number`-th system call that a save makes in a folder fail, once.

    Args:
        number: of the call.
        reason: for which it fails.
        folder: calls for files elsewhere are not counted.
    """

    def __init__(self, number: int, reason: int, folder: Path) -> None:
        self.left, self._reason, self._folder = number, reason, str(folder)
        self._descriptors: dict[int, str] = {}

    def wrap(self, name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def wrapped(*arguments: Any, **more: Any) -> Any:
            if self._concerns(arguments[0]):
                self.left -= 1
                if self.left == 0:
                    raise OSError(self._reason, os.strerror(self._reason))
            return call(*arguments, **more)

        return wrapped

    def _concerns(self, file: Any) -> bool:
        if isinstance(file, int):
            file = os.readlink(f"/proc/self/fd/{file}")
        return str(file).startswith(self._folder)


def told(work: Callable[[], object]) -> str | None:
    """What is said of the disk's failing, if it fails."""
    try:
        work()
    except DiskError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells files by /proc")
@pytest.mark.parametrize("reason", FULL)
def test_each_call_of_a_save_may_fail_once(
    reason: int, cut: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    """The run says one line each time, and comes to the same end."""
    folder = tmp_path / "run/trial_000/session_000"
    shutil.copytree(cut, folder)
    for number in range(1, 29):
        with pytest.MonkeyPatch.context() as patch:
            fault = Failing(number, reason, folder)
            for name in CALLS:
                patch.setattr(os, name, fault.wrap(name))
            said = told(lambda: run_job(job("ddpg", folder)))
        assert not list(folder.rglob(".*.tmp"))
        if said is None:  # it was a call that nothing depends on, such as of a cleaning up
            with np.printoptions(threshold=10**9):
                assert contents(folder) == whole
            shutil.rmtree(folder)
            shutil.copytree(cut, folder)
            continue
        assert said.startswith(str(folder))
        assert os.strerror(reason) in said
    run_job(job("ddpg", folder))
    with np.printoptions(threshold=10**9):
        assert contents(folder) == whole


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from rl.cli import main
sys.exit(main(sys.argv[1:]))
"""

WRITING = {
    "analyze": ["analyze", "RUN"],
    "export": ["export", "RUN", "--output", "agent.npz"],
    "gif": ["watch", "RUN", "--gif", "agent.gif"],
    "report": ["report", "RUN"],
    "mp4": ["watch", "RUN", "--mp4", "agent.mp4"],
    "film": ["film", "RUN"],
    "onnx": ["export", "RUN", "--format", "onnx", "--output", "agent.onnx"],
    "compare": ["compare", "RUN", "other", "--output", "compared"],
    "run": ["run", "cartpole_dqn", "--steps", "1500", "--output", "new"],
}


@pytest.mark.parametrize("verb", quick(2, WRITING))
def test_on_a_full_disk_each_verb_says_one_line_and_leaves_no_file(
    verb: str, cartpole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for folder in (run, tmp_path / "other"):
        shutil.copytree(cartpole_run, folder)
    before = files(tmp_path)
    arguments = [str(run) if each == "RUN" else each for each in WRITING[verb]]
    answer = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert answer.returncode == 2, answer.stderr
    assert re.search("cannot be written: (File too large|the video was not)", answer.stderr)
    *others, last = answer.stderr.splitlines()
    assert last.startswith("rl: ")
    assert all(line.startswith("rl: film.gif was not made") for line in others)
    assert files(tmp_path) == before


def test_a_folder_that_is_removed_meanwhile_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run/trial_000/session_000"

    class Removing(Callback):
        def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
            while folder.exists():  # a save under way may put a file back
                shutil.rmtree(tmp_path / "run", ignore_errors=True)

    with pytest.raises(DiskError, match="session_000: was moved or removed while"):
        run_job(job("dqn", folder), Removing())
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts files by /proc")
def test_a_small_memory_and_rare_saves_need_few_files(tmp_path: Path) -> None:
    specification = load_specification("mountaincar_dqn", overrides=["memory.capacity=200"])
    memory = build(specification, 0).agent.replay
    assert memory is not None
    log = transition_log.TransitionLog(tmp_path, memory)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5000):
        memory.add(np.zeros(2, np.float32), 0, float(number), 1.0, np.zeros(2, np.float32))
        log.write()
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert len(list(tmp_path.iterdir())) <= 10
    log.close()


def test_a_file_that_never_got_a_row_is_not_left(tmp_path: Path) -> None:
    """Nor a piece of its first one."""
    resource = pytest.importorskip("resource")
    specification = load_specification("mountaincar_dqn", overrides=["memory.capacity=200"])
    memory = build(specification, 0).agent.replay
    assert memory is not None
    memory.add(np.zeros(2, np.float32), 0, 0.0, 1.0, np.zeros(2, np.float32))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (0, 5):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limit[1]))
        try:
            with pytest.raises(OSError, match=r"new\.csv"):
                Table(tmp_path / "new.csv", ["step", "return"])
            with pytest.raises(OSError, match="transitions_"):
                transition_log.TransitionLog(tmp_path, memory).write()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert not files(tmp_path)
