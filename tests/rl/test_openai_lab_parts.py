"""The parts of OpenAI Lab, against numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nn
from nn.typing import Array
from rl.agents.cells import Cells
from rl.environments import Transitions
from rl.environments.bounds import Bounds
from rl.exploration import Explorer
from rl.exploration.discrete import Greedy
from rl.exploration.noise import NoNoise
from rl.memory import Replay
from rl.openai_lab import exploration, noise
from rl.openai_lab.actor_critic import ActorCritic2017
from rl.openai_lab.branched import BranchedCritic
from rl.openai_lab.ddpg import DDPG2017
from rl.openai_lab.double_dqn import DoubleDQN2017, FreezeDQNOfBoth2017
from rl.openai_lab.dqn import (
    DQN2017,
    DeepExpectedSarsa2017,
    DeepSarsa2017,
    FreezeDQN2017,
    OffPolicySarsa2017,
)
from rl.openai_lab.engine import SGD2017, Adam2017, InverseTime, lecun_uniform
from rl.openai_lab.left_tail import LeftTail2017
from rl.openai_lab.memory import Prioritized2017
from rl.openai_lab.pictures import Atari2017
from rl.openai_lab.preprocessors import Difference2017, Stack2017
from rl.openai_lab.q_table import QTable2017
from rl.preprocessors import Picture

RATE = 0.1


def made(kind: Any, outputs: int = 2, explorer: Explorer | None = None, **settings: Any) -> Any:
    """An agent with a linear network of one input, all of it 0 but the biases."""
    network = nn.Network((1, outputs), seed=0)
    network.parameters[:] = 0.0
    optimizer = nn.SGD(network.parameters, network.gradients, learning_rate=RATE)
    memory = Replay(1, np.random.default_rng(0), Replay.Settings(capacity=9, batch_size=1))
    explorer = explorer or exploration.EpsilonGreedy2017(np.random.default_rng(0))
    return kind(network, optimizer, memory, explorer, kind.Settings(gamma=0.5, **settings))


def stored(agent: Any, reward: float = 1.0, discount: float = 0.5) -> Any:
    """A sample of one transition: s = 2, a = 1, s' = 4."""
    agent.memory.add(np.array([2.0]), 1, reward, discount, np.array([4.0]))
    return agent.memory.sample()


def biases(agent: Any, *values: float) -> None:
    agent.q.network.biases[-1][:] = values


VALUES = [  # of s' where Q(s', .) = (8, 4)
    (DQN2017, {}, 8.0),
    (OffPolicySarsa2017, {"eval_e": 0.25}, 0.75 * 8 + 0.25 * 6),
    (DeepExpectedSarsa2017, {}, 6.0),  # epsilon is 1
]


@pytest.mark.parametrize(("kind", "settings", "value"), VALUES)
def test_the_value_of_the_next_state(kind: Any, settings: dict[str, Any], value: float) -> None:
    agent = made(kind, **settings)
    biases(agent, 8.0, 4.0)
    assert agent.targets(stored(agent)) == pytest.approx([1.0 + 0.5 * value])


def test_sarsa_values_an_action_of_its_policy() -> None:
    agent = made(DeepSarsa2017)
    biases(agent, 8.0, 4.0)
    assert {float(agent.next_values(stored(agent))[0]) for _ in range(20)} == {8.0, 4.0}


def test_values_are_cut_at_ten_thousand() -> None:
    agent = made(DQN2017)
    biases(agent, 30_000.0, 4.0)
    assert agent.targets(stored(agent)) == [1.0 + 0.5 * 10_000]


def test_an_update_averages_the_squares_over_the_actions() -> None:
    """Q = (8, 4), y = 5: e = (0, -1); dC/dQ = 2 e / 2; b <- b - 0.1 dC/dQ, w likewise times s."""
    agent = made(DQN2017)
    biases(agent, 8.0, 4.0)
    agent.update(stored(agent))
    np.testing.assert_allclose(agent.q.network.biases[-1], [8.0, 4.1])
    np.testing.assert_allclose(agent.q.network.weights[-1], [[0.0, 0.2]], rtol=1e-6)


