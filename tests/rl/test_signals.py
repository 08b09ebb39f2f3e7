"""Signals that end a process: what is saved, what is said, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rl.console.signals import handled, stopped_by_signals
from tests.rl.conftest import quick, wait_until

ROOT = str(Path(__file__).parents[2])  # where the package `tests` is
SETTINGS = ["problem=Holding-v0", "import=tests.rl.holding", "train.evaluate_every=10000000",
            "train.steps=10000000", "agent.learn_start=5000000",
            "train.renew_environment=false"]  # the third step is training's  # fmt: skip
RUN = ["run", "cartpole_dqn", "--output", "r", "--no-report", "--quiet", "--set", *SETTINGS]
SESSION = "r/trial_000/session_000/session.json"
WAITING = "rl: waiting for the environment's step; press Ctrl-C again to end without saving\n"


class Program:
    """A process that has come to the third step of an environment that holds in some way."""

    def __init__(self, folder: Path, way: str, command: Sequence[str], ignored: int = 0) -> None:
        self.folder, begun = folder, folder / "begun"
        # Its parent may be deaf to some, as in the background of a shell.
        prepare = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
        if ignored:
            prepare += f"; signal.signal({ignored}, signal.SIG_IGN)"
        self.process = subprocess.Popen(
            [sys.executable, "-c",
             f"{prepare}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])", *command],
            cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "HOLDING": way, "BEGUN": str(begun), "PYTHONPATH": ROOT},
        )  # fmt: skip
        wait_until(lambda: begun.exists() or self.process.poll() is not None)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def hear(self) -> str:
        """The next line of the standard error."""
        assert self.process.stderr
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        said, complaint = self.process.communicate(timeout=60)
        return self.process.returncode, said, complaint


def status(folder: Path, outcome: str = SESSION) -> object:
    return json.loads((folder / outcome).read_text())["status"]


@pytest.mark.parametrize("way", quick(1, ["deaf", "on"]))
@pytest.mark.parametrize("number", quick(1, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
def test_a_run_saves_and_ends_with_the_signals_status(
    number: int, way: str, tmp_path: Path
) -> None:
    """Whatever an environment has made of the signals."""
    program = Program(tmp_path, way, ["-m", "rl", *RUN])
    program.send(number)
    code, said, complaint = program.end()
    assert code == 128 + number
    assert complaint == ""
    assert "to resume: rl resume r" in said
    assert status(tmp_path) == "interrupted"


@pytest.mark.parametrize("number", quick(1, [signal.SIGINT, signal.SIGTERM]))
@pytest.mark.slow
def test_the_evaluation_after_the_learning_need_not_be_waited_for(
    number: int, tmp_path: Path
) -> None:
    last = ["train.evaluate_every=100", "agent.learn_start=50", "train.steps=200"]
    program = Program(tmp_path, "judge", ["-m", "rl", *RUN, *last])
    assert status(tmp_path) == "finished"
    program.send(number)
    (tmp_path / "gate").touch()
    code, said, complaint = program.end()
    assert (code, complaint) == (128 + number, "")
    assert said.startswith("interrupted at step 200; ")
    assert status(tmp_path) == "interrupted"
    command = [sys.executable, "-m", "rl", "resume", "r", "--quiet", "--no-report"]
    variables = {**os.environ, "HOLDING": "on", "PYTHONPATH": ROOT}
    subprocess.run(command, cwd=tmp_path, env=variables, check=True, timeout=120)
    assert json.loads((tmp_path / SESSION).read_text())["evaluation"]["episodes"] == 100


@pytest.mark.slow
def test_a_hangup_that_is_ignored_stays_so(tmp_path: Path) -> None:
    program = Program(tmp_path, "on", ["-m", "rl", *RUN], ignored=signal.SIGHUP)
    program.send(signal.SIGHUP)
    program.send(signal.SIGTERM)
    assert program.end()[0] == 143


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sleep", "loop", "swallow"])
def test_an_environment_that_hangs_is_waited_for_until_ctrl_c_comes_again(
    way: str, tmp_path: Path
) -> None:
    program = Program(tmp_path, way, ["-m", "rl", *RUN])
    program.send(signal.SIGINT)
    assert program.hear() == WAITING
    program.send(signal.SIGINT)
    code, _, complaint = program.end()
    assert code == 130
    if way != "swallow":
        assert complaint == "rl: interrupted; to resume: rl resume r\n"
        assert status(tmp_path) == "interrupted"


def test_two_signals_at_once_are_one_request() -> None:
    stops: list[int] = []
    both = {signal.SIGHUP, signal.SIGTERM}
    defaults = dict.fromkeys(both, signal.SIG_DFL)  # under nohup one is ignored
    with handled(defaults), stopped_by_signals(lambda: stops.append(1)):
        signal.pthread_sigmask(signal.SIG_BLOCK, both)
        for number in both:
            signal.raise_signal(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    assert stops == [1, 1]


def script(folder: Path, *before: str) -> list[str]:
    """A program that trains again and again."""
    lines = [
        "import rl, signal", *before,
        "for seed in range(3):",
        f"    rl.train('cartpole_dqn', seed, {SETTINGS}, output=f'r{{seed}}')",
        "    print('and on')",
    ]  # fmt: skip
    (folder / "program.py").write_text("\n".join(lines))
    return ["program.py"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_program_that_trains_ends_with_its_first_signal(
    number: int, code: int, tmp_path: Path
) -> None:
    program = Program(tmp_path, "on", script(tmp_path))
    program.send(number)
    found, said, complaint = program.end()
    assert (found, said) == (code, "")
    assert complaint.endswith("r0: was interrupted; to resume: rl resume r0\n")
    assert status(tmp_path, SESSION.replace("r/", "r0/", 1)) == "interrupted"
    assert not (tmp_path / "r1").exists()


@pytest.mark.slow
def test_a_handler_of_the_programs_own_is_called(tmp_path: Path) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: exit('saved all of mine'))"
    program = Program(tmp_path, "on", script(tmp_path, own))
    program.send(signal.SIGTERM)
    assert program.end() == (1, "", "saved all of mine\n")
    assert status(tmp_path, SESSION.replace("r/", "r0/", 1)) == "interrupted"


INTERRUPTING = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
"""
IMPORTED = ["rl.console.output", "rl.console.signals", "rl.verbs.parser", "argparse", "numpy",
            "numpy._core._multiarray_umath", "gymnasium", "rl.session.session"]  # fmt: skip


@pytest.mark.parametrize("name", quick(3, IMPORTED))
@pytest.mark.parametrize("module", quick(1, ["rl", "rl.run"]))
def test_ctrl_c_while_something_is_imported(module: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(name=name))
    arguments = ["run", "cartpole_dqn"] if module == "rl" else ["cartpole_dqn"]
    answer = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--steps", "10"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "", "rl: interrupted\n")


def test_importing_the_lab_imports_little() -> None:
    code = "import sys, rl; print(len({'numpy', 'gymnasium', 'argparse'} & {*sys.modules}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout == "0\n"
