"""DQN and Double DQN: targets and updates by hand, and values that must come out exactly."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest

from nn import SGD, NeuralNet
from nn.gradient_check import numerical_gradient
from nn.typing import Array
from rl.agents import DQN, DeepExpectedSarsa, DeepSarsa, DoubleDQN
from rl.agents.values import dueling_gradient, dueling_values
from rl.environments import Environments, make_env
from rl.errors import Diverged
from rl.exploration import EpsilonGreedy, Greedy
from rl.memory import Batch, Replay
from tests.nn.test_allocation import WITHOUT_BUFFERS, measure
from tests.rl.conftest import quick, take_over
from tests.rl.worlds import Chain


def make_agent(
    kind: type[DQN] = DQN,
    sizes: tuple[int, ...] = (1, 3),
    batch_size: int = 2,
    learning_rate: float = 0.1,
    capacity: int = 5000,
    lanes: int = 1,
    **settings: Any,
) -> DQN:
    """An agent with plain gradient descent, its networks linear unless `sizes` says otherwise."""
    network = NeuralNet(sizes, seed=1)
    optimizer = SGD(network.parameters, network.gradients, learning_rate=learning_rate)
    memory = Replay(
        sizes[0],
        np.random.default_rng(3),
        Replay.Settings(capacity=capacity, batch_size=batch_size),
    )
    explorer = EpsilonGreedy(np.random.default_rng(4), EpsilonGreedy.Settings(start=1.0, end=1.0))
    return kind(network, optimizer, memory, explorer, kind.Settings(**settings), lanes)


def with_values(agent: DQN, online: list[float], target: list[float]) -> DQN:
    """Q(s) = s * online and Q_target(s) = s * target, for three actions."""
    for network, values in ((agent.q.network, online), (agent.target.network, target)):
        network.weights[0][:] = [values]
        network.biases[0][:] = 0.0
    return agent


# From s' = 2: online values 2, 6, 4 and target values 10, 4, 8. The online network prefers
# action 1, which the target network values at 4; the target network itself prefers action 0.
ONLINE, TARGET = [1.0, 3.0, 2.0], [5.0, 2.0, 4.0]


def next_value(kind: type[DQN]) -> float:
    agent = with_values(make_agent(kind), ONLINE, TARGET)
    agent.memory.add(np.array([1.0]), 0, 0.0, 0.5, np.array([2.0]))
    return float(agent.next_values(agent.memory.sample())[0])


def test_dqn_takes_the_target_networks_own_maximum() -> None:
    assert next_value(DQN) == 10.0


def test_double_dqn_chooses_online_and_values_by_the_target() -> None:
    assert next_value(DoubleDQN) == 4.0


def test_deep_sarsa_values_the_action_that_the_online_policy_takes_by_the_target() -> None:
    """Without exploration that is action 1; with nothing else, each third of the time another."""
    agent = with_values(make_agent(DeepSarsa, batch_size=3_000), ONLINE, TARGET)
    agent.memory.add(np.array([1.0]), 0, 0.0, 0.5, np.array([2.0]))
    found = agent.next_values(agent.memory.sample())
    shares = [float((found == value).mean()) for value in (10.0, 4.0, 8.0)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.03)
    agent.exploration = Greedy(np.random.default_rng(0))
    assert set(agent.next_values(agent.memory.sample())) == {4.0}


def test_deep_expected_sarsa_averages_over_its_policy() -> None:
    """Of 10, 4 and 8 with epsilon 0.3: 0.7 x 10 + 0.3 x 22/3 = 9.2."""
    assert next_value(DeepExpectedSarsa) == pytest.approx(22 / 3)
    agent = with_values(make_agent(DeepExpectedSarsa), ONLINE, TARGET)
    settings = EpsilonGreedy.Settings(start=0.3, end=0.3)
    agent.exploration = EpsilonGreedy(np.random.default_rng(0), settings)
    agent.memory.add(np.array([1.0]), 0, 0.0, 0.5, np.array([2.0]))
    np.testing.assert_allclose(agent.next_values(agent.memory.sample()), [9.2, 9.2], rtol=1e-6)


def learn_from(agent: DQN, reward: float, discount: float) -> None:
    """One update on a single transition: s = 1, action 2, s' = 2."""
    agent.memory.add(np.array([1.0]), 2, reward, discount, np.array([2.0]))
    agent.steps = 1
    agent.learn()