def test_the_frozen_target_is_copied_as_an_episode_ends() -> None:
    agent = made(FreezeDQN2017)
    biases(agent, 8.0, 4.0)
    agent.prepare(3, is_over=False)
    assert agent.next_values(stored(agent)) == [0.0]
    agent.prepare(4, is_over=True)
    assert agent.next_values(stored(agent)) == [8.0]


def test_a_frozen_target_may_have_a_say_in_what_is_done() -> None:
    """Q = (1, 0) and the frozen target (0, 3): the sum prefers the second action."""
    agent = made(FreezeDQNOfBoth2017, explorer=Greedy(np.random.default_rng(0)))
    biases(agent, 1.0, 0.0)
    agent.target.network.biases[-1][:] = 0.0, 3.0
    seen = np.zeros((1, 1), np.float32)
    assert agent.explore(seen).tolist() == agent.act(seen).tolist() == [1]
    state = agent.policy_state()
    biases(agent, 9.0, 0.0)
    agent.restore_policy(state)
    assert agent.values(seen).tolist() == [[1.0, 3.0]]


def test_two_networks_swap_roles_and_value_each_others_choice() -> None:
    """A = (8, 4), B = (1, 2): after the swap B learns, chooses 1, which A values at 4: y = 3."""
    agent = made(DoubleDQN2017)
    biases(agent, 8.0, 4.0)
    first = agent.q.network
    agent.target.network.biases[-1][:] = 1.0, 2.0
    np.testing.assert_allclose(agent.values(np.array([[0.0]])), [[9.0, 6.0]])
    agent.update(stored(agent))
    assert agent.target.network is first
    np.testing.assert_allclose(first.biases[-1], [8.0, 4.0])
    np.testing.assert_allclose(agent.q.network.biases[-1], [1.0, 2.0 + 0.1 * (3.0 - 2.0)])


def step(agent: Any, is_over: bool = False) -> int:
    """One step of its episode, which a time limit may end; returns the updates it makes."""
    one, no = np.ones((1, 1), np.float32), np.zeros(1, bool)
    before = agent.updates
    agent.observe(
        Transitions(one, np.array([1]), np.ones(1), one, no, np.array([is_over]), np.ones(1))
    )
    agent.learn()
    return int(agent.updates - before)


def test_minibatches_are_counted_in_episodes_and_calls_within_them() -> None:
    agent = made(DQN2017, n_epoch=3, train_per_n_new_exp=2)
    assert [step(agent) for _ in range(5)] == [0, 0, 2, 0, 2]
    assert step(agent, is_over=True) == 2
    assert agent.memory.sample().discounts is not None
    assert [step(agent) for _ in range(2)] + [step(agent, is_over=True)] == [0, 0, 2]
    for _ in range(4):
        assert [step(agent) for _ in range(2)] + [step(agent, is_over=True)] == [0, 0, 3]


def test_a_time_limit_is_terminal() -> None:
    agent = made(DQN2017)
    step(agent, is_over=True)
    assert agent.memory.sample().discounts == [0.0]


def walk(agent: Any, steps: int) -> None:
    """Step k of the session goes from observation k by action k to k + 1, with the reward k."""
    for k in range(steps):
        here, there = np.full((1, 1), k, np.float32), np.full((1, 1), k + 1, np.float32)
        no = np.array([False])
        agent.observe(Transitions(here, np.array([k % 2]), np.full(1, k), there, no, no, no * 1.0))


def test_the_first_two_steps_are_stored_as_one_behind_a_stack() -> None:
    agent = made(DQN2017, joins_first=True)
    walk(agent, 4)
    stored = agent.memory.records(0, 3)
    assert (agent.steps, agent.memory.added) == (4, 3)
    assert stored["observations"].ravel().tolist() == [0.0, 2.0, 3.0]
    assert stored["actions"].tolist() == [1, 0, 1]
    assert stored["rewards"].tolist() == [1.0, 2.0, 3.0]
    assert stored["next_observations"].ravel().tolist() == [2.0, 3.0, 4.0]


