"""`rl compare`, as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rl.files import read_json
from tests.rl.conftest import Command

SHORT = ("--sessions", "3", "--jobs", "2", "--quiet", "--set", "train.evaluate_every=1000",
         "train.evaluate_episodes=2", "agent.learn_start=500")  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One experiment that learns, and the same that cannot."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("learns", ()), ("cannot", ("optimizer.learning_rate=1e-9",))):
        subprocess.run(
            [sys.executable, "-m", "rl", "run", "cartpole_dqn", "--steps", "4000",
             "--no-report", "--output", name, *SHORT, *more], cwd=folder, check=True, timeout=120,
        )  # fmt: skip
    return folder


def test_it_says_which_is_better(rl: Command, runs: Path, tmp_path: Path) -> None:
    answer = rl("compare", runs / "learns", runs / "cannot", "--output", "c")
    assert answer.returncode == 0, answer.stderr
    assert "learns" in answer.stdout
    (pair,) = read_json(tmp_path / "c/comparison.json")["pairs"]
    assert pair["verdict"] in answer.stdout
    assert pair["difference"]["value"] > 0
    assert (tmp_path / "c/comparison.png").stat().st_size > 20_000


def test_a_run_is_no_better_than_itself(rl: Command, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "learns", tmp_path / "copy")
    answer = rl("compare", runs / "learns", "copy")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "runs/comparisons").iterdir()
    (pair,) = read_json(folder / "comparison.json")["pairs"]
    assert pair["better"] is None
    assert pair["improvement"]["value"] == 0.5


def test_bad_input_leaves_nothing(rl: Command, runs: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(runs / "cannot", empty)
    old = tmp_path / "old"
    shutil.copytree(runs / "cannot", old)
    for path in empty.rglob("session.json"):
        path.unlink()
    for path in old.rglob("session.json"):
        outcome = read_json(path)
        del outcome["evaluation"]["returns"]
        path.write_text(json.dumps(outcome))
    other = tmp_path / "other"
    shutil.copytree(runs / "cannot", other)
    spec = (other / "spec.yaml").read_text()
    (other / "spec.yaml").write_text(spec.replace("CartPole-v1", "Acrobot-v1"))
    good = runs / "learns"
    for arguments, said in (
        ((good,), "two"),
        ((good, "nowhere"), "nowhere: there is no such run folder"),
        ((good, empty), "has no session that finished"),
        ((good, old), "run it again"),
        ((good, good), "learns"),
        ((good, other), "Acrobot-v1"),
    ):
        answer = rl("compare", *arguments)
        assert answer.returncode == 2, answer.stdout
        assert said in answer.stderr
        assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
