"""QR-DQN and Rainbow by hand: the target's quantiles, the quantile Huber loss and its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from nn import SGD, NeuralNet
from rl.agents import QRDQN, DoubleDQN, Rainbow
from rl.agents.values import Head
from rl.exploration import EpsilonGreedy
from rl.memory import Prioritized, Replay
from rl.specification.build import build
from rl.specification.by_name import specification_of
from rl.specification.specification import Specification


def make_agent(kind: type[QRDQN] = QRDQN) -> QRDQN:
    """One input, two actions of two quantiles each, without hidden layers."""
    network, rng = NeuralNet((1, 4), seed=0), np.random.default_rng(0)
    optimizer = SGD(network.parameters, network.gradients, learning_rate=1.0)
    memory = Replay(1, rng, Replay.Settings(capacity=1, batch_size=1))
    explorer = EpsilonGreedy(rng, EpsilonGreedy.Settings())
    settings = kind.Settings(quantiles=2, max_gradient_norm=1e9, dueling=False)
    agent = kind(network, optimizer, memory, explorer, settings)
    for values, biases in ((agent.q, [1.0, 2.0, 0.0, 0.0]), (agent.target, [9.0, -5.0, 1.0, 4.0])):
        values.network.parameters[:] = 0.0
        values.network.biases = [np.array(biases)]
    return agent


def test_an_update_by_hand() -> None:
    """Action 1 is the best by the target's means, 2 and 2.5; its quantiles are 1 and 4.

    y = 0.5 + 0.5 (1, 4) = (1, 2.5) against theta = (1, 2), at the midpoints 1/4 and 3/4:

        i = 1: errors 0 and 1.5   -> weights 1/4 and 1/4, Huber 0 and 1, slopes 0 and 1
        i = 2: errors -1 and 0.5  -> weights 1/4 and 3/4, Huber 1/2 and 1/8, slopes -1 and 1/2
    """
    agent = make_agent()
    agent.memory.add(np.array([2.0]), 0, 0.5, 0.5, np.array([3.0]))
    batch = agent.memory.sample()
    np.testing.assert_allclose(agent.next_values(batch), [[1.0, 4.0]])
    loss, gradient = agent.loss(np.array([[1.0, 2.0]], np.float32), agent.targets(batch))
    assert loss == pytest.approx(((1 / 4) * 1 + (1 / 4) * (1 / 2) + (3 / 4) * (1 / 8)) / 2)
    np.testing.assert_allclose(gradient, [[-1 / 8, -(-1 / 4 + 3 / 8) / 2]])
    agent.update(batch)
    np.testing.assert_allclose(agent.q.network.biases[0], [1 + 1 / 8, 2 + 1 / 16, 0, 0])
    np.testing.assert_allclose(agent.q.network.weights[0], [[2 / 8, 2 / 16, 0, 0]])


def test_values_are_the_means_of_the_quantiles() -> None:
    agent = make_agent()
    np.testing.assert_allclose(agent.values(np.ones((1, 1), np.float32)), [[1.5, 0.0]])


def test_rainbow_chooses_online_and_values_by_the_target() -> None:
    """Action 0 is the best by the online means, 1.5 and 0; by the target's it is action 1."""
    agent = make_agent(Rainbow)
    agent.memory.add(np.array([2.0]), 1, 0.5, 0.5, np.array([3.0]))
    batch = agent.memory.sample()
    np.testing.assert_allclose(agent.next_values(batch), [[9.0, -5.0]])
    np.testing.assert_allclose(agent.targets(batch), [[5.0, -2.0]])


def test_rainbow_is_its_parts_unless_a_specification_says_otherwise() -> None:
    """Double, quantiles, dueling, three steps, noise; by its environment alone, priorities too."""
    given = {"problem": "CartPole-v1", "agent": {"name": "Rainbow"}, "train": {"steps": 5000}}
    alone = specification_of("CartPole-v1", agent="Rainbow")
    for each in (Specification("test", "", given), alone):
        agent, resolved = (made := build(each, 0)).agent, made.specification
        assert isinstance(agent, DoubleDQN)
        assert agent.q.head == Head(dueling=True, quantiles=50)
        assert resolved.block("agent")["n_step"] == 3
        assert resolved.block("exploration") == {"name": "None"}
        assert agent.q.network.noisy
    assert isinstance(agent.replay, Prioritized)
    plain = specification_of("CartPole-v1", overrides=["network.noisy=false"], agent="Rainbow")
    assert build(plain, 0).specification.block("exploration")["name"] == "EpsilonGreedy"
