"""Rewards that are scaled when they are sampled: by hand, and that their scale does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rl.agents.reward_scale import RewardScale
from rl.environments.spaces import Continuous, Discrete
from tests.contracts.cases import Play, assert_same, experiment, values
from tests.rl import worlds  # noqa: F401  registers the problems


def test_the_factor_by_hand() -> None:
    """gamma 1/2, rewards 2, 4: returns 2 and 5 of deviation 3/2; then another episode's 6."""
    scale = RewardScale(3.0, 0.5, lanes=2)
    assert scale.factor == 3.0
    scale.add(1, 2.0, False)
    scale.add(1, 4.0, True)
    assert scale.factor == pytest.approx(3.0 / 1.5)
    scale.add(1, 6.0, False)
    assert scale.factor == pytest.approx(3.0 / np.std([2.0, 5.0, 6.0]))
    scale.add(0, 1.0, False)
    scale.abandon(1)
    scale.add(1, 1.0, False)
    assert scale.factor == pytest.approx(3.0 / np.std([2.0, 5.0, 6.0, 1.0, 1.0]))


def test_returns_that_are_all_the_same_leave_rewards_in_their_scale() -> None:
    scale = RewardScale(1.0, 0.0, lanes=1)
    for _ in range(3):
        scale.add(0, 5.0, False)
    assert scale.factor == 1.0


@pytest.mark.parametrize(("name", "kind"), [("DQN", Discrete), ("SAC", Continuous)])
def test_the_scale_of_rewards_changes_no_bit(name: str, kind: Any) -> None:
    """A power of two, which changes no digit."""
    agents = []
    for scale in (1.0, 1024.0):
        given: dict[str, Any] = values(
            name, kind, agent={"return_std": 10.0},
            preprocessor={"reward_scale": scale},
        )  # fmt: skip
        play = Play(experiment(given))
        play.steps(60)
        agents.append(play.agent)
    one, other = agents
    assert one.updates > 50
    assert_same(one.policy_state(), other.policy_state())


def test_what_is_scaled_is_sampled_and_not_stored() -> None:
    play = Play(experiment(values("DQN", Discrete, agent={"return_std": 7.0})))
    play.steps(40)
    agent: Any = play.agent
    assert set(agent.memory._stored.rewards[:40].tolist()) == {1.0}  # CartPole's
    seen: list[Any] = []

    def update(batch: Any) -> None:
        seen.append(batch.rewards)
        agent.updates += 1

    agent.update = update
    agent.updates -= 1
    agent.learn()
    np.testing.assert_allclose(seen, np.float32(agent._scale.factor))


def test_a_restored_agent_has_the_scale() -> None:
    one, other = (
        Play(experiment(values("DQN", Discrete, agent={"return_std": 10.0}), seed))
        for seed in (0, 1)
    )
    one.steps(30)
    other.agent.restore(one.agent.state())
    assert_same(one.agent.state(), other.agent.state())
    agents: Any = one.agent, other.agent
    for agent in agents:
        agent._scale.add(1, 3.0, False)
    assert agents[0]._scale.factor == agents[1]._scale.factor != 10.0
