"""Action masks: no agent takes, values or exports an action that its environment does not allow."""

from __future__ import annotations

import itertools
import math
import runpy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import rl
from rl.agents import A2C, AGENTS, DQN, QRDQN, DoubleDQN
from rl.agents.distributions import Categorical, masked
from rl.environments import Environments, make_env
from rl.environments.actions import actions_of, combined
from rl.environments.rules import Breach
from rl.environments.spaces import Continuous
from rl.errors import BrokenEnvironment
from rl.exploration import DISCRETE_EXPLORERS, EpsilonGreedy
from rl.export import FORMATS, export, policy_of
from rl.memory import Prioritized, Replay
from rl.session.evaluation import Evaluator
from rl.session.player import player_of
from rl.session.transition_log import TransitionLog
from tests.contracts.cases import Play, assert_same, experiment, mellow_dqn, values
from tests.rl.conftest import take_over
from tests.rl.gates import SPACES, Gated
from tests.rl.test_dqn import make_agent, with_values

DISCRETE = [name for name, agent in AGENTS.items() if agent.kinds != (Continuous,)]
NEEDED = {"TargetEpsilonGreedy": {"target": 9.0}}  # what an explorer must be told


def given(name: str, problem: str, lanes: int = 2, **blocks: Any) -> dict[str, Any]:
    return values(name, None, problem=problem, train={"steps": 1_000, "lanes": lanes}, **blocks)


@pytest.mark.parametrize("problem", SPACES)
@pytest.mark.parametrize("name", DISCRETE)
def test_no_agent_takes_a_forbidden_action(name: str, problem: str) -> None:
    """The environment raises if one does."""
    for lanes in (1, 3):
        play = Play(experiment(given(name, problem, lanes)))
        play.steps(60)
        assert play.agent.updates > 1 or name == "Random"
        for _ in range(15):
            play.environments.step(play.agent.act(*play.environments.seen))
            thoughts = play.agent.thoughts(*(each[:1] for each in play.environments.seen))
            if thoughts.chosen is not None:
                assert np.isfinite(thoughts.bars[np.array(thoughts.chosen)]).all()


def test_an_agent_that_is_not_told_takes_one() -> None:
    play = Play(experiment(given("DQN", "Gated-v0")))
    actions = (play.agent.explore(play.environments.observations) for _ in range(50))
    with pytest.raises(BrokenEnvironment, match="Forbidden"):
        [*map(play.environments.step, actions)]


@pytest.mark.parametrize(("memory", "n_step"), [("Replay", 1), ("Prioritized", 3)])
@pytest.mark.parametrize("explorer", DISCRETE_EXPLORERS)
def test_whatever_the_memory_and_the_explorer(explorer: str, memory: str, n_step: int) -> None:
    play = Play(
        experiment(
            given(
                "QRDQN",
                "Gated-v0",
                agent={"n_step": n_step},
                memory={"name": memory, "capacity": 50, "batch_size": 8},
                exploration={"name": explorer, **NEEDED.get(explorer, {})},
            )
        )
    )
    play.steps(80)
    assert np.isfinite([*play.agent.metrics().values()]).all()


@pytest.mark.parametrize("problem", ["Gated-v0", "GatedSeveral-v0"])
@pytest.mark.parametrize("name", ["DQN", "PPO"])
def test_an_agent_and_its_masks_go_on_to_the_bit(name: str, problem: str) -> None:
    one, other = Play(experiment(given(name, problem))), Play(experiment(given(name, problem), 7))
    one.steps(43)
    other.steps(21)
    other.agent.restore(one.agent.state())
    if one.agent.replay is not None and other.agent.replay is not None:
        take_over(one.agent.replay, other.agent.replay)
    other.environments.restore(one.environments.state())
    np.testing.assert_array_equal(one.environments.masks, other.environments.masks)
    one.environments.seeds, other.environments.seeds = iter(range(99)), iter(range(99))
    for each in (one, other):
        each.steps(45)
    assert_same(one.agent.state(), other.agent.state())


