"""Looking parts up by name."""

from __future__ import annotations

import pytest

import nn
from nn.names import lookup, suggestion

TABLE = {"leaky_relu": 1, "Adam": 2, "half-cosine": 3}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("leaky_relu", 1),
        ("LeakyReLU", 1),
        ("LEAKY-RELU", 1),
        ("leakyrelu", 1),
        ("adam", 2),
        ("ADAM", 2),
        ("half_cosine", 3),
        ("HalfCosine", 3),
    ],
)
def test_case_underscores_and_hyphens_do_not_matter(name: str, part: int) -> None:
    assert lookup(TABLE, name, "part") == part


def test_an_unknown_name_is_answered_with_the_nearest_and_all_names() -> None:
    with pytest.raises(ValueError, match="unknown part 'Adma'; did you mean 'Adam'") as caught:
        lookup(TABLE, "Adma", "part")
    assert str(caught.value).endswith("? Known: Adam, half-cosine, leaky_relu")


def test_the_nearest_name_is_found_whatever_its_case_and_underscores() -> None:
    assert "did you mean 'leaky_relu'?" in suggestion("LEAKYRELLU", TABLE)


def test_a_name_that_resembles_none_gets_no_suggestion_but_all_names() -> None:
    with pytest.raises(ValueError, match=r"unknown part 'xyz'\. Known: Adam") as caught:
        lookup(TABLE, "xyz", "part")
    assert "did you mean" not in str(caught.value)


def test_only_the_nearest_of_very_many_names_is_told() -> None:
    many = [f"name{number}" for number in range(1000)]
    assert suggestion("nam7", many) == "; did you mean 'name7'?"


def test_a_part_of_a_name_is_not_the_name() -> None:
    with pytest.raises(ValueError, match="unknown part 'relu'"):
        lookup(TABLE, "relu", "part")


def test_each_kind_of_part_names_itself_where_it_is_not_found() -> None:
    vector = nn.NeuralNet((1, 1)).parameters
    with pytest.raises(ValueError, match="unknown activation 'rleu'; did you mean 'relu'"):
        nn.make_activation("rleu")
    with pytest.raises(ValueError, match="unknown cost 'hubber'; did you mean 'huber'"):
        nn.make_cost("hubber")
    with pytest.raises(ValueError, match="unknown initializer 'glorod'; did you mean 'glorot'"):
        nn.make_initializer("glorod")
    with pytest.raises(ValueError, match="unknown optimizer 'Adan'; did you mean 'Adam'"):
        nn.make_optimizer("Adan", vector, vector)
    with pytest.raises(ValueError, match="unknown schedule 'lineal'; did you mean 'linear'"):
        nn.make_schedule("lineal")
