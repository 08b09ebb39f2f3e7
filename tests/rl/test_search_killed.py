"""Searches that are killed, interrupted and robbed of their workers, at moments that are drawn.

Each of them comes to the end of the search that was let alone, in every trial.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rl.storage.run_folder import RunFolder
from tests.rl.test_search import results_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc"),
]

SEARCHES = {
    "tpe": {"method": "tpe", "pruner": "median", "trials": 13},  # of which ten are drawn blindly
    "random": {"method": "random", "trials": 6, "sessions": 2},
}
SPACE = {
    "optimizer.learning_rate": {"low": 0.0003, "high": 0.03, "log": True},
    "agent.gamma": [0.5, 0.9, 0.99],
    "network.hidden": [[4], [16], [32]],
}
LONGEST = 2.0  # seconds between two strokes of fate
COUNT = int(os.environ.get("SEARCHES", "10"))  # of searches, of 10 to 20 seconds each

Reference = Callable[[str], list[dict[str, Any]]]


def command(name: str, folder: Path, run: str) -> list[str]:
    """Begins a search in a folder, or goes on with it."""
    is_begun = (folder / run / "manifest.json").exists()
    which = ["--resume", run] if is_begun else [name, "--spec", "my.json", "--output", run]
    return [sys.executable, "-m", "rl", "search", *which, "--jobs", "2", "--quiet", "--no-report"]


def begin(name: str, folder: Path, run: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(name, folder, run), cwd=folder, start_new_session=True,
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def write_specifications(folder: Path) -> None:
    values = {
        "problem": "CartPole-v1", "network": {"hidden": [16]},
        "agent": {"name": "DQN", "n_step": 3, "learn_start": 50},
        "exploration": {"name": "EpsilonGreedy", "steps": 200},
        "train": {"steps": 500, "evaluate_every": 100, "evaluate_episodes": 3},
    }  # fmt: skip
    text = json.dumps({name: {**values, "search": {**block, "space": SPACE}}
                       for name, block in SEARCHES.items()})  # fmt: skip
    (folder / "my.json").write_text(text)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What the trials of a search are worth that was let alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_specifications(folder)

    @cache
    def results(name: str) -> list[dict[str, Any]]:
        assert begin(name, folder, name).wait(timeout=300) == 0
        found = results_of(RunFolder(folder / name))
        assert name != "tpe" or "pruned" in {each["state"] for each in found}
        return found

    return results


def workers_of(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            is_worker = b"spawn_main" in (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and is_worker and fields[0] != "Z":
            found.append(int(path.name))
    return found


def kill_group(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def kill_parent(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    process.kill()


def interrupt(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    if rng.random() < 0.5:
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)


def kill_worker(process: subprocess.Popen[bytes], rng: random.Random) -> None:
    if workers := workers_of(process.pid):
        try:
            os.kill(rng.choice(workers), rng.choice([signal.SIGKILL, signal.SIGTERM]))
        except ProcessLookupError:  # it has ended meanwhile
            return


FATES = [kill_group, kill_parent, interrupt, terminate, kill_worker, kill_worker]


@pytest.mark.parametrize("seed", range(COUNT))
def test_it_comes_to_the_same_end(tmp_path: Path, undisturbed: Reference, seed: int) -> None:
    rng = random.Random(seed)
    name = ("tpe", "random")[seed % 2]
    write_specifications(tmp_path)
    fates = [rng.choice(FATES) for _ in range(4)]
    for attempt in range(20):
        process = begin(name, tmp_path, "r")
        while fates and process.poll() is None:
            time.sleep(rng.uniform(0.0, LONGEST))
            if process.poll() is None:
                fate = fates.pop()
                fate(process, rng)
                if fate is not kill_worker:
                    break
        process.wait(timeout=300)
        if process.returncode == 0 and (not fates or attempt > 0):
            break
    assert process.returncode == 0
    assert results_of(RunFolder(tmp_path / "r")) == undisturbed(name)
