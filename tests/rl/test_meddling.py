"""What an environment changes of its process costs a run nothing, or is said."""

from __future__ import annotations

import gc
import json
import locale
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.cli import main
from rl.running.train import train
from rl.saved.run import Run
from tests.rl.conftest import LONGEST, Command, quick
from tests.rl.meddling import WAYS

ROOT = str(Path(__file__).parents[2])
SETTINGS = ["problem=Meddling-v0", "import=tests.rl.meddling", "train.evaluate_every=100",
            "train.evaluate_episodes=2", "agent.learn_start=50", "train.steps=200",
            "exploration.steps=100", "network.hidden=[4]"]  # fmt: skip
RUN = ["run", "cartpole_dqn", "--no-report", "--set", *SETTINGS]
COMMAND = """
import sys
import rl.console.ending
from rl.cli import main
rl.console.ending.SECONDS_FOR_THREADS = 0.1
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """A test leaves its process as it was."""
    variables, numbers, shown = dict(os.environ), np.geterr(), np.get_printoptions()
    digits, depth, place = sys.get_int_max_str_digits(), sys.getrecursionlimit(), os.getcwd()
    language = locale.setlocale(locale.LC_ALL)
    mask, heard = os.umask(0), signal.getsignal(signal.SIGINT)
    os.umask(mask)
    with warnings.catch_warnings():
        yield
    os.environ.clear()
    os.environ.update(variables)
    np.seterr(**numbers)
    np.set_printoptions(**shown)
    sys.set_int_max_str_digits(digits)
    sys.setrecursionlimit(depth)
    os.chdir(place)
    os.umask(mask)
    signal.signal(signal.SIGINT, heard)
    with suppress(ValueError, OSError):
        signal.set_wakeup_fd(-1)
    locale.setlocale(locale.LC_ALL, language)
    logging.disable(logging.NOTSET)
    gc.enable()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How a run ends whose environment keeps to itself."""
    folder = tmp_path_factory.mktemp("whole") / "r"
    return train("cartpole_dqn", overrides=SETTINGS, output=folder, draw=False).outcome


@pytest.mark.parametrize(
    ("method", "way"),
    quick(4, [(method, way) for method in ("step", "constructor", "reset") for way in WAYS]),
)
def test_a_run_comes_to_the_same_end(
    method: str, way: str, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDDLING", f"{method} {way}")
    assert main([*RUN, "--output", "r"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "run folder: r  (curve: r/trial_000/session_000/curve.png)" in out
    outcome = Run.open(tmp_path / "r").outcome
    for key in ("weights", "evaluation", "final", "updates"):
        assert outcome[key] == whole[key]
    assert Path.cwd() == tmp_path


@pytest.mark.slow
def test_everything_is_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An environment goes elsewhere, whichever verb has it play."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDDLING", "step chdir")
    experiment = {"problem": "Meddling-v0", "import": "tests.rl.meddling", "agent": {"name": "DQN"}}
    Path("mine.json").write_text(json.dumps({"mine": experiment}))
    own = ["mine", "--spec", "mine.json", "--set", *SETTINGS[2:]]
    run = train("mine", spec="mine.json", overrides=SETTINGS[2:], draw=False)
    assert run.path.parent == tmp_path / "runs/mine"
    for verb in (
        ["run", *own, "--output", "r"],
        ["resume", "r"],
        ["evaluate", "r", "--episodes", "2"],
        ["report", "r"],
        ["export", "r"],
        ["compare", "r", "mine"],
        ["verify", "r", "--evaluation"],
        ["analyze", "r"],
        ["doctor", "--env", "Meddling-v0"],
    ):
        assert main(verb) == 0, (verb, capsys.readouterr())
        assert Path.cwd() == tmp_path
    assert not list((tmp_path / "elsewhere").iterdir())
    assert {each.name for each in tmp_path.iterdir()} == {
        "elsewhere", "mine.json", "r", "runs", "mine.npz", "mine.py"
    }  # fmt: skip
    assert "rl verify r --evaluation" in Path("r/report.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("more", [["run", "--sessions", 2], ["search", "--trials", 2]])
def test_workers_are_where_the_user_is(more: list[str], rl: Command, tmp_path: Path) -> None:
    arguments = [more[0], RUN[1], *RUN[3:], *more[1:], "--jobs", 2, "--output", "r"]
    answer = rl(*arguments, MEDDLING="step chdir", PYTHONPATH=ROOT)
    assert answer.returncode == 0, answer.stderr
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (tmp_path / "r/trial_000/session_000/session.json").exists()


ENDED = {
    "exit": (1, "/meddling.py:"),
    "crash": (-11, ", line "),
    "thread": (0, "rl: ended beside "),
}


@pytest.mark.parametrize("way", quick(1, ENDED))
def test_an_end_that_nobody_asked_for_is_said(way: str, tmp_path: Path) -> None:
    status, said = ENDED[way]
    answer = subprocess.run(
        [sys.executable, "-c", COMMAND, *RUN, "--output", "r"], cwd=tmp_path,
        capture_output=True, text=True, timeout=LONGEST,
        env={**os.environ, "MEDDLING": f"step {way}", "PYTHONPATH": ROOT},
    )  # fmt: skip
    assert answer.returncode == status
    assert said in answer.stderr