# In s' = 2 the online values are 2, 6, 4 and the target values 10, 4, 8.
# Mellowmax of 4 and 8 is 8 + ln((1 + exp(-4)) / 2).
ONLINE, TARGET = [1.0, 3.0, 2.0], [5.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("kind", "mask", "value"),
    [(DQN, [1, 1, 1], 10.0), (DQN, [0, 1, 1], 8.0), (DQN, [0, 1, 0], 4.0),
     (DoubleDQN, [1, 1, 1], 4.0), (DoubleDQN, [1, 0, 1], 8.0), (DoubleDQN, [1, 0, 0], 10.0),
     (mellow_dqn(), [0, 1, 1], 7.325), (mellow_dqn(), [0, 1, 0], 4.0)],
)  # fmt: skip
def test_what_follows_is_worth_its_best_allowed_action(
    kind: type[DQN], mask: list[int], value: float
) -> None:
    agent = with_values(make_agent(kind), ONLINE, TARGET)
    agent.memory = Replay(1, np.random.default_rng(0), Replay.Settings(batch_size=2), masks=3)
    agent.memory.add(np.ones(1), 0, 0.0, 0.5, np.full(1, 2.0), np.array(mask, bool))
    expected = pytest.approx([value, value], rel=1e-5)
    assert agent.next_values(agent.memory.sample()) == expected
    assert 2 * agent.targets(agent.memory.sample()) == expected


def test_quantiles_of_the_best_allowed_action() -> None:
    """Two quantiles of three actions: 1 and 3, 4 and 6, 2 and 5; the second may not be taken."""
    made = experiment(given("QRDQN", "Gated-v0", agent={"quantiles": 2}))
    agent = made.agent
    assert isinstance(agent, QRDQN)
    network = agent.target.network
    network.parameters[:] = 0.0
    network.biases[-1][:] = [1, 3, 4, 6, 2, 5, 0, 0, 0, 0]
    for _ in range(8):
        agent.memory.add(np.zeros(5), 0, 0.0, 0.5, np.zeros(5), np.array([1, 0, 1, 1, 1], bool))
    assert agent.next_values(agent.memory.sample())[0].tolist() == [2.0, 5.0]


def test_a_random_action_is_uniform_among_those_allowed() -> None:
    explorer = EpsilonGreedy(np.random.default_rng(0), EpsilonGreedy.Settings(start=1.0, end=1.0))
    values = np.tile([3.0, -np.inf, 2.0, -np.inf, 1.0], (30_000, 1))
    shares = np.bincount(explorer.choose(values, 0), minlength=5) / 30_000
    np.testing.assert_allclose(shares, [1 / 3, 0, 1 / 3, 0, 1 / 3], atol=0.01)


