"""The JSON Schema of specifications agrees with what the lab takes and refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from rl.checks.schema import specification_schema
from rl.cli import main
from rl.specification.specification import all_specifications

jsonschema = pytest.importorskip("jsonschema", reason="of the extra .[test]")


def complaints(values: dict[str, Any]) -> list[Any]:
    validator = jsonschema.Draft202012Validator(specification_schema())
    return list(validator.iter_errors({"x": values}))


@pytest.mark.parametrize("name", sorted(all_specifications()))
def test_every_experiment_of_the_lab_fits(name: str) -> None:
    assert not complaints(all_specifications()[name].values)


WRONG: list[tuple[str, Any]] = [
    ("agent", {"name": "DNQ"}),
    ("agent", {"name": "DQN", "gama": 0.9}),
    ("agent", {"name": "DQN", "gamma": 1.5}),
    ("agent", {"name": "DQN", "n_step": 1.5}),
    ("agent", {"name": "DQN", "quantiles": 10}),
    ("agent", {}),
    ("memory", {"capacity": "large"}),
    ("network", {"hidden": [64, "64"]}),
    ("network", {"activation": "rellu"}),
    ("network", {"conv": [{"filters": 0}]}),
    ("network", {"conv": [{"filter": 16}]}),
    ("network", {"conv": [{"size": 3}]}),
    ("network", {"conv": {"filters": 16}}),
    ("network", {"actor": {"hiden": [3]}}),
    ("optimizer", {"learning_rate": {"name": "cosine", "start": 0.1}}),
    ("optimizer", {"learning_rate": "fast"}),
    ("exploration", {"name": "TargetEpsilonGreedy"}),
    ("train", {"steps": 0}),
    ("train", {}),
    ("search", {"trials": 3}),
    ("problems", "CartPole-v1"),
    ("environment", {"id": "CartPole-v1"}),  # beside a problem
]


@pytest.mark.parametrize(
    ("block", "fits"),
    [
        ({"id": "CartPole-v1", "kwargs": {"a": [1]}, "wrappers": ["X", {"name": "Y"}]}, True),
        ({"id": "CartPole-v1", "max_episode_steps": -1, "solved": 9.5}, True),
        ({"id": "CartPole-v1", "wrappers": [3]}, False),
        ({"id": "CartPole-v1", "kwargs": 3}, False),
        ({"kwargs": {}}, False),
        ("CartPole-v1", False),
    ],
)
def test_an_environment_block(block: Any, fits: bool) -> None:
    values = {**all_specifications()["cartpole_dqn"].values, "environment": block}
    del values["problem"]
    assert bool(complaints(values)) is not fits


@pytest.mark.parametrize(("key", "block"), WRONG, ids=str)
def test_a_mistake_is_found(key: str, block: Any) -> None:
    values = copy.deepcopy(all_specifications()["cartpole_dqn"].values)
    assert not complaints(values)
    assert complaints({**values, key: block})


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(specification_schema()))


def test_the_command_prints_an_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "cartpole_dqn"]) == 0
    assert capsys.readouterr().out.startswith("cartpole_dqn:\n  description: 'Balance a pole")
    assert main(["spec"]) == main(["spec", "cartpole_dqn", "--schema"]) == 2
