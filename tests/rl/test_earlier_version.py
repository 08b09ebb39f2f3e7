"""Run folders of version 0.1: evaluated, resumed, verified, reported and searched on.

They were made by that version, with names that are others now: `target_blend`, DDPG with
`twin_critics`, ActorCritic with `clip`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rl.cli import main
from rl.errors import UserError
from rl.saved.run import Run
from rl.specification.build import build
from rl.specification.specification import Specification, load_specification
from rl.storage.manifest import differences

DATA = Path(__file__).parents[1] / "data" / "version_0_1"
FINISHED = ("td3", "ppo")
TABLES = ("episodes.csv", "updates.csv", "evaluations.csv")


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the run folder that the parameter names."""
    copy = tmp_path / str(request.param)
    shutil.copytree(DATA / str(request.param), copy)
    return copy


def same_machine(folder: Path) -> bool:
    """Whether bits can be expected to be equal here, where the code alone is another."""
    found = differences(json.loads((folder / "manifest.json").read_text()))
    return all(each.startswith("commit ") for each in found)


@pytest.mark.parametrize("folder", [*FINISHED, "dqn", "search"], indirect=True)
def test_it_is_evaluated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder), "--episodes", "3"]) == 0
    assert "over 3 greedy episodes" in capsys.readouterr().out


@pytest.mark.parametrize("folder", FINISHED, indirect=True)
def test_it_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The changelog says that PPO's bits have changed since."""
    status = main(["verify", str(folder)])
    said = capsys.readouterr().out
    if folder.name == "ppo":
        assert status == 1
        assert "commit" in said
    elif same_machine(folder):
        assert status == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["td3", "search"], indirect=True)
def test_it_is_reported(folder: Path) -> None:
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("folder", ["dqn"], indirect=True)
def test_it_is_resumed(folder: Path) -> None:
    """What was there stays; the bits of Normalize and of Prioritized have changed since."""
    session = folder / "trial_000/session_000"
    before = {name: (session / name).read_bytes() for name in TABLES}
    outcome = Run.open(folder).outcome
    assert (outcome["status"], outcome["steps"]) == ("interrupted", 1000)
    assert main(["resume", str(folder), "--quiet", "--no-report"]) == 0
    outcome = Run.open(folder).outcome
    assert (outcome["status"], outcome["steps"]) == ("finished", 1500)
    for name, rows in before.items():
        assert (session / name).read_bytes().startswith(rows)


@pytest.mark.parametrize("folder", ["search"], indirect=True)
def test_its_best_specification_runs_in_todays_names(folder: Path) -> None:
    values = json.loads((folder / "best_spec.json").read_text())["old_search"]
    assert "target_blend" in values["agent"]
    resolved = build(Specification("old_search", "best_spec.json", values), 0).specification
    assert resolved.values["agent"]["tau"] == values["agent"]["target_blend"]


EARLIER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "DQN": ({"name": "DQN", "target_blend": 0.5}, {"name": "DQN", "tau": 0.5}),
    "plain": ({"name": "actor_critic"}, {"name": "A2C", "epochs": 1}),
    "epochs": ({"name": "ActorCritic", "epochs": 2, "clip": 0}, {"name": "A2C", "epochs": 2}),
    "clip": (
        {"name": "ActorCritic", "clip": 0.2},
        {"name": "PPO", "clip": 0.2, "epochs": 1, "minibatches": 1, "normalize_advantages": False},
    ),
    "noise": (
        {"name": "DDPG", "target_noise": 0.1, "target_noise_limit": 0.3},
        {"name": "TD3", "critics": 1, "policy_delay": 1, "target_noise": 0.1,
         "target_noise_clip": 0.3},
    ),
    "twins": (
        {"name": "DDPG", "twin_critics": True, "target_blend": 0.01},
        {"name": "TD3", "critics": 2, "policy_delay": 1, "target_noise": 0.0, "tau": 0.01},
    ),
    "off": ({"name": "DDPG", "twin_critics": False, "actor_every": 1}, {"name": "DDPG"}),
    "no": ({"name": "DDPG", "twin_critics": "no"}, {"name": "DDPG"}),
    "yes": ({"name": "DDPG", "twin_critics": "yes"}, {"name": "TD3", "critics": 2}),
}  # fmt: skip


@pytest.mark.parametrize("case", EARLIER)
def test_earlier_names_mean_what_they_meant(case: str) -> None:
    earlier, today = EARLIER[case]
    problem = "Pendulum-v1" if "DDPG" in earlier["name"] else "CartPole-v1"
    values = {"problem": problem, "agent": earlier, "train": {"steps": 5000}}
    resolved = build(Specification("x", "x.yaml", values), 0).specification.values["agent"]
    assert {name: resolved[name] for name in today} == today


def test_a_setting_under_both_names_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = {"name": "DQN", "target_blend": 0.5, "tau": 0.5}
    file = tmp_path / "x.yaml"
    values = {"x": {"problem": "CartPole-v1", "agent": agent, "train": {"steps": 5000}}}
    file.write_text(yaml.safe_dump(values))
    assert main(["run", "x", "--spec", str(file)]) == 2
    assert "agent.target_blend is the earlier name of tau" in capsys.readouterr().err


def test_an_override_may_use_the_earlier_name() -> None:
    found = load_specification("cartpole_dqn", overrides=["agent.target_blend=0.25"])
    assert build(found, 0).specification.values["agent"]["tau"] == 0.25


def test_what_is_neither_true_nor_false_makes_no_other_algorithm() -> None:
    values = {"problem": "Pendulum-v1", "agent": {"name": "DDPG", "twin_critics": "perhaps"}}
    with pytest.raises(UserError, match=r"agent\.twin_critics is no setting of DDPG"):
        build(Specification("x", "x.yaml", {**values, "train": {"steps": 5000}}), 0)
