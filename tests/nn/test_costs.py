"""Costs: values and gradients by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nn
from nn.typing import Array

PREDICTION = np.array([[1.0, 5.0], [0.0, -2.0], [3.0, 1.0]])  # [B, n]: three examples
TARGET = np.array([[0.5, 1.0], [0.0, 1.0], [5.0, 1.0]])
ERROR = [[0.5, 4.0], [0.0, -3.0], [-2.0, 0.0]]

# Cost and gradient, both times B = 3.
BY_HAND: dict[str, tuple[nn.Cost, float, list[list[float]]]] = {
    "quadratic": (nn.Quadratic(), (0.25 + 16 + 9 + 4) / 2, ERROR),
    "huber": (nn.Huber(), 0.125 + 3.5 + 2.5 + 1.5, [[0.5, 1.0], [0.0, -1.0], [-1.0, 0.0]]),
    "huber, wide": (  # only the error of 4 lies outside 3: 3 (4 - 1.5)
        nn.Huber(delta=3.0),
        0.125 + 7.5 + 4.5 + 2.0,
        [[0.5, 3.0], [0.0, -3.0], [-2.0, 0.0]],
    ),
    "huber, narrow": (  # 0.25 (|e| - 0.125)
        nn.Huber(delta=0.25),
        0.25 * (0.375 + 3.875 + 2.875 + 1.875),
        [[0.25, 0.25], [0.0, -0.25], [-0.25, 0.0]],
    ),
}


# Costs of an error, prediction - target; the others take pre-activations and probabilities.
OF_ERRORS = [name for name, kind in nn.COSTS.items() if kind.made_for is None]

# Pre-activations, targets, cost and gradient, both times B = 2.
P, Q = 1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(1.0))  # sigmoid(2) and sigmoid(-1)
S = [math.exp(z) / (1 + math.exp(1.0) + math.exp(2.0)) for z in (0.0, 1.0, 2.0)]
OF_OUTPUTS: dict[str, tuple[list[list[float]], list[list[float]], float, list[list[float]]]] = {
    "cross_entropy": (
        [[2.0, -1.0], [0.0, 2.0]],
        [[1.0, 0.25], [0.0, 0.0]],
        -math.log(P) - 0.25 * math.log(Q) - 0.75 * math.log(1 - Q)
        - math.log(0.5) - math.log(1 - P),
        [[P - 1, Q - 0.25], [0.5, P]],
    ),
    "log_likelihood": (
        [[0.0, 1.0, 2.0], [7.0, 6.0, 5.0]],
        [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]],
        -math.log(S[1]) - 0.5 * math.log(S[2]) - 0.5 * math.log(S[0]),
        [[S[0], S[1] - 1, S[2]], [S[2] - 0.5, S[1], S[0] - 0.5]],
    ),
}  # fmt: skip


def test_every_cost_has_values_by_hand() -> None:
    assert set(nn.COSTS) <= set(BY_HAND) | set(OF_OUTPUTS)


@pytest.mark.parametrize("name", OF_OUTPUTS)
def test_costs_of_outputs_by_hand(name: str) -> None:
    z, y, value, gradient = OF_OUTPUTS[name]
    for inputs in _layouts(np.array(z)):
        for target in _layouts(np.array(y)):
            out = np.full_like(target, np.nan)
            cost = nn.make_cost(name)
            assert cost.gradient(inputs, target, out) == pytest.approx(value / 2, rel=1e-14)
            assert cost.value(inputs, target) == pytest.approx(value / 2, rel=1e-14)
            np.testing.assert_allclose(out, np.array(gradient) / 2, rtol=1e-13)


@pytest.mark.parametrize("name", OF_OUTPUTS)
def test_costs_of_outputs_serve_batches_of_changing_size_and_type(name: str) -> None:
    z, y, _, _ = OF_OUTPUTS[name]
    cost = nn.make_cost(name)
    for dtype in (np.float32, np.float64):
        for batch in (2, 1, 2):
            inputs, target = np.array(z, dtype)[:batch], np.array(y, dtype)[:batch]
            out = np.empty_like(inputs)
            fresh = nn.make_cost(name).gradient(inputs, target, np.empty_like(out))
            assert cost.gradient(inputs, target, out) == fresh
            assert out.dtype == dtype


@pytest.mark.parametrize("case", BY_HAND)
def test_values_by_hand(case: str) -> None:
    cost, total, _ = BY_HAND[case]
    assert cost.value(PREDICTION, TARGET) == pytest.approx(total / 3, rel=1e-14)


@pytest.mark.parametrize("case", BY_HAND)
def test_gradients_by_hand(case: str) -> None:
    cost, _, total = BY_HAND[case]
    out = np.full_like(PREDICTION, np.nan)
    cost.gradient(PREDICTION, TARGET, out)
    np.testing.assert_allclose(out, np.array(total) / 3, rtol=1e-14)


@pytest.mark.parametrize("case", BY_HAND)
def test_the_gradient_comes_with_the_value(case: str) -> None:
    cost = BY_HAND[case][0]
    value = cost.gradient(PREDICTION, TARGET, np.empty_like(PREDICTION))
    assert type(value) is float
    assert value == pytest.approx(cost.value(PREDICTION, TARGET), rel=1e-14)


@pytest.mark.parametrize("case", BY_HAND)
def test_the_average_is_over_examples_and_not_over_outputs(case: str) -> None:
    cost = BY_HAND[case][0]
    value = cost.value(PREDICTION, TARGET)
    twice = cost.value(np.tile(PREDICTION, (2, 1)), np.tile(TARGET, (2, 1)))
    wide = cost.value(np.tile(PREDICTION, (1, 2)), np.tile(TARGET, (1, 2)))
    assert twice == pytest.approx(value)
    assert wide == pytest.approx(2 * value)


@pytest.mark.parametrize("case", BY_HAND)
def test_one_number_an_example_is_a_batch_of_one_output(case: str) -> None:
    cost = BY_HAND[case][0]
    prediction, target = PREDICTION[:, 1].copy(), TARGET[:, 1].copy()
    flat, column = np.empty(3), np.empty((3, 1))
    value = cost.gradient(prediction, target, flat)
    assert value == cost.gradient(prediction[:, None], target[:, None], column)
    np.testing.assert_array_equal(flat, column[:, 0])


def _layouts(values: Array) -> list[Array]:
    """The same numbers as rows in memory, as columns, and as a part of a larger array."""
    wide = np.zeros((2 * len(values), 5))
    part = wide[::2, 1 : 1 + values.shape[1]]
    part[...] = values
    return [values.copy(), np.asfortranarray(values), part]


@pytest.mark.parametrize("case", BY_HAND)
def test_the_arrays_may_lie_in_memory_as_they_like(case: str) -> None:
    """One object for all, so that what it keeps from one layout must not reach the next."""
    cost, value, gradient = BY_HAND[case]
    for prediction in _layouts(PREDICTION):
        for target in _layouts(TARGET):
            for out in _layouts(np.full_like(PREDICTION, np.nan)):
                assert cost.gradient(prediction, target, out) == pytest.approx(value / 3)
                np.testing.assert_allclose(out, np.array(gradient) / 3, rtol=1e-14)


@pytest.mark.parametrize("name", nn.COSTS)
def test_neither_prediction_nor_target_is_changed(name: str) -> None:
    prediction, target = PREDICTION.copy(), TARGET.copy()
    nn.make_cost(name).gradient(prediction, target, np.empty_like(prediction))
    np.testing.assert_array_equal(prediction, PREDICTION)
    np.testing.assert_array_equal(target, TARGET)


@pytest.mark.parametrize("name", OF_ERRORS)
def test_a_perfect_prediction_costs_nothing(name: str) -> None:
    out = np.full_like(TARGET, np.nan)
    assert nn.make_cost(name).gradient(TARGET, TARGET, out) == 0.0
    assert not out.any()


@pytest.mark.parametrize("name", OF_ERRORS)
def test_a_cost_serves_batches_of_changing_size_and_type(name: str) -> None:
    cost = nn.make_cost(name)
    for dtype in (np.float32, np.float64):
        for batch in (3, 1, 3):
            prediction, target = PREDICTION[:batch].astype(dtype), TARGET[:batch].astype(dtype)
            out = np.empty_like(prediction)
            value = cost.gradient(prediction, target, out)
            assert value == pytest.approx(nn.make_cost(name).value(prediction, target))
            assert value > 0
            assert out.dtype == dtype


def test_huber_meets_itself_at_delta() -> None:
    """Both branches give delta^2 / 2 and a slope of delta there."""
    out, cost = np.empty(1), nn.Huber(delta=1.5)
    for error in (1.5 - 1e-12, 1.5, 1.5 + 1e-12):
        assert cost.gradient(np.array([error]), np.zeros(1), out) == pytest.approx(1.125)
        assert out[0] == pytest.approx(1.5)


@pytest.mark.parametrize("name", OF_ERRORS)
def test_a_nan_is_not_swallowed(name: str) -> None:
    out = np.empty(2)
    value = nn.make_cost(name).gradient(np.array([np.nan, 1.0]), np.zeros(2), out)
    assert math.isnan(value)
    assert math.isnan(out[0])


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_huber_refuses_a_delta_that_is_not_positive(delta: float) -> None:
    with pytest.raises(ValueError, match="delta must be greater than 0"):
        nn.Huber(delta)


def test_a_cost_may_be_given_as_an_object() -> None:
    cost = nn.Huber(delta=2.0)
    assert nn.make_cost(cost) is cost
