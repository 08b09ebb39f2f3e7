"""DDPG and TD3's options: targets and updates by hand, and the slope through the critic."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from nn import SGD, Network, NeuralNet, Optimizer
from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array
from rl.agents import DDPG, TD3
from rl.environments import Environments, make_env
from rl.errors import Diverged, UserError
from rl.exploration import NoNoise
from rl.memory import Batch, Replay
from rl.specification.build import build
from rl.specification.specification import Specification
from tests.rl.conftest import take_over
from tests.rl.worlds import Pushed

N, K, B = 2, 1, 3


def make_agent(
    kind: type[DDPG] = DDPG, critics: int = 1, dtype: type = np.float32, **settings: Any
) -> Any:
    """Linear networks with plain gradient descent at rate 1, their parameters drawn at random."""
    rng = np.random.default_rng(5)
    actor = NeuralNet((N, K), output="tanh", dtype=dtype, seed=1)
    values: list[Network] = [NeuralNet((N + K, 1), dtype=dtype, seed=2 + i) for i in range(critics)]
    if kind is TD3:
        settings = {"critics": critics, **settings}
    networks = [actor, *values]
    optimizers: list[Optimizer] = [
        SGD(each.parameters, each.gradients, learning_rate=1.0) for each in networks
    ]
    memory = Replay(N, rng, Replay.Settings(batch_size=B), np.zeros((0, K), np.float32))
    settings = {"max_gradient_norm": 1e9, **settings}
    return kind(
        actor, values, optimizers, memory, NoNoise(rng, NoNoise.Settings()), rng,
        kind.Settings(**settings),
    )  # fmt: skip


def make_batch(seed: int = 0, k: int = K) -> Batch:
    """Three transitions of two observed numbers and k actions."""
    rng = np.random.default_rng(seed)
    observations, following = rng.normal(size=(2, B, N)).astype(np.float32)
    actions = rng.uniform(-1, 1, (B, k)).astype(np.float32)
    rewards, discounts = rng.normal(size=(2, B)).astype(np.float32)
    return Batch(observations, actions, rewards, discounts, following)


def q(critic: NeuralNet, observations: Array, actions: Array) -> Array:
    return critic.feedforward(np.hstack([observations, actions]))[:, 0]


def test_the_next_value_is_the_target_critics_of_the_target_actors_action() -> None:
    agent, batch = make_agent(), make_batch()
    for network in (agent.actor, *agent.critics):
        network.parameters[:] = 7.0  # the online ones must not matter
    actions = agent.target_actor.feedforward(batch.next_observations)
    expected = q(agent.target_critics[0], batch.next_observations, actions)
    np.testing.assert_allclose(agent.next_values(batch), expected, rtol=1e-6)


def test_of_two_critics_the_lesser_value_counts() -> None:
    agent, batch = make_agent(TD3, critics=2, target_noise=0.0), make_batch()
    actions = agent.target_actor.feedforward(batch.next_observations)
    values = [q(each, batch.next_observations, actions) for each in agent.target_critics]
    lesser = np.minimum(*values)
    assert (lesser != values[0]).any()
    assert (lesser != values[1]).any()
    np.testing.assert_allclose(agent.next_values(batch), lesser, rtol=1e-6)


def test_the_targets_action_is_smoothed_within_limits() -> None:
    """Q = a: the next value is the noisy action itself."""
    agent, batch = (
        make_agent(TD3, critics=1, target_noise=10.0, target_noise_clip=0.25),
        make_batch(),
    )
    agent.target_critics[0].parameters[:] = [0.0, 0.0, 1.0, 0.0]
    actions = agent.target_actor.feedforward(batch.next_observations)[:, 0]
    differences = np.array([agent.next_values(batch) - actions for _ in range(200)])
    assert np.abs(differences).max() <= 0.25 + 1e-6
    assert differences.min() < -0.2 < 0.2 < differences.max() + 0.05
    assert np.abs(np.array([agent.next_values(batch) for _ in range(200)])).max() <= 1.0


def test_its_thoughts_are_its_action_and_that_actions_value() -> None:
    """mu(s) = tanh(2 s_1 - s_2) and Q = 3 s_1 + 10 a + 1."""
    agent = make_agent(TD3, critics=2)
    agent.actor.parameters[:] = [2.0, -1.0, 0.0]
    agent.critics[0].parameters[:] = [3.0, 0.0, 10.0, 1.0]
    found = agent.thoughts(np.array([[1.0, 1.5]], np.float32))
    np.testing.assert_allclose(found.bars, [np.tanh(0.5)], rtol=1e-6)
    assert found.value == pytest.approx(3.0 + 10.0 * np.tanh(0.5) + 1.0)
    assert (found.chosen, found.span) == (None, (-1.0, 1.0))


def test_a_critics_update_by_hand() -> None:
    """At rate 1: w <- w + mean of (y - Q) (s, a), and the bias + mean of (y - Q)."""
    agent, batch = make_agent(TD3, critics=1, policy_delay=100, target_noise=0.0), make_batch()
    before = agent.critics[0].parameters.copy()
    pairs = np.hstack([batch.observations, batch.actions, np.ones((B, 1), np.float32)])
    y = batch.rewards + batch.discounts * agent.next_values(batch)
    errors = y - pairs @ before
    agent.update(batch)
    expected = before + (errors[:, None] * pairs).mean(axis=0)
    np.testing.assert_allclose(agent.critics[0].parameters, expected, rtol=1e-4)


def test_the_actors_gradient_through_the_critic_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(0)
    agent = make_agent(dtype=np.float64)
    agent.actor = NeuralNet((N, 6, K), "tanh", "tanh", dtype=np.float64, seed=3)
    critic = NeuralNet((N + K, 8, 1), "tanh", dtype=np.float64, seed=4)
    critic.parameters[:] = rng.normal(size=critic.parameters.size)
    agent.critics = [critic]
    agent.optimizers[0] = SGD(agent.actor.parameters, agent.actor.gradients, learning_rate=0.0)
    batch = make_batch()

    def cost() -> float:
        actions = agent.actor.feedforward(batch.observations)
        return -float(q(critic, batch.observations, actions).mean())

    agent.update_actor(batch.observations)
    analytic = agent.actor.gradients.copy()
    numeric = numerical_gradient(cost, agent.actor.parameters)
    assert relative_error(analytic, numeric) < 1e-6
    assert np.linalg.norm(analytic) > 1e-3


def test_actor_and_targets_learn_every_so_many_updates() -> None:
    agent, batch = make_agent(TD3, critics=1, policy_delay=3, tau=0.25), make_batch()
    actor, target = agent.actor.parameters.copy(), agent.target_critics[0].parameters.copy()
    for _ in range(2):
        agent.update(batch)
        np.testing.assert_array_equal(agent.actor.parameters, actor)
        np.testing.assert_array_equal(agent.target_critics[0].parameters, target)
    agent.update(batch)
    assert (agent.actor.parameters != actor).any()
    expected = 0.75 * target + 0.25 * agent.critics[0].parameters
    np.testing.assert_allclose(agent.target_critics[0].parameters, expected, rtol=1e-5)
    expected = 0.75 * actor + 0.25 * agent.actor.parameters
    np.testing.assert_allclose(agent.target_actor.parameters, expected, rtol=1e-5)


def specified(problem: str = "Pendulum-v1", seed: int = 0, **agent: Any) -> Any:
    values = {
        "problem": problem,
        "agent": {"name": "DDPG", "learn_start": 40, **agent},
        "network": {"actor": {"hidden": [8]}, "critic": {"hidden": [9]}},
        "optimizer": {"actor": {"learning_rate": 1e-4}, "critic": {"learning_rate": 1e-3}},
        "memory": {"name": "Replay", "batch_size": 8, "capacity": 500},
        "exploration": {"name": "OrnsteinUhlenbeck"},
        "train": {"steps": 1000, "lanes": 2},
    }
    return build(Specification("test", "test.json", values), seed).agent


def play(agent: Any, environments: Environments, steps: int) -> None:
    end = agent.steps + steps
    while agent.steps < end:
        agent.observe(environments.step(agent.explore(environments.observations)))
        agent.learn()


def start(problem: str = "Pendulum-v1", lanes: int = 2) -> Environments:
    environments = Environments(lambda: make_env(problem), lanes, itertools.count())
    environments.reset()
    return environments


def test_each_role_has_the_settings_of_its_own_block() -> None:
    agent = specified(twin_critics=True)
    assert agent.actor.sizes == (3, 8, 1)
    assert [critic.sizes for critic in agent.critics] == [(4, 9, 1)] * 2
    assert [each.learning_rate for each in agent.optimizers] == [1e-4, 1e-3, 1e-3]
    one, two = agent.critics
    assert (one.parameters != two.parameters).any()


def test_before_learning_starts_actions_are_uniform() -> None:
    agent = specified()
    agent.learn_start = 10**9
    observations = np.zeros((2, 3), np.float32)
    actions = np.array([agent.explore(observations) for _ in range(2000)]).ravel()
    assert np.abs(actions).max() <= 1
    np.testing.assert_allclose(np.quantile(actions, [0.25, 0.5, 0.75]), [-0.5, 0, 0.5], atol=0.06)


@pytest.mark.parametrize(
    "agent",
    [{}, {"twin_critics": True, "actor_every": 2, "target_noise": 0.2}, {"n_step": 3}],
    ids=str,
)
def test_a_restored_agent_goes_on_to_the_bit(agent: dict[str, Any]) -> None:
    one, other = specified(**agent), specified(seed=7, **agent)
    environments = start()
    play(one, environments, 100)
    other.restore(one.state())
    take_over(one.memory, other.memory)
    assert one.metrics() == other.metrics()
    twin = start()
    twin.restore(environments.state())
    for each, lanes in ((one, environments), (other, twin)):
        play(each, lanes, 330)  # over the end of an episode
    assert one.updates == other.updates > 100
    for network, its in zip(one._networks().values(), other._networks().values(), strict=True):
        np.testing.assert_array_equal(network.parameters, its.parameters)


def test_it_learns_to_push_to_where_it_pays() -> None:
    """A single push from 2 to 4 is worth most at 3, the middle: an action of 0."""

    class Once(Pushed):
        def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
            observation, reward, _, truncated, info = super().step(action + 0.4)
            return observation, reward, True, truncated, info

    values = {
        "problem": "Pushed-v0",
        "agent": {"name": "DDPG", "learn_start": 200},
        "network": {"hidden": [32]},
        "optimizer": {"learning_rate": 3e-3},
        "train": {"steps": 2000},
    }
    agent = build(Specification("test", "test.json", values), 0).agent
    environments = Environments(Once, 1, itertools.count())
    environments.reset()
    play(agent, environments, 2000)
    assert agent.act(np.zeros((1, 1), np.float32))[0, 0] == pytest.approx(-0.4, abs=0.1)


def test_actions_without_bounds_are_refused() -> None:
    with pytest.raises(UserError, match="bounded on both sides"):
        specified("Unbounded-v0")


def test_divergence_is_noticed() -> None:
    agent, batch = make_agent(), make_batch()
    batch.rewards[0] = np.inf
    before = agent.critics[0].parameters.copy()
    with pytest.raises(Diverged), np.errstate(invalid="ignore"):
        agent.update(batch)
    np.testing.assert_array_equal(agent.critics[0].parameters, before)
    agent.actor.parameters[0] = np.nan
    with pytest.raises(Diverged, match="actor's weights"):
        agent.policy_state()
