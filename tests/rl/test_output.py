"""Output that cannot be written stops no training, and leaves no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])  # where the package `tests` is
SETTINGS = ["problem=Holding-v0", "import=tests.rl.holding", "train.evaluate_every=100",
            "agent.learn_start=50", "train.steps=200"]  # fmt: skip
RUN = ["run", "cartpole_dqn", "--output", "r", "--no-report", "--set", *SETTINGS]
NO_SPACE = "rl: the output cannot be written: No space left on device\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def a_pipe_that_nobody_reads() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def a_full_disk() -> Iterator[int]:
    with open("/dev/full", "w") as file:
        yield file.fileno()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        settings = {"stderr": subprocess.PIPE, **more}
        encoding, way = settings.pop("encoding", "utf-8"), settings.pop("way", "print")
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, text=True, timeout=120,
            env={**os.environ, "HOLDING": str(way), "PYTHONPATH": ROOT,
                 "PYTHONIOENCODING": str(encoding)},
            **settings,
        )  # type: ignore[call-overload]  # fmt: skip

    return run


def status(folder: Path, session: int = 0) -> object:
    file = folder / f"r/trial_000/session_00{session}/session.json"
    return json.loads(file.read_text())["status"]


def closed(number: int) -> list[str]:
    """`python -m rl` with a stream that was closed before."""
    code = f"import os, sys; os.close({number}); os.execv(sys.executable, sys.argv[1:])"
    return ["-c", code, sys.executable, "-m", "rl"]


@pytest.mark.slow
def test_a_run_whose_reader_has_gone(run: Run, tmp_path: Path) -> None:
    with a_pipe_that_nobody_reads() as pipe:
        answer = run("-m", "rl", *RUN, "--sessions", "2", stdout=pipe)  # in workers
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [status(tmp_path, session) for session in (0, 1)] == ["finished"] * 2


@pytest.mark.slow
def test_a_run_that_can_say_nothing_at_all(run: Run, tmp_path: Path) -> None:
    with a_pipe_that_nobody_reads() as pipe:
        answer = run("-m", "rl", *RUN, stdout=pipe, stderr=pipe)
    assert answer.returncode == 0
    assert status(tmp_path) == "finished"


@pytest.mark.slow
def test_a_run_whose_output_fills_a_disk(run: Run, tmp_path: Path) -> None:
    with a_full_disk() as disk:
        answer = run("-m", "rl", *RUN, stdout=disk)
    assert (answer.returncode, answer.stderr) == (0, NO_SPACE)
    assert status(tmp_path) == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_a_run_without_a_stream(number: int, run: Run, tmp_path: Path) -> None:
    answer = run(*closed(number), *RUN)
    assert answer.returncode == 0
    assert not answer.stderr
    assert status(tmp_path) == "finished"


@pytest.mark.parametrize("sessions", ["1", "2"])
@pytest.mark.slow
def test_an_environment_that_closes_the_streams(sessions: str, run: Run, tmp_path: Path) -> None:
    answer = run("-m", "rl", *RUN, "--sessions", sessions, way="close", stdout=subprocess.PIPE)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert status(tmp_path) == "finished"


@pytest.mark.slow
def test_a_run_in_ascii(run: Run, tmp_path: Path) -> None:
    answer = run("-m", "rl", *RUN, stdout=subprocess.PIPE, encoding="ascii")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "a step \\u2580 \\udcff" in answer.stdout


@pytest.mark.slow
def test_a_program_that_trains(run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        f"import rl; print(rl.train('cartpole_dqn', overrides={SETTINGS}, output='r'))"
    )
    with a_pipe_that_nobody_reads() as pipe:
        answer = run("program.py", stdout=pipe)
    assert status(tmp_path) == "finished"
    assert "BrokenPipeError" in answer.stderr  # its own `print` is as it was


@pytest.mark.parametrize("arguments", [["list"], ["run", "--help"], ["lst"]])
def test_verbs_whose_reader_has_gone(run: Run, arguments: list[str]) -> None:
    with a_pipe_that_nobody_reads() as pipe:
        answer = run("-m", "rl", *arguments, stdout=pipe)
    assert answer.returncode == (2 if arguments == ["lst"] else 0)
    assert "Traceback" not in answer.stderr
    assert "BrokenPipe" not in answer.stderr


def test_what_a_verb_is_for_must_arrive(run: Run) -> None:
    with a_full_disk() as disk:
        answer = run("-m", "rl", "list", stdout=disk)
    assert (answer.returncode, answer.stderr) == (2, NO_SPACE)


def test_a_pipe_that_is_not_waited_for(run: Run) -> None:
    """Another program may have set it so; what it cannot take at once comes later."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    code = "from rl.console.output import lenient\nwith lenient(): print('x' * 200_000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=writing, text=True) as process:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert len(pipe.read()) == 200_001
    assert process.returncode == 0