def test_the_first_four_steps_are_stored_as_one_behind_frames() -> None:
    agent = made(DQN2017, joins_first=True, joins=4)
    walk(agent, 5)
    stored = agent.memory.records(0, 2)
    assert (agent.steps, agent.memory.added) == (5, 2)
    assert stored["observations"].ravel().tolist() == [0.0, 4.0]
    assert stored["rewards"].tolist() == [3.0, 4.0]
    assert stored["next_observations"].ravel().tolist() == [4.0, 5.0]


@pytest.mark.parametrize("sides", [(210, 160), (50, 90)])
def test_a_frame_is_scipys(sides: tuple[int, int]) -> None:
    """Stretched to all tones, scaled by Pillow to 110 x 84, and cut at the bottom."""
    frame = np.random.default_rng(0).integers(20, 200, (*sides, 3)).astype(np.uint8)
    frame[sides[0] // 2 :, : sides[1] // 3] //= 2
    grey = frame @ np.array([0.299, 0.587, 0.114])
    tones = np.rint((grey - grey.min()) * 255 / (grey.max() - grey.min())).astype(np.uint8)
    scaled = Image.fromarray(tones).resize((84, 110), Image.Resampling.BILINEAR)
    raw = Picture((*sides, 3), False, True)
    view: Any = Atari2017(frame.size, raw=raw).for_lanes(1, learning=False)
    out = np.ones(view.size, np.uint8)
    view.start(0, frame.ravel(), out)
    frames = out.reshape(4, 84, 84).copy()
    assert not frames[:3].any()  # dark before the first
    assert np.abs(frames[3].astype(int) - np.asarray(scaled, int)[-84:]).max() <= 1
    view.follow(0, np.zeros_like(frame).ravel(), out)
    np.testing.assert_array_equal(out.reshape(4, 84, 84)[2], frames[3])
    assert not out.reshape(4, 84, 84)[3].any()  # of one tone alone


def test_several_lanes_are_refused() -> None:
    agent = made(DQN2017)
    with pytest.raises(ValueError, match="lanes must be 1"):
        DQN2017(agent.q.network, agent.optimizer, agent.memory, agent.exploration,
                agent.settings, 2)  # fmt: skip


@pytest.mark.parametrize("kind", [DQN2017, DoubleDQN2017])
def test_the_learning_rate_is_a_tenth_from_an_episode_on(kind: Any) -> None:
    agent = made(kind, epi_change_lr=1)
    step(agent), step(agent, is_over=True)
    assert agent.optimizer.learning_rate == RATE
    step(agent)
    rates = {agent.optimizer.learning_rate, getattr(agent, "other_optimizer", agent.optimizer)
             .learning_rate}  # fmt: skip
    assert rates == ({RATE / 10} if kind is DQN2017 else {RATE / 10, RATE})
    again = made(kind, epi_change_lr=1)
    again.restore(agent.state())
    assert again.optimizer.learning_rate == agent.optimizer.learning_rate


def test_the_actor_is_regressed_on_the_difference_of_values() -> None:
    """V(s) = w s + b with w = 1, b = 0: V(2) = 2, V(4) = 4; y = 3, delta = 2.

    Critic: dC/dV = 2 (2 - 3); w <- 1 + 0.1 * 2 * 2. Actor: f = (5, 7), e = (0, 5), df = 2 e / 2.
    """
    actor, critic = nn.Network((1, 2), seed=0), nn.Network((1, 1), seed=0)
    critic.parameters[:], actor.parameters[:] = 0.0, 0.0
    critic.weights[-1][:], actor.biases[-1][:] = 1.0, (5.0, 7.0)
    optimizers: list[nn.Optimizer] = [
        nn.SGD(each.parameters, each.gradients, learning_rate=RATE) for each in (actor, critic)
    ]
    memory = Replay(1, np.random.default_rng(0), Replay.Settings(capacity=9, batch_size=1))
    explorer = exploration.Boltzmann2017(np.random.default_rng(0))
    agent = ActorCritic2017((actor, critic), optimizers, memory, explorer)
    agent.update(stored(agent))
    np.testing.assert_allclose(critic.weights[-1], [[1.4]], rtol=1e-6)
    np.testing.assert_allclose(critic.biases[-1], [0.2], rtol=1e-6)
    np.testing.assert_allclose(actor.biases[-1], [5.0, 6.5], rtol=1e-6)
    assert [each.steps for each in optimizers] == [2, 2]


def swinging(output: str = "identity") -> DDPG2017:
    """An agent of one observation and one action in [-2, 2], whose actor is mu = w s / 2."""
    rng = np.random.default_rng(0)
    actor = nn.Network((1, 1), output=output, seed=0)
    critic = BranchedCritic((2, 2, 1), "identity", "identity", actions=1, unit=2.0, seed=0)
    optimizers = [nn.SGD(each.parameters, each.gradients, learning_rate=RATE)
                  for each in (actor, critic)]  # fmt: skip
    memory = Replay(1, rng, Replay.Settings(capacity=9, batch_size=2), np.zeros((0, 1), np.float32))
    settings = DDPG2017.Settings(unit=2.0, output=output)
    return DDPG2017(actor, [critic], optimizers, memory, NoNoise(rng), rng, settings)


def test_an_unbounded_actor_is_cut_as_it_acts_and_climbs_by_the_sum() -> None:
    """Q = 7 (2 a), so dQ/da = 14 for each of two states s = 3: w moves by 0.1 (2 * 14 * 3)."""
    agent = swinging()
    agent.actor.weights[0][:], agent.actor.biases[0][:] = 1.0, 0.0
    critic = agent.critics[0]
    critic.weights[0][:], critic.weights[1][:] = np.eye(2), [[0.0], [7.0]]
    seen = np.full((2, 1), 3.0, np.float32)
    assert agent.act(seen).tolist() == agent.explore(seen).tolist() == [[1.0], [1.0]]
    assert agent.greedy_policy.bound == "clip"
    agent.update_actor(seen)
    np.testing.assert_allclose(agent.actor.weights[0], [[1.0 + 0.1 * 2 * 14 * 3]], rtol=1e-6)


def test_no_state_of_the_table_is_terminal() -> None:
    """Q(s, .) = (2, 4) everywhere: the last step, too, moves 2 to 2 + 0.5 (1 + 0.9 * 4 - 2)."""
    explorer = exploration.EpsilonGreedy2017(np.random.default_rng(0))
    bounds = Bounds(np.zeros(1), np.ones(1), np.zeros(1, np.bool_), (1,))
    cells = Cells(bounds, (2,), 3.0, 2)
    agent = QTable2017(cells, 2, explorer, QTable2017.Settings(gamma=0.9, learning_rate=0.5))
    agent.table[:] = 2.0, 4.0
    one, over = np.full((1, 1), 0.8), np.array([True])
    agent.update(Transitions(one, np.array([0]), np.ones(1), one, over, ~over, np.ones(1)))
    np.testing.assert_allclose(agent.table, [[2.0, 4.0], [2.0 + 0.5 * 2.6, 4.0]])


def test_a_branched_critic_sees_states_and_actions_apart() -> None:
    """Q = v1 w1 s + v2 w2 (2 a), w = (3, 5), v = (7, 11), s = 1, a = 0.5: 21 + 55.

    dQ/dw = (v1 s, v2 2 a); dQ/da = 2 v2 w2.
    """
    critic = BranchedCritic((2, 2, 1), "identity", "identity", actions=1, unit=2.0, seed=0)
    assert critic.weights[0][0, 1] == critic.weights[0][1, 0] == 0.0
    critic.weights[0][0, 0], critic.weights[0][1, 1] = 3.0, 5.0
    critic.weights[1][:] = [[7.0], [11.0]]
    for each in (critic, critic.copy()):
        seen = np.array([[1.0, 0.5]], np.float32)
        np.testing.assert_allclose(each.forward(seen), [[76.0]])
        np.testing.assert_allclose(each.input_gradient(np.ones((1, 1)))[:, 1:], [[110.0]])
        each.forward(seen, training=True)
        each.backward(np.ones((1, 1), np.float32))
        np.testing.assert_allclose(each.gradients[:6], [7.0, 0.0, 0.0, 11.0, 7.0, 11.0])


def amounts(explorer: Any, returns: list[float]) -> list[float]:
    """The amount in each episode, from its second action on."""
    found, seen = [], np.zeros((1, 2), np.float32)
    for total in returns:
        explorer.choose(seen, 0)
        found.append(explorer.amount(0))
        explorer.ended(0, total)
    return found


RAMPS: list[tuple[Any, dict[str, Any], list[float], list[float]]] = [
    (exploration.EpsilonGreedy2017, {"init": 1.0, "final": 0.2, "episodes": 2},
     [0.0] * 4, [1.0, 0.6, 0.2, 0.2]),
    (exploration.Boltzmann2017, {"episodes": 3}, [0.0] * 5, [5.0, 3.5, 2.0, 0.5, 0.5]),
    (exploration.DecayingEpsilonGreedy2017, {}, [0.0] * 2, [0.9997, 0.9997**2]),
    (exploration.OscillatingEpsilonGreedy2017, {"init": 1.0, "final": 0.1, "episodes": 90},
     [0.0] * 20, [1 - e / 100 if e < 18 or e % 3 else 0.82 / 3 for e in range(20)]),
    (exploration.TargetedEpsilonGreedy2017, {"target": 10.0, "episodes": 9},
     [0.0, 8.0, 8.0], [1.0, 0.95, 0.9]),
    (noise.LinearNoise2017, {"episodes": 3}, [0.0] * 4, [1.0, 0.5, 1 / 3, 0.0]),
    (noise.GaussianNoise2017, {"sigma_min": 0.1, "episodes": 2}, [0.0] * 3, [0.3, 0.2, 0.1]),
    (noise.GaussianNoise2017, {}, [0.0] * 2, [0.3, 0.3]),
    (noise.EpsilonGreedyNoise2017, {"episodes": 9}, [0.0] * 2, [1.0, 0.9]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "returns", "expected"), RAMPS)
def test_exploration_is_counted_in_episodes(
    kind: Any, settings: dict[str, Any], returns: list[float], expected: list[float]
) -> None:
    explorer = kind(np.random.default_rng(0), kind.Settings(**settings))
    assert amounts(explorer, returns) == pytest.approx(expected)
    other = kind(np.random.default_rng(1), kind.Settings(**settings))
    other.restore(explorer.state())
    assert amounts(other, [1.0, 2.0]) == amounts(explorer, [1.0, 2.0])


def test_what_sarsa_draws_leaves_epsilon_alone() -> None:
    explorer = exploration.DecayingEpsilonGreedy2017(np.random.default_rng(0))
    agent = made(DeepSarsa2017, explorer=explorer)
    explorer.choose(np.zeros((1, 2)), 0)
    agent.next_values(stored(agent))
    assert explorer.amount(0) == 0.9997


def test_linear_noise_is_in_the_units_of_the_environment() -> None:
    kind = noise.LinearNoise2017
    explorer = kind(np.random.default_rng(0), kind.Settings(unit=2.0))
    np.testing.assert_allclose(explorer.choose(np.array([[-0.25, 0.75]]), 0), [[0.25, 1.0]])


def test_an_ornstein_uhlenbeck_process_starts_from_x0() -> None:
    kind = noise.OrnsteinUhlenbeck2017
    settings = kind.Settings(sigma=0.0, theta=0.5, dt=0.5, x0=0.8, mu=0.4)
    chosen = kind(np.random.default_rng(0), settings).choose(np.zeros((1, 1)), 0)
    np.testing.assert_allclose(chosen, [[0.8 + 0.5 * (0.4 - 0.8) * 0.5]])


def test_a_new_transition_has_the_priority_of_its_reward() -> None:
    settings = Prioritized2017.Settings(capacity=4, batch_size=8, epsilon=1.0, alpha=2.0 / 2)
    memory = Prioritized2017(1, np.random.default_rng(0), settings)
    for reward in (-2.0, 0.0):
        memory.add(np.zeros(1), 0, reward, 1.0, np.zeros(1))
    batch = memory.sample()  # of more transitions than there are: 3 of 4 parts are the first's
    assert sorted(batch.rewards) == [-2.0] * 6 + [0.0] * 2
    assert batch.weights is not None
    assert set(batch.weights) == {1.0}


def test_a_left_tailed_sample_ends_with_the_latest() -> None:
    """Of 12 in a ring of 10, 2 to 11 are there; o = 7 is number 9: |x| < 1 has P = 0.142."""
    settings = LeftTail2017.Settings(capacity=10, batch_size=9, newest=2)
    memory = LeftTail2017(1, np.random.default_rng(0), settings)
    for number in range(12):
        memory.add(np.zeros(1), 0, number, 1.0, np.zeros(1))
    drawn = np.array([memory.sample().rewards.copy() for _ in range(500)])
    assert (drawn[:, -2:] == [10, 11]).all()
    rest = drawn[:, :-2]
    assert (rest.min(), rest.max()) == (2, 9)
    expected = math.erf(1 / (0.8 * 7) / math.sqrt(2))
    assert np.mean(rest == 9) == pytest.approx(expected, abs=0.025)
    assert np.mean(rest == 2) == pytest.approx(1 - math.erf(7 / 5.6 / math.sqrt(2)), abs=0.03)


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [(Stack2017, [0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 4.0, 7.0]),
     (Difference2017, [1.0, 2.0], [3.0, 5.0])],
)  # fmt: skip
def test_zeros_precede_the_first_observation(
    kind: Any, first: list[float], second: list[float]
) -> None:
    seen = kind(2).for_lanes(1, learning=True)
    out: Array = np.empty(seen.size, np.float32)
    for _ in range(2):
        seen.start(0, np.array([1.0, 2.0]), out)
        assert out.tolist() == first
        seen.follow(0, np.array([4.0, 7.0]), out)
        assert out.tolist() == second


