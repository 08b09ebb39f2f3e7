"""The lab's own experiments and problems."""

from __future__ import annotations

import pytest

from rl.environments.problems import known_problems
from rl.environments.registered import environment_spec, is_installed
from rl.specification.build import build
from rl.specification.specification import all_specifications

NAMES = [name for name, each in sorted(all_specifications().items())
         if is_installed(each.environment_id)]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_can_be_built_and_says_what_it_is(name: str) -> None:
    specification = all_specifications()[name]
    experiment = build(specification, seed=0)
    assert specification.values["description"]
    environment_spec(specification.environment_id)  # raises if it is not registered
    assert (experiment.training.steps or 0) > experiment.agent.learns_after


@pytest.mark.parametrize("id", known_problems())
def test_every_problem_has_its_agents(id: str) -> None:
    agents = {
        each.values["agent"]["name"] for each in all_specifications().values()
        if each.environment_id == id
    }  # fmt: skip
    assert agents & {"DQN", "DDPG", "TD3"}  # one that replays what it has seen
    assert agents & {"A2C", "PPO"}  # and one that learns from what it just did


@pytest.mark.parametrize("id", known_problems())
def test_a_problem_is_solved_where_its_environment_says_so(id: str) -> None:
    """Pendulum says nothing: its target is the lab's own."""
    problem, environment = known_problems()[id], environment_spec(id)
    assert problem.horizon == environment.max_episode_steps
    if environment.reward_threshold is not None:
        assert problem.solved == environment.reward_threshold
    else:
        assert id == "Pendulum-v1"
