"""Activations: values and gradients by hand, and numbers of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nn
from nn.activations import LeakyReLU, Scratch, Softmax
from nn.typing import Array

Z = [[-2.0, 0.0, 3.0], [0.5, -0.5, 1.0]]  # [n, B]: two features, three examples


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _softmax_pair(z: float, other: float) -> float:
    return math.exp(z) / (math.exp(z) + math.exp(other))


BY_HAND = {
    "identity": Z,
    "sigmoid": [[_sigmoid(z) for z in row] for row in Z],
    "tanh": [[math.tanh(z) for z in row] for row in Z],
    "relu": [[0.0, 0.0, 3.0], [0.5, 0.0, 1.0]],
    "leaky_relu": [[-0.2, 0.0, 3.0], [0.5, -0.05, 1.0]],
    "elu": [[math.exp(-2) - 1, 0.0, 3.0], [0.5, math.exp(-0.5) - 1, 1.0]],
    "softplus": [[math.log(1 + math.exp(z)) for z in row] for row in Z],
    "silu": [[z * _sigmoid(z) for z in row] for row in Z],
    "softmax": [
        [_softmax_pair(a, b) for a, b in zip(Z[0], Z[1], strict=True)],
        [_softmax_pair(b, a) for a, b in zip(Z[0], Z[1], strict=True)],
    ],
}


def scratch_for(z: Array) -> Scratch:
    """Scratch full of rubbish: nothing may depend on what it held before."""
    scratch = Scratch(z, keeps_slope=True)
    for array in (scratch.values, scratch.row, scratch.slope):
        array.fill(np.nan)
    return scratch


def forward(activation: nn.Activation | str, z: object, dtype: type = np.float64) -> Array:
    a: Array = np.array(z, dtype)
    nn.make_activation(activation).forward(a, scratch_for(a))
    return a


def backward(
    activation: nn.Activation | str, z: object, gradient: object, dtype: type = np.float64
) -> Array:
    part = nn.make_activation(activation)
    a: Array = np.array(z, dtype)
    scratch = scratch_for(a)
    part.forward(a, scratch)
    dz: Array = np.array(gradient, dtype)
    part.backward(a, dz, scratch)
    return dz


def test_every_activation_has_values_by_hand() -> None:
    assert set(BY_HAND) == set(nn.ACTIVATIONS)


@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_values_by_hand(name: str) -> None:
    np.testing.assert_allclose(forward(name, Z), BY_HAND[name], rtol=1e-14)


def test_sigmoid_at_a_known_point() -> None:
    np.testing.assert_allclose(forward("sigmoid", [[0.0, math.log(3)]]), [[0.5, 0.75]])


def test_softmax_at_a_known_point_goes_along_the_features() -> None:
    z = np.log([[1.0, 5.0], [2.0, 5.0], [7.0, 10.0]])
    np.testing.assert_allclose(forward("softmax", z), [[0.1, 0.25], [0.2, 0.25], [0.7, 0.5]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", [[2.0, -4.0]]),
        ("sigmoid", [[2 * 0.25, -4 * 0.75 * 0.25]]),  # f (1 - f) at f = 1/2 and 3/4
        ("tanh", [[2.0, -4 * (1 - 0.8**2)]]),  # tanh(log 3) = 0.8
        ("relu", [[0.0, -4.0]]),  # 0 is not greater than 0
    ],
)
def test_gradients_by_hand(name: str, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(backward(name, [[0.0, math.log(3)]], [[2.0, -4.0]]), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.1)])
def test_rectifiers_let_the_gradient_through_where_z_is_positive_however_small(
    name: str, slope: float, dtype: type
) -> None:
    smallest = float(np.finfo(dtype).smallest_subnormal)
    z, gradient = [[-5.0, -1e-30, 1e-30, 5.0, smallest]], [[0.1, -0.3, 0.1, -0.3, 0.7]]
    expected = [[0.1 * slope, -0.3 * slope, 0.1, -0.3, 0.7]]
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(backward(name, z, gradient, dtype), expected, rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 3, 64])
def test_relu_stops_the_gradient_at_zero_of_either_sign(count: int, dtype: type) -> None:
    for zero in (0.0, -0.0):
        dz = backward("relu", np.full((2, count), zero), np.ones((2, count)), dtype)
        assert not dz.any()


def test_softmax_gradient_is_its_jacobian_times_the_gradient() -> None:
    f, g = np.array([0.1, 0.2, 0.7]), np.array([1.0, -2.0, 3.0])
    jacobian = np.diag(f) - np.outer(f, f)
    dz = backward("softmax", np.log(f)[:, None], g[:, None])
    np.testing.assert_allclose(dz[:, 0], jacobian @ g)
    np.testing.assert_allclose(dz[:, 0], [-0.08, -0.76, 0.84])  # f (g - 1.8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_huge_numbers_neither_overflow_nor_turn_into_nan(name: str, dtype: type) -> None:
    z: Array = np.array([[1e4, -1e4, 1e4, 0.0], [-1e4, -1e4, 1e4, 1e4]], dtype)
    gradient = np.full_like(z, 3.0)
    scratch = scratch_for(z)
    activation = nn.make_activation(name)
    # exp underflows to the zero that is right there; everything else is an error.
    with np.errstate(all="raise", under="ignore" if name in ("softmax", "softplus") else "raise"):
        activation.forward(z, scratch)
        activation.backward(z, gradient, scratch)
    assert np.isfinite(z).all()
    assert np.isfinite(gradient).all()


def test_saturated_values_are_exact() -> None:
    assert forward("sigmoid", [[-1e4, 1e4]], np.float32).tolist() == [[0.0, 1.0]]
    assert forward("softmax", [[1e4], [-1e4]], np.float32).tolist() == [[1.0], [0.0]]
    assert forward("softmax", [[-1e4], [-1e4]], np.float32).tolist() == [[0.5], [0.5]]


@pytest.mark.parametrize("scale", [0.1, 10.0, 1e4])
def test_softmax_sums_to_one_for_each_example(scale: float) -> None:
    z = np.random.default_rng(0).normal(0, scale, (6, 50))
    a = forward("softmax", z)
    assert (a >= 0).all()
    np.testing.assert_allclose(a.sum(axis=0), np.ones(50), rtol=1e-14)
    np.testing.assert_array_equal(a.argmax(axis=0), z.argmax(axis=0))


def test_softmax_of_one_feature_is_one() -> None:
    np.testing.assert_array_equal(forward(Softmax(), [[-3.0, 8.0]]), [[1.0, 1.0]])


def test_leaky_relu_takes_its_slope() -> None:
    np.testing.assert_allclose(forward(LeakyReLU(0.25), [[-4.0, 4.0]]), [[-1.0, 4.0]])
    np.testing.assert_allclose(backward(LeakyReLU(0.25), [[-4.0, 4.0]], [[3, 5]]), [[0.75, 5.0]])


@pytest.mark.parametrize("slope", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_leaky_relu_refuses_a_slope_that_hides_the_sign(slope: float) -> None:
    with pytest.raises(ValueError, match=r"slope must lie in \(0, 1\)"):
        LeakyReLU(slope)


def test_an_activation_may_be_given_as_an_object() -> None:
    activation = LeakyReLU(0.3)
    assert nn.make_activation(activation) is activation
