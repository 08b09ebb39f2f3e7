from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from rl.cli import main
from rl.memory import Replay
from rl.running.executors import Executor
from rl.running.trial import create_trial, run_sessions
from rl.saved.run import Run
from rl.specification.specification import Specification

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a script's `pytest &` inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # not in the checkout
# A busy machine takes as long as it takes.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")

Answer = subprocess.CompletedProcess[str]
Command = Callable[..., Answer]

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
REPORTING = {("run",), ("resume",), ("search",), ("compare",)}  # verbs that end with a report
WITHOUT = ("--no-report",)


LONGEST = 300  # seconds: a last net, many times what a slow machine takes
HELD = {"PYTHONPATH": str(Path(__file__).parents[2]), "HELD": "gate"}  # of Held-v0, from a folder


def quick(count: int, cases: Iterable[Any]) -> list[Any]:
    """Cases for `parametrize`: the first so many are quick ones, the others slow."""
    marks = [pytest.mark.slow]
    return [
        case if number < count
        else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks)
        for number, case in enumerate(cases)
    ]  # fmt: skip


def wait_until(done: Callable[[], bool], seconds: float = LONGEST) -> None:
    """Waits for what another process does; fails if it never does."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def evaluation(mean_return: float) -> dict[str, Any]:
    """What an outcome says of a checkpoint, by a single episode."""
    returns = ("mean_return", "median_return", "min_return", "max_return")
    lengths = ("mean_length", "min_length", "max_length")
    return {
        "problem": "CartPole-v1",
        "threshold": 475.0,
        "solved": None,
        **dict.fromkeys(returns, mean_return),
        **dict.fromkeys(lengths, 9),
        "std_return": 0.0,
        "episodes": 1,
        "ci95": [mean_return, mean_return],
    }


def take_over(one: Replay, other: Replay) -> None:
    """Gives one memory's transitions and state to the other."""
    other.restore(one.state())
    if one.frames and other.frames:
        oldest = one.frames.added - one.frames.size
        other.frames.put(oldest, one.frames.records(oldest, one.frames.added))
    first = one.added - one.size
    other.put(first, one.records(first, one.added))


@pytest.fixture(autouse=True, scope="session")
def unsynced() -> None:
    """The disk is not waited for: it is slow, and the machine lives on."""
    os.fsync = lambda file: None  # type: ignore[assignment]


@pytest.fixture
def rl(tmp_path: Path) -> Command:
    """Runs `python -m rl ...` in an empty folder, without a display.

    A report takes seconds, and is made where a test asks for it by `report=True`.
    """
    environment = {name: value for name, value in os.environ.items() if name not in DISPLAYS}

    def run(*arguments: object, module: str = "rl", report: bool = False, **extra: str) -> Answer:
        makes_one = module == "rl.run" or arguments[:1] in REPORTING
        without = WITHOUT if makes_one and not report else ()
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments), *without],
            capture_output=True, text=True, cwd=tmp_path, timeout=300,
            env={**environment, **extra},
        )  # fmt: skip

    return run


@pytest.fixture
def rl_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """As `rl`, but in this process, which saves the second that another takes to begin."""
    monkeypatch.chdir(tmp_path)
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Answer:
        without = WITHOUT if arguments[:1] in REPORTING and "--help" not in arguments else ()
        command = [*map(str, arguments), *without]
        try:
            status: Any = main(command)
        except SystemExit as end:  # of --help
            status = end.code
        return Answer(command, status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def cartpole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of `cartpole_dqn`, for tests that only read it."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    subprocess.run(
        [sys.executable, "-m", "rl.run", "cartpole_dqn", "--steps", "3000", "--quiet",
         "--no-report", "--set", "train.evaluate_every=1500", "--output", str(folder)],
        check=True, timeout=300,
    )  # fmt: skip
    return folder


def run_trial(
    specification: Specification,
    seeds: Sequence[int],
    output: Path,
    executor: Executor,
    draw: bool = True,
) -> Run:
    """`rl.train` for a specification that is loaded already, on an executor."""
    return run_sessions(create_trial(specification, seeds, output), executor, draw)
