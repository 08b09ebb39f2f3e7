"""SAC: its distribution, targets and updates by hand, and its gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nn import SGD, Network, NeuralNet, Optimizer
from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array
from rl.agents import SAC
from rl.agents.distributions import SquashedNormal
from rl.cli import main
from rl.memory import Batch, Replay
from tests.rl import test_ddpg
from tests.rl.test_ddpg import q

N, K, B = 2, 2, 3


def make_agent(dtype: type = np.float32, **settings: Any) -> Any:
    """Linear networks with plain gradient descent at rate 1, their parameters drawn at random."""
    actor = NeuralNet((N, 2 * K), dtype=dtype, seed=1)
    critics: list[Network] = [NeuralNet((N + K, 1), dtype=dtype, seed=2 + i) for i in range(2)]
    temperature = NeuralNet((1, 1), dtype=dtype)
    optimizers: list[Optimizer] = [
        SGD(each.parameters, each.gradients, learning_rate=1.0)
        for each in (actor, *critics, temperature)
    ]
    rng = np.random.default_rng(5)
    memory = Replay(N, rng, Replay.Settings(batch_size=B), np.zeros((0, K), np.float32))
    settings = {"max_gradient_norm": 1e9, "alpha": 0.5, **settings}
    return SAC(actor, critics, temperature, optimizers, memory, rng, SAC.Settings(**settings))


def make_batch(seed: int = 0) -> Batch:
    return test_ddpg.make_batch(seed, K)


def freeze(agent: Any) -> Array:
    """The xi [B, K] that the agent draws from now on, whenever it draws."""
    xi = np.random.default_rng(7).normal(size=(B, K)).astype(np.float32)

    class Frozen:
        def standard_normal(self, shape: tuple[int, int], dtype: Any) -> Array:
            assert shape == xi.shape
            return xi

    agent._rng = Frozen()
    return xi


def test_the_density_of_a_squashed_action_by_hand() -> None:
    """Mean 0.3, sigma 2, xi 0.1: u = 0.5. ln p(a) = ln N(0.5; 0.3, 2) - ln(1 - tanh(0.5)^2)."""
    policy = SquashedNormal(np.array([[0.3, math.log(2.0)]]), np.array([[0.1]]))
    normal = -0.5 * 0.1**2 - math.log(2.0) - 0.5 * math.log(2.0 * math.pi)
    assert policy.actions[0, 0] == pytest.approx(math.tanh(0.5))
    assert policy.log_probs[0] == pytest.approx(normal - math.log(1.0 - math.tanh(0.5) ** 2))


def test_densities_of_actions_integrate_to_one() -> None:
    a = np.linspace(-1.0, 1.0, 200_001)[1:-1, None]
    xi = (np.arctanh(a) - 0.4) / 0.7
    policy = SquashedNormal(np.tile([0.4, math.log(0.7)], (len(a), 1)), xi)
    assert np.exp(policy.log_probs).sum() * 1e-5 == pytest.approx(1.0, abs=1e-4)


def test_the_density_is_finite_where_tanh_is_one_but_for_rounding() -> None:
    policy = SquashedNormal(np.array([[40.0, 0.0]], np.float32), np.zeros((1, 1), np.float32))
    assert policy.actions[0, 0] == 1.0
    # ln(1 - tanh(u)^2) = ln 4 - 2 u, but for e^-80.
    expected = -0.5 * math.log(2.0 * math.pi) - (math.log(4.0) - 80.0)
    assert policy.log_probs[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("terms", [(1.0, 0.0), (0.0, 1.0), (0.7, -1.3)])
def test_the_policys_gradient_agrees_with_finite_differences(terms: tuple[float, float]) -> None:
    """Of a cost of actions and densities; a ln sigma beyond its bounds has no gradient."""
    rng = np.random.default_rng(0)
    outputs, xi, slopes = rng.normal(size=(B, 4)), rng.normal(size=(B, 2)), rng.normal(size=(B, 2))
    outputs[1, 2] = 3.0

    def cost() -> float:
        policy = SquashedNormal(outputs, xi)
        actions, log_probs = terms
        return float(actions * (slopes * policy.actions).sum() + log_probs * policy.log_probs.sum())

    policy = SquashedNormal(outputs, xi)
    analytic = policy.gradient(terms[0] * slopes, np.float64(terms[1]))
    assert analytic[1, 2] == 0.0
    numeric = numerical_gradient(cost, outputs.reshape(-1))
    assert relative_error(analytic.ravel(), numeric) < 1e-7


def test_the_target_by_hand() -> None:
    """y = r + gamma (the lesser target value of the new action - alpha ln pi)."""
    agent, batch = make_agent(), make_batch()
    xi = freeze(agent)
    for critic in agent.critics:
        critic.parameters[:] = 7.0  # the online ones must not matter
    policy = SquashedNormal(agent.actor.feedforward(batch.next_observations), xi)
    both = [q(each, batch.next_observations, policy.actions) for each in agent.target_critics]
    assert (both[0] < both[1]).any()
    assert (both[0] > both[1]).any()
    soft = np.minimum(*both) - 0.5 * policy.log_probs
    expected = batch.rewards + batch.discounts * soft
    np.testing.assert_allclose(agent.targets(batch), expected, rtol=1e-5)


def test_the_actors_gradient_agrees_with_finite_differences() -> None:
    """Of the mean of alpha ln pi(a|s) - min_i Q_i(s, a); each critic is the lesser somewhere."""
    agent = make_agent(np.float64, learn_alpha=False)
    agent.actor = NeuralNet((N, 6, 2 * K), "tanh", dtype=np.float64, seed=3)
    agent.optimizers[0] = SGD(agent.actor.parameters, agent.actor.gradients, learning_rate=0.0)
    agent.critics = [NeuralNet((N + K, 8, 1), "tanh", dtype=np.float64, seed=i) for i in (4, 5)]
    observations = make_batch(1).observations.astype(float)
    xi = freeze(agent)

    def both(policy: SquashedNormal) -> list[Array]:
        return [q(each, observations, policy.actions) for each in agent.critics]

    def cost() -> float:
        policy = SquashedNormal(agent.actor.feedforward(observations), xi)
        return float((0.5 * policy.log_probs - np.minimum(*both(policy))).mean())

    first, second = both(SquashedNormal(agent.actor.feedforward(observations), xi))
    assert 0 < (first < second).sum() < B
    agent.update_actor(observations)
    analytic = agent.actor.gradients.copy()
    numeric = numerical_gradient(cost, agent.actor.parameters)
    assert relative_error(analytic, numeric) < 1e-5  # alpha is rounded to single precision


@pytest.mark.parametrize(("target", "wanted"), [(None, -float(K)), (1.5, 1.5)])
def test_the_temperatures_update_by_hand(target: float | None, wanted: float) -> None:
    """At rate 1: ln alpha falls by the entropy less its target."""
    agent, batch = make_agent(target_entropy=target), make_batch()
    xi = freeze(agent)
    entropy = -SquashedNormal(agent.actor.feedforward(batch.observations), xi).log_probs.mean()
    agent.update_actor(batch.observations)
    assert agent.alpha == pytest.approx(math.exp(math.log(0.5) - (entropy - wanted)), rel=1e-5)
    assert agent.metrics()["alpha"] == agent.alpha
    assert agent.metrics()["entropy"] == pytest.approx(entropy)


def test_a_fixed_temperature_stays() -> None:
    agent = make_agent(learn_alpha=False)
    agent.update(make_batch())
    assert agent.alpha == pytest.approx(0.5)


def test_it_acts_by_the_squashed_mean() -> None:
    agent = make_agent()
    agent.actor.parameters[:] = 0.0
    agent.actor.biases = [np.array([0.5, -2.0, 1.0, 1.0])]
    np.testing.assert_allclose(
        agent.act(np.zeros((1, N), np.float32)), np.tanh([[0.5, -2.0]]), rtol=1e-6
    )


def test_discrete_actions_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "CartPole-v1", "--agent", "SAC", "--output", "nowhere"]) == 2
    said = capsys.readouterr().err
    assert "is SAC, which does not handle the discrete actions of CartPole-v1" in said
    assert said.count("\n") == 1


def test_noise_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It explores by its own policy."""
    arguments = ["run", "Pendulum-v1", "--agent", "SAC", "--set", "exploration.name=Gaussian"]
    assert main([*arguments, "--output", "nowhere"]) == 2
    assert "exploration is not used by SAC" in capsys.readouterr().err


@pytest.mark.parametrize("theta", [1.0, 0.1])
def test_it_explores_with_noise_that_is_as_correlated_as_wanted(theta: float) -> None:
    """Of means 0 and sigma 1, atanh(a) is xi: standard normal, with a correlation of 1 - theta."""
    agent = make_agent(theta=theta, learn_start=0)
    agent.actor.parameters[:] = 0.0
    state = np.zeros((1, N), np.float32)
    xi = np.arctanh(np.clip([agent.explore(state)[0, 0] for _ in range(20_000)], -0.99999, 0.99999))
    assert xi.std() == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(xi[1:], xi[:-1])[0, 1] == pytest.approx(1.0 - theta, abs=0.03)
