"""Actor-critic: an update by hand, what it learns, and that it goes on where it was."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nn import SGD, Network, NeuralNet, Optimizer
from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array
from rl.agents import A2C, PPO
from rl.environments import Environments, make_env
from rl.environments.spaces import Discrete
from rl.errors import Diverged
from rl.memory import Rollout
from rl.specification.build import build
from rl.specification.specification import Specification
from tests.rl.conftest import quick
from tests.rl.worlds import Chain


def make_agent(problem: str = "CartPole-v1", lanes: int = 2, seed: int = 0, **agent: Any) -> Any:
    values = {
        "problem": problem,
        "agent": {"name": "ActorCritic", **agent},
        "network": {"hidden": [8]},
        "memory": {"name": "Rollout", "horizon": 5},
        "train": {"steps": 1000, "lanes": lanes},
    }
    return build(Specification("test", "test.json", values), seed).agent


def play(agent: Any, environments: Environments, steps: int) -> None:
    end = agent.steps + steps
    while agent.steps < end:
        agent.observe(environments.step(agent.explore(environments.observations)))
        agent.learn()


def start(problem: str, lanes: int = 2) -> Environments:
    environments = Environments(lambda: make_env(problem), lanes, itertools.count())
    environments.reset()
    return environments


def linear_agent(**settings: Any) -> tuple[A2C, Rollout]:
    """One lane, one step a horizon, linear networks of one input, two actions."""
    networks: dict[str, Network] = {"actor": NeuralNet((1, 2)), "critic": NeuralNet((1, 1))}
    for network in networks.values():
        network.parameters[:] = 0.0
    optimizers: dict[str, Optimizer] = {
        name: SGD(each.parameters, each.gradients, learning_rate=1.0)
        for name, each in networks.items()
    }
    rollout = Rollout(1, 1, np.zeros(0, np.int64), Rollout.Settings(horizon=1))
    kind = PPO if "clip" in settings else A2C
    settings = {"epochs": 1, "minibatches": 1, "normalize_advantages": False, **settings}
    agent = kind(
        networks, optimizers, Discrete(2), rollout, np.random.default_rng(0),
        kind.Settings(**settings),
    )  # fmt: skip
    return agent, rollout


def learn_one(agent: A2C, rollout: Rollout, terminated: bool, truncated: bool) -> None:
    """From s = 2, action 1, reward 3, s' = 4."""
    flags = np.array([terminated]), np.array([truncated])
    rollout.add(np.array([[2.0]]), np.array([1]), np.array([3.0]), np.array([[4.0]]), *flags)
    agent.learn()


@pytest.mark.parametrize("settings", [{}, {"clip": 0.2, "epochs": 2, "minibatches": 4}])
def test_an_update_at_an_episodes_end_is_that_of_a_horizon_as_long(settings: Any) -> None:
    """Of two steps, although there is room for five, and fewer than there are minibatches."""
    parameters = []
    for horizon, ends in ((2, False), (5, True)):
        agent, _ = linear_agent(**{**settings, "minibatches": 1})
        agent.settings = replace(agent.settings, minibatches=settings.get("minibatches", 1))
        kept = Rollout.Settings(horizon=horizon, ends_with_episodes=ends)
        agent.rollout = Rollout(1, 1, np.zeros(0, np.int64), kept)
        learn_one(agent, agent.rollout, False, False)
        assert agent.updates == 0
        learn_one(agent, agent.rollout, True, False)
        assert (agent.updates, agent.rollout.size) == (1, 0)
        parameters.append(agent.networks["actor"].parameters.copy())
    np.testing.assert_array_equal(*parameters)
    assert parameters[0].any()


@pytest.mark.parametrize(
    ("terminated", "truncated", "target"),
    [(True, False, 3.0), (False, True, 3.0 + 0.5 * 4.0), (False, False, 3.0 + 0.5 * 4.0)],
)
def test_an_update_by_hand(terminated: bool, truncated: bool, target: float) -> None:
    """V(s) = s at first; both actions equally likely; plain gradient descent at rate 1."""
    agent, rollout = linear_agent(gamma=0.5, max_gradient_norm=1e9)
    agent.networks["critic"].parameters[:] = [1.0, 0.0]
    learn_one(agent, rollout, terminated, truncated)
    advantage = target - 2.0
    # d ln pi(1) / dz = (-1/2, 1/2), and dz/dW = s.
    expected = np.array([[-0.5, 0.5]]) * advantage * 2.0
    np.testing.assert_allclose(agent.networks["actor"].weights[0], expected)
    np.testing.assert_allclose(agent.networks["critic"].weights[0], [[1.0 + advantage * 2.0]])
    assert agent.metrics()["loss"] == pytest.approx(0.5 * advantage**2)
    assert agent.metrics()["mean_value"] == 2.0
    assert agent.metrics()["entropy"] == pytest.approx(np.log(2.0))
    assert (agent.updates, rollout.size) == (1, 0)


