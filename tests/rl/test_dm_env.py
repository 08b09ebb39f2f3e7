"""Environments of `dm_env` and bsuite as Gymnasium's. The hand-made ones need no package."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

import rl
from rl.environments import Environments, make_env
from rl.environments.dm_env import DmEnv, space_of
from rl.environments.registered import is_installed


class TimeStep(NamedTuple):
    """As dm_env has it."""

    kind: str
    reward: float | None
    discount: float | None
    observation: Any

    def last(self) -> bool:
        return self.kind == "last"


def spec(shape: tuple[int, ...] = (), dtype: Any = np.float32, **bounds: Any) -> SimpleNamespace:
    return SimpleNamespace(shape=shape, dtype=np.dtype(dtype), name="seen", **bounds)


class Walk:
    """A walk of chance, of three steps; action 2 ends it for good. The observation is reused."""

    def __init__(self) -> None:
        self.closed = False
        self._rng, self._place = np.random.RandomState(), np.zeros((1, 2), np.float32)

    def observation_spec(self) -> Any:
        return spec((1, 2))

    def action_spec(self) -> Any:
        return spec((), np.int32, minimum=0, maximum=2)

    def reset(self) -> TimeStep:
        self._step = 0
        self._place[:] = self._rng.randn()
        return TimeStep("first", None, None, self._place)

    def step(self, action: int) -> TimeStep:
        self._step += 1
        self._place += self._rng.randn()
        if action == 2:
            return TimeStep("last", 5.0, 0.0, self._place)
        return TimeStep("last" if self._step == 3 else "mid", 0.5, 1.0, self._place)

    def close(self) -> None:
        self.closed = True


class Noisy:
    """Wraps an environment and keeps a generator of another kind, as its task does."""

    def __init__(self) -> None:
        self._env, self._rng = Walk(), np.random.default_rng()
        self.task = SimpleNamespace(random=np.random.RandomState(), same=self._rng)

    def step(self, action: int) -> TimeStep:
        timestep = self._env.step(action)
        noise = self._rng.normal() + 10.0 * self.task.random.randn()
        return timestep._replace(reward=timestep.reward + noise)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


REALS = spaces.Box(-np.inf, np.inf, (2,), np.float32)


@pytest.mark.parametrize(
    ("given", "space"),
    [
        (spec((), np.int32, minimum=3, maximum=6), spaces.Discrete(4, start=3)),
        (spec((2,), np.int32, minimum=0, maximum=[1, 4]), spaces.Box(0, np.array([1, 4]), (2,),
                                                                     np.int32)),
        (spec((1, 3)), spaces.Box(-np.inf, np.inf, (1, 3), np.float32)),
        (spec((), np.float64), spaces.Box(-np.inf, np.inf, (), np.float64)),
        (spec((2,), np.float64, minimum=-1.0, maximum=[2.0, 3.0]),
         spaces.Box(np.array([-1.0, -1.0]), np.array([2.0, 3.0]), (2,), np.float64)),
        (spec((4, 4, 3), np.uint8), spaces.Box(0, 255, (4, 4, 3), np.uint8)),
        (spec((2, 2), np.int8, minimum=0, maximum=3), spaces.Box(0, 3, (2, 2), np.int8)),
        (spec((3,), np.bool_), spaces.MultiBinary((3,))),
        ({"b": spec((2,)), "a": spec((), np.int64, minimum=0, maximum=1)},
         spaces.Dict({"b": REALS, "a": spaces.Discrete(2)})),
        ([spec((2,))], spaces.Tuple([REALS])),
    ],
)  # fmt: skip
def test_spaces_of_specs(given: Any, space: Any) -> None:
    assert space_of(given) == space
    assert space_of(given).dtype == space.dtype


def test_several_whole_numbers_are_choices_of_actions() -> None:
    given = spec((2,), np.int32, minimum=[0, 1], maximum=[1, 4])
    assert space_of(given, are_choices=True) == spaces.MultiDiscrete([2, 4], start=[0, 1])


def test_a_spec_of_texts_is_refused() -> None:
    with pytest.raises(rl.UserError, match="the spec 'seen' is of object; specs must be of num"):
        space_of(spec((), object))


def test_an_episode_terminates_where_its_discount_is_0_and_is_truncated_elsewhere() -> None:
    env = DmEnv(Walk())
    env.reset(seed=1)
    assert [env.step(0)[1:4] for _ in range(3)] == [
        (0.5, False, False), (0.5, False, False), (0.5, False, True),
    ]  # fmt: skip
    env.reset()
    assert env.step(np.int64(2))[1:4] == (5.0, True, False)
    env.close()
    assert env.dm_env.closed


@pytest.mark.parametrize("make", [Walk, Noisy])
def test_a_seed_repeats_an_episode_with_all_of_its_generators(make: Any) -> None:
    def played(env: DmEnv, seed: int) -> list[float]:
        first = [float(env.reset(seed=seed)[0].sum())]
        return [*first, *(value for _ in range(2) for value in entries(env.step(1)))]

    def entries(given: Any) -> tuple[float, float]:
        return float(given[0].sum()), given[1]

    env = DmEnv(make())
    once, other, again = (played(env, seed) for seed in (1, 2, 1))
    assert once == again == played(DmEnv(make()), 1)
    assert once != other
    if make is Noisy:  # each generator has a seed of its own
        assert len(env._generators) == 3
        assert once[2] - 0.5 != pytest.approx(once[4] - 0.5)


def test_an_agent_learns_in_one_and_its_episodes_are_rebuilt() -> None:
    environments = Environments(lambda: DmEnv(Noisy()), lanes=2)
    environments.reset()
    for _ in range(2):
        environments.step(np.array([0, 1]))
    assert environments.restore(environments.state()) == []


@pytest.mark.skipif(is_installed("bsuite/"), reason="bsuite is installed")
def test_the_package_of_bsuite_is_named_where_it_is_missing() -> None:
    with pytest.raises(rl.UserError, match="bsuite brings it; python -m pip install bsuite"):
        make_env("bsuite/catch-0")


NAMES = ("bandit", "bandit_noise", "catch", "cartpole_scale", "cartpole_swingup", "deep_sea",
         "deep_sea_stochastic", "discounting_chain", "memory_len", "memory_size",
         "mountain_car_noise", "umbrella_distract")  # fmt: skip


@pytest.mark.skipif(not is_installed("bsuite/"), reason="bsuite is not installed")
@pytest.mark.filterwarnings("ignore")  # of the packages that it imports
@pytest.mark.parametrize("name", NAMES)
def test_experiments_of_bsuite_play_and_repeat_themselves(name: str) -> None:
    environments = Environments(f"bsuite/{name}-1", lanes=2)
    environments.reset()
    for _ in range(30):
        environments.step(np.array([0, 1]))
    assert environments.restore(environments.state()) == []


@pytest.mark.skipif(not is_installed("bsuite/"), reason="bsuite is not installed")
@pytest.mark.filterwarnings("ignore")
def test_an_unknown_experiment_is_answered_with_the_nearest() -> None:
    with pytest.raises(rl.UserError, match="deep_sea-2"):
        make_env("bsuite/deep_see-2")
