"""Convolutional networks in a specification: of which agents, of what they see, and what not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from rl.agents import AGENTS
from rl.environments.observations import flattener
from rl.environments.spaces import Continuous, Discrete
from rl.errors import UserError
from rl.preprocessors import Picture
from rl.specification.by_name import with_defaults
from rl.specification.specification import Specification
from tests.contracts.cases import Play, assert_same, experiment, values
from tests.rl import worlds  # noqa: F401  registers Bright-v0
from tests.rl.conftest import quick, take_over

CONV = [{"filters": 3, "size": 3, "stride": 2}, {"filters": 4, "size": 2}]
SEEING = [name for name, agent in AGENTS.items() if agent.sees_pictures]


def pictured(name: str = "DQN", kind: Any = Discrete, **blocks: Any) -> dict[str, Any]:
    """A specification of a convolutional agent in front of pictures."""
    kwargs = {"continuous": kind is Continuous, **blocks.pop("kwargs", {})}
    given = values(name, kind, **{"network": {"conv": CONV, "hidden": [8]}, **blocks})
    given.pop("problem")
    return {"environment": {"id": "Bright-v0", "kwargs": kwargs}, **given}


@pytest.mark.parametrize("name", quick(2, SEEING))
def test_an_agent_of_pictures_is_resumed_to_the_bit(name: str) -> None:
    kind = Discrete if Discrete in AGENTS[name].kinds else Continuous
    one, other = (Play(experiment(pictured(name, kind), seed)) for seed in (0, 1))
    one.steps(60)
    assert one.agent.updates > 0
    other.agent.restore(one.agent.state())
    if one.agent.replay is not None and other.agent.replay is not None:
        take_over(one.agent.replay, other.agent.replay)
    other.environments.restore(one.environments.state())
    one.environments.seeds, other.environments.seeds = iter(range(99)), iter(range(99))
    for each in (one, other):
        each.steps(23)
    assert_same(one.agent.state(), other.agent.state())
    x = one.environments.observations
    np.testing.assert_array_equal(other.agent.act(x), one.agent.act(x))


def test_it_learns_to_tell_rows_from_columns() -> None:
    given = pictured(agent={"gamma": 0.0}, memory={"capacity": 400, "batch_size": 32},
                     optimizer={"learning_rate": 0.01})  # fmt: skip
    play = Play(experiment(given))
    play.steps(250)
    right = 0
    for _ in range(100):
        env: Any = play.environments.lend().unwrapped
        seen = env._observe().astype(np.float32).reshape(1, -1)
        right += play.agent.act(seen)[0] == env.is_column
    assert right > 90


POINTING = [("SAC", 400), ("DDPG", 400), ("TD3", 400), ("CrossQ", 1_200)]


@pytest.mark.parametrize(("name", "steps"), quick(1, POINTING))
def test_an_actor_learns_to_point_at_a_column(name: str, steps: int) -> None:
    """The same action in front of every picture would be off by 0.6, its mean, at least."""
    given = pictured(
        name, Continuous, agent={"gamma": 0.0, "learn_start": 100}, train={"steps": 2_000},
        memory={"capacity": 1_000, "batch_size": 32}, optimizer={"learning_rate": 0.003},
        network={"conv": [{"filters": 4, "size": 3}], "hidden": [32]},
    )  # fmt: skip
    play = Play(experiment({**given, "environment": {"id": "Pointed-v0"}}))
    play.steps(steps)
    seen = np.zeros((5, 6, 5, 1), np.uint8)
    seen[np.arange(5), :, np.arange(5)] = 255
    actions = play.agent.act(seen.reshape(5, -1))[:, 0]
    assert np.abs(actions - [-1, -0.5, 0, 0.5, 1]).mean() < 0.25


def test_bytes_stay_bytes_from_the_lanes_to_the_memory() -> None:
    for name, kind in (("DQN", np.uint8), ("PPO", np.uint8)):
        made = experiment(pictured(name))
        play = Play(made)
        play.steps(3)
        agent: Any = made.agent
        memory = agent.memory if name == "DQN" else agent.rollout
        stored = memory.frames.record_type.base if name == "DQN" else memory.observations
        assert getattr(stored, "dtype", stored) == kind
        assert play.environments.observations.dtype == kind
    others: list[dict[str, Any]] = [
        {"kwargs": {"kind": "float32"}}, {"preprocessor": {"name": "Normalize"}},
    ]  # fmt: skip
    for blocks in others:
        assert experiment(pictured(**blocks)).preprocessor.kind == np.float32


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_frame_that_several_observations_show_is_kept_once(kind: str) -> None:
    made = experiment(pictured(kwargs={"kind": kind}, preprocessor={"name": "FrameStack"}))
    Play(made).steps(30)
    memory: Any = made.agent.memory  # type: ignore[attr-defined]
    assert memory.frames.record_type.base == kind
    assert memory.frames.added < 1.1 * memory.added  # of four frames each


def test_bytes_do_not_change_what_is_learned() -> None:
    """A float32 holds a byte exactly."""
    one, other = (experiment(pictured()) for _ in range(2))
    other.preprocessor.kind = np.float32
    plays = [Play(one), Play(other)]
    for play in plays:
        play.steps(40)
    assert one.agent.updates > 0
    assert_same(one.agent.policy_state(), other.agent.policy_state())


@pytest.mark.parametrize(
    ("kwargs", "agent", "conv"),
    [({"shape": [40, 40, 3]}, "DoubleDQN", 3), ({"shape": [3, 30, 60]}, "DoubleDQN", 1),
     ({"shape": [40, 40, 3], "continuous": True}, "TQC", 3), ({}, "DoubleDQN", None),
     ({"shape": [80, 80], "kind": "float32"}, "DoubleDQN", 3),
     ({"shape": [84, 84, 3], "kind": "float32", "bright": 1}, "DoubleDQN", 3),
     ({"shape": [36, 36, 3]}, "DoubleDQN", 3), ({"shape": [35, 36, 3]}, "DoubleDQN", None),
     ({"shape": [40, 40, 2], "bright": 9}, "DoubleDQN", None),
     ({"shape": [40, 40], "kind": "float32", "bright": 9}, "DoubleDQN", None),
     ({"shape": [10, 10, 4], "bright": 1}, "DoubleDQN", 1),
     ({"shape": [16, 16, 3], "kind": "float32", "bright": 1}, "DoubleDQN", 1),
     ({"shape": [10, 10, 4], "bright": 1, "continuous": True}, "TQC", 1),
     ({"shape": [10, 10, 4], "bright": 10}, "DoubleDQN", None),
     ({"shape": [7, 7, 3], "bright": 1}, "DoubleDQN", None)],
)  # fmt: skip
def test_defaults_see_pictures(kwargs: dict[str, Any], agent: str, conv: int | None) -> None:
    """And boards in planes; others, such as the grids of toy problems, are flattened as ever."""
    values: dict[str, Any] = {"environment": {"id": "Bright-v0", "kwargs": kwargs}, "agent": {}}
    given = with_defaults(Specification("defaults", "", values))
    assert given.values["agent"]["name"] == agent
    assert len(given.values["network"].get("conv", ())) == (conv or 0)
    if conv:
        made = experiment(given.values)
        assert made.preprocessor.kind == np.dtype(kwargs.get("kind", "uint8"))


FORMS = [
    # shape, kind of number, what the lab takes it for
    ((8, 7, 2), "uint8", Picture((8, 7, 2), False, True)),
    ((2, 8, 7), "uint8", Picture((8, 7, 2), True, True)),
    ((8, 7), "float32", Picture((8, 7, 1), False)),
    ((3, 3, 3), "bool", Picture((3, 3, 3), False)),
    ((1, 8, 7), "int64", Picture((8, 7, 1), True)),
    ((10, 10, 4), "bool", Picture((10, 10, 4), False)),
    ((7,), "float32", None),
    ((2, 8, 7, 3), "uint8", None),
]


@pytest.mark.parametrize(("shape", "kind", "form"), FORMS, ids=str)
def test_what_is_a_picture(shape: tuple[int, ...], kind: str, form: Picture | None) -> None:
    high = 1 if kind == "bool" else 9
    assert flattener(Box(0, high, shape, np.dtype(kind).type)).picture == form


def test_a_picture_among_other_things_is_none() -> None:
    picture = Box(0, 1, (8, 7, 2))
    assert flattener(Dict({"a": picture, "b": Box(0, 1, (2,))})).picture is None
    assert flattener(Dict({"a": picture})).picture == Picture((8, 7, 2), False)


def test_the_axes_of_a_picture_do_not_matter_to_what_is_computed() -> None:
    seen = np.random.default_rng(0).integers(0, 256, (5, 8, 7, 2)).astype(np.float32)
    last = experiment(pictured()).agent
    first = experiment(pictured(kwargs={"shape": [2, 8, 7]})).agent
    first.restore_policy({"network": {**last.policy_state()["network"], "channels_first": True}})
    moved = np.moveaxis(seen, 3, 1).reshape(5, -1)
    np.testing.assert_array_equal(first.q.values(moved), last.q.values(seen.reshape(5, -1)))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kwargs", "preprocessor", "scale"),
    [({}, {}, 1 / 255), ({"kind": "float32"}, {}, 1 / 255), ({"bright": 9}, {}, 1),
     ({}, {"name": "Normalize"}, 1), ({"kind": "float32", "bright": 1}, {}, 1)],
)  # fmt: skip
def test_bytes_are_divided_by_255(
    kwargs: dict[str, Any], preprocessor: dict[str, Any], scale: float
) -> None:
    agent: Any = experiment(pictured(kwargs=kwargs, preprocessor=preprocessor)).agent
    assert agent.q.network.pixel_scale == scale


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"environment": {"id": "CartPole-v1"}},
     "network.conv needs pictures, and the observations of CartPole-v1 are none; leave it out"),
    ({"kwargs": {"shape": [2, 8, 7, 2]}}, "network.conv needs pictures, and the observations of"),
    ({"preprocessor": {"name": "Stack"}},
     "network.conv needs pictures, and the preprocessor Stack makes vectors of them"),
    ({"preprocessor": {"name": "Difference"}}, "the preprocessor Difference makes vectors of them"),
    ({"network": {"conv": [{"filters": 3, "size": 9}]}},
     "network.conv[0] does not fit: a kernel of 9 x 9 is larger than its picture of 8 x 7"),
    ({"network": {"conv": [*CONV, {"filters": 3, "size": 3}]}},
     "network.conv[2] does not fit: a kernel of 3 x 3 is larger than its picture of 2 x 2"),
    ({"network": {"conv": [{"filters": 3, "pool": 9}]}},
     "network.conv[0] does not fit: a kernel of 9 x 9 is larger than its picture of 6 x 5"),
    ({"network": {"conv": [{"filter": 3}]}},
     "network.conv[0].filter is no setting; did you mean 'filters'?"),
    ({"network": {"conv": [{"size": 3}]}}, "network.conv[0].filters is missing"),
    ({"network": {"conv": [{"filters": 3, "stride": 0}]}},
     "network.conv[0].stride must be at least 1, not 0"),
    ({"network": {"conv": [{"filters": "many"}]}},
     "network.conv[0].filters must be an integer, not 'many'"),
    ({"network": {"conv": [16]}}, "network.conv[0] must be a block of settings, not 16"),
    ({"network": {"conv": 16}}, "network.conv must be a list of blocks, not 16"),
    ({"network": {"conv": {"filters": 3}}}, "write [{'filters': 3}]"),
    ({"network": {"conv": [{"filters": 10**9}]}}, "GB of memory, and this machine has"),
    ({"network": {"conv": CONV * 60}}, "network.conv must be up to 100 layers, not 120"),
    *(({"name": name, "kind": Continuous, "environment": {"id": "Pendulum-v1"}},
       "network.conv needs pictures, and the observations of Pendulum-v1 are none; leave it out")
      for name in ("DDPG", "TD3", "SAC", "CrossQ", "TQC")),
    *(({"name": name, "kind": Continuous, "network": {"conv": [{"filters": 3, "size": 9}]}},
       "network.conv[0] does not fit: a kernel of 9 x 9 is larger than its picture of 8 x 7")
      for name in ("SAC", "CrossQ", "TQC")),
    ({"name": "SAC", "kind": Continuous, "network": {"actor": {"conv": CONV}, "critic": {
        "conv": [{"filters": 3, "size": 9}]}}},
     "network.critic.conv[0] does not fit: a kernel of 9 x 9"),
    ({"name": "BootstrappedDQN", "network": {"conv": [{"filters": 3, "size": 9}]}},
     "network.conv[0] does not fit: a kernel of 9 x 9"),
    ({"name": "BootstrappedDQN", "environment": {"id": "CartPole-v1"}},
     "network.conv needs pictures, and the observations of CartPole-v1 are none; leave it out"),
    ({"network": {"conv": []}, "kwargs": {"shape": [40, 40, 3]}},
     "environment.id does not fit: observations are pictures of 4,800 numbers, 40 x 40 x 3, and "
     "dense layers take at most 4,096; write network.conv, such as"),
    *(({"network": {}, "name": name, "kind": kind, "kwargs": {"shape": [3, 40, 40]}},
       "dense layers take at most 4,096; write network.conv, such as")
      for name, kind in (("BootstrappedDQN", Discrete), ("SAC", Continuous))),
    ({"network": {"actor": {"conv": CONV}}, "name": "SAC", "kind": Continuous,
      "kwargs": {"shape": [3, 40, 40]}},
     "dense layers take at most 4,096; write network.conv, such as"),
    ({"name": "QTable", "kwargs": {"shape": [40, 40, 3]}},
     "a table has at most 1,000,000 values; choose fewer bins, or an agent with a network"),
]  # fmt: skip


@pytest.mark.parametrize("kind", [Discrete, Continuous])
def test_what_has_no_network_takes_pictures_of_every_size(kind: Any) -> None:
    """Random is the baseline of whatever learns from pixels."""
    play = Play(experiment(pictured("Random", kind, network={}, kwargs={"shape": [3, 40, 40]})))
    play.steps(5)
    assert play.environments.observations.shape[1] == 4_800


@pytest.mark.parametrize(("blocks", "said"), REFUSED, ids=[each[1] for each in REFUSED])
def test_what_does_not_fit_is_said(blocks: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        experiment(pictured(**blocks))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