def test_its_thoughts_are_probabilities_and_the_value_of_the_state() -> None:
    """ln pi = (0, s ln 3) up to a constant, so 1/10 and 9/10 at s = 2; and V(s) = 5 s."""
    agent, _ = linear_agent()
    agent.networks["actor"].weights[0][:] = [[0.0, np.log(3.0)]]
    agent.networks["critic"].parameters[:] = [5.0, 0.0]
    found = agent.thoughts(np.array([[2.0]], np.float32))
    np.testing.assert_allclose(found.bars, [0.1, 0.9], rtol=1e-6)
    assert (found.chosen, found.span, found.value) == (1, (0.0, 1.0), 10.0)


def test_the_thoughts_of_a_shared_network_keep_policy_and_value_apart() -> None:
    agent = make_agent(shared=True)
    agent.networks["actor"].parameters[:] = 0.0
    agent.networks["actor"].biases[-1][:] = [0.0, np.log(3.0), 7.0]
    found = agent.thoughts(np.zeros((1, 4), np.float32))
    np.testing.assert_allclose(found.bars, [0.25, 0.75], rtol=1e-6)
    assert found.value == 7.0


@pytest.mark.parametrize(("squash", "action"), [(False, 1.0), (True, np.tanh(1.5))])
def test_the_thoughts_of_a_continuous_policy_are_its_greedy_action(
    squash: bool, action: float
) -> None:
    agent = make_agent("Pendulum-v1", squash=squash)
    agent.networks["actor"].parameters[:] = 0.0
    agent.networks["actor"].biases[-1][:] = 1.5
    found = agent.thoughts(np.zeros((1, 3), np.float32))
    np.testing.assert_allclose(found.bars, [action], rtol=1e-6)
    assert (found.chosen, found.span) == (None, (-1.0, 1.0))


def test_the_entropy_term_pulls_towards_indecision() -> None:
    agent, rollout = linear_agent(gamma=0.0, entropy_weight=1.0, max_gradient_norm=1e9)
    agent.networks["actor"].weights[0][:] = [[1.0, 0.0]]
    agent.networks["critic"].parameters[:] = [0.0, 3.0]  # so that the advantage is 0
    before = agent.distribution.at(agent._outputs(np.array([[2.0]], np.float32))).entropy()[0]
    learn_one(agent, rollout, True, False)
    after = agent.distribution.at(agent._outputs(np.array([[2.0]], np.float32))).entropy()[0]
    assert after > before + 0.01


def test_a_gradient_is_clipped_network_by_network() -> None:
    agent, rollout = linear_agent(gamma=0.0, max_gradient_norm=0.1)
    learn_one(agent, rollout, True, False)
    for network in agent.networks.values():
        assert np.linalg.norm(network.parameters) == pytest.approx(0.1, rel=1e-5)


def test_a_clipped_step_by_hand() -> None:
    """Two actions, each likely by half when drawn; now the first has a ratio of 1.5, the other 0.5.

    With clip 0.2, what has become likelier and was good, or less likely and was bad, stays as it
    is; the others are weighted by their ratios.
    """
    agent, _ = linear_agent(clip=0.2, max_gradient_norm=1e9)
    agent.networks["actor"].biases = [np.log([0.75, 0.25])]
    zeros, before = np.zeros((4, 1), np.float32), np.full(4, np.log(0.5))
    drawn, a = np.array([0, 0, 1, 1]), np.array([1.0, -1.0, 1.0, -1.0])
    expected = (
        agent.distribution.at(agent._outputs(zeros))
        .gradient(drawn, np.array([0.0, -1.5, 0.5, 0.0]), 0.0)
        .sum(axis=0)
    )
    start = agent.networks["actor"].biases[0].copy()
    agent._step(zeros, drawn, a, np.zeros(4), before)
    np.testing.assert_allclose(agent.networks["actor"].biases[0], start - expected, rtol=1e-5)


