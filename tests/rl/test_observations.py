"""Observations of every kind become vectors; what does not fit its space is said in one line."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.checks.environment_check import examine_environment
from rl.environments import Environments, rules
from rl.environments.observations import flattener
from rl.environments.rules import Unfit
from rl.environments.spaces import spaces_of
from rl.errors import BrokenEnvironment, Diverged
from rl.session.player import Player
from rl.specification.notes import notes_of
from tests.contracts.cases import Play, experiment, values
from tests.rl.worlds import Showing, Steady


def box(*shape: int, kind: Any = np.float32, high: float = 9) -> spaces.Box:
    return spaces.Box(0, high, shape, kind)


class Mission(spaces.Space[str]):
    """A space of texts, as packages have them."""

    def __init__(self) -> None:
        super().__init__(dtype=str)


class Own(spaces.Space[Any]):
    """A space of which nobody knows anything."""


NESTED = spaces.Dict(
    {  # Gymnasium sorts the keys of a dictionary
        "b": spaces.Tuple([spaces.Discrete(3, start=5), box(2, kind=np.uint8)]),
        "a": spaces.Dict({"y": box(2, 2), "x": spaces.MultiBinary(2)}),
    }
)
SEEN: dict[str, Any] = {
    "b": (6, np.array([7, 8], np.uint8)),
    "a": {"y": np.array([[1, 2], [3, 4]], np.float32), "x": np.array([1, 0], np.int8)},
}
VECTORS = [
    (box(), np.float32(3), [3]),
    (box(), 3.0, [3]),
    (box(2, 2), [[1, 2], [3, 4]], [1, 2, 3, 4]),
    (box(2, 1, 2, kind=np.uint8), np.array([[[1, 2]], [[3, 4]]], np.uint8), [1, 2, 3, 4]),
    (box(2, 2, kind=np.bool_, high=1), np.array([[True, False], [False, True]]), [1, 0, 0, 1]),
    (box(2, 2, kind=np.int64), np.array([[1, 2], [3, 4]]), [1, 2, 3, 4]),
    (spaces.Discrete(3, start=-1), 1, [0, 0, 1]),
    (spaces.MultiDiscrete([2, 3]), np.array([1, 1]), [0, 1, 0, 1, 0]),
    (spaces.MultiDiscrete([2, 2], start=[3, 3]), np.array([3, 4]), [1, 0, 0, 1]),
    (spaces.MultiBinary([2, 2]), np.array([[1, 0], [0, 1]], np.int8), [1, 0, 0, 1]),
    (spaces.Tuple([spaces.Discrete(2), box(1)]), (1, np.array([4.0])), [0, 1, 4]),
    (NESTED, SEEN, [1, 0, 1, 2, 3, 4, 0, 1, 0, 7, 8]),
    (spaces.Dict({"text": Mission(), "x": box(1)}), {"text": "go", "x": np.ones(1)}, [1]),
    (spaces.Dict(x=box(1)), {"x": np.ones(1), "more": None}, [1]),
    (spaces.Dict(z=box(1), a=box(1)), {"a": np.ones(1), "z": np.zeros(1)}, [0, 1]),  # as they stand
]


@pytest.mark.parametrize(("space", "seen", "vector"), VECTORS, ids=range(len(VECTORS)))
def test_an_observation_becomes_a_vector(space: Any, seen: Any, vector: list[float]) -> None:
    flatten = flattener(space)
    assert flatten(seen).tolist() == vector
    assert flatten.size == len(vector)
    if isinstance(seen, np.ndarray) or seen is SEEN:
        np.testing.assert_array_equal(spaces.flatten(space, seen), vector)


LEAVES = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 4), start=st.integers(-3, 3)),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 3), min_size=1, max_size=3)),
    st.builds(spaces.MultiBinary, st.integers(1, 3)),
    st.builds(
        lambda shape, kind: spaces.Box(0, 5, shape, kind),
        st.lists(st.integers(1, 3), max_size=3).map(tuple),
        st.sampled_from([np.float32, np.float64, np.uint8, np.int64]),
    ),
)
NESTINGS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(spaces.Dict),
    ),
    max_leaves=6,
)


@given(NESTINGS, st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_any_nesting_is_flattened_as_gymnasium_does(space: Any, seed: int) -> None:
    space.seed(seed)
    seen, flatten = space.sample(), flattener(space)
    vector = flatten(seen)
    theirs: Any = spaces.flatten(space, seen)
    np.testing.assert_allclose(vector, theirs)
    entries = [entry for part in flatten.parts for entry in range(flatten.size)[part.entries]]
    assert entries == [*range(len(vector))]


def test_each_part_says_its_entries() -> None:
    assert [*map(str, flattener(NESTED).parts)] == [
        "observation[0:2] a.x (one-hot)",
        "observation[2:6] a.y",
        "observation[6:9] b.0 (one-hot)",
        "observation[9:11] b.1",
    ]


def test_a_flat_box_is_taken_as_it_is() -> None:
    assert spaces_of(Steady(), "Steady").flatten is None


PICTURE = box(210, 160, 3, kind=np.uint8, high=255)
REFUSED = [
    (spaces.Text(5), "observations must be made of numbers, but are Text, which is text; add a"),
    (Mission(), "made of numbers, but are Mission, which is text"),
    (Own(), "made of numbers, but are Own, which has entries that the lab does not know"),
    (spaces.Graph(box(1), None), "but are Graph, which has no fixed number of entries"),
    (spaces.Sequence(box(1)), "but are Sequence, which has no fixed number of entries"),
    (spaces.OneOf([box(1), box(2)]), "but are OneOf, which has alternatives of different sizes"),
    (spaces.Dict(a=spaces.Dict(g=spaces.Sequence(box(1)))),
     "the observations' 'a.g' must be made of numbers, but is Sequence, .*FilterObservation"),
    (spaces.Tuple([box(1), Own()]), "the observations' '1' must be made of numbers, but is Own"),
    (spaces.Dict(ear=box(1), eye=PICTURE),
     "the observations' 'eye' must be at most 4,096 numbers, but is Box"
     r"\[210, 160, 3\], a picture of 100,800 numbers beside other parts: .* keeps it alone, for "
     r"convolutions, or one that leaves it out \(gymnasium.wrappers.FilterObservation\)"),
    (spaces.Dict(), "must have at least one entry"),
    (spaces.Dict(a=Mission()), r"must have at least one entry beside texts \(a\)"),
    (box(0), "must have at least one entry"),
]  # fmt: skip


@pytest.mark.parametrize(("space", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_a_vector_is_refused(space: Any, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        flattener(space)


def test_a_small_picture_is_a_grid() -> None:
    assert flattener(box(7, 7, 3, kind=np.uint8, high=255)).size == 147
    assert not flattener(box(32, 32, 4, kind=np.uint8, high=255)).picture.is_large  # type: ignore[union-attr]
    for large in (PICTURE, spaces.Dict(eye=PICTURE), spaces.Dict(eye=PICTURE, task=Mission())):
        assert flattener(large).picture.is_large  # type: ignore[union-attr]
    assert flattener(box(5000, kind=np.uint8, high=255)).size == 5000


ODD = [
    ({"b": SEEN["b"]}, "an observation must have the key 'a'; it has b"),
    ({**SEEN, "a": {"y": 1}}, "an observation's 'a' must have the key 'x'; it has y"),
    ({**SEEN, "a": 3}, "an observation's 'a' must be a dictionary, but is 3"),
    ({**SEEN, "b": 3}, "an observation's 'b' must be a tuple, but is 3"),
    ({**SEEN, "b": (6,)}, "an observation's 'b' must have more than 1 parts"),
    ({**SEEN, "b": (8, SEEN["b"][1])}, "an observation's 'b.0' must lie in Discrete(3, start=5)"),
    ({**SEEN, "b": (6, np.ones(3))}, "an observation's 'b.1' must have the shape [2], not [3]"),
    ({**SEEN, "b": (6, "no")}, "an observation's 'b.1' must be made of numbers, but is 'no'"),
    (np.ones(11), "an observation must be a dictionary, but is an array [11] of float64"),
    (None, "an observation must be a dictionary, but is None"),
]


@pytest.mark.parametrize(("later", "said"), ODD, ids=range(len(ODD)))
def test_what_does_not_fit_the_space_is_named(later: Any, said: str) -> None:
    environments = Environments(lambda: Showing(NESTED, SEEN, later), 1, itertools.count(7))
    environments.reset()
    with pytest.raises(BrokenEnvironment) as caught:
        environments.step(np.zeros(1, np.int64))
    assert said in str(caught.value)
    assert "at step 1 of the episode with seed 7" in str(caught.value)


def test_a_part_that_is_not_finite_is_named() -> None:
    later = {**SEEN, "a": {**SEEN["a"], "y": np.full((2, 2), math.nan)}}
    environments = Environments(lambda: Showing(NESTED, SEEN, later), 1, itertools.count(7))
    environments.reset()
    with pytest.raises(Diverged, match=r"observation's 'a.y' \[nan nan nan nan\], at step 1"):
        environments.step(np.zeros(1, np.int64))


def test_what_the_environment_changes_later_is_kept_as_it_was() -> None:
    grid = np.ones((2, 2), np.float32)
    seen = flattener(box(2, 2))(grid)
    grid[:] = 7
    assert seen.tolist() == [1, 1, 1, 1]


def test_the_doctor_shows_the_entries_and_what_is_left_out() -> None:
    said = [str(finding) for finding in examine_environment("Goals-v0")]
    assert not [line for line in said if line.startswith("problem")]
    for part in ("observation[0:2] goal", "observation[2:6] grid", "mission is text, and is left"):
        assert any(part in line for line in said)
    assert any("one of 2 times 3" in line for line in said)


def test_an_agent_learns_from_a_dictionary_and_is_told_what_is_left_out() -> None:
    made = experiment(values("PPO", None, problem="Goals-v0"))
    assert "the observations' 'mission' is text, and is left out" in notes_of(made)
    play = Play(made)
    play.steps(20)
    assert play.agent.updates
    player = Player(made.agent, made.preprocessor, made.spaces)
    seen, _ = play.environments.lend().reset(seed=1)
    assert play.environments.lend().action_space.contains(player.act(seen))
    with pytest.raises(ValueError, match="must have the key 'goal'"):
        player.act({})


def test_a_rule_that_is_broken_names_a_part() -> None:
    with pytest.raises(rules.Breach, match="an observation must have the shape"):
        rules.numbers([1.0], (2,))
