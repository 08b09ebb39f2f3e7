"""TQC by hand: the target that is cut off, and its gradients against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import SGD, Network, Optimizer
from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array
from rl.agents import TQC
from rl.agents.distributions import SquashedNormal
from rl.cli import main
from rl.memory import Replay
from tests.rl.test_sac import B, K, N, freeze, make_batch

M = 3  # quantiles per critic


def make_agent(**settings: Any) -> Any:
    """Critics with a hidden layer, in double precision; a learning rate of 0."""
    actor = Network((N, 6, 2 * K), "tanh", seed=1, dtype=np.float64)
    critics = [Network((N + K, 8, M), "tanh", seed=2 + i, dtype=np.float64) for i in range(2)]
    networks = [actor, *critics, Network((1, 1))]
    optimizers: list[Optimizer] = [
        SGD(each.parameters, each.gradients, learning_rate=0.0) for each in networks
    ]
    rng = np.random.default_rng(5)
    memory = Replay(N, rng, Replay.Settings(batch_size=B), np.zeros((0, K), np.float32))
    given = {"max_gradient_norm": 1e9, "alpha": 0.5, "quantiles": M, "dropped": 1, **settings}
    return TQC(actor, critics, networks[-1], optimizers, memory, rng, TQC.Settings(**given))


def outputs(critic: Network, observations: Array, actions: Array) -> Array:
    return critic.forward(np.hstack([observations, actions])).copy()


def test_the_target_by_hand() -> None:
    """Of 1, 4, 2 and 3, 0, 9 the sorted 0, 1, 2, 3 are kept: one dropped for each critic."""
    agent, batch = make_agent(), make_batch()
    xi = freeze(agent)
    for critic, biases in zip(
        agent.target_critics, ([1.0, 4.0, 2.0], [3.0, 0.0, 9.0]), strict=True
    ):
        critic.parameters[:] = 0.0
        critic.biases[-1][:] = biases
    policy = SquashedNormal(agent.actor.forward(batch.next_observations).copy(), xi)
    soft = np.array([[0.0, 1.0, 2.0, 3.0]]) - 0.5 * policy.log_probs[:, None]
    expected = batch.rewards[:, None] + batch.discounts[:, None] * soft
    np.testing.assert_allclose(agent.targets(batch), expected, rtol=1e-6)


def test_nothing_dropped_keeps_all_quantiles() -> None:
    agent, batch = make_agent(dropped=0), make_batch()
    assert agent.targets(batch).shape == (B, 2 * M)


def test_the_loss_by_hand() -> None:
    """theta = (0, 2) at the midpoints 1/4 and 3/4, against y = (0.5, 1, 4), kappa 1.

    i = 1: errors 0.5, 1, 4   -> weights 1/4 each,          Huber 0.125, 0.5, 3.5
    i = 2: errors -1.5, -1, 2 -> weights 1/4, 1/4 and 3/4,  Huber 1, 0.5, 1.5
    """
    loss, gradient = make_agent().loss(np.array([[0.0, 2.0]]), np.array([[0.5, 1.0, 4.0]]))
    first, second = (0.125 + 0.5 + 3.5) / 4, (1.0 + 0.5) / 4 + 1.5 * 3 / 4
    assert loss == pytest.approx((first + second) / 3 / 2)
    slopes = [(0.5 + 1.0 + 1.0) / 4, (-1.0 - 1.0) / 4 + 3 / 4]
    np.testing.assert_allclose(gradient, [[-each / 3 / 2 for each in slopes]])


def test_a_critics_gradient_agrees_with_finite_differences() -> None:
    agent, batch = make_agent(), make_batch()
    freeze(agent)
    y = agent.targets(batch)
    agent.update_critics(batch)
    for critic in agent.critics:
        analytic = critic.gradients.copy()

        def cost(critic: Network = critic) -> float:
            theta, total = outputs(critic, batch.observations, batch.actions), 0.0
            for m in range(M):
                for j in range(y.shape[1]):
                    u = y[:, j] - theta[:, m]
                    huber = np.where(abs(u) <= 1, 0.5 * u * u, abs(u) - 0.5)
                    total += (abs((m + 0.5) / M - (u < 0)) * huber).mean()
            return float(total / (M * y.shape[1]))

        numeric = numerical_gradient(cost, critic.parameters)
        assert relative_error(analytic, numeric) < 1e-5
    assert agent.updates == 1


def test_the_actors_gradient_agrees_with_finite_differences() -> None:
    """Of the mean of alpha ln pi(a|s) less all quantiles of both critics."""
    agent = make_agent(learn_alpha=False)
    observations = make_batch(1).observations.astype(float)
    xi = freeze(agent)

    def cost() -> float:
        policy = SquashedNormal(agent.actor.forward(observations).copy(), xi)
        values = [outputs(each, observations, policy.actions) for each in agent.critics]
        return float((0.5 * policy.log_probs - np.hstack(values).mean(axis=1)).mean())

    agent.update_actor(observations)
    analytic = agent.actor.gradients.copy()
    numeric = numerical_gradient(cost, agent.actor.parameters)
    assert relative_error(analytic, numeric) < 1e-5  # alpha is rounded to single precision


def test_what_it_thinks_of_a_state_is_the_mean_of_the_quantiles() -> None:
    agent = make_agent()
    state = np.ones((1, N), np.float32)
    theta = outputs(agent.critics[0], state, agent.act(state))
    assert agent.thoughts(state).value == pytest.approx(theta.mean())


def test_as_many_dropped_as_there_are_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "Pendulum-v1", "--agent", "TQC", "--output", "nowhere"]
    assert main([*arguments, "--set", "agent.dropped=25"]) == 2
    said = capsys.readouterr().err
    assert "agent.dropped must be less than quantiles, which is 25; not 25" in said
    assert said.count("\n") == 1