def test_the_clipped_gradient_agrees_with_finite_differences() -> None:
    """Of the surrogate min(r A, clip(r) A), as Schulman et al. (2017), eq. 7, have it."""
    rng = np.random.default_rng(0)
    agent, _ = linear_agent(clip=0.2, max_gradient_norm=1e9)
    agent.networks = {"actor": NeuralNet((1, 2), dtype=np.float64, seed=1),
                      "critic": NeuralNet((1, 1), dtype=np.float64, seed=2)}  # fmt: skip
    agent.optimizers = {
        name: SGD(each.parameters, each.gradients, learning_rate=0.0)
        for name, each in agent.networks.items()
    }
    x, a, drawn = rng.normal(size=(20, 1)), rng.normal(size=20), rng.integers(2, size=20)
    before = agent.distribution.at(agent._outputs(x)).log_prob(drawn) + rng.normal(0, 0.3, 20)

    def surrogate() -> float:
        r = np.exp(agent.distribution.at(agent._outputs(x)).log_prob(drawn) - before)
        return -float(np.minimum(r * a, np.clip(r, 0.8, 1.2) * a).mean())

    agent._step(x, drawn, a, np.zeros(20), before)
    analytic = agent.networks["actor"].gradients.copy()
    numeric = numerical_gradient(surrogate, agent.networks["actor"].parameters)
    assert relative_error(analytic, numeric) < 1e-6


def test_every_step_of_a_rollout_is_learned_from_in_each_epoch() -> None:
    agent = make_agent(lanes=2, epochs=3, minibatches=4)  # 10 steps a rollout
    pieces = list(agent._minibatches(10))
    assert [len(piece) for piece in pieces] == [3, 3, 2, 2] * 3
    for epoch in range(3):
        rows = np.concatenate(pieces[4 * epoch : 4 * epoch + 4])
        assert sorted(rows) == list(range(10))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("lanes", quick(1, [4, 1]))
def test_the_shortest_way_along_a_chain_is_learned(shared: bool, lanes: int) -> None:
    values = {
        "problem": "Chain-v0",
        "agent": {"name": "A2C", "gamma": 0.5, "shared": shared, "entropy_weight": 0.003},
        "network": {"hidden": [16], "activation": "tanh"},
        "optimizer": {"name": "Adam", "learning_rate": 0.01},
        "memory": {"name": "Rollout", "horizon": 16},
        "train": {"steps": 20_000, "lanes": lanes},
    }
    agent: Any = build(Specification("test", "test.json", values), 0).agent
    play(agent, start("Chain-v0", lanes), 20_000)
    states = np.eye(4, dtype=np.float32)
    # In state 0 going left for ever is worth 0.2, going right 0.125.
    assert agent.act(states).tolist() == Chain.VALUES.argmax(axis=1).tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(agent._values(states), Chain.VALUES.max(axis=1), atol=0.08)


@pytest.mark.parametrize(
    "agent",
    [
        {}, {"epochs": 2, "minibatches": 3, "clip": 0.2},
        {"shared": True}, {"normalize_advantages": True},
        {"squash": True}, {"state_dependent_std": True}, {"shared": True, "log_std": -1.0},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("problem", ["CartPole-v1", "Pendulum-v1"])
def test_a_restored_agent_goes_on_to_the_bit(problem: str, agent: dict[str, Any]) -> None:
    one, other = make_agent(problem, **agent), make_agent(problem, seed=7, **agent)
    environments = start(problem)
    play(one, environments, 46)  # in the middle of a horizon
    other.restore(one.state())
    assert one.metrics() == other.metrics()
    twin = start(problem)
    twin.restore(environments.state())
    environments.seeds, twin.seeds = iter(range(100, 200)), iter(range(100, 200))
    for each, lanes in ((one, environments), (other, twin)):
        play(each, lanes, 44)
    for name, network in one.networks.items():
        np.testing.assert_array_equal(network.parameters, other.networks[name].parameters)
    assert one.updates == other.updates == 9


def test_the_deviations_at_first_are_those_of_the_setting() -> None:
    for dependent in (False, True):
        agent = make_agent("Pendulum-v1", log_std=-1.5, state_dependent_std=dependent)
        outputs = agent._outputs(np.zeros((4, 3), np.float32))
        np.testing.assert_allclose(outputs[:, 1], -1.5, rtol=1e-6)


def test_a_deviation_that_depends_on_no_state_is_learned() -> None:
    agent = make_agent("Pendulum-v1")
    before = agent.networks["deviation"].parameters.copy()
    play(agent, start("Pendulum-v1"), 100)
    changed = agent.networks["deviation"].parameters != before
    assert changed.tolist() == [False, True]  # its weight sees nothing, its bias is the value


def test_a_policy_is_restored_without_the_rest() -> None:
    agent, other = make_agent(), make_agent(seed=3)
    play(agent, start("CartPole-v1"), 100)
    other.restore_policy(agent.policy_state())
    x: Array = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_array_equal(agent.act(x), other.act(x))


def test_divergence_is_noticed() -> None:
    agent, rollout = linear_agent()
    rollout.add(np.array([[2.0]]), np.array([1]), np.array([np.inf]), np.array([[4.0]]),
                np.array([True]), np.array([False]))  # fmt: skip
    with pytest.raises(Diverged, match="loss"), np.errstate(invalid="ignore"):
        agent.learn()
    assert not agent.networks["actor"].parameters.any()
