"""What actions and observations are called, wherever an agent is watched."""

from __future__ import annotations

import json
from contextlib import closing
from enum import IntEnum
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rl.agents.thoughts import Thoughts, of_values
from rl.checks.environment_check import examine_environment
from rl.environments.names import FILE, bar_names, with_names
from rl.environments.settings import EnvironmentSettings
from rl.environments.spaces import spaces_of
from rl.errors import UserError
from rl.report.pictures import replay
from rl.session.player import player_of
from rl.specification.build import build
from rl.specification.specification import Specification
from rl.watching.frames import Moment, Scene
from rl.watching.panel import Panel
from rl.watching.terminal import status
from tests.contracts.cases import NARROW, experiment, values
from tests.rl.gates import Gated
from tests.rl.worlds import Steady

Moves = IntEnum("Moves", "left pick_up", start=0)
LANDER = ("nothing", "left engine", "main engine", "right engine")


def named(env: Any, **block: Any) -> Any:
    return with_names(spaces_of(env, "Mine"), env, EnvironmentSettings(id="Mine-v0", **block))


def told(space: Any = None, **metadata: Any) -> Any:
    env = Steady() if space is None else Gated(space)
    env.metadata = metadata
    return env


@pytest.mark.parametrize("name", json.loads(FILE.read_text()))
def test_the_names_that_the_lab_knows_fit(name: str) -> None:
    ids = [id for id in gymnasium.registry if id.rpartition("-v")[0] == name]
    env = gymnasium.make(max(ids, key=lambda id: int(id.rpartition("-v")[2])))
    known = json.loads(FILE.read_text())[name]
    found = gymnasium.spaces.flatdim(env.action_space)
    assert len(known["actions"]) == found
    if "observations" in known:
        assert (len(known["observations"]),) == env.observation_space.shape
    env.close()


@pytest.mark.parametrize(
    ("problem", "names"),
    [("LunarLander-v3", LANDER), ("Taxi-v4", ("south", "north", "east", "west", "pick up",
                                             "drop off")), ("Steady-v0", ())],
)  # fmt: skip
def test_names_come_with_the_spaces(problem: str, names: tuple[str, ...]) -> None:
    assert experiment(values("DQN", None, problem=problem)).spaces.action_names == names


def test_packages_call_actions_in_ways_of_their_own() -> None:
    env = told()
    env.get_action_meanings = lambda: ["NOOP", "FIRE"]
    assert named(env).action_names == ("noop", "fire")
    env.actions = Moves
    assert named(env).action_names == ("left", "pick up")
    env.actions = ["left"]
    env.get_action_meanings = lambda: 1 / 0
    assert named(env).action_names == ()


def test_the_block_goes_before_the_metadata() -> None:
    env = told(action_names=["a", "b"], observation_names=("x",))
    assert named(env).action_names == ("a", "b")
    assert named(env).observation_names == ("x",)
    assert named(env, action_names=("c", "d")).action_names == ("c", "d")


WRONG = [
    ({"action_names": ["a"]}, r"metadata\['action_names'\] must have 2 names, not 1"),
    ({"action_names": "ab"}, "must be a list of texts, not 'ab'"),
    ({"action_names": [1, 2]}, "must be a list of texts"),
    ({"action_names": None}, "must be a list of texts, not None"),
    ({"observation_names": ["x", "y"]}, r"metadata\['observation_names'\] must have 1 names"),
]


@pytest.mark.parametrize(("metadata", "said"), WRONG, ids=range(len(WRONG)))
def test_names_that_do_not_fit_are_refused(metadata: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"Mine-v0: .*{said}"):
        named(told(**metadata))


