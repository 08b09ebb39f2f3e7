"""What a search tries, and what it refuses to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from rl.errors import UserError
from rl.search.methods import Grid, Line, Random
from rl.search.space import Choice, Numbers, read_space
from rl.specification.specification import Specification


def specification(space: Any) -> Specification:
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 3000},
              "search": {"space": space}}  # fmt: skip
    return Specification("pole", "my.json", values)


def proposals(method: Any) -> list[Any]:
    return list(iter(method.propose, None))


def anything(_: int) -> bool:
    return True


SPACE = {"a": Choice((1, 2)), "b": Choice(("x", "y", "z"))}


def test_a_grid_has_every_combination_the_last_parameter_changing_quickest() -> None:
    found = proposals(Grid(SPACE, anything, None))
    assert [number for number, _ in found] == list(range(6))
    assert [(each["a"], each["b"]) for _, each in found] == [
        (1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]  # fmt: skip
    assert proposals(Grid(SPACE, anything, 4)) == found[:4]


def test_what_somebody_else_has_is_left_out() -> None:
    found = proposals(Grid(SPACE, lambda number: number in (1, 4), None))
    assert found == [(1, {"a": 1, "b": "y"}), (4, {"a": 2, "b": "y"})]


def test_a_line_starts_with_the_specification_and_changes_one_thing_at_a_time() -> None:
    found = [each for _, each in proposals(Line(SPACE, anything, None))]
    assert found == [{}, {"a": 1}, {"a": 2}, {"b": "x"}, {"b": "y"}, {"b": "z"}]


def test_random_search_of_lists_is_the_grid_in_another_order() -> None:
    grid = [each for _, each in proposals(Grid(SPACE, anything, None))]
    orders = []
    for seed in (0, 1, 0):
        found = [each for _, each in proposals(Random(SPACE, anything, 100, seed))]
        assert sorted(found, key=str) == sorted(grid, key=str)
        orders.append(found)
    assert orders[0] == orders[2] != orders[1]


def test_random_search_depends_on_the_seed_and_the_number_alone() -> None:
    space = {"rate": Numbers(0.001, 1.0, log=True), "size": Numbers(4, 6, whole=True)}
    all_of_them = proposals(Random(space, anything, 20, seed=3))
    some = proposals(Random(space, lambda number: number > 11, 20, seed=3))
    assert some == all_of_them[12:]
    assert proposals(Random(space, anything, 20, seed=4)) != all_of_them


def test_a_range_is_drawn_evenly_on_its_scale() -> None:
    """A third of the draws from 0.001 to 1 falls into each decade."""
    rng = np.random.default_rng(0)
    values = np.array([Numbers(0.001, 1.0, log=True).draw(rng) for _ in range(3000)])
    assert values.min() >= 0.001
    assert values.max() <= 1.0
    shares = np.histogram(np.log10(values), bins=[-3, -2, -1, 0])[0] / len(values)
    assert np.abs(shares - 1 / 3).max() < 0.03
    whole = Counter(Numbers(2, 4, whole=True).draw(rng) for _ in range(3000))
    assert set(whole) == {2, 3, 4}
    assert max(whole.values()) / min(whole.values()) < 1.2
    linear = np.array([Numbers(1.0, 3.0).draw(rng) for _ in range(3000)])
    assert abs(linear.mean() - 2.0) < 0.05


def test_the_grid_of_a_range_by_hand() -> None:
    assert Numbers(0.01, 1.0, log=True).grid() == pytest.approx([0.01, 0.1, 1.0])
    assert Numbers(1.0, 3.0, points=5).grid() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert Numbers(1, 2, whole=True, points=4).grid() == [1, 2]


def test_a_range_is_of_whole_numbers_where_the_parameter_is() -> None:
    found = read_space(
        specification(
            {
                "agent.n_step": {"low": 1, "high": 5},
                "agent.gamma": {"low": 0, "high": 1},
                "memory.capacity": {"low": 1000, "high": 100000, "log": True, "points": 2},
                "network.hidden": [[8], [16, 16]],
                "exploration": [{"name": "Boltzmann"}],
            }
        )
    )
    assert found["agent.n_step"] == Numbers(1, 5, whole=True)
    assert found["agent.gamma"] == Numbers(0, 1, whole=False)
    assert found["memory.capacity"].grid() == [1000, 100000]
    assert found["network.hidden"].grid() == [[8], [16, 16]]


@pytest.mark.parametrize(
    ("given", "space"),
    [
        (["agent.gamma=[0.9, 1.0]"], {"agent.gamma": [0.9, 1.0], "agent.n_step": [1]}),
        (["agent.n_step={low: 1, high: 3}"], {"agent.n_step": {"low": 1, "high": 3}}),
        (["agent.gamma.low=0.8", "agent.gamma.high=0.9"],
         {"agent.gamma": {"low": 0.8, "high": 0.9}, "agent.n_step": [1]}),
        (["environment.reset_options.low=[0, 1]"],
         {"environment.reset_options.low": [0, 1], "agent.n_step": [1]}),
        (["exploration=[{name: Boltzmann}]"],
         {"exploration": [{"name": "Boltzmann"}], "agent.n_step": [1]}),
    ],
)  # fmt: skip
def test_a_parameter_is_given_by_its_path(given: list[str], space: dict[str, Any]) -> None:
    values = specification({"agent.n_step": [1]})
    made = values.override([f"search.space.{each}" for each in given])
    assert made.value("search.space") == space


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "search.space must map the dotted path"),
        ("agent.gamma", "search.space must map the dotted path"),
        ({"agent.gamma": []}, "search.space.agent.gamma has no values to choose from"),
        ({"agent.gamma": 0.9}, "must be a list of values or"),
        ({"agent.gama": [0.9]}, "agent.gama is no setting of DQN; did you mean 'gamma'?"),
        ({"agnet.gamma": [0.9]}, "agnet is an unknown key; did you mean 'agent'?"),
        ({"agent.gamma": [0.9, "high"]}, "does not fit with 'high': agent.gamma must be a number"),
        ({"agent.gamma": [0.9, 1.5]}, "does not fit with 1.5: agent.gamma"),
        ({"agent.gamma": {"low": 0.9}}, "search.space.agent.gamma.high is missing"),
        ({"agent.gamma": {"low": 0.9, "high": 0.8}}, "gamma.high must be greater than low"),
        ({"agent.gamma": {"low": 0, "high": 1, "log": True}}, "low must be greater than 0"),
        ({"agent.gamma": {"low": 0.1, "high": 1, "log": "maybe"}}, "log must be true or false"),
        ({"agent.gamma": {"low": 0, "high": 1, "step": 1}}, "gamma.step is no setting. Known"),
        ({"agent.gamma": {"low": 0, "high": 1, "points": 1}}, "points must be at least 2, not 1"),
        ({"agent.gamma": {"low": float("nan"), "high": 1}}, "gamma.low must be a finite number"),
        ({"memory.batch_size": {"low": 32, "high": 10**7}}, "does not fit with 10000000"),
    ],
)
def test_a_space_that_cannot_be_searched(space: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_space(specification(space))
    assert said in str(caught.value)
    assert str(caught.value).startswith("my.json: pole: search.space")
    assert "\n" not in str(caught.value)
