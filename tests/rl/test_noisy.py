"""Agents with noisy networks: when they draw noise, and when there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import SGD, NeuralNet
from rl.agents import DQN
from rl.exploration import Greedy
from rl.memory import Replay
from rl.specification.build import build
from rl.specification.by_name import specification_of
from tests.contracts.cases import Play, experiment, values

ONE = np.ones((1, 1), np.float32)


def make_agent() -> DQN:
    """One input and three actions; the means are equal, so that noise alone decides."""
    network, rng = NeuralNet((1, 3), noisy=True, seed=0), np.random.default_rng(0)
    network.weights[0][:] = 0.0
    memory = Replay(1, rng, Replay.Settings(capacity=1, batch_size=1))
    settings = DQN.Settings(learn_start=0, learn_every=1)
    agent = DQN(network, SGD(network.parameters, network.gradients), memory, Greedy(rng), settings)
    agent.memory.add(np.array([1.0]), 0, 1.0, 0.5, np.array([1.0]))
    return agent


def noise(agent: DQN, name: str) -> Any:
    return getattr(agent, name).network.layers[0].noise.copy()


def test_an_update_draws_noise_for_the_network_and_other_noise_for_its_target() -> None:
    agent, seen = make_agent(), []
    for steps in (1, 2):
        agent.steps = steps
        agent.learn()
        seen += [noise(agent, "q"), noise(agent, "target")]
    assert all(np.any(one != other) for i, one in enumerate(seen) for other in seen[:i])


def test_it_explores_by_noise_and_acts_without() -> None:
    agent = make_agent()
    explored = {int(agent.explore(ONE)[0]) for _ in range(40)}
    assert explored == {0, 1, 2}
    assert {int(agent.act(ONE)[0]) for _ in range(5)} == {0}
    assert not noise(agent, "policy").any()


def test_the_noise_is_shown_as_exploration() -> None:
    agent = make_agent()
    assert agent.metrics()["exploration"] == pytest.approx(0.5)  # sigma_0 / sqrt(1)
    assert agent.metrics_at({"exploration": 0.4}, step=7) == {"exploration": 0.4}


@pytest.mark.parametrize(
    ("name", "more"),
    [("DQN", {"dueling": True}), ("DoubleDQN", {}), ("QRDQN", {"dueling": True, "quantiles": 5})],
)
def test_every_head_learns_the_scales(name: str, more: dict[str, Any]) -> None:
    from rl.environments.spaces import Discrete

    made = experiment(values(f"{name}+noisy", Discrete, agent=more))
    assert isinstance(made.agent, DQN)
    before = [layer.sigma.copy() for layer in made.agent.q.network._noisy_layers]
    Play(made).steps(30)
    for old, layer in zip(before, made.agent.q.network._noisy_layers, strict=True):
        assert np.all(old != layer.sigma)


def test_without_an_exploration_block_the_noise_explores_alone() -> None:
    resolved = experiment({
        "problem": "CartPole-v1", "agent": {"name": "DQN"}, "network": {"noisy": True},
        "train": {"steps": 5000},
    }).specification  # fmt: skip
    assert resolved.block("exploration") == {"name": "None"}
    named = specification_of("CartPole-v1", overrides=["network.noisy=true"], agent="DQN")
    assert build(named, 0).specification.block("exploration") == {"name": "None"}


@pytest.mark.parametrize("name", ["DQN", "Rainbow"])
def test_the_first_scale_of_the_noise_is_a_setting(name: str) -> None:
    """Of networks that are noisy by the specification, and of those that are so by default."""
    noisy = ["network.noisy=true"] * (name == "DQN")
    for scale, more in ((0.5, []), (2.0, ["network.noisy_sigma=2"])):
        made = build(specification_of("CartPole-v1", overrides=[*noisy, *more], agent=name), 0)
        assert isinstance(made.agent, DQN)
        for layer in made.agent.target.network._noisy_layers:
            np.testing.assert_allclose(layer.sigma, scale / np.sqrt(layer.inputs), rtol=1e-6)
