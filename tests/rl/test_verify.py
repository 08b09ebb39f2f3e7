"""Running again: the same is called identical, and the first thing that differs is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.checks.verification import verify, verify_evaluation
from rl.errors import UserError
from rl.running.executors import Inline
from rl.running.train import train
from rl.saved.run import Run
from tests.rl.conftest import Command

SETTINGS = ("train.steps=2400", "train.evaluate_every=1000", "network.hidden=[16]")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "original"
    return train("mountaincar_dqn", seed=4, overrides=SETTINGS, output=path).path


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_bytes().decode()
    assert old in text
    file.write_bytes(text.replace(old, new, 1).encode())


def difference(run: Path) -> str | None:
    (verdict,) = verify(Run.open(run), None, Inline())
    assert (verdict.session, verdict.seed) == (0, 4)
    return verdict.difference


def test_what_is_run_again_is_identical(copy: Path) -> None:
    (copy / "spec.yaml").write_text("original: {problem: CartPole-v1, agent: {name: DQN}}")
    replace(copy / "spec.yaml", "original", "mountaincar_dqn")  # the manifest alone counts
    assert difference(copy) is None


def test_the_first_episode_that_differs_is_named(copy: Path) -> None:
    episodes = copy / "trial_000/session_000/episodes.csv"
    replace(episodes, "7,1400,-200.0", "7,1400,-199.0")
    replace(episodes, "9,1800,-200.0", "9,1800,-199.0")
    expected = "episode 7 (step 1400): return -200.0 here, -199.0 in the run"
    assert difference(copy) == expected


def test_the_earliest_difference_is_named_whichever_table_it_is_in(copy: Path) -> None:
    replace(copy / "trial_000/session_000/episodes.csv", "7,1400,-200.0", "7,1400,-199.0")
    updates = copy / "trial_000/session_000/updates.csv"
    row = updates.read_text().splitlines()[2]
    step, update, *_ = row.split(",")
    assert int(step) < 1400
    replace(updates, row, row.replace(f"{step},{update},", f"{step},{update},1"))
    found = difference(copy)
    assert found is not None
    assert found.startswith(f"update {update} (step {step}): loss ")


def test_rows_that_one_of_them_lacks_are_named(copy: Path) -> None:
    replace(copy / "trial_000/session_000/evaluations.csv", "2400,", "2300,")
    with open(copy / "trial_000/session_000/episodes.csv", "a") as file:
        file.write("13,2300,-200.0,200,0,1\r\n")
    assert difference(copy) == "episode 13 (step 2300): is in the run alone"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"weights": "0" * 64}, "the final weights: their digests differ"),
        ({"updates": 3}, "updates: "),
        ({"final": {"returns": [-200.0, -1.0]}},
         "the last checkpoint on unseen episode 2: return -200.0 here, -1.0 in the run"),
    ],
)  # fmt: skip
def test_an_outcome_that_differs_is_named(
    change: dict[str, Any], expected: str, copy: Path
) -> None:
    file = copy / "trial_000/session_000/session.json"
    outcome = json.loads(file.read_text())
    if "final" in change:
        change = {"final": {**outcome["final"], **change["final"]}}
    file.write_text(json.dumps({**outcome, **change}))
    assert str(difference(copy)).startswith(expected)


@pytest.mark.slow
def test_saved_agents_play_the_same_episodes_again(copy: Path) -> None:
    (verdict,) = verify_evaluation(Run.open(copy))
    assert verdict.difference is None
    file = copy / "trial_000/session_000/session.json"
    outcome = json.loads(file.read_text())
    outcome["final"]["returns"][4] = -1.0
    file.write_text(json.dumps(outcome))
    (verdict,) = verify_evaluation(Run.open(copy))
    assert str(verdict.difference).startswith("the last checkpoint on unseen episode 5: return -2")


def test_another_seed_is_not_identical(copy: Path) -> None:
    replace(copy / "manifest.json", '"seeds": [\n    4', '"seeds": [\n    5')
    (verdict,) = verify(Run.open(copy), None, Inline())
    assert verdict.difference is not None
    assert verdict.difference.startswith("episode 1 (step 200): seed ")


def test_only_what_has_finished_can_be_verified(copy: Path) -> None:
    (copy / "trial_000/session_000/session.json").unlink()
    with pytest.raises(UserError, match="no session that finished"):
        verify(Run.open(copy), None, Inline())


@pytest.mark.slow
def test_the_verb_says_what_it_found(copy: Path, rl_here: Command) -> None:
    answer = rl_here("verify", copy, "--evaluation")
    assert answer.stdout == "session 0 (seed 4): identical\n"
    assert answer.returncode == 0
    replace(copy / "trial_000/session_000/episodes.csv", "7,1400,-200.0", "7,1400,-199.0")
    answer = rl_here("verify", copy, "--quiet")
    assert answer.returncode == 1
    assert answer.stdout.startswith("session 0 (seed 4): differs: episode 7 (step 1400)")


def test_another_machine_is_named_first(copy: Path, rl_here: Command) -> None:
    replace(copy / "manifest.json", f'"numpy": "{np.__version__}"', '"numpy": "1.26.4"')
    answer = rl_here("verify", copy, "--evaluation")
    first, second = answer.stdout.splitlines()
    assert first.startswith("results may differ from the run's in the last digits: numpy ")
    assert "1.26.4 there" in first
    assert second == "session 0 (seed 4): identical"
