"""Penalties, max-norm and dropout, by hand and by their statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn
from nn.regularization import Penalty, limit_norms


def test_a_penalty_by_hand() -> None:
    """Two weights, 3 and -4, a bias, 10, and another weight, 0, of a network of 5 examples."""
    penalty = Penalty(np.array([1.0, 1.0, 0.0, 1.0]), examples=5, l1=2.0, l2=6.0)
    parameters = np.array([3.0, -4.0, 10.0, 0.0])
    assert penalty.value(parameters) == pytest.approx(2 / 5 * 7 + 6 / 10 * 25)
    gradients = np.array([100.0, 100.0, 100.0, 100.0])
    penalty.add_gradient(parameters, gradients)
    expected = [100 + 6 / 5 * 3 + 2 / 5, 100 - 6 / 5 * 4 - 2 / 5, 100.0, 100.0]
    np.testing.assert_allclose(gradients, expected)
    assert parameters.tolist() == [3.0, -4.0, 10.0, 0.0]


@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_negative_penalty_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        Penalty(np.ones(2), 5, **{"l1": 0.0, "l2": 0.0, name: value})


def test_only_weights_are_penalized() -> None:
    net = nn.NeuralNet((2, 3, 1), layer_norm=True, seed=0)
    net.parameters[:] = 1.0
    # 2 * 3 and 3 * 1 weights of one; biases, gains and shifts do not count.
    without = net.cost([[0.0, 0.0]], [[0.0]])
    assert net.cost([[0.0, 0.0]], [[0.0]], l2=2.0) - without == pytest.approx(9.0, rel=1e-5)
    assert net.cost([[0.0, 0.0]], [[0.0]], l1=2.0) - without == pytest.approx(18.0, rel=1e-5)


def test_norms_are_limited_by_hand() -> None:
    """The columns are the units' incoming weights: of norm 5, 0.5 and 0."""
    weights = np.array([[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]])
    limit_norms(weights, 2.0)
    np.testing.assert_allclose(weights, [[1.2, 0.3, 0.0], [1.6, 0.4, 0.0]])


def net_of_ones(rate: float, units: int = 10_000) -> nn.NeuralNet:
    """One input; each unit gives 1 for an input of 1; the output is their mean."""
    net = nn.NeuralNet((1, units, 1), "relu", dropout=rate, seed=0)
    net.weights = [np.ones((1, units)), np.full((units, 1), 1 / units)]
    return net


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_leaves_out_its_share_and_keeps_the_mean(rate: float, dtype: type) -> None:
    net = nn.NeuralNet((1, 10_000, 1), "relu", dropout=rate, seed=0, dtype=dtype)
    net.weights = [np.ones((1, 10_000)), np.full((10_000, 1), 1e-4)]
    outputs = net.forward(np.ones((8, 1), dtype), training=True)
    (_, dropped), *_ = (pair for pair in net.latest_passes() if "Dropout" in type(pair[0]).__name__)
    values = dropped.output[:-1]
    assert np.unique(np.abs(values)).tolist() == pytest.approx([0.0, 1 / (1 - rate)], rel=1e-6)
    assert (values == 0).mean() == pytest.approx(rate, abs=0.01)  # 80,000 draws: 6 deviations
    assert len({tuple(column) for column in values[:100].T}) == 8  # each example's own
    np.testing.assert_allclose(outputs, 1.0, atol=0.13)  # 6 deviations at 0.8


def test_dropout_is_off_at_prediction() -> None:
    net = net_of_ones(0.5)
    for outputs in (net.feedforward([[1.0]]), net.forward(np.ones((1, 1)))):
        np.testing.assert_allclose(outputs, 1.0, rtol=1e-5)
    assert net.cost([[1.0]], [[0.0]]) == pytest.approx(0.5, rel=1e-5)
    assert net.predict([[1.0]]) == pytest.approx(1.0, rel=1e-5)


def test_what_is_left_out_gets_no_gradient() -> None:
    net = net_of_ones(0.5, units=100)
    _, (first, last), _ = net.backprop([[1.0]], [[0.0]])
    left_out = last[:, 0] == 0
    assert 20 < left_out.sum() < 80
    np.testing.assert_array_equal(first[0] == 0, left_out)


def test_a_backward_after_a_prediction_goes_through_every_unit() -> None:
    net = net_of_ones(0.5, units=100)
    net.forward(np.ones((1, 1)), training=True)
    net.forward(np.ones((1, 1)))
    net.backward(np.ones((1, 1)))
    assert (net.layers[0].gradients != 0).all()


def test_the_seed_decides_what_is_left_out() -> None:
    def costs(seed: int) -> list[float]:
        net = nn.NeuralNet((2, 30, 1), dropout=0.5, seed=seed)
        net.parameters[:] = 1.0
        return [net.backprop([[1.0, 1.0]], [[0.0]])[0] for _ in range(5)]

    assert costs(1) == costs(1) != costs(2)
    assert len(set(costs(1))) > 1  # other units each time


def test_a_restored_network_leaves_out_the_same_units(tmp_path: Path) -> None:
    net, other = nn.NeuralNet((2, 30, 1), dropout=0.5, seed=0), None
    net.backprop([[1.0, 1.0]], [[0.0]])
    net.save(tmp_path / "net.npz")
    state = net.state()
    expected = [net.backprop([[1.0, 1.0]], [[0.0]])[0] for _ in range(3)]
    for other in (nn.NeuralNet((2, 30, 1), dropout=0.5, seed=7), nn.load(tmp_path / "net.npz")):
        other.restore(state)
        assert [other.backprop([[1.0, 1.0]], [[0.0]])[0] for _ in range(3)] == expected
    loaded = nn.load(tmp_path / "net.npz")
    assert [loaded.backprop([[1.0, 1.0]], [[0.0]])[0] for _ in range(3)] == expected


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_leaves_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="dropout must lie in"):
        nn.NeuralNet((1, 2, 1), dropout=rate)
