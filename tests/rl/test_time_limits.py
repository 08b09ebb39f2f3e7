"""An episode that a time limit cuts is bootstrapped; its value is then that of going on for ever.

`Steady` pays 1 in each step and never ends, so its value is 1 / (1 - gamma); what cuts it after 5
steps is a limit. Taken for an end, its state would be worth what the average state sees of it:
V = 1 + 4/5 gamma V, as the next value counts in four of five steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rl.agents import A2C, DDPG, DQN
from rl.environments import Environments, TrainingSeeds, Transitions, make_env
from rl.specification.build import Experiment, build
from rl.specification.specification import Specification
from tests.rl import worlds  # noqa: F401  registers the problems

GAMMA = 0.9
FOR_EVER = 1 / (1 - GAMMA)
CUT = 1 / (1 - 0.8 * GAMMA)
LEARNERS: dict[str, dict[str, Any]] = {
    "DQN": {"agent": {"name": "DQN", "target_every": 25, "target_blend": 1.0, "cost": "quadratic"}},
    "three steps": {
        "agent": {"name": "DoubleDQN", "n_step": 3, "target_blend": 0.1, "cost": "quadratic"}
    },
    "DDPG": {"agent": {"name": "DDPG", "target_blend": 0.1}, "problem": "SteadyContinuous-v0"},
    "ActorCritic": {"agent": {"name": "ActorCritic", "lam": 0.9}, "memory": {"horizon": 8}},
}
REPLAYING = {"learn_start": 50, "learn_every": 1}


def learned(learner: str, ends: bool) -> float:
    """The value that is learned; with `ends`, of a limit that is taken for an end."""
    given = LEARNERS[learner]
    on_policy = learner == "ActorCritic"
    values = {
        "problem": "Steady-v0",
        "network": {"hidden": [8]},
        "optimizer": {"learning_rate": 0.01},
        **given,
        "agent": {"gamma": GAMMA, **({} if on_policy else REPLAYING), **given["agent"]},
        "train": {"steps": 4000},
    }
    experiment = build(Specification("steady", "test", values), seed=0)
    play(experiment, steps=4000 if on_policy else 1200, ends=ends)
    return value(experiment.agent)


def play(experiment: Experiment, steps: int, ends: bool) -> None:
    agent, seeds = experiment.agent, TrainingSeeds(experiment.rngs["environment"])
    environments = Environments(lambda: make_env(experiment.problem.id), 1, seeds)
    environments.reset()
    for _ in range(steps):
        transitions: Transitions = environments.step(agent.explore(environments.observations))
        if ends:
            transitions.terminated |= transitions.truncated
        agent.observe(transitions)
        agent.learn()


def value(agent: Any) -> float:
    """Of the only state, and the worse action if there are several."""
    state = np.ones((1, 1), np.float32)
    if isinstance(agent, DQN):
        return float(agent.values(state).min())
    if isinstance(agent, DDPG):
        return float(agent.critics[0].forward(np.hstack([state, agent.act(state)]))[0, 0])
    assert isinstance(agent, A2C)
    return float(agent._values(state)[0])


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_limit_is_bootstrapped_and_an_end_is_not(learner: str) -> None:
    assert learned(learner, ends=False) == pytest.approx(FOR_EVER, rel=0.02)
    wrong = learned(learner, ends=True)
    assert wrong < 0.6 * FOR_EVER
    if learner == "DQN":  # whose targets are single steps, each as likely as the others
        assert wrong == pytest.approx(CUT, rel=0.1)
