"""A number that is not finite is found in the very update in which it appears."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rl.environments import Environments, make_env
from rl.errors import Diverged
from rl.specification.build import build
from rl.specification.specification import Specification
from tests.rl.conftest import Command

UPDATE = 3  # in which the number appears; updates are counted from 0

BLOCKS: dict[str, dict[str, Any]] = {
    "DQN": {
        "problem": "CartPole-v1",
        "agent": {"name": "DQN", "learn_start": 16, "learn_every": 1},
        "memory": {"batch_size": 8},
    },
    "TD3": {
        "problem": "Pendulum-v1",
        "agent": {"name": "TD3", "learn_start": 16, "policy_delay": 1},
        "memory": {"batch_size": 8},
    },
    "A2C": {
        "problem": "CartPole-v1",
        "agent": {"name": "A2C"},
        "memory": {"horizon": 8},
    },
}


def make_agent(name: str) -> Any:
    values = {**BLOCKS[name], "network": {"hidden": [4]}, "train": {"steps": 1000}}
    return build(Specification("test", "test.json", values), seed=0).agent


def learn(agent: Any, updates: int) -> None:
    id = BLOCKS[type(agent).__name__]["problem"]
    environments = Environments(lambda: make_env(id), 1, itertools.count())
    environments.reset()
    while agent.updates < updates:
        agent.observe(environments.step(agent.explore(environments.observations)))
        agent.learn()


def spoil(agent: Any, target: Any, method: str, damage: Callable[[], Any]) -> None:
    """From update UPDATE on, `target.method` is followed by `damage`, whose value it then gives."""
    whole = getattr(target, method)

    def spoilt(*arguments: Any, **settings: Any) -> Any:
        given = whole(*arguments, **settings)
        return damage() if agent.updates >= UPDATE else given

    setattr(target, method, spoilt)


def spoil_network(agent: Any, network: Any, optimizer: Any, number: str, value: float) -> None:
    """A gradient or a weight becomes `value`."""
    if number == "gradient":
        spoil(agent, network, "backward", lambda: network.gradients.__setitem__(-1, value))
    else:
        spoil(agent, optimizer, "step", lambda: network.parameters.__setitem__(-1, value))


def spoil_dqn(agent: Any, number: str, value: float) -> None:
    if number == "loss":
        spoil(agent, agent, "loss", lambda: (value, np.zeros(0)))
    else:
        spoil_network(agent, agent.q.network, agent.optimizer, number, value)


def spoil_second_critic(agent: Any, number: str, value: float) -> None:
    if number == "loss":
        spoil(agent, agent, "loss", lambda: (value, np.zeros(0)))
    else:
        spoil_network(agent, agent.critics[1], agent.optimizers[2], number, value)


def spoil_actor(agent: Any, number: str, value: float) -> None:
    spoil_network(agent, agent.actor, agent.optimizers[0], number, value)


def spoil_value(agent: Any, number: str, value: float) -> None:
    if number == "loss":
        spoil(agent, agent, "_advantages", lambda: np.full(8, value))
    else:
        critic = agent.networks["critic"], agent.optimizers["critic"]
        spoil_network(agent, *critic, number, value)


CASES = [
    ("DQN", spoil_dqn, "loss", "loss: {} at update 3"),
    ("DQN", spoil_dqn, "gradient", "network's gradient: norm {} at update 3"),
    ("DQN", spoil_dqn, "weight", "network's weights: not finite after update 3"),
    ("TD3", spoil_second_critic, "loss", "loss: {} at update 3"),
    ("TD3", spoil_second_critic, "gradient", "critic's gradient: norm {} at update 3"),
    ("TD3", spoil_second_critic, "weight", "critic's weights: not finite after update 3"),
    ("TD3", spoil_actor, "gradient", "actor's gradient: norm {} at update 3"),
    ("TD3", spoil_actor, "weight", "actor's weights: not finite after update 3"),
    ("A2C", spoil_value, "loss", "loss: {} at update 3"),
    ("A2C", spoil_value, "gradient", "critic's gradient: norm {} at update 3"),
    ("A2C", spoil_value, "weight", "critic's weights: not finite after update 3"),
]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("name", "how", "number", "said"), CASES)
def test_it_is_found_at_once_and_named(
    name: str, how: Callable[..., None], number: str, said: str, value: float
) -> None:
    agent, good = make_agent(name), make_agent(name)
    learn(good, UPDATE)
    how(agent, number, value)
    with pytest.raises(Diverged) as caught, np.errstate(all="ignore"):
        learn(agent, 10)
    message = str(caught.value)
    assert message.startswith(said.format(value))
    assert message.count("\n") == 0
    if how is not spoil_actor:  # whose update came after that of the critics
        loss, norm = good.metrics()["loss"], good.metrics()["gradient_norm"]
        assert f", after loss {loss:.3g}, " in message
        assert f"gradient_norm {norm:.3g}" in message


def test_large_but_finite_weights_go_on() -> None:
    """Their product with themselves overflows."""
    agent = make_agent("DQN")
    spoil_dqn(agent, "weight", 1e20)
    with np.errstate(over="ignore"):
        learn(agent, UPDATE + 1)
    assert agent.q.network.parameters[-1] == np.float32(1e20)


def test_the_first_update_has_none_before() -> None:
    agent = make_agent("DQN")
    agent.q.network.parameters[:] = math.nan
    with pytest.raises(Diverged) as caught:
        learn(agent, 1)
    assert str(caught.value) == "loss: nan at update 0"


@pytest.mark.slow
def test_the_command_line_ends_with_status_3(rl: Command) -> None:
    """Weights overflow where loss and gradient do not."""
    answer = rl("run", "cartpole_dqn", "--steps", 1500, "--set", "optimizer.name=SGD",
                "optimizer.learning_rate=3e38", "agent.cost=quadratic",
                "preprocessor.reward_scale=1000")  # fmt: skip
    assert answer.returncode == 3
    assert answer.stderr.startswith("rl: step 1002: network's weights: not finite after update 0")
    assert answer.stderr.count("\n") == 1
