"""Initial weights: their distribution on a large layer, and their reproducibility."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from nn.initializers import orthogonal
from nn.typing import Array

FAN_IN, FAN_OUT = 400, 200  # unequal, so that a swapped fan shows

# Standard deviation, largest magnitude, share within one standard deviation of the mean.
NORMAL, UNIFORM = 0.6827, 1 / np.sqrt(3)
EXPECTED = {
    "glorot": (np.sqrt(2 / 600), np.sqrt(6 / 600), UNIFORM),
    "he": (np.sqrt(2 / 400), np.inf, NORMAL),
    "lecun": (np.sqrt(1 / 400), np.inf, NORMAL),
    "uniform": (np.sqrt(1 / 400 / 3), np.sqrt(1 / 400), UNIFORM),
    "normal": (1 / 200, np.inf, NORMAL),
    "orthogonal": (np.sqrt(1 / 400), np.inf, NORMAL),  # of 400 rows, each column of length 1
}


def draw(name: str, seed: int = 0) -> Array:
    return nn.make_initializer(name)(FAN_IN, FAN_OUT, np.random.default_rng(seed))


def test_every_initializer_has_an_expected_distribution() -> None:
    assert set(EXPECTED) == set(nn.INITIALIZERS)


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_the_distribution_is_the_published_one(name: str) -> None:
    deviation, bound, share = EXPECTED[name]
    weights = draw(name)
    # 80,000 draws: standard errors of 0.0035 deviations, 0.25 % and 0.0017.
    assert weights.shape == (FAN_IN, FAN_OUT)
    assert abs(weights.mean()) < 0.015 * deviation
    assert weights.std() == pytest.approx(deviation, rel=0.01)
    assert np.mean(np.abs(weights) < deviation) == pytest.approx(share, abs=0.008)
    assert np.abs(weights).max() <= bound


def test_glorot_fills_its_interval() -> None:
    limit = EXPECTED["glorot"][1]
    weights = draw("glorot")
    assert weights.max() > 0.999 * limit
    assert weights.min() < -0.999 * limit


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_weights_are_not_correlated_between_units(name: str) -> None:
    correlations = np.corrcoef(draw(name).T) - np.eye(FAN_OUT)
    assert np.abs(correlations).max() < 6 / np.sqrt(FAN_IN)  # six standard errors


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_the_seed_decides_the_weights(name: str) -> None:
    np.testing.assert_array_equal(draw(name, seed=3), draw(name, seed=3))
    assert not np.any(draw(name, seed=3) == draw(name, seed=4))


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_each_layer_of_a_network_is_scaled_by_its_own_fans(name: str) -> None:
    net = nn.NeuralNet((FAN_IN, FAN_OUT, FAN_IN), initializer=name, seed=1)
    first, second = (weights.std() for weights in net.weights)
    assert first == pytest.approx(EXPECTED[name][0], rel=0.01)
    grows = np.sqrt(FAN_IN / FAN_OUT)
    ratio = {"glorot": 1.0, "orthogonal": 1.0, "normal": 1 / grows**2}.get(name, grows)
    assert second / first == pytest.approx(ratio, rel=0.02)


@pytest.mark.parametrize("name", nn.INITIALIZERS)
def test_biases_start_at_zero(name: str) -> None:
    for biases in nn.NeuralNet((5, 7, 3), initializer=name, seed=1).biases:
        assert not biases.any()


def test_a_network_takes_an_integer_or_a_generator_as_its_seed() -> None:
    by_number = nn.NeuralNet((5, 7, 3), seed=1).parameters
    by_generator = nn.NeuralNet((5, 7, 3), seed=np.random.default_rng(1)).parameters
    np.testing.assert_array_equal(by_number, by_generator)
    assert not np.array_equal(by_number, nn.NeuralNet((5, 7, 3), seed=2).parameters)


def test_two_networks_from_one_generator_differ() -> None:
    rng = np.random.default_rng(1)
    one, other = nn.NeuralNet((5, 7, 3), seed=rng), nn.NeuralNet((5, 7, 3), seed=rng)
    assert not np.array_equal(one.parameters, other.parameters)


def test_an_initializer_may_be_given_as_a_function() -> None:
    def counting(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return np.arange(fan_in * fan_out, dtype=float).reshape(fan_in, fan_out)

    assert nn.make_initializer(counting) is counting
    net = nn.NeuralNet((2, 3), initializer=counting)
    np.testing.assert_array_equal(net.weights[0], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(("fan_in", "fan_out"), [(7, 4), (4, 7), (5, 5)])
def test_orthogonal_weights_are_orthonormal_times_the_gain(fan_in: int, fan_out: int) -> None:
    weights = orthogonal(fan_in, fan_out, np.random.default_rng(0), gain=3.0)
    product = weights.T @ weights if fan_in >= fan_out else weights @ weights.T
    np.testing.assert_allclose(product, 9.0 * np.eye(min(fan_in, fan_out)), atol=1e-12)


def test_biases_are_zero_unless_said_otherwise() -> None:
    assert not any(biases.any() for biases in nn.NeuralNet((4, 5, 3), seed=0).biases)


@pytest.mark.parametrize(
    ("name", "deviation", "bound"),
    [("zero", 0.0, 0.0), ("normal", 1.0, np.inf), ("uniform", 0.05 / np.sqrt(3), 0.05),
     ("unit", 1 / np.sqrt(3), 1.0)],
)  # fmt: skip
def test_the_distribution_of_biases(name: str, deviation: float, bound: float) -> None:
    """Of 40,000 units with 400 inputs each: standard errors of 0.005 and 0.0035 deviations."""
    draw = nn.BIAS_INITIALIZERS[name]
    biases = draw(400, 40_000, np.random.default_rng(0))
    assert biases.shape == (40_000,)
    assert abs(biases.mean()) <= 0.02 * deviation
    assert biases.std() == pytest.approx(deviation, rel=0.02)
    assert np.abs(biases).max() <= bound


def test_every_bias_initializer_has_its_place_in_a_network() -> None:
    assert set(nn.BIAS_INITIALIZERS) == {"zero", "normal", "uniform", "unit"}
    net = nn.NeuralNet((4, 50, 3), bias_initializer="normal", seed=0)
    assert net.biases[0].std() > 0.5
    plain = nn.NeuralNet((4, 50, 3), seed=0)
    np.testing.assert_array_equal(net.weights[0], plain.weights[0])
