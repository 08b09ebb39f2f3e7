"""What holds for every memory, explorer, preprocessor, optimizer, schedule, activation and cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from nn.settings import BaseSettings, SettingError
from rl.environments.spaces import Continuous, Discrete
from rl.errors import UserError
from rl.exploration import Explorer
from rl.memory import REPLAYS, ROLLOUTS, Replay, Rollout
from rl.preprocessors import PREPROCESSORS, Picture, Preprocessor
from rl.specification.blocks import NetworkSettings, Training
from rl.specification.parts import EXPLORERS
from rl.specification.settings import settings_of
from tests.contracts.cases import assert_same, experiment, refused, values
from tests.rl.conftest import take_over

# What a part without a default for a setting is made with.
NEEDED: dict[str, dict[str, Any]] = {
    "TargetEpsilonGreedy": {"target": 50.0, "episodes": 2},
    "constant": {"value": 0.5},
    "step": {"start": 0.1, "factor": 0.5, "every": 10},
    "warmup": {"steps": 10, "then": 0.5},
}
RAMP = {"start": 0.1, "end": 0.01, "steps": 100}
EXPLORERS_OF = [(kind, name) for kind, table in EXPLORERS.items() for name in table]


def explorer(kind: Any, name: str, seed: int) -> Explorer:
    part = EXPLORERS[kind][name]
    return part(np.random.default_rng(seed), part.Settings(**NEEDED.get(name, {})))


@pytest.mark.parametrize(("kind", "name"), EXPLORERS_OF)
def test_a_restored_explorer_goes_on_to_the_bit(kind: Any, name: str) -> None:
    one, other = explorer(kind, name, 1), explorer(kind, name, 2)
    numbers = np.random.default_rng(0).uniform(-1, 1, (3, 4)).astype(np.float32)
    for total in (1.0, 20.0, 30.0):
        one.choose(numbers, 0)
        one.ended(2, total)
    one.ended(1, None)
    other.choose(numbers, 0)
    other.restore(one.state())
    for step in (1, 2, 3):
        np.testing.assert_array_equal(one.choose(numbers, step), other.choose(numbers, step))
        assert one.amount(step) == other.amount(step)


@pytest.mark.parametrize(("kind", "name"), EXPLORERS_OF)
def test_an_explorer_gives_actions_of_its_kind_for_every_lane(kind: Any, name: str) -> None:
    numbers = np.random.default_rng(0).uniform(-1, 1, (5, 4)).astype(np.float32)
    before = numbers.copy()
    for step in range(50):
        actions = explorer(kind, name, step).choose(numbers, step)
        if kind is Discrete:
            assert actions.shape == (5,)
            assert ((actions >= 0) & (actions < 4)).all()
        else:
            assert actions.shape == (5, 4)
            assert actions.dtype == np.float32
            assert (np.abs(actions) <= 1).all()
    np.testing.assert_array_equal(numbers, before)


def replay(name: str, seed: int, added: int) -> Replay:
    part = REPLAYS[name]
    memory = part(2, np.random.default_rng(seed), part.Settings(capacity=7, batch_size=3))
    for number in range(added):
        observation = np.full(2, seed + number, np.float32)
        memory.add(observation, number % 2, float(number), 0.9, observation + 1)
    return memory


@pytest.mark.parametrize("name", REPLAYS)
@pytest.mark.parametrize("added", [1, 5, 7, 20])
def test_a_restored_memory_samples_on_to_the_bit(name: str, added: int) -> None:
    one, other = replay(name, 1, added), replay(name, 2, added=3)
    one.sample()
    one.update_priorities(np.array([0.5, 2.0, 1.0], np.float32))
    take_over(one, other)
    for _ in range(3):
        first, second = one.sample(), other.sample()
        assert_same(
            {key: value for key, value in vars(first).items() if value is not None},
            {key: value for key, value in vars(second).items() if value is not None},
        )
        one.update_priorities(first.rewards)
        other.update_priorities(second.rewards)


@pytest.mark.parametrize("name", REPLAYS)
def test_a_memory_samples_what_was_added_last(name: str) -> None:
    memory = replay(name, 0, added=20)
    sampled = {float(reward) for _ in range(50) for reward in memory.sample().rewards}
    assert sampled == set(map(float, range(13, 20)))


@pytest.mark.parametrize("name", ROLLOUTS)
def test_a_restored_rollout_goes_on_to_the_bit(name: str) -> None:
    part = ROLLOUTS[name]
    one, other = (part(2, 1, np.zeros(0, np.int64), part.Settings(horizon=4)) for _ in range(2))

    def add(rollout: Rollout, number: int) -> None:
        row = np.full((1, 2), number, np.float32)
        flags = np.array([number == 2]), np.array([number == 1])
        rollout.add(row, np.array([number]), np.array([1.0]), row + 1, *flags)

    for number in range(3):
        add(one, number)
    add(other, 9)
    other.restore(one.state())
    for each in (one, other):
        add(each, 3)
        assert each.full
    assert_same(one.state(), other.state())


def preprocessor(name: str) -> Preprocessor:
    part: Any = PREPROCESSORS[name]
    form = [Picture((1, 1, 3), False)] if part.of_pictures else []
    return part(3, part.Settings(), *form)


@pytest.mark.parametrize("name", PREPROCESSORS)
def test_a_restored_preprocessor_sees_the_same(name: str) -> None:
    one, other, rng = preprocessor(name), preprocessor(name), np.random.default_rng(0)
    watching = one.for_lanes(1, learning=True)
    for raw in rng.standard_normal((20, 3)):
        watching.start(0, raw, np.zeros(one.size, np.float32))
        watching.reward(0, 1.0, True)
    other.restore(one.state())
    raws = rng.standard_normal((4, 3)).astype(np.float32)
    seen = []
    for each in (one, other):
        view, out = each.for_lanes(1, learning=False), np.zeros((4, each.size), np.float32)
        view.start(0, raws[0], out[0])
        for step in (1, 2, 3):
            view.follow(0, raws[step], out[step])
        seen.append([out, view.reward(0, 3.0, True)])
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert seen[0][1] == seen[1][1]


@pytest.mark.parametrize("name", PREPROCESSORS)
def test_an_evaluation_teaches_a_preprocessor_nothing(name: str) -> None:
    made = preprocessor(name)
    before = made.state()
    view = made.for_lanes(1, learning=False)
    view.start(0, np.ones(3), np.zeros(made.size, np.float32))
    view.reward(0, 5.0, True)
    assert_same(before, made.state())


@pytest.mark.parametrize("name", nn.OPTIMIZERS)
def test_a_restored_optimizer_goes_on_to_the_bit(name: str) -> None:
    rng = np.random.default_rng(0)
    gradients = np.zeros(5)
    one, other = (nn.make_optimizer(name, np.ones(5), gradients) for _ in range(2))
    for number in range(6):
        if number == 3:
            other.restore(one.state())
            other.parameters[:] = one.parameters
        gradients[:] = rng.standard_normal(5)
        one.step()
        if number >= 3:
            other.step()
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("name", nn.SCHEDULES)
def test_a_schedule_is_a_function_of_the_step(name: str) -> None:
    made = nn.make_schedule(name, **NEEDED.get(name, RAMP))
    first = [made(step) for step in range(150)]
    assert first == [made(step) for step in range(150)]
    assert all(np.isfinite(first))


BLOCKS: list[tuple[str, str, Any]] = [
    *(("memory", name, part) for name, part in {**REPLAYS, **ROLLOUTS}.items()),
    *(("exploration", name, part) for table in EXPLORERS.values() for name, part in table.items()),
    *(("preprocessor", name, part) for name, part in PREPROCESSORS.items()),
    *(("optimizer", name, part) for name, part in nn.OPTIMIZERS.items()),
    ("network", "", NetworkSettings),
    ("train", "", Training),
]
REFUSALS = [
    (key, name, setting, value)
    for key, name, part in BLOCKS
    for setting, value in refused(part)
    if not (setting == "learning_rate" and isinstance(value, dict))  # which is a schedule's block
]


@pytest.mark.parametrize(("key", "name", "setting", "value"), REFUSALS)
def test_each_refusal_names_its_setting(key: str, name: str, setting: str, value: Any) -> None:
    kind: Any = Discrete
    agent = "A2C" if name in ROLLOUTS else "DQN"
    if key == "exploration" and name in EXPLORERS[Continuous] and name not in EXPLORERS[Discrete]:
        agent, kind = "DDPG", Continuous
    given = values(agent, kind)
    named = {"name": name, **NEEDED.get(name, {})} if name else {}
    block = {**given.get(key, {}), **named} if key in ("train",) else named
    given[key] = {**block, setting: value}
    with pytest.raises(UserError) as refusal:
        experiment(given)
    assert f"contract.yaml: contract: {key}.{setting}" in str(refusal.value)


SCHEDULE_REFUSALS = [
    (name, setting, value)
    for name, part in nn.SCHEDULES.items()
    for setting, value in refused(part)
    if not (setting == "then" and isinstance(value, dict))  # which is a schedule's block
]


@pytest.mark.parametrize(("name", "setting", "value"), SCHEDULE_REFUSALS)
def test_each_refusal_of_a_schedule_names_it(name: str, setting: str, value: Any) -> None:
    given = values("DQN", Discrete)
    block = {"name": name, **NEEDED.get(name, RAMP), setting: value}
    given["optimizer"] = {"learning_rate": block}
    with pytest.raises(UserError) as refusal:
        experiment(given)
    assert "contract.yaml: contract: optimizer.learning_rate" in str(refusal.value)
    assert setting in str(refusal.value)


# Activations and costs with settings of their own; the gradients of all of them are checked in
# tests/nn/test_gradient_check.py, over the same tables.
FUNCTIONS = [
    part for table in (nn.ACTIVATIONS, nn.COSTS) for part in table.values()
    if issubclass(part, BaseSettings)
]  # fmt: skip
FUNCTION_REFUSALS = [
    (part, setting, value) for part in FUNCTIONS for setting, value in refused(part)
    if not isinstance(value, dict)  # which could be a schedule's block
]  # fmt: skip


@pytest.mark.parametrize(("part", "setting", "value"), FUNCTION_REFUSALS)
def test_each_refusal_of_an_activation_or_a_cost_names_its_setting(
    part: Any, setting: str, value: Any
) -> None:
    with pytest.raises(SettingError) as refusal:
        part(**{setting: value})
    assert refusal.value.setting == setting


def test_every_part_describes_its_settings() -> None:
    for part in [*(part for _, _, part in BLOCKS), *nn.SCHEDULES.values(), *FUNCTIONS]:
        for field in settings_of(part).values():
            assert field.metadata["meaning"]