def test_the_block_is_named_where_its_names_do_not_fit() -> None:
    given = {
        "environment": {"id": "CartPole-v1", "action_names": ["left"]},
        "agent": {"name": "DQN"}, "network": NARROW, "train": {"steps": 2000},
    }  # fmt: skip
    with pytest.raises(UserError, match=r"environment\.action_names must have 2 names, not 1"):
        build(Specification("mine", "mine.yaml", given), 0)
    given["environment"] = {"id": "CartPole-v1", "action_names": ["l", "r"]}
    made = build(Specification("mine", "mine.yaml", given), 0)
    assert made.spaces.action_names == ("l", "r")
    assert made.specification.values["environment"]["action_names"] == ("l", "r")


def test_a_wrapper_may_change_what_is_named() -> None:
    env = told(action_names=["a", "b", "c"])
    assert named(env, wrappers=("Mine",)).action_names == ()


@pytest.mark.parametrize(
    ("names", "bars"),
    [((), ("0: 0", "0: 1", "1: 0", "1: 1", "1: 2")),
     (("gear", "turn"), ("gear 0", "gear 1", "turn 0", "turn 1", "turn 2")),
     (("up", "down", "left", "on", "right"), ("up", "down", "left", "on", "right"))],
)  # fmt: skip
def test_several_actions(names: tuple[str, ...], bars: tuple[str, ...]) -> None:
    block = {"action_names": names} if names else {}
    assert bar_names(named(told(spaces.MultiDiscrete([2, 3])), **block)) == bars


@pytest.fixture(scope="module", params=["DQN", "PPO"])
def scene(request: pytest.FixtureRequest) -> Any:
    made = experiment(values(request.param, None, problem="GatedSeveral-v0"))
    with closing(Scene("GatedSeveral-v0", player_of(made))) as scene:
        yield scene


def test_several_actions_are_seen_each_with_its_choices(scene: Scene) -> None:
    """Whether the agent learns of their combinations or not; what is not allowed is a dash."""
    moments = list(scene.moments(3))
    for moment in moments:
        thoughts = moment.thoughts
        assert thoughts.labels == ("0: 0", "0: 1", "1: 0", "1: 1", "1: 2")
        assert isinstance(thoughts.chosen, tuple)
        first, second = thoughts.chosen
        assert first < 2 <= second < 5
    assert Panel().draw(moments[0]).size[0] > 260
    assert status(moments[0]).count("[") == 2
    data = replay(scene, 3, "x").data
    assert data["names"] == moments[0].thoughts.labels
    json.dumps(data, allow_nan=False)


def test_a_choice_is_worth_its_best_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    made = experiment(values("DQN", None, problem="GatedSeveral-v0"))
    of_combinations = of_values(np.array([1.0, 5.0, 2.0, 4.0, -np.inf, 3.0]))
    monkeypatch.setattr(made.agent, "thoughts", lambda *seen: of_combinations)
    with closing(Scene("GatedSeveral-v0", player_of(made))) as scene:
        thoughts = next(scene.moments(3)).thoughts
    assert thoughts.bars.tolist() == [5.0, 4.0, 4.0, 5.0, 3.0]
    assert thoughts.chosen == (0, 3)


def test_a_name_stands_before_its_bar() -> None:
    bars = np.array([1.0, np.nan, -2.0])
    thoughts = Thoughts("Q(s, a)", bars, chosen=0, names=("left", "none", "a very long name " * 9))
    moment = Moment(np.zeros((4, 4, 3), np.uint8), 1, 2.0, thoughts, False)
    assert "left [1.00] none - a very long" in status(moment)
    assert Panel().draw(moment).size == (264, 360)


def test_the_doctor_lists_them() -> None:
    said = [str(finding) for finding in examine_environment("MountainCar-v0")]
    assert any("observations         position, velocity" in line for line in said)
    assert any("actions              left, coast, right" in line for line in said)


def test_the_replay_of_a_report_has_names() -> None:
    made = experiment(values("DQN", None, problem="MountainCar-v0"))
    with closing(Scene("MountainCar-v0", player_of(made))) as scene:
        assert replay(scene, 1, "x").data["names"] == ("left", "coast", "right")
