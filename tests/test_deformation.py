"""Deformed pictures, on such as show what has happened to them."""

from __future__ import annotations

import numpy as np
import pytest

from nn.typing import Array
from tests.programs import program

script = program("deformation")
NONE = {"shift": 0.0, "rotation": 0.0, "stretch": 0.0, "elastic": 0.0}


def blob(row: float, column: float, side: int = 28) -> Array:
    """A round spot at a place, a picture [1, side * side]."""
    rows, columns = np.mgrid[:side, :side]
    spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
    return spot.reshape(1, -1).astype(np.float32)


def centre(picture: Array) -> Array:
    """The place of a spot."""
    side = round(picture.size**0.5)
    weights = picture.reshape(side, side) / picture.sum()
    return np.array([(each * weights).sum() for each in np.mgrid[:side, :side]])


def test_without_deformation_a_picture_stays_as_it_is() -> None:
    x = np.random.default_rng(0).random((5, 784), np.float32)
    kept = x.copy()
    same = script.Deformation(**NONE)(x, np.random.default_rng(1))
    np.testing.assert_allclose(same, x, atol=1e-5)
    np.testing.assert_array_equal(x, kept)
    assert same.dtype == np.float32


def test_between_pixels_by_hand() -> None:
    x = np.array([[1.0, 2.0, 5.0, 10.0]])  # [[1, 2], [5, 10]]
    rows, columns = np.array([[0.0, 0.25], [9.0, -3.0]]), np.array([[0.5, 0.5], [0.0, 9.0]])
    np.testing.assert_allclose(script.sample(x, rows, columns), [[1.5, 3.0, 5.0, 2.0]])


@pytest.mark.parametrize(
    ("setting", "farthest"), [({"shift": 2.0}, 2 * 2**0.5), ({"rotation": 10.0}, 1.23),
                              ({"stretch": 0.1}, 1.7), ({"elastic": 0.7}, 2.9)],
)  # fmt: skip
def test_each_deformation_moves_a_spot_a_little(setting: dict[str, float], farthest: float) -> None:
    """The spot is 7 pixels from the middle: 10 degrees are 1.22 pixels."""
    deform, rng = script.Deformation(**{**NONE, **setting}), np.random.default_rng(0)
    moves = [np.linalg.norm(centre(deform(blob(13.5, 6.5), rng)) - [13.5, 6.5]) for _ in range(40)]
    assert 0.2 * farthest < max(moves) < farthest
    assert len({round(move, 4) for move in moves}) > 30


def test_the_seed_decides() -> None:
    x = blob(10, 10)
    one, same, other = (script.Deformation()(x, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