@pytest.mark.parametrize(
    ("kind", "discount", "clipped_error"),
    [
        (DQN, 0.25, 2.0 - 2.5),  # y = 0 + 0.25 * 10; Q(s, a) = 2
        (DoubleDQN, 0.25, 2.0 - 1.0),  # y = 0 + 0.25 * 4
        (DQN, 0.5, -1.0),  # y = 5: the error -3 is clipped
        (DQN, 0.0, 1.0),  # terminal: y = 0, the error 2 is clipped
    ],
)
def test_one_update_by_hand(kind: type[DQN], discount: float, clipped_error: float) -> None:
    agent = with_values(make_agent(kind, learn_start=0, learn_every=1, tau=0.5), ONLINE, TARGET)
    learn_from(agent, 0.0, discount)
    # dC/dw = error * s and dC/db = error for the chosen action alone; the rate is 0.1.
    moved = 2.0 - 0.1 * clipped_error
    np.testing.assert_allclose(agent.q.network.weights[0], [[1.0, 3.0, moved]], rtol=1e-6)
    np.testing.assert_allclose(agent.q.network.biases[0], [0, 0, -0.1 * clipped_error], rtol=1e-6)
    np.testing.assert_allclose(
        agent.target.network.weights[0], [[3.0, 2.5, (4.0 + moved) / 2]], rtol=1e-6
    )
    metrics = agent.metrics()
    error = {-0.5: 0.125, 1.0: 0.5 if kind is DoubleDQN else 1.5, -1.0: 2.5}[clipped_error]
    assert metrics["loss"] == pytest.approx(error)
    assert metrics["mean_q"] == pytest.approx(2.0)


def test_a_hard_update_copies_the_network_every_so_many_updates() -> None:
    agent = make_agent(learn_start=0, learn_every=1, target_every=3, tau=1.0)
    before = agent.target.network.parameters.copy()
    agent.memory.add(np.array([1.0]), 2, 1.0, 0.5, np.array([2.0]))
    for step in (1, 2):
        agent.steps = step
        agent.learn()
        np.testing.assert_array_equal(agent.target.network.parameters, before)
    agent.steps = 3
    agent.learn()
    np.testing.assert_array_equal(agent.target.network.parameters, agent.q.network.parameters)
    assert not np.array_equal(agent.target.network.parameters, before)


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_number_of_updates_depends_on_the_steps_and_not_on_the_lanes(lanes: int) -> None:
    agent = make_agent(sizes=(4, 2), lanes=lanes, learn_start=40, learn_every=4)
    play(agent, lambda: make_env("Chain-v0"), 120, lanes)
    assert agent.updates == 20


def play(agent: DQN, make: Any, steps: int, lanes: int = 1) -> Environments:
    environments = Environments(make, lanes, itertools.count())
    environments.reset()
    while agent.steps < steps:
        agent.observe(environments.step(agent.explore(environments.observations)))
        agent.learn()
    return environments


@pytest.mark.parametrize("kind", [DQN, DoubleDQN])
@pytest.mark.parametrize("lanes", quick(1, [1, 3]))
def test_the_learned_values_of_a_chain_are_the_exact_ones(kind: type[DQN], lanes: int) -> None:
    agent = make_agent(
        kind, (4, 2), batch_size=32, learning_rate=1.0, lanes=lanes,
        gamma=0.5, learn_start=100, learn_every=1, target_every=20, tau=1.0,
    )  # fmt: skip
    play(agent, lambda: make_env("Chain-v0"), 6000, lanes)
    np.testing.assert_allclose(agent.values(np.eye(4, dtype=np.float32)), Chain.VALUES, atol=5e-4)


