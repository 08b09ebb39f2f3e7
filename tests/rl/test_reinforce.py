"""REINFORCE: an update by hand, its gradient, and that only whole episodes are learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import SGD, NeuralNet
from nn.gradient_check import numerical_gradient, relative_error
from rl.agents import REINFORCE
from rl.environments import Transitions
from rl.environments.spaces import Discrete
from rl.errors import UserError
from rl.memory.episodes import Episodes
from rl.specification.build import build
from rl.specification.by_name import specification_of
from tests.contracts.cases import assert_same

PLAIN = {"gamma": 0.5, "normalize_advantages": False, "max_gradient_norm": 1e9}


def make(sizes: tuple[int, ...] = (1, 2), lanes: int = 1, rate: float = 1.0, **given: Any) -> Any:
    """With plain gradient descent; a linear policy of two equally likely actions at first."""
    network = NeuralNet(sizes, hidden="tanh", dtype=np.float64, seed=2)
    if len(sizes) == 2:
        network.parameters[:] = 0.0
    optimizer = SGD(network.parameters, network.gradients, learning_rate=rate)
    settings: Any = REINFORCE.Settings(**{**PLAIN, **given})
    memory: Any = Episodes(lanes, settings.episodes)
    rng = np.random.default_rng(0)
    networks: Any = {"actor": network}
    optimizers: Any = {"actor": optimizer}
    return REINFORCE(networks, optimizers, Discrete(sizes[-1]), memory, rng, settings)


def step(agent: Any, seen: Any, actions: list[int], rewards: list[float], ends: str = "") -> None:
    """A step of all lanes; `ends` has t where an episode terminates, c where it is cut."""
    agent._sampled = np.array(actions)
    seen = np.array(seen, np.float32).reshape(len(actions), -1)
    ended, cut = (np.array([end == way for end in ends.ljust(len(actions))]) for way in "tc")
    given = np.array(rewards), seen, ended, cut, np.zeros(len(actions))
    agent.observe(Transitions(seen, agent._sampled, *given))
    agent.learn()


@pytest.mark.parametrize("end", ["t", "c"])
def test_an_update_by_hand(end: str) -> None:
    """G = 3 + 1/2 and 1, with d ln pi / dW = s (-1/2, 1/2) of action 1 and the opposite of 0."""
    agent = make()
    step(agent, [2.0], [1], [3.0])
    assert agent.updates == 0
    step(agent, [4.0], [0], [1.0], end)
    ascent = (3.5 * 2.0 - 1.0 * 4.0) / 2.0 / 2.0
    np.testing.assert_allclose(agent.networks["actor"].weights[0], [[-ascent, ascent]])
    ascent = (3.5 - 1.0) / 2.0 / 2.0
    np.testing.assert_allclose(agent.networks["actor"].biases[0], [-ascent, ascent])
    assert agent.updates == 1


def test_the_baseline_is_the_mean_return() -> None:
    """3.5 and 1 become 1 and -1."""
    agent = make(normalize_advantages=True)
    step(agent, [2.0], [1], [3.0])
    step(agent, [4.0], [0], [1.0], "t")
    ascent = (2.0 + 4.0) / 2.0 / 2.0
    np.testing.assert_allclose(agent.networks["actor"].weights[0], [[-ascent, ascent]], rtol=1e-6)


def test_the_gradient_agrees_with_finite_differences() -> None:
    agent = make((2, 3, 3), rate=0.0, entropy_weight=0.3)
    network, rng = agent.networks["actor"], np.random.default_rng(1)
    seen = rng.standard_normal((5, 2)).astype(np.float32)
    actions, rewards, returns = [0, 2, 1, 1, 2], [1.0, -2.0, 0.5, 3.0, 1.5], np.zeros(6)
    for t in (4, 3, 2, 1, 0):
        returns[t] = rewards[t] + 0.5 * returns[t + 1]

    def cost() -> float:
        z = network.forward(seen.astype(float))
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        entropy = -(np.exp(log_p) * log_p).sum(axis=1)
        return -float(np.mean(returns[:5] * log_p[np.arange(5), actions] + 0.3 * entropy))

    expected = numerical_gradient(cost, network.parameters)
    for t in range(5):
        step(agent, seen[t], [actions[t]], [rewards[t]], "t" if t == 4 else "")
    assert relative_error(network.gradients, expected) < 1e-6


def test_an_episode_under_way_waits_for_its_end() -> None:
    """The second lane's two steps are learned from together, after the first's."""
    agent, alone = make(lanes=2), make()
    step(agent, [2.0, 1.0], [1, 0], [3.0, 5.0], "t ")
    step(alone, [2.0], [1], [3.0], "t")
    assert_same(agent.policy_state(), alone.policy_state())
    before = agent.networks["actor"].parameters.copy()
    agent.abandon(0)
    agent.rollout._under_way[0] = []
    step(agent, [7.0, 1.5], [1, 0], [3.0, 2.0], " t")
    alone.networks["actor"].parameters[:] = before
    step(alone, [1.0], [0], [5.0])
    step(alone, [1.5], [0], [2.0], "t")
    assert_same(agent.policy_state(), alone.policy_state())
    assert len(agent.rollout._under_way[0]) == 1


def test_an_abandoned_episode_is_not_learned_from() -> None:
    agent, other = make(), make()
    step(agent, [9.0], [1], [50.0])
    agent.abandon(0)
    for each in (agent, other):
        step(each, [2.0], [1], [3.0], "t")
    assert_same(agent.policy_state(), other.policy_state())


def test_an_update_takes_as_many_episodes_as_it_is_told() -> None:
    agent = make(episodes=3)
    for number in (1, 2, 3):
        step(agent, [2.0], [1], [3.0], "t")
        assert agent.updates == (number == 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"agent.lam": 0.9}, "agent.lam is no setting of REINFORCE"),
     ({"memory.name": "Rollout"}, "memory is not used by REINFORCE; leave it out"),
     ({"exploration.name": "EpsilonGreedy"}, "exploration is not used by REINFORCE")],
)  # fmt: skip
def test_what_belongs_to_a_critic_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(specification_of("CartPole-v1", None, given, "REINFORCE"), 0)