def test_a_masked_categorical_by_hand() -> None:
    """Shares of 1, 2 and 5 without the last: 1/3 and 2/3; the last has no part in anything."""
    outputs = masked(np.log([[1.0, 2.0, 5.0]]).astype(np.float32), np.array([[1, 1, 0]], bool))
    policy = Categorical()
    with np.errstate(all="raise", under="ignore"):
        log_prob = policy.at(outputs).log_prob(np.array([1]))[0]
        gradient = policy.at(outputs).gradient(np.array([1]), np.array([2.0], np.float32), 0.5)[0]
        entropy = policy.at(outputs).entropy()[0]
    assert log_prob == pytest.approx(math.log(2 / 3))
    assert entropy == pytest.approx(math.log(3) - 2 / 3 * math.log(2))
    # -(w (1[j = a] - p_j) - eta p_j (ln p_j + H)), worked out for p = (1/3, 2/3).
    first = 2 / 3 + 0.5 / 3 * (-math.log(3) + entropy)
    np.testing.assert_allclose(gradient, [first, -first, 0.0], rtol=1e-5)
    assert gradient[2] == 0.0
    drawn = policy.sample(np.repeat(outputs, 9_000, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / 9_000, [1 / 3, 2 / 3], atol=0.02)


def test_an_update_leaves_what_is_never_allowed_alone() -> None:
    play = Play(experiment(given("A2C", "Gated-v0", lanes=1, agent={"entropy_weight": 0.1})))
    agent = play.agent
    assert isinstance(agent, A2C)
    biases = agent.networks["actor"].biases[-1]
    before = biases.copy()
    taken = {0}
    while not agent.updates:
        transitions = play.environments.step(agent.explore(*play.environments.seen))
        did = int(transitions.actions[0])
        transitions.masks = np.isin(np.arange(5), (0, did))[None]
        agent.observe(transitions)
        taken.add(did)
        agent.learn()
    moved = set(np.flatnonzero(biases != before).tolist())
    assert moved == taken != {0, 1, 2, 3, 4}


@pytest.mark.parametrize("memory", [Replay, Prioritized])
def test_a_memory_gives_masks_back(memory: type[Replay]) -> None:
    """Eleven entries take two bytes."""
    made = memory(1, np.random.default_rng(0), memory.Settings(capacity=4, batch_size=4), masks=11)
    masks = np.random.default_rng(1).random((6, 11)) < 0.5
    for number, mask in enumerate(masks):
        made.add(np.ones(1), number, 0.0, 1.0, np.ones(1), mask)
    batch = made.sample()
    assert batch.next_masks is not None
    np.testing.assert_array_equal(batch.next_masks, masks[batch.actions])
    assert made.records(2, 6).dtype["next_masks"].shape == (2,)
    plain = memory(1, np.random.default_rng(0), memory.Settings(capacity=4, batch_size=4))
    assert "next_masks" not in (plain.record_type.names or ())


def test_transitions_without_masks_do_not_pass_for_others(tmp_path: Path) -> None:
    """As a run has them whose environment did not give any, or whose version did not use them."""
    settings = Replay.Settings(capacity=8, batch_size=1)
    plain, other = (Replay(1, np.random.default_rng(0), settings, masks=masks) for masks in (0, 3))
    for number in range(4):
        plain.add(np.ones(1), number, 0.0, 1.0, np.ones(1))
    log = TransitionLog(tmp_path, plain)
    log.write()
    marks = log.marks()
    log.close()
    TransitionLog(tmp_path, plain).load(marks)
    with pytest.raises(ValueError, match="its transitions have another size"):
        TransitionLog(tmp_path, other).load(marks)


def test_the_evaluation_of_a_masked_environment() -> None:
    made = experiment(given("DQN", "GatedSeveral-v0"))
    evaluator = Evaluator(lambda: make_env("GatedSeveral-v0"), actions=made.spaces.actions)
    assert evaluator.play(made.agent, range(12)).episodes == 12
    evaluator.close()


def test_rl_evaluate_plays_with_masks_and_without() -> None:
    """A policy of somebody's own may know of none."""

    class South:
        def act(self, observations: Any) -> Any:
            return np.zeros(len(observations), np.int64)

    assert rl.evaluate(South(), "Taxi-v4", episodes=1).episodes == 1
    player = player_of(experiment(given("DQN", "GatedSeveral-v0")))
    assert rl.evaluate(player, episodes=3).episodes == 3
    assert rl.evaluate(player, make_env("GatedSeveral-v0"), episodes=3).episodes == 3


NOTHING = object()


class Saying(Gated):
    """Says something else beside the second observation, or the first."""

    def __init__(self, said: Any, at: int, space: Any) -> None:
        super().__init__(spaces.Discrete(3) if space is None else space)
        self.said, self.at = said, at

    def reset(self, **settings: Any) -> Any:
        self.step_number = -1
        return super().reset(**settings)

    def info(self) -> dict[str, Any]:
        self.step_number += 1
        said = self.said if self.step_number == self.at else self.mask
        return {} if said is NOTHING else {"action_mask": said}


WRONG = [
    ([1, 1], "must have 3 entries, not the shape [2]"),
    (np.ones((1, 3)), "must have 3 entries, not the shape [1, 3]"),
    (1, "must have 3 entries, not the shape []"),
    ([0, 0, 0], "must allow an action, and allows none"),
    ([0, 2, 1], "must be made of 0 and 1, but is [0 2 1]"),
    ([0.5, 1, 1], "must be made of 0 and 1"),
    ([math.nan, 1, 1], "must be made of 0 and 1"),
    ("all", "must be made of 0 and 1, but is 'all'"),
    ({0: 1}, "must be made of 0 and 1, but is {0: 1}"),
    ([None, 1, 1], "must be made of 0 and 1"),
    ([[1], [1, 0]], "must be made of 0 and 1, but is [[1], [1, 0]]"),
]


def play(environments: Environments) -> None:
    """Two allowed steps."""
    environments.reset()
    for _ in range(2):
        masks = environments.masks
        environments.step(np.zeros(1, int) if masks is None else masks.argmax(axis=1))


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(("said", "complaint"), WRONG)
def test_what_is_no_mask_is_said_in_one_line(said: Any, complaint: str, at: int) -> None:
    environments = Environments(lambda: Saying(said, at, None), 1, itertools.count(7))
    with pytest.raises(BrokenEnvironment) as caught:
        play(environments)
    assert f"info['action_mask'] {complaint}" in str(caught.value)
    assert f"at step {at} of the episode with seed 7" in str(caught.value)


@pytest.mark.parametrize(("at", "said"), [(1, NOTHING), (0, NOTHING), (1, None)])
def test_a_mask_is_given_always_or_never(at: int, said: Any) -> None:
    environments = Environments(lambda: Saying(said, at, None), 1, itertools.count(7))
    with pytest.raises(BrokenEnvironment, match="must come with reset and each step, or never"):
        play(environments)


MASKS = ([1, 0, 1], (1, 0, 1), np.array([True, False, True]), np.array([1.0, 0, 1]), [1, 0, True])


@pytest.mark.parametrize("said", MASKS)
def test_what_can_be_taken_for_a_mask_is(said: Any) -> None:
    environments = Environments(lambda: Saying(said, 0, None), 1, itertools.count(7))
    environments.reset()
    assert environments.masks is not None
    assert environments.masks.tolist() == [[True, False, True]]


A, B = np.array([1, 0]), np.array([0, 1, 1])
FLAT = [True, False, False, True, True]


@pytest.mark.parametrize(
    ("space", "said", "mask"),
    [
        (spaces.MultiDiscrete([2, 3]), (A, B), FLAT),
        (spaces.MultiDiscrete([2, 3]), [[1, 0], [0, 1, 1]], FLAT),
        (spaces.MultiDiscrete([2, 3]), np.concatenate([A, B]), FLAT),
        (spaces.MultiDiscrete(np.array([[2], [3]])), ((A,), (B,)), FLAT),
        (spaces.MultiDiscrete([2, 2]), np.array([[1, 0], [0, 1]]), [True, False, False, True]),
        (spaces.MultiBinary(2), np.array([2, 0], np.int8), [True, True, True, False]),
        (spaces.MultiBinary(2), np.array([1, 1], np.int8), [False, True, False, True]),
        (spaces.MultiBinary(2), np.array([1, 1, 1, 0]), [True, True, True, False]),
        (spaces.MultiDiscrete([2, 3]), (B, A), "must have masks of [2, 3] entries, not [3, 2]"),
        (spaces.MultiDiscrete([2, 3]), (A,), "must have 5 entries"),
        (spaces.MultiDiscrete([2, 3]), np.array(1), "must have 5 entries"),
        (spaces.MultiDiscrete([2, 3]), (A, np.array(1)), "must have masks of [2, 3] entries"),
        (spaces.MultiDiscrete([2, 3]), (A, None), "must have masks of [2, 3] entries, not [2, 1]"),
        (spaces.MultiDiscrete([2, 3]), (A, 0 * B), "must allow an action, and allows none"),
        (spaces.MultiBinary(2), np.array([3, 0]), "must be made of 0, 1 and 2"),
    ],
)
def test_masks_of_several_actions(space: Any, said: Any, mask: Any) -> None:
    actions: Any = actions_of(space)
    if isinstance(mask, list):
        assert actions.mask(said).tolist() == mask
    else:
        with pytest.raises(Breach) as caught:
            actions.mask(said)
        assert mask in str(caught.value)


def test_a_combination_is_allowed_if_each_of_its_actions_is() -> None:
    actions: Any = actions_of(spaces.MultiDiscrete([2, 3], start=[5, 1]))
    combinations = combined(actions)
    mask = combinations.mask((A, B))
    allowed = [combinations.for_environment(n).tolist() for n in np.flatnonzero(mask)]
    assert allowed == [[5, 2], [5, 3]]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("problem", SPACES)
@pytest.mark.parametrize("name", ["DQN", "A2C"])
def test_an_exported_policy_takes_the_mask(
    name: str, problem: str, format: str, tmp_path: Path
) -> None:
    made = experiment(given(name, problem))
    play, player = Play(made), player_of(made)
    play.steps(40)
    file = tmp_path / f"policy{FORMATS[format].suffix}"
    export(policy_of(player), FORMATS[format], "a test", file)
    if format == "onnx":
        runtime = pytest.importorskip("onnxruntime", reason="ONNX is an extra: .[onnx]")
        session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

        def act(seen: Any, mask: Any = None) -> Any:
            given = {"observation": seen[None], "mask": np.array([mask], bool)}
            return session.run(["action"], given)[0][0]
    else:
        act = runpy.run_path(str(file.with_suffix(".py")))["act"]
        for seen in np.random.default_rng(1).random((5, made.spaces.observation_size)):
            np.testing.assert_array_equal(act(seen), player.act(seen))
    env: Any = gymnasium.make(problem)
    for seed in range(60):
        seen, info = env.reset(seed=seed)
        action = act(seen, info["action_mask"])
        np.testing.assert_array_equal(action, player.act(seen, info["action_mask"]))
        env.step(np.asarray(action, env.action_space.dtype))


def test_a_player_refuses_what_is_no_mask() -> None:
    player = player_of(experiment(given("DQN", "Gated-v0")))
    with pytest.raises(ValueError, match="must have 5 entries"):
        player.act(np.zeros(5), [1, 0])