class TerminatedAtTheLimit(gymnasium.Wrapper[Array, int, Array, int]):
    """The mistake: a time limit reported as a terminal state."""

    def step(self, action: int) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated or truncated, False, info


def steady_value(make: Any, n_step: int) -> float:
    agent = make_agent(
        DQN, (1, 2), batch_size=32, learning_rate=0.5, gamma=0.9, n_step=n_step, cost="quadratic",
        learn_start=50, learn_every=1, target_every=10, tau=1.0,
    )  # fmt: skip
    play(agent, make, 4000)
    return float(agent.values(np.ones((1, 1), np.float32)).mean())


@pytest.mark.parametrize("n_step", quick(1, [3, 1]))
def test_a_time_limit_is_bootstrapped_through(n_step: int) -> None:
    assert steady_value(lambda: make_env("Steady-v0"), n_step) == pytest.approx(10.0, abs=0.05)
    mistaken = steady_value(lambda: TerminatedAtTheLimit(make_env("Steady-v0")), n_step)
    assert mistaken < 5.0


def test_the_greedy_policy_can_be_an_average_that_learning_does_not_see() -> None:
    def learner(average_updates: int) -> DQN:
        return make_agent(
            sizes=(4, 2), learn_start=0, learn_every=1, average_updates=average_updates
        )

    agent, plain = learner(1000), learner(0)
    parameters: list[Array] = []
    for each in (agent, plain):
        environments = Environments(lambda: make_env("Chain-v0"), 1, itertools.count())
        environments.reset()
        for _ in range(45):
            each.observe(environments.step(each.explore(environments.observations)))
            each.learn()
            if each is agent and agent.updates % 10 == 0:
                parameters.append(agent.q.network.parameters.copy())
    np.testing.assert_array_equal(agent.q.network.parameters, plain.q.network.parameters)
    np.testing.assert_allclose(
        agent.policy.network.parameters, np.mean(parameters, axis=0), rtol=1e-5
    )
    state = np.eye(4, dtype=np.float32)
    assert not np.allclose(agent.values(state), agent.q.network.forward(state), atol=1e-4)
    np.testing.assert_array_equal(plain.values(state), plain.q.network.forward(state))


def test_a_restored_agent_goes_on_to_the_bit() -> None:
    def learner() -> DQN:
        return make_agent(sizes=(4, 8, 2), n_step=3, learn_start=10, learn_every=2, batch_size=8)

    agent, other = learner(), learner()
    environments = play(agent, lambda: make_env("Chain-v0"), 101)
    state, episodes = agent.state(), environments.state()
    other.restore(state)
    take_over(agent.memory, other.memory)
    assert agent.metrics() == other.metrics()
    copies = Environments(lambda: make_env("Chain-v0"), 1, itertools.count(1000))
    copies.restore(episodes)
    environments.seeds = itertools.count(1000)
    for each, world in ((agent, environments), (other, copies)):
        for _ in range(60):
            each.observe(world.step(each.explore(world.observations)))
            each.learn()
    np.testing.assert_array_equal(agent.q.network.parameters, other.q.network.parameters)
    np.testing.assert_array_equal(agent.target.network.parameters, other.target.network.parameters)


def test_a_loss_that_is_not_finite_stops_before_the_parameters_are_touched() -> None:
    agent = make_agent(learn_start=0, learn_every=1)
    agent.memory.add(np.array([1.0]), 2, np.inf, 0.5, np.array([2.0]))
    before = agent.q.network.parameters.copy()
    agent.steps = 1
    with np.errstate(invalid="ignore"), pytest.raises(Diverged, match="loss"):
        agent.learn()
    np.testing.assert_array_equal(agent.q.network.parameters, before)


