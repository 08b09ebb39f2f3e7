from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from rl.environments import (
    Environments,
    TrainingSeeds,
    evaluation_seeds,
    make_env,
    seed_range,
)
from rl.environments.problems import known_problems
from rl.environments.spaces import Continuous
from rl.errors import Diverged, UserError
from tests.rl.worlds import Broken, Counter, Pushed


def counters(lengths: list[int], seeds: Iterator[int]) -> Environments:
    remaining = iter(lengths)
    environments = Environments(lambda: Counter(next(remaining)), len(lengths), seeds)
    environments.reset()
    return environments


def test_lanes_start_anew_one_by_one_and_the_true_last_observation_is_kept() -> None:
    environments = counters([2, 3], itertools.count())
    actions = np.array([0, 2])
    environments.step(actions)
    assert environments.finished == []
    latest = environments.step(actions)
    np.testing.assert_array_equal(latest.next_observations[:, 0], [2, 2])
    np.testing.assert_array_equal(latest.terminated, [True, False])
    np.testing.assert_array_equal(environments.observations[:, 0], [0, 2])
    (episode,) = environments.finished
    assert (episode.total, episode.length, episode.seed) == (3.0, 2, 0)
    latest = environments.step(actions)
    np.testing.assert_array_equal(latest.observations[:, 0], [0, 2])
    assert [each.seed for each in environments.finished] == [1]


def test_actions_are_counted_from_zero_whatever_the_space_starts_at() -> None:
    env = Counter()
    environments = Environments(lambda: env, 1, itertools.count())
    environments.reset()
    environments.step(np.array([2]))
    assert env.actions == [7]


def test_lanes_fall_idle_when_the_seeds_run_out() -> None:
    environments = counters([1, 3], iter([10, 11, 12]))
    seen = []
    while any(environments.active):
        environments.step(np.array([0, 0]))
        seen += [episode.seed for episode in environments.finished]
    assert sorted(seen) == [10, 11, 12]
    assert environments.active == [False, False]


def test_a_time_limit_truncates_and_does_not_terminate() -> None:
    environments = Environments(lambda: make_env("Steady-v0"), 1, itertools.count())
    environments.reset()
    for _ in range(5):
        latest = environments.step(np.array([0]))
    assert (bool(latest.truncated[0]), bool(latest.terminated[0])) == (True, False)
    assert [episode.terminated for episode in environments.finished] == [False]


def test_a_restored_episode_goes_on_to_the_bit() -> None:
    def lander() -> gymnasium.Env:
        return make_env("LunarLander-v3")

    environments = Environments(lander, 2, TrainingSeeds(np.random.default_rng(0)))
    environments.reset()
    rng = np.random.default_rng(1)
    for _ in range(150):
        environments.step(rng.integers(4, size=2))
    other = Environments(lander, 2, iter(()))
    other.restore(environments.state())
    np.testing.assert_array_equal(environments.observations, other.observations)
    for _ in range(20):
        actions = rng.integers(4, size=2)
        one, two = environments.step(actions), other.step(actions)
        if environments.finished:
            assert other.finished == environments.finished
            break
        np.testing.assert_array_equal(one.next_observations, two.next_observations)


def test_training_selection_and_report_never_share_a_seed() -> None:
    ranges = [seed_range(purpose) for purpose in ("training", "selection", "report")]
    for one, other in itertools.combinations(ranges, 2):
        assert one.stop <= other.start
    assert ranges[-1].stop <= 2**31
    drawn = list(itertools.islice(TrainingSeeds(np.random.default_rng(3)), 1000))
    assert all(seed in ranges[0] for seed in drawn)
    assert len(set(drawn)) > 990
    for purpose, allowed in (("selection", ranges[1]), ("report", ranges[2])):
        for seed in (0, 1, 12345):
            seeds = evaluation_seeds(purpose, seed, 100)
            assert len(set(seeds)) == 100
            assert all(each in allowed for each in seeds)
    assert evaluation_seeds("report", 0, 5) != evaluation_seeds("report", 1, 5)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (Broken(observation=math.nan), "observation"),
        (Broken(observation=math.inf), "observation"),
        (Broken(reward=math.nan), "reward"),
        (Broken(reward=-math.inf), "reward"),
    ],
)
def test_numbers_that_are_not_finite_are_found_where_they_appear(
    broken: Broken, found: str
) -> None:
    environments = Environments(lambda: broken, 1, itertools.count())
    environments.reset()
    environments.step(np.array([0]))
    environments.step(np.array([0]))
    with pytest.raises(Diverged, match=found):
        environments.step(np.array([0]))


