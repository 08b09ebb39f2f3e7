"""The random agent: uniform among what is allowed, and the same in each repetition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl
from rl.agents import Random
from rl.environments import make_env
from rl.environments.actions import MultiDiscrete
from rl.environments.spaces import Discrete
from rl.errors import UserError
from rl.export import policy_of
from rl.session.evaluation import Evaluator
from rl.session.player import player_of
from rl.specification.build import build
from rl.specification.by_name import specification_of
from rl.watching.frames import Scene
from tests.contracts.cases import experiment, values

SEEN = np.zeros((30_000, 1), np.float32)


def make(actions: Any, seed: int = 0) -> Random:
    return Random(actions, np.random.default_rng(seed))


def test_actions_are_uniform_among_those_that_are_allowed() -> None:
    masks = np.tile(np.array([[True, False, True, True]]), (len(SEEN), 1))
    agent = make(Discrete(4))
    for act in (agent.explore, agent.act):
        counts = np.bincount(act(SEEN, masks), minlength=4) / len(SEEN)
        np.testing.assert_allclose(counts, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.01)


def test_so_is_each_of_several_at_once() -> None:
    agent = make(MultiDiscrete((2, 3), np.zeros(2, np.int64)))
    masks = np.tile(np.array([[True, True, False, True, True]]), (len(SEEN), 1))
    drawn = agent.explore(SEEN, masks)
    pairs = np.bincount(3 * drawn[:, 0] + drawn[:, 1], minlength=6) / len(SEEN)
    np.testing.assert_allclose(pairs, [0, 0.25, 0.25, 0, 0.25, 0.25], atol=0.01)
    assert agent.thoughts(SEEN[:1], masks[:1]).bars.tolist() == [0.5, 0.5, 0.0, 0.5, 0.5]


def test_a_moment_decides_whatever_the_lane() -> None:
    agent, other = make(Discrete(1_000)), make(Discrete(1_000), seed=1)
    moments = [(7, 0), (7, 1), (8, 0)]
    drawn = agent.act_at(moments, SEEN[:3])
    assert len(set(drawn.tolist())) == 3
    assert agent.act_at(moments[::-1], SEEN[:3]).tolist() == drawn[::-1].tolist()
    assert other.act_at(moments, SEEN[:3]).tolist() != drawn.tolist()
    other.restore_policy(agent.policy_state())
    assert other.act_at(moments, SEEN[:3]).tolist() == drawn.tolist()


def test_an_evaluation_repeats_itself_and_what_is_watched_is_what_was_evaluated() -> None:
    made = experiment(values("Random", None, problem="CliffWalking-v1"))
    player, problem = player_of(made), made.problem
    evaluator = Evaluator.of(problem, made.preprocessor, made.spaces.actions)
    evaluator._longest = 50
    seeds = range(12)
    one, other = (evaluator.play(made.agent, seeds) for _ in range(2))
    assert (one.returns, one.lengths) == (other.returns, other.lengths)
    assert len(set(one.returns)) > 1
    scene = Scene("CartPole-v1", player_of(cart := experiment(values("Random", Discrete))))
    played = scene.play(11)
    *_, last = scene.moments(11)
    assert (last.total, last.step) == (played.total, played.length)
    assert (
        Evaluator(lambda: make_env("CartPole-v1")).play(cart.agent, [3, 11]).returns[1]
        == played.total
    )
    assert player.act(0) in range(4)
    scene.close()


def test_it_runs_and_is_evaluated_without_an_update(tmp_path: Path) -> None:
    run = rl.train("CartPole-v1", agent="Random", steps=400, output=tmp_path / "run",
                   overrides={"train.evaluate_every": 200})  # fmt: skip
    assert run.outcome["updates"] == 0
    assert 9 <= run.outcome["evaluation"]["mean_return"] <= 60


def test_it_has_no_policy_to_export() -> None:
    with pytest.raises(UserError, match="Random cannot be exported: it has no greedy policy"):
        policy_of(player_of(experiment(values("Random", Discrete))))


@pytest.mark.parametrize("block", ["exploration.name=EpsilonGreedy", "network.hidden=[8]"])
def test_it_refuses_the_blocks_of_those_who_learn(block: str) -> None:
    with pytest.raises(UserError, match="is not used by Random; leave it out"):
        build(specification_of("CartPole-v1", None, [block], "Random"), 0)