@WITHOUT_BUFFERS
@pytest.mark.parametrize("kind", [DQN, DoubleDQN])
@pytest.mark.slow
def test_a_thousand_updates_keep_nothing(kind: type[DQN]) -> None:
    agent = make_agent(kind, (4, 64, 2), batch_size=2048, learn_start=0, average_updates=100)
    play(agent, lambda: make_env("Chain-v0"), 2)

    def update() -> None:
        agent.steps += agent.settings.learn_every
        agent.learn()

    retained, _ = measure(update, 1000)
    assert retained < 1024


def test_weights_that_are_not_finite_are_never_saved() -> None:
    agent = make_agent()
    agent.q.network.parameters[1] = np.nan
    with pytest.raises(Diverged, match="weights"):
        agent.policy_state()


def test_act_takes_the_greedy_actions() -> None:
    agent = with_values(make_agent(), ONLINE, TARGET)
    np.testing.assert_array_equal(agent.act(np.array([[1.0], [-1.0]])), [1, 0])


def test_its_thoughts_are_the_values_it_acts_by() -> None:
    agent = with_values(make_agent(average_updates=10), ONLINE, TARGET)
    agent.policy.network.weights[0][:] = [[2.0, 0.5, 7.0]]
    agent.policy.network.biases[0][:] = 0.0
    found = agent.thoughts(np.array([[2.0]], np.float32))
    np.testing.assert_allclose(found.bars, [4.0, 1.0, 14.0])
    assert (found.chosen, found.span, found.value) == (2, None, None)


def test_dueling_values_by_hand() -> None:
    """V = 10 and A = (1, 2, 6), whose mean is 3."""
    np.testing.assert_allclose(dueling_values(np.array([[10.0, 1.0, 2.0, 6.0]])), [[8, 9, 13]])


def test_the_dueling_gradient_agrees_with_central_differences() -> None:
    rng = np.random.default_rng(0)
    outputs, weights = rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    numeric = numerical_gradient(
        lambda: float((dueling_values(outputs) * weights).sum()), outputs.reshape(-1)
    )
    np.testing.assert_allclose(dueling_gradient(weights).ravel(), numeric, rtol=1e-7)


@pytest.mark.slow
def test_a_dueling_agent_learns_what_a_plain_one_does() -> None:
    agent = make_agent(
        DQN, (4, 3), batch_size=32, learning_rate=0.5,
        gamma=0.5, learn_start=100, learn_every=1, target_every=20, tau=1.0, dueling=True,
    )  # fmt: skip
    play(agent, lambda: make_env("Chain-v0"), 8000)
    np.testing.assert_allclose(agent.values(np.eye(4, dtype=np.float32)), Chain.VALUES, atol=2e-3)


def test_importance_weights_scale_each_error() -> None:
    """Errors of 1 and 3, weights of 1 and 1/2, plain gradient descent on two separate states."""
    agent = make_agent(sizes=(2, 1), learning_rate=1.0, cost="quadratic", max_gradient_norm=1e9)
    agent.q.network.parameters[:] = agent.target.network.parameters[:] = 0.0
    batch = Batch(
        np.eye(2, dtype=np.float32), np.zeros(2, np.int64), np.array([1.0, 3.0], np.float32),
        np.zeros(2, np.float32), np.eye(2, dtype=np.float32), np.array([1.0, 0.5], np.float32),
    )  # fmt: skip
    agent.update(batch)
    np.testing.assert_allclose(agent.q.network.weights[0][:, 0], [1.0 / 2, 3.0 * 0.5 / 2])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("gamma", 1.5),
        ("n_step", 0),
        ("learn_start", -1),
        ("learn_every", 0),
        ("target_every", 0),
        ("tau", 0.0),
        ("tau", 1.5),
        ("average_updates", -1),
        ("max_gradient_norm", 0.0),
        ("cost", "hubr"),
    ],
)
def test_impossible_settings_are_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=setting):
        make_agent(**{setting: value})
