"""What holds for every agent, over the table; one registered from outside passes through it too."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.agents import AGENTS
from rl.agents.replay_agent import ReplayAgent
from rl.agents.thoughts import Thoughts
from rl.environments.spaces import Discrete
from rl.errors import Diverged, UserError
from rl.export import FORMATS, export, policy_of
from rl.session.player import player_of
from rl.specification.specification import read_specifications
from rl.storage.files import write_specification
from tests.contracts.cases import (
    Play,
    agents,
    assert_same,
    experiment,
    mellow_dqn,
    refused,
    values,
    with_options,
)
from tests.rl import worlds  # noqa: F401  registers the problems
from tests.rl.conftest import quick, take_over

MellowDQN = mellow_dqn()


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AGENTS, "MellowDQN", MellowDQN)


OWN = ("MellowDQN", Discrete)
CASES = [*agents(), OWN]
LEARNING_CASES = [case for case in CASES if case[0] != "Random"]
VALUING_CASES = [case for case in LEARNING_CASES if case[0] not in ("REINFORCE", "CEM")]
EVERY, LEARNING, LEARNING_OPTION, EVERY_OPTION, VALUING = (
    pytest.mark.parametrize(("name", "kind"), cases)
    for cases in (
        CASES,
        LEARNING_CASES,
        [*LEARNING_CASES, *with_options()],
        [*CASES, *with_options()],
        VALUING_CASES,
    )
)


@EVERY
def test_the_same_seed_gives_the_same_bits(name: str, kind: Any) -> None:
    one, other = (Play(experiment(values(name, kind))) for _ in range(2))
    different = Play(experiment(values(name, kind), seed=1))
    for each in (one, other, different):
        each.steps(40)
    assert one.agent.updates > 1 or name == "Random"
    assert_same(one.agent.state(), other.agent.state())
    with pytest.raises(AssertionError):
        assert_same(one.agent.policy_state(), different.agent.policy_state())


@EVERY_OPTION
def test_a_restored_agent_goes_on_to_the_bit(name: str, kind: Any) -> None:
    one, other = Play(experiment(values(name, kind))), Play(experiment(values(name, kind), seed=7))
    one.steps(45)
    other.steps(21)  # what is there must not matter
    other.agent.restore(one.agent.state())
    if one.agent.replay is not None and other.agent.replay is not None:
        take_over(one.agent.replay, other.agent.replay)
    other.environments.restore(one.environments.state())
    one.environments.seeds, other.environments.seeds = iter(range(99)), iter(range(99))
    assert one.agent.metrics() == other.agent.metrics()
    for each in (one, other):
        each.steps(43)
    assert_same(one.agent.state(), other.agent.state())


@EVERY_OPTION
def test_a_restored_policy_acts_as_before(name: str, kind: Any) -> None:
    one, other = (Play(experiment(values(name, kind), seed)) for seed in (0, 3))
    one.steps(40)
    other.agent.restore_policy(one.agent.policy_state())
    seen = np.empty_like(one.environments.observations)
    seen[:] = np.random.default_rng(0).standard_normal(seen.shape)
    np.testing.assert_array_equal(one.agent.act(seen), other.agent.act(seen))
    assert isinstance(other.agent.thoughts(seen[:1]), Thoughts)


@LEARNING
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_finite_is_found_in_the_update_that_made_it(
    name: str, kind: Any, value: float
) -> None:
    play = Play(experiment(values(name, kind)))
    play.steps(30)

    def spoil(transitions: Any) -> None:
        transitions.rewards[:] = transitions.returns[:] = value

    with (
        pytest.raises(Diverged, match=r"(loss|gradient|return).* at update \d+"),
        np.errstate(all="ignore"),
    ):
        play.steps(60, spoil)
    play.agent.policy_state()  # nothing has moved


@VALUING
@pytest.mark.parametrize("ends", quick(1, [False, True]))
def test_a_time_limit_is_worth_its_value_and_a_terminal_state_is_not(
    name: str, kind: Any, ends: bool
) -> None:
    """A reward of 1 a step, and a limit after each episode's few steps; gamma is 1/2."""
    problem = f"Steady{'' if kind is Discrete else kind.__name__}-v0"
    given = values(
        name, kind, problem=problem, agent={"gamma": 0.5}, optimizer={"learning_rate": 0.01},
        train={"steps": 5_000, "lanes": 1},
    )  # fmt: skip
    if issubclass(AGENTS[name], ReplayAgent):
        given["agent"] |= {"tau": 0.1}
    if AGENTS[name].network_defaults:
        # In a single state there is nothing to normalize, and noise may settle on one action.
        off = dict.fromkeys(AGENTS[name].network_defaults, False)
        given["network"] = {**given["network"], **off}
    play = Play(experiment(given))

    def end(transitions: Any) -> None:
        transitions.terminated |= True if ends else transitions.truncated & False

    play.steps(900, end)
    thoughts = play.agent.thoughts(np.ones((1, 1), np.float32))
    learned = thoughts.bars.min() if thoughts.value is None else thoughts.value
    assert learned == pytest.approx(1.0 if ends else 2.0, abs=0.15)


@LEARNING_OPTION
def test_the_exported_policy_agrees(name: str, kind: Any, tmp_path: Path) -> None:
    made = experiment(values(name, kind))
    play = Play(made)
    play.steps(40)
    player, file = player_of(made), tmp_path / "policy.npz"
    export(policy_of(player), FORMATS["numpy"], "a contract", file)
    act = runpy.run_path(str(file.with_suffix(".py")))["act"]
    size = made.spaces.observation_size
    for seen in np.random.default_rng(2).standard_normal((200, size)).astype(np.float32):
        np.testing.assert_allclose(act(seen), player.act(seen), rtol=1e-4, atol=1e-5)


@EVERY
def test_the_specification_survives_a_round_trip(name: str, kind: Any, tmp_path: Path) -> None:
    resolved = experiment(values(name, kind)).specification
    file = tmp_path / "spec.yaml"
    write_specification(file, "contract", resolved.values)
    read = read_specifications(file)["contract"]
    assert read.digest == resolved.digest
    assert experiment(read.values).specification.digest == resolved.digest


REFUSALS = [
    (name, setting, value)
    for name, agent in {**AGENTS, "MellowDQN": MellowDQN}.items()
    for setting, value in refused(agent)
]


@pytest.mark.parametrize(("name", "setting", "value"), REFUSALS)
def test_each_refusal_names_its_setting(name: str, setting: str, value: Any) -> None:
    kind = AGENTS[name].kinds[-1]
    with pytest.raises(UserError) as refusal:
        experiment(values(name, kind, agent={setting: value}))
    assert f"contract.yaml: contract: agent.{setting}" in str(refusal.value)
