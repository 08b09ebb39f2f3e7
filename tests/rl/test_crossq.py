"""CrossQ: its update, against finite differences of critics that see both sides at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import SGD, Network, Optimizer
from nn.gradient_check import numerical_gradient, relative_error
from nn.normalization import BatchRenorm
from nn.typing import Array
from rl.agents import CrossQ
from rl.agents.distributions import SquashedNormal
from rl.errors import UserError
from rl.memory import Replay
from rl.specification.build import build
from rl.specification.specification import Specification
from tests.rl.test_sac import B, K, N, freeze, make_batch


def make_agent(**settings: Any) -> Any:
    """Critics with batch renormalization in double precision; a learning rate of 0."""
    actor = Network((N, 2 * K), seed=1)
    critics = [
        Network((N + K, 6, 1), "tanh", batch_norm=True, seed=2 + i, dtype=np.float64)
        for i in range(2)
    ]
    networks = [actor, *critics, Network((1, 1))]
    optimizers: list[Optimizer] = [
        SGD(each.parameters, each.gradients, learning_rate=0.0) for each in networks
    ]
    rng = np.random.default_rng(5)
    memory = Replay(N, rng, Replay.Settings(batch_size=B), np.zeros((0, K), np.float32))
    settings = {"max_gradient_norm": 1e9, "alpha": 0.5, **settings}
    kind = CrossQ.Settings(**settings)
    return CrossQ(actor, critics, networks[-1], optimizers, memory, rng, kind)


def test_a_critics_gradient_agrees_with_finite_differences() -> None:
    """Of the cost against fixed targets, of a batch that is normalized together with what follows.

    The targets are the lesser of the critics' values of the second half.
    """
    agent, batch = make_agent(), make_batch()
    xi = freeze(agent)
    policy = SquashedNormal(agent.actor.forward(batch.next_observations).copy(), xi)
    both = np.vstack(
        [np.hstack([batch.observations, batch.actions]),
         np.hstack([batch.next_observations, policy.actions])]
    )  # fmt: skip
    twins = [critic.copy() for critic in agent.critics]

    def joint(critic: Network) -> tuple[Array, Array]:
        first, second = np.split(critic.forward(both, training=True)[:, 0].copy(), 2)
        return first, second

    later = np.minimum(*(joint(twin)[1] for twin in twins))
    y = batch.rewards + batch.discounts * (later - 0.5 * policy.log_probs)
    agent.update_critics(batch)
    for critic, twin in zip(agent.critics, twins, strict=True):

        def cost(twin: Network = twin) -> float:
            return 0.5 * float(((joint(twin)[0] - y) ** 2).mean())

        numeric = numerical_gradient(cost, twin.parameters)
        assert relative_error(critic.gradients, numeric) < 1e-5
    assert agent.updates == 1


def test_the_actor_learns_every_so_many_updates() -> None:
    agent, batch, moved = make_agent(policy_delay=3), make_batch(), []
    agent.update_actor = lambda observations: moved.append(agent.updates)
    for _ in range(7):
        agent.update(batch)
    assert moved == [3, 6]


def test_its_networks_are_normalized_unless_the_specification_says_otherwise() -> None:
    values: dict[str, Any] = {"problem": "Pendulum-v1", "agent": {"name": "CrossQ"},
                              "train": {"steps": 5_000}}  # fmt: skip
    made = build(Specification("x", "x.yaml", values), 0)
    assert made.agent.actor.batch_norm  # type: ignore[attr-defined]
    assert made.specification.values["network"]["critic"]["batch_norm"] is True
    values["network"] = {"critic": {"batch_norm": False}}
    networks = build(Specification("x", "x.yaml", values), 0).agent
    assert not networks.critics[0].batch_norm  # type: ignore[attr-defined]
    assert networks.actor.batch_norm  # type: ignore[attr-defined]


def test_its_normalization_is_set_by_the_specification() -> None:
    """Of each network by itself; what is not said has the paper's values."""
    values: dict[str, Any] = {"problem": "Pendulum-v1", "agent": {"name": "CrossQ"},
                              "train": {"steps": 5_000},
                              "network": {"critic": {"batch_norm_momentum": 0.9,
                                                     "batch_norm_warmup": 7}}}  # fmt: skip
    agent: Any = build(Specification("x", "x.yaml", values), 0).agent
    assert agent.actor.batch_norm == BatchRenorm.Settings()
    for network in (*agent.critics, agent.critics[0].copy()):
        layers = [each for each in network.layers if isinstance(each, BatchRenorm)]
        assert len(layers) == 3
        for layer in layers:
            assert layer.settings == BatchRenorm.Settings(momentum=0.9, warmup=7)
    for block, said in (({}, r"must lie in \[0, 1\]"), ({"batch_norm": False}, "needs batch_norm")):
        values["network"] = {"critic": {"batch_norm_momentum": 0.5 if block else 1.5, **block}}
        with pytest.raises(UserError, match=f"network.critic.batch_norm_momentum {said}"):
            build(Specification("x", "x.yaml", values), 0)
