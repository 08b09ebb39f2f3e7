"""The cross-entropy method: a generation by hand, and who plays what in which lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn import Network
from rl.agents import CEM
from rl.environments import Transitions
from rl.environments.spaces import Discrete
from rl.errors import Diverged, UserError
from rl.specification.build import build
from rl.specification.by_name import specification_of
from tests.contracts.cases import Play, experiment, values


def make(lanes: int = 1, **settings: Any) -> CEM:
    """Two preferences of one input: four parameters."""
    given = CEM.Settings(**{"population": 4, "elite": 0.5, **settings})
    return CEM(Network((1, 2)), Discrete(2), np.random.default_rng(0), given, lanes)


def end(agent: CEM, *returns: float | None) -> None:
    """A step after which the lanes' episodes end with these returns; None goes on."""
    lanes, none = len(returns), np.zeros((len(returns), 1), np.float32)
    ended = np.array([each is not None for each in returns])
    totals = np.array([each or 0.0 for each in returns])
    agent.observe(Transitions(none, np.zeros(lanes, np.int64), np.zeros(lanes), none, ended,
                              np.zeros(lanes, np.bool_), totals))  # fmt: skip
    agent.learn()


def test_two_generations_by_hand() -> None:
    """The elite is 3 and 5: mean 4 and variance 1, and noise of 0.6, then of 0.6 (1 - 1/10)."""
    agent = make(noise=0.6, noise_generations=10)
    members = np.array([1.0, 3.0, 5.0, 100.0])[:, None] * np.array([1.0, 2.0, 0.0, -1.0])
    returns = np.array([2.0, 9.0, 7.0, 1.0])
    agent.update(members, returns)
    np.testing.assert_allclose(agent.mean, [4.0, 8.0, 0.0, -4.0])
    np.testing.assert_allclose(agent.std**2, [1.6, 4.6, 0.6, 1.6])
    np.testing.assert_allclose(agent.network.parameters, agent.mean)
    assert agent.metrics()["mean_return"] == 4.75
    assert agent.metrics()["elite_return"] == 8.0
    agent.update(members, returns)
    np.testing.assert_allclose(agent.std**2, [1.54, 4.54, 0.54, 1.54])
    agent.updates = 30
    agent.update(members, returns)
    np.testing.assert_allclose(agent.std**2, [1.0, 4.0, 0.0, 1.0])


def test_each_lane_plays_a_member_of_its_own_and_the_greedy_policy_is_the_mean() -> None:
    agent = make(lanes=2)
    agent.network.parameters[:] = 0.0
    for member, preferred in zip(agent.members, (1, 0), strict=True):
        member.parameters[:] = 0.0
        member.biases[0][preferred] = 1.0
    seen = np.zeros((2, 1), np.float32)
    assert agent.explore(seen).tolist() == [1, 0]
    agent.network.biases[0][1] = 1.0
    assert agent.act(seen).tolist() == [1, 1]


def test_a_generation_counts_the_episodes_that_have_ended() -> None:
    """Those of both lanes; a lane that goes on keeps its member into the next generation."""
    agent = make(lanes=2)
    first, kept = (each.parameters.copy() for each in agent.members)
    for total in (3.0, 1.0, 2.0):
        end(agent, total, None)
    assert agent.updates == 0
    np.testing.assert_array_equal(agent.members[1].parameters, kept)
    third = agent.members[0].parameters.copy()
    end(agent, 9.0, None)  # the elite are the first and this one
    assert agent.updates == 1
    np.testing.assert_allclose(agent.mean, (first.astype(float) + third) / 2)
    end(agent, None, 5.0)
    assert agent.updates == 1
    assert len(agent._tried) == 1
    np.testing.assert_array_equal(agent._tried[0], kept)


def test_new_members_come_from_the_new_distribution() -> None:
    agent = make(noise=0.0, std=1.0, population=2, elite=0.5)
    end(agent, 1.0)
    end(agent, 2.0)  # an elite of one has no variance
    np.testing.assert_array_equal(agent.members[0].parameters, agent.network.parameters)


def test_a_return_that_is_no_number_ends_the_search() -> None:
    agent = make(population=2)
    end(agent, 1.0)
    with pytest.raises(Diverged, match="return of a member: not finite at update 0"):
        end(agent, np.nan)


def test_a_masked_action_is_no_thought() -> None:
    agent = make()
    agent.network.biases[0][:] = [1.0, 3.0]
    thoughts = agent.thoughts(np.zeros((1, 1), np.float32), np.array([[True, False]]))
    assert thoughts.chosen == 0
    np.testing.assert_array_equal(thoughts.bars, [1.0, np.nan])


def test_it_climbs() -> None:
    """A policy of CartPole without a search holds it for some 22 steps."""
    given = values("CEM", None, problem="CartPole-v1", agent={"population": 20, "elite": 0.2},
                   network={"hidden": []}, train={"steps": 90_000, "lanes": 4})  # fmt: skip
    play = Play(experiment(given))
    while play.agent.updates < 5:
        play.steps(10)
    assert play.agent.metrics()["elite_return"] > 66


@pytest.mark.parametrize(
    ("given", "said"),
    [({"optimizer.learning_rate": 0.1}, "optimizer is not used by CEM; leave it out"),
     ({"exploration.name": "Gaussian"}, "exploration is not used by CEM"),
     ({"agent.population": 1}, "agent.population must be at least 2, not 1"),
     ({"agent.elite": 0}, r"agent.elite must lie in \(0, 1\], not 0"),
     ({"agent.population": 10**15}, "agent.population of 10+ would need .* GB of memory"),
     ({"train.steps": 40}, "the agent first learns after 50 steps")],
)  # fmt: skip
def test_what_a_search_refuses(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(specification_of("CartPole-v1", None, given, "CEM"), 0)