def test_a_large_but_finite_observation_is_no_error() -> None:
    environments = Environments(lambda: Broken(observation=3e38), 1, itertools.count())
    environments.reset()
    for _ in range(5):
        environments.step(np.array([0]))


def test_an_unknown_environment_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'LunarLander-v3'"):
        make_env("LunarLandr-v3")


def test_discrete_observations_become_one_hot() -> None:
    environments = Environments(lambda: make_env("FrozenLake-v1", is_slippery=False), 1, iter([1]))
    assert environments.reset().tolist() == [[1.0] + [0.0] * 15]
    following = environments.step(np.array([2])).next_observations  # to the right
    assert following.tolist() == [[0.0, 1.0] + [0.0] * 14]


def test_continuous_actions_go_from_minus_one_to_one_whatever_the_bounds() -> None:
    actions = Continuous(np.array([-2.0, 0.0, -np.inf], np.float32),
                         np.array([2.0, 10.0, np.inf], np.float32))  # fmt: skip
    assert actions.for_environment([0.5, 0.5, 0.5]).tolist() == [1.0, 7.5, 0.5]
    assert actions.for_environment([-1.0, -1.0, -7.0]).tolist() == [-2.0, 0.0, -7.0]
    assert actions.for_environment([3.0, -3.0, 3.0]).tolist() == [2.0, 0.0, 3.0]  # kept within
    assert not actions.bounded
    assert actions.for_environment([0.0, 0.0, 0.0]).dtype == np.float32


def test_an_environment_is_given_actions_of_its_own_and_its_bounds() -> None:
    env = Pushed()
    environments = Environments(lambda: env, 1, iter([1]))
    environments.reset()
    for push in (0.5, -1.0):
        stored = environments.step(np.array([[push]], np.float32)).actions
        assert stored.tolist() == [[push]]
    assert [action.tolist() for action in env.actions] == [[3.5], [2.0]]  # of [2, 4]
    np.testing.assert_array_equal(environments.observations, [[5.5]])


def test_an_episode_of_continuous_actions_is_rebuilt() -> None:
    def fresh() -> Environments:
        return Environments(lambda: make_env("Pendulum-v1"), 2, iter(range(100)))

    environments, other = fresh(), fresh()
    environments.reset()
    rng = np.random.default_rng(0)
    for _ in range(7):
        environments.step(rng.uniform(-1, 1, (2, 1)).astype(np.float32))
    other.restore(environments.state())
    push = np.array([[0.3], [-0.7]], np.float32)
    one, two = environments.step(push), other.step(push)
    np.testing.assert_array_equal(one.next_observations, two.next_observations)
    np.testing.assert_array_equal(one.rewards, two.rewards)
    np.testing.assert_array_equal(one.returns, two.returns)


@pytest.mark.parametrize("id", known_problems())
def test_an_episode_follows_from_its_seed_and_its_actions(id: str) -> None:
    """Whatever was played before: a run that goes on depends on it."""
    lanes, fresh = make_env(id), make_env(id)
    lanes.action_space.seed(0)
    for seed in range(4):
        actions = [lanes.action_space.sample() for _ in range(250)]
        fresh.close()
        fresh = make_env(id)
        for one, other in zip(
            played(lanes, seed, actions), played(fresh, seed, actions), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def played(env: gymnasium.Env[Any, Any], seed: int, actions: list[Any]) -> list[list[float]]:
    """The observations of an episode, with the rewards behind them."""
    seen = [env.reset(seed=seed)[0].tolist()]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append([*observation.tolist(), float(reward)])
        if terminated or truncated:
            break
    return seen
