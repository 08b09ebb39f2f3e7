"""The lives of worker processes: none outlives its parent, none is hurt by what is meant for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rl.running.worker import _can_fork
from tests.rl.conftest import Command, wait_until

HANGING = """
import ctypes
import itertools
import os
import time
from pathlib import Path

import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

WAYS = [
    lambda: time.sleep(1000),
    lambda: [None for _ in itertools.count()],
    lambda: ctypes.CDLL(None).sleep(1000),
    lambda: ctypes.PyDLL(None).sleep(1000),  # and the interpreter is kept from other threads
]

class Hanging(CartPoleEnv):
    def step(self, action):
        here = Path("hanging")
        if here.is_dir():
            for way in WAYS:
                try:
                    (here / str(WAYS.index(way))).touch(exist_ok=False)
                except FileExistsError:
                    continue
                (here / f"pid.{os.getpid()}").touch()
                way()
        return super().step(action)

gymnasium.register("Hanging-v0", Hanging, max_episode_steps=50)
"""


def alive(pid: int) -> bool:
    """Returns True if a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def session_of(leader: int) -> list[int]:
    """The processes of a session that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def write_spec(folder: Path, module: str, source: str, problem: str) -> None:
    (folder / f"{module}.py").write_text(source)
    specification = {
        "problem": problem, "import": module, "agent": {"name": "DQN"}, "network": {"hidden": [8]},
        "train": {"steps": 1200, "evaluate_every": 1200, "evaluate_episodes": 1,
                  "renew_environment": False},  # its sessions alone play it
    }  # fmt: skip
    (folder / "my.json").write_text(json.dumps({"mine": specification}))


@pytest.fixture
def hanging(tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A trial whose four sessions hang, each in another way, and their processes."""
    write_spec(tmp_path, "odd", HANGING, "Hanging-v0")
    (tmp_path / "hanging").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "rl", "run", "mine", "--spec", "my.json", "--sessions", "4",
         "--jobs", "4", "--output", "r"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: len(list((tmp_path / "hanging").glob("pid.*"))) == 4, 120)
    pids = [int(path.suffix[1:]) for path in (tmp_path / "hanging").glob("pid.*")]
    assert all(map(alive, pids))
    return process, pids


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.slow
def test_whatever_hangs_does_not_outlive_a_killed_parent(
    hanging: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, pids = hanging
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(alive, pids)), 30)
    wait_until(lambda: not session_of(process.pid), 30)


@needs_proc
@pytest.mark.slow
def test_a_second_ctrl_c_ends_whatever_hangs(
    hanging: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, pids = hanging
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=2)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert not any(map(alive, pids))
    wait_until(lambda: not session_of(process.pid), 30)


PARENT = """
import multiprocessing
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

def simulate(line):
    line.send(line.recv())

class Parent(CartPoleEnv):
    def __init__(self):
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=simulate, args=(theirs,))
        self.process.start()
        theirs.close()

    def close(self):
        self.line.send("end")
        assert self.line.recv() == "end"
        self.process.join()

gymnasium.register("Parent-v0", Parent, max_episode_steps=50)
"""


@pytest.mark.slow
def test_an_environment_may_start_processes(tmp_path: Path, rl: Command) -> None:
    write_spec(tmp_path, "parent", PARENT, "Parent-v0")
    answer = rl("run", "mine", "--spec", "my.json", "--sessions", 2, "--jobs", 2, "--quiet")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


FIRST_WORKER = """
from pathlib import Path
from rl.running.executors import Processes
from rl.session.job import Job
from rl.specification.specification import load_specification

if __name__ == "__main__":
    with Processes(1) as executor:
        executor.begin(Job(load_specification("cartpole_dqn"), 0, Path("r")))
        pid = executor._workers[0]._home.process.pid
        status = Path(f"/proc/{pid}/status").read_text()
        executor._workers[0].kill()
    blocked = next(line for line in status.splitlines() if line.startswith("SigBlk"))
    print(int(blocked.split()[1], 16))
"""


@needs_proc
def test_ctrl_c_reaches_no_worker_not_even_the_first(tmp_path: Path) -> None:
    """Nor one that still imports: it is blocked from the beginning."""
    (tmp_path / "first.py").write_text(FIRST_WORKER)
    answer = subprocess.run([sys.executable, "first.py"], cwd=tmp_path, capture_output=True,
                            text=True, timeout=120)  # fmt: skip
    assert answer.stderr == ""
    assert int(answer.stdout) & (1 << (signal.SIGINT - 1))


def test_without_proc_no_process_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr("rl.running.worker.os.listdir", missing)
    assert not _can_fork()
