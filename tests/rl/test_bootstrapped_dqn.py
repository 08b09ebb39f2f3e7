"""Bootstrapped DQN by hand: targets, masks and members; and deep exploration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import SGD, Ensemble
from nn.typing import Array
from rl.agents import BootstrappedDQN
from rl.agents.bootstrapped_dqn import uniform
from rl.environments import Transitions
from rl.environments.spaces import Discrete
from rl.errors import UserError
from rl.exploration import Greedy
from rl.memory import Replay
from tests.contracts.cases import Play, experiment, values

ONE = np.ones((1, 1), np.float32)


def with_biases(biases: list[float]) -> Ensemble:
    """Of outputs that do not depend on the input."""
    net = Ensemble((1, len(biases)), members=2)
    net.parameters[:] = 0.0
    net.biases = [np.array(biases)]
    return net


def make_agent(lanes: int = 1, **settings: Any) -> BootstrappedDQN:
    """Two members of three actions, f = (1, 2, 3) and (6, 5, 4), p = (10, 0, 0) and (0, 0, 20)."""
    network, rng = with_biases([1.0, 2.0, 3.0, 6.0, 5.0, 4.0]), np.random.default_rng(0)
    prior = with_biases([10.0, 0.0, 0.0, 0.0, 0.0, 20.0])
    memory = Replay(1, rng, Replay.Settings(capacity=4, batch_size=1))
    given = {"members": 2, "prior_scale": 0.5, "cost": "quadratic", "max_gradient_norm": 1e9}
    agent = BootstrappedDQN(
        network, prior, SGD(network.parameters, network.gradients, learning_rate=1.0), memory,
        Greedy(rng), rng, BootstrappedDQN.Settings(**{**given, **settings}), lanes,
    )  # fmt: skip
    agent.target.network.biases = [np.array([7.0, 8.0, 9.0, 30.0, 20.0, 10.0])]
    return agent


def test_values_are_the_mean_over_members_with_their_priors() -> None:
    """Q = (6, 2, 3) and (6, 5, 14)."""
    agent = make_agent()
    np.testing.assert_allclose(agent.values(ONE), [[6.0, 3.5, 8.5]])
    assert agent.act(ONE).tolist() == [2]
    mask = np.array([[True, True, False]])
    assert agent.act(ONE, mask).tolist() == [0]


def test_an_update_by_hand() -> None:
    """Online, the members prefer actions 0 and 2; the target values them 7 + 5 and 10 + 10.

    y = 1 + (12, 20) / 2 = (7, 11). Of action 1 the members say 2 and 5.
    """
    agent = make_agent(mask_probability=1.0, tau=1e-9)
    agent.memory.add(np.array([0.0]), 1, 1.0, 0.5, np.array([3.0]))
    batch = agent.memory.sample()
    np.testing.assert_allclose(agent.next_values(batch), [[12.0, 20.0]])
    agent.update(batch)
    np.testing.assert_allclose(agent.q.network.biases[0], [1, 7, 3, 6, 11, 4], rtol=1e-6)
    assert agent.metrics()["loss"] == pytest.approx((25 + 36) / 2)
    np.testing.assert_allclose(agent._prior.biases[0], [10, 0, 0, 0, 0, 20])  # it is fixed


def test_a_member_does_not_learn_from_what_its_mask_leaves_out() -> None:
    agent = make_agent(tau=1e-9)
    agent.mask = lambda numbers: np.array([[False, True]])  # type: ignore[method-assign]
    agent.memory.add(np.array([0.0]), 1, 1.0, 0.5, np.array([3.0]))
    agent.update(agent.memory.sample())
    np.testing.assert_allclose(agent.q.network.biases[0], [1, 2, 3, 6, 11, 4], rtol=1e-6)
    assert agent.metrics()["loss"] == pytest.approx(36 / 2)


def test_next_actions_are_allowed_ones() -> None:
    agent = make_agent()
    memory = Replay(1, np.random.default_rng(0), Replay.Settings(capacity=1, batch_size=1), masks=3)
    memory.add(np.array([0.0]), 1, 1.0, 0.5, np.array([3.0]), np.array([False, True, False]))
    np.testing.assert_allclose(agent.next_values(memory.sample()), [[8.0, 20.0]])


def test_masks_are_the_same_each_time_and_right_in_the_mean() -> None:
    agent, numbers = make_agent(mask_probability=0.3), np.arange(20_000)
    mask = agent.mask(numbers)
    np.testing.assert_array_equal(agent.mask(numbers[[7, 3]]), mask[[7, 3]])
    np.testing.assert_allclose(mask.mean(axis=0), 0.3, atol=0.015)
    both = (mask[:, 0] & mask[:, 1]).mean()
    assert both == pytest.approx(0.09, abs=0.01)  # independent of each other
    for member in (0, 1):  # and of those of the transition before
        follow = (mask[1:, 0] & mask[:-1, member]).mean()
        assert follow == pytest.approx(0.09, abs=0.01)


def test_random_numbers_of_a_counter_by_hand() -> None:
    """The first outputs of SplitMix64 with the seed 1234567 are known: its counter begins at 1."""
    found = uniform(np.array([1, 2], np.uint64), key=1234567)
    np.testing.assert_allclose(
        found, np.array([6457827717110365317, 3203168211198807973]) / 2**64, rtol=1e-12
    )


def test_the_latest_numbers_are_those_of_the_transitions_in_the_ring() -> None:
    """Of seven transitions in a ring of four, places 0 to 3 hold numbers 4, 5, 6 and 3."""
    memory = Replay(1, np.random.default_rng(0), Replay.Settings(capacity=4, batch_size=4))
    for number in range(7):
        memory.add(np.array([number]), 0, 0.0, 0.0, np.array([0.0]))
    batch = memory.sample()
    assert memory.latest.tolist() == batch.observations[:, 0].tolist()
    memory._indices[:] = [0, 1, 2, 3]
    assert memory.latest.tolist() == [4, 5, 6, 3]


def ending(agent: BootstrappedDQN, ends: list[bool]) -> None:
    """A step of all lanes, which ends the episodes of some."""
    lanes = len(ends)
    row: Array = np.zeros((lanes, 1), np.float32)
    agent.observe(Transitions(
        row, np.zeros(lanes, np.int64), np.zeros(lanes), row, np.zeros(lanes, bool),
        np.array(ends), np.zeros(lanes),
    ))  # fmt: skip


def test_one_member_acts_for_an_episode_in_each_lane() -> None:
    """Member 0 prefers action 0, member 1 action 2."""
    agent, lanes = make_agent(lanes=4), np.ones((4, 1), np.float32)
    acting = agent._acting.copy()
    for _ in range(5):
        assert agent.explore(lanes).tolist() == [2 * k for k in acting]
        ending(agent, [False] * 4)
    drawn = []
    for _ in range(60):
        ending(agent, [True, False, False, False])
        drawn.append(agent._acting.copy())
        agent.abandon(3)
    each = np.array(drawn)
    assert set(each[:, 0]) == {0, 1} == set(each[:, 3])
    assert (each[:, 1:3] == acting[1:3]).all()


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ({"exploration": {"name": "EpsilonGreedy"}},
         "exploration is EpsilonGreedy, but BootstrappedDQN explores by itself"),
        ({"network": {"noisy": True}}, "network.noisy does not fit BootstrappedDQN"),
        ({"network": {"batch_norm": True}}, "network.batch_norm does not fit BootstrappedDQN"),
        ({"network": {"layer_norm": True}}, "network.layer_norm would mix the members"),
        ({"agent": {"members": 1000}, "network": {"hidden": [100000, 100000]}},
         "network.hidden of .* would need"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(blocks: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        experiment(values("BootstrappedDQN", Discrete, **blocks))


FALLING = {"start": 1.0, "end": 0.05, "steps": 1000}  # epsilon


def late_return(name: str, seed: int = 1, episodes: int = 200, **blocks: Any) -> float:
    """The mean return of the last ten episodes in the deep sea."""
    agent = {"learn_start": 100, "learn_every": 1, "cost": "quadratic", "tau": 0.02}
    play = Play(experiment(values(
        name, Discrete, problem="DeepSea-v0", agent=agent, network={"hidden": [32]},
        optimizer={"learning_rate": 0.003}, memory={"capacity": 5000, "batch_size": 32},
        train={"steps": 2000, "lanes": 1}, **blocks,
    ), seed))  # fmt: skip
    returns: list[float] = []

    def note(transitions: Any) -> None:
        if transitions.terminated[0]:
            returns.append(float(transitions.returns[0]))

    play.steps(10 * episodes, note)
    return float(np.mean(returns[-10:]))


@pytest.mark.slow
def test_it_finds_what_is_ten_steps_away_where_epsilon_greedy_does_not() -> None:
    """At random, one of 1,024 episodes finds it."""
    assert late_return("BootstrappedDQN") > 0.5
    assert late_return("DoubleDQN", exploration=FALLING) <= 0.0
