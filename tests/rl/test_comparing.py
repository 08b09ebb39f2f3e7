"""`rl compare`, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rl.running.executors import Inline
from rl.specification.specification import Specification
from rl.storage.files import read_json
from tests.rl.conftest import Command, run_trial

CHAIN = {
    "import": "tests.rl.worlds",
    "problem": "Chain-v0",
    "agent": {"name": "DQN", "gamma": 0.9, "learn_start": 100},
    "network": {"hidden": [16]},
    "train": {"steps": 1500, "evaluate_every": 500, "evaluate_episodes": 2},
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One experiment that learns, and the same that cannot."""
    folder = tmp_path_factory.mktemp("runs")
    for name, rate in (("learns", 0.003), ("cannot", 1e-9)):
        values = {**CHAIN, "optimizer": {"learning_rate": rate}}
        run_trial(Specification(name, "test", values), range(3), folder / name, Inline())
    return folder


def test_it_says_which_is_better(rl_here: Command, runs: Path, tmp_path: Path) -> None:
    answer = rl_here("compare", runs / "learns", runs / "cannot", "--output", "c")
    assert answer.returncode == 0, answer.stderr
    assert "learns" in answer.stdout
    (pair,) = read_json(tmp_path / "c/comparison.json")["pairs"]
    assert pair["verdict"] in answer.stdout
    assert pair["difference"]["value"] > 0
    assert (tmp_path / "c/comparison.png").stat().st_size > 20_000


def test_a_run_is_no_better_than_itself(rl_here: Command, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "learns", tmp_path / "copy")
    answer = rl_here("compare", runs / "learns", "copy")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "runs/comparisons").iterdir()
    (pair,) = read_json(folder / "comparison.json")["pairs"]
    assert pair["better"] is None
    assert pair["improvement"]["value"] == 0.5


def test_bad_input_leaves_nothing(rl_here: Command, runs: Path, tmp_path: Path) -> None:
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
    (other / "spec.yaml").write_text(spec.replace("Chain-v0", "Acrobot-v1"))
    good = runs / "learns"
    for arguments, said in (
        ((good,), "two"),
        ((good, "nowhere"), "nowhere: there is no such run folder"),
        ((good, empty), "has no session that finished"),
        ((good, old), "run it again"),
        ((good, good), "learns"),
        ((good, other), "Acrobot-v1"),
    ):
        answer = rl_here("compare", *arguments)
        assert answer.returncode == 2, answer.stdout
        assert said in answer.stderr
        assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