def test_what_keras_has() -> None:
    weights = lecun_uniform(3, 1000, np.random.default_rng(0))
    assert np.abs(weights).max() == pytest.approx(1.0, abs=0.01)
    assert InverseTime(start=6.0, decay=0.5)(4) == 2.0


STEPS = [  # two steps from 0 with the gradients 2 and 4
    # m = 1 and sqrt(v) = 2 sqrt(0.5), then m = 2.5 and v = 9; the bias is corrected by t alone
    (Adam2017, {"beta1": 0.5, "beta2": 0.5, "epsilon": 1.0},
     -math.sqrt(0.5) / 0.5 / (math.sqrt(2.0) + 1) - math.sqrt(0.75) / 0.75 * 2.5 / (3 + 1)),
    # v = -2, then 0.5 * -2 - 0.5 * 4
    (SGD2017, {"momentum": 0.5}, -2.0 - 3.0),
    (SGD2017, {"momentum": 0.5, "nesterov": True}, (-1.0 - 2.0) + (-1.5 - 2.0)),
    (SGD2017, {"nesterov": True}, -2.0 - 2.0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "end"), STEPS)
def test_steps_as_keras_takes_them(kind: Any, settings: dict[str, Any], end: float) -> None:
    """The rate of Adam is 1; that of SGD is 1, and then 1 / 2."""
    rate = 1.0 if kind is Adam2017 else InverseTime(start=1.0, decay=1.0)
    p, g = np.zeros(1), np.array([2.0])
    optimizer = kind(p, g, learning_rate=rate, **settings)
    optimizer.step()
    g[:] = 4.0
    optimizer.step()
    np.testing.assert_allclose(p, [end])
