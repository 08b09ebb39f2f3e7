"""What an environment is given is what its own `action_space` holds."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.environments import Environments
from rl.environments.actions import combined
from rl.environments.spaces import Continuous, spaces_of
from rl.errors import UserError
from rl.export import FORMATS, export, policy_of
from rl.session.player import player_of
from tests.contracts.cases import Play, experiment, values
from tests.rl.worlds import Pushed, Steady

FLOATS = (np.float16, np.float32, np.float64)
INTEGERS = (np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64)


def actions_of(space: Any) -> Any:
    env: Any = Steady()
    env.action_space = space
    return spaces_of(env, "Mine").actions


def box(low: Any, high: Any, kind: Any) -> spaces.Box:
    with np.errstate(all="ignore"):
        return spaces.Box(np.array([low], kind), np.array([high], kind), dtype=kind)


def holds(space: spaces.Box) -> Continuous:
    """Asserts that whatever the agent does lies in the space; returns the actions."""
    actions = actions_of(space)
    for entry in (-1.0, -0.999, -0.3, 0.0, 0.5, 1.0, 1.5, -3e38, 3e38):
        with np.errstate(over="ignore"):
            action = actions.for_environment(np.full(1, entry, np.float32).tolist())
        assert action.dtype == space.dtype
        assert space.contains(action), (space, entry, action)
    return actions


FLOAT_BOUNDS = [(-0.1, 0.1), (0.1, 0.3), (-0.7, 0.2), (0.1, 0.1), (0, 1000.1), (1e4, 1e4 + 100),
                (0.0, np.inf), (2, np.inf), (-np.inf, -5), (-np.inf, np.inf)]  # fmt: skip


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize(("low", "high"), FLOAT_BOUNDS)
def test_actions_lie_within_every_bound(low: float, high: float, kind: Any) -> None:
    holds(box(low, high, kind))


@pytest.mark.parametrize("kind", FLOATS)
def test_the_least_and_the_greatest_numbers_are_bounds_too(kind: Any) -> None:
    tiny, largest = np.finfo(kind).smallest_subnormal, np.finfo(kind).max
    holds(box(-tiny, tiny, kind))
    assert holds(box(largest, largest, kind)).bounded
    for space in (box(-largest, largest, kind), box(0.5, largest, kind)):
        assert not holds(space).bounded


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_are_rounded_into_their_bounds(kind: Any) -> None:
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    for low, high in ((least, most), (0, 1), (3, 3), (least, 3), (3, most), (1, 100)):
        holds(box(low, high, kind))
    actions = actions_of(box(0, 4, kind))
    given = [actions.for_environment([entry]).item() for entry in (-1.0, -0.4, 0.0, 0.6, 1.0)]
    assert given == [0, 1, 2, 3, 4]


@given(st.sampled_from(FLOATS), st.floats(-1e15, 1e15), st.floats(0, 1e15), st.floats(-2, 2))
@settings(max_examples=200, deadline=None)
def test_any_bounds(kind: Any, low: float, width: float, entry: float) -> None:
    with np.errstate(over="ignore"):
        space = box(kind(low), max(kind(low), kind(low + width)), kind)
    if np.isfinite(space.high).all():
        assert space.contains(actions_of(space).for_environment([entry]))


UNBOUNDED = [
    (-np.inf, np.inf, (-1.0, 1.0), "no bounds"),
    (-3.4028235e38, 3.4028235e38, (-1.0, 1.0), "no bounds"),
    (2.0, np.inf, (2.0, 4.0), "no upper bound"),
    (2.0, 3e38, (2.0, 4.0), "no upper bound"),
    (-np.inf, 2.0, (0.0, 2.0), "no lower bound"),
]  # fmt: skip


@pytest.mark.parametrize(("low", "high", "reached", "said"), UNBOUNDED)
def test_without_a_bound_the_agent_starts_from_the_other(
    low: float, high: float, reached: tuple[float, float], said: str
) -> None:
    actions = actions_of(box(low, high, np.float32))
    given = [float(actions.for_environment([end])[0]) for end in (-1.0, 1.0)]
    assert tuple(given) == reached
    (note,) = actions.notes()
    assert note == (
        f"entry 0 of the action has {said}: the agent's -1 to 1 stand for {reached[0]:g} to "
        f"{reached[1]:g}"
    )
    assert actions_of(box(-1e17, 1e17, np.float32)).notes() == []


REFUSED = [
    (box(1e20, np.inf, np.float32), "cannot be scaled"),
    (spaces.Box(-1, 1, (0,), np.float32), "at least one entry"),
    (spaces.Discrete(5, start=125, dtype=np.int8), "do not fit its type, int8"),
    (spaces.Dict({"x": spaces.Discrete(2)}), "must be Discrete, .* but are Dict.*TransformAction"),
    (spaces.Tuple([spaces.Discrete(2)]), "are Tuple"),
    (spaces.Text(3), "are Text"),
    (spaces.MultiDiscrete([100], np.int8, start=[100]), "do not fit its type, int8"),
    (spaces.MultiDiscrete(np.zeros(0, int)), "at least one entry"),
    (None, "must have an action_space of gymnasium.spaces, but that is None"),
    ("Discrete(2)", "must have an action_space of gymnasium.spaces"),
]


@pytest.mark.parametrize(("space", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_acted_in_is_refused(space: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"Mine: .*{said}"):
        actions_of(space)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64])
def test_discrete_actions_are_numpy_integers_as_sample_gives_them(kind: Any) -> None:
    space = spaces.Discrete(3, start=5, dtype=kind)
    actions = actions_of(space)
    for action in range(3):
        given = actions.for_environment(action)
        assert given.item() == 5 + action
        assert type(given) is type(space.sample())
        assert space.contains(given)


@pytest.mark.parametrize(
    ("space", "action", "given"),
    [
        (spaces.Box(0, 4, (2, 2), np.float64), [-1, 0, 0.5, 1], [[0.0, 2.0], [3.0, 4.0]]),
        (spaces.Box(0, 4, (), np.float32), [0.5], 3.0),
        (spaces.Box(-2, 2, (1, 2, 1), np.int8), [-1, 0.6], [[[-2], [1]]]),
        (spaces.MultiDiscrete([2, 3]), [1, 2], [1, 2]),
        (spaces.MultiDiscrete([2, 3], np.int8, start=[5, -1]), [1, 2], [6, 1]),
        (spaces.MultiDiscrete(np.array([[2, 3], [4, 5]])), [1, 2, 3, 4], [[1, 2], [3, 4]]),
        (spaces.MultiBinary(3), [1, 0, 1], [1, 0, 1]),
        (spaces.MultiBinary([2, 2]), [1, 0, 0, 1], [[1, 0], [0, 1]]),
    ],
)
def test_actions_have_the_form_and_the_type_that_sample_gives(
    space: Any, action: list[float], given: Any
) -> None:
    made = actions_of(space).for_environment(action)
    assert made.tolist() == given
    assert made.dtype == np.asarray(space.sample()).dtype
    assert made.shape == space.shape
    assert space.contains(made)


def test_the_combinations_of_several_actions_are_all_there_is() -> None:
    space = spaces.MultiDiscrete([2, 3], start=[1, 0])
    combinations = combined(actions_of(space))
    made = [combinations.for_environment(number).tolist() for number in range(6)]
    assert made == [[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    assert combined(actions_of(spaces.MultiBinary(10))).count == 1024
    with pytest.raises(ValueError, match="2,048 combinations of 11 discrete actions"):
        combined(actions_of(spaces.MultiBinary(11)))


@pytest.mark.parametrize(
    ("agent", "problem", "said"),
    [
        (
            "QRDQN",
            "Switches-v0",
            r"59,049 combinations of 10 .* at most 1,024\); these do: A2C, PPO",
        ),
        ("TD3", "Switches-v0", "the multidiscrete actions of Switches-v0; these do: A2C, PPO"),
        ("DQN", "Pendulum-v1", "the continuous actions .* these do: A2C, PPO, DDPG, TD3"),
    ],
)
def test_the_agents_that_take_the_actions_are_named(agent: str, problem: str, said: str) -> None:
    with pytest.raises(UserError, match=f"agent.name is {agent}, which does not handle .*{said}"):
        experiment(values(agent, None, problem=problem))
    experiment(values("A2C", None, problem=problem))


@pytest.mark.parametrize("agent", ["PPO", "TD3"])
def test_a_grid_of_continuous_actions_is_learned_and_exported(agent: str, tmp_path: Path) -> None:
    made = experiment(values(agent, None, problem="Grasp-v0"))
    play, player, file = Play(made), player_of(made), tmp_path / "policy.npz"
    play.steps(40)
    assert play.agent.updates
    seen = np.ones(1, np.float32)
    export(policy_of(player), FORMATS["numpy"], "a test", file)
    action = runpy.run_path(str(file.with_suffix(".py")))["act"](seen)
    assert player.act(seen).shape == (2, 2)
    np.testing.assert_allclose(action, player.act(seen), rtol=1e-4)


def test_an_environment_may_keep_its_actions_and_change_them() -> None:
    class Changing(Pushed):
        def step(self, action: Any) -> Any:
            given = super().step(action.copy())
            action[:] = 1e9
            self.kept = [*getattr(self, "kept", []), action]
            return given

    env = Changing()
    environments = Environments(lambda: env, 1, itertools.count())
    environments.reset()
    stored = [environments.step(np.zeros((1, 1), np.float32)).actions.tolist() for _ in range(2)]
    assert stored == [[[0.0]], [[0.0]]]
    assert [action.tolist() for action in env.actions] == [[3.0], [3.0]]
    assert env.kept[0] is not env.kept[1]
