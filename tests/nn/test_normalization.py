"""Layer and batch normalization by hand, what they take out, and their state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.gradient_check import numerical_gradient, relative_error
from nn.normalization import BatchRenorm


def test_values_by_hand() -> None:
    """Inputs 1, 3, 5, 7: mean 4, variance 5; gains and shifts differ by unit."""
    net = nn.NeuralNet((4, 4, 1), "identity", layer_norm=True, dtype=np.float64)
    net.weights = [np.eye(4), np.ones((4, 1))]
    net.layers[1].parameters[:] = [[1.0, 2.0, 3.0, 4.0], [0.5, 0.0, 0.0, -0.5]]
    net.forward(np.array([[1.0, 3.0, 5.0, 7.0]]))
    normalized = net.latest_passes()[1][1].output[:-1, 0]
    deviation = np.sqrt(5 + 1e-5)
    expected = np.array([-3 * 1, -1 * 2, 1 * 3, 3 * 4]) / deviation + [0.5, 0, 0, -0.5]
    np.testing.assert_allclose(normalized, expected, rtol=1e-12)


def test_at_first_it_takes_out_the_scale_and_the_shift_of_an_example() -> None:
    net = nn.NeuralNet((4, 4, 2), "identity", layer_norm=True, seed=0, dtype=np.float64)
    net.weights = [np.eye(4), net.weights[1]]
    x = np.random.default_rng(0).normal(0, 1, (3, 4))
    np.testing.assert_allclose(net.feedforward(100 * x + 7), net.feedforward(x), atol=1e-3)
    assert not np.allclose(net.feedforward(x**2), net.feedforward(x), atol=1e-1)


def test_a_saved_network_keeps_its_gains(tmp_path: Path) -> None:
    net = nn.NeuralNet((3, 4, 1), layer_norm=True, seed=0)
    net.parameters[:] = np.random.default_rng(0).normal(0, 1, net.parameters.size)
    net.save(tmp_path / "net.npz")
    x = np.random.default_rng(1).normal(0, 1, (5, 3))
    np.testing.assert_array_equal(nn.load(tmp_path / "net.npz").feedforward(x), net.feedforward(x))


def test_a_state_without_gains_is_refused() -> None:
    net = nn.NeuralNet((3, 4, 1), layer_norm=True, seed=0)
    with pytest.raises(ValueError, match="has 21 parameters, this one 29"):
        net.restore(nn.NeuralNet((3, 4, 1), seed=0).state())


def renormalized(**settings: Any) -> tuple[nn.NeuralNet, BatchRenorm]:
    """Two inputs, their statistics, gains and biases by hand, and the sum of both outputs."""
    settings = {"momentum": 0.9, "epsilon": 0.0, "warmup": 0, **settings}
    net = nn.NeuralNet((2, 1), batch_norm=BatchRenorm.Settings(**settings), dtype=np.float64)
    net.weights = [np.ones((2, 1))]
    layer = net.layers[0]
    assert isinstance(layer, BatchRenorm)
    layer.parameters[:] = [[2.0, 3.0], [0.5, -1.0]]
    layer.statistics[:2] = [[1.5, 0.0], [2.0, 3.2]]
    return net, layer


X = np.array([[1.0, 0.0], [3.0, 8.0]])  # means 2 and 4, standard deviations 1 and 4


def test_a_batch_is_renormalized_by_hand() -> None:
    """r = 1 / 2, cut to 2 / 3, and 4 / 3.2; d = 0.5 / 2, and 4 / 3.2, cut to 0.5."""
    net, layer = renormalized(r_max=1.5, d_max=0.5)
    net.forward(X, training=True)
    y = net.latest_passes()[0][1].output[:-1].T
    first, second = 2.0 / 3.0, 1.25
    expected = [
        [2.0 * (-first + 0.25) + 0.5, 3.0 * (-second + 0.5) - 1.0],
        [2.0 * (first + 0.25) + 0.5, 3.0 * (second + 0.5) - 1.0],
    ]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    after = np.array([[1.55, 0.4], [1.9, 3.28], [1, 1]])
    np.testing.assert_allclose(layer.statistics, after, rtol=1e-12)


def test_in_the_warm_up_a_batch_is_normalized_alone() -> None:
    """g (x - mean_B) / std_B + b, whatever the running averages are; `warmup` passes long."""
    net, _ = renormalized(warmup=1)
    net.forward(X, training=True)
    first = net.latest_passes()[0][1].output[:-1].T.copy()
    np.testing.assert_allclose(first, [[-1.5, -4.0], [2.5, 2.0]], rtol=1e-12)
    net.forward(X, training=True)
    assert not np.allclose(net.latest_passes()[0][1].output[:-1].T, first)


def test_evaluation_goes_by_the_running_averages_and_keeps_them() -> None:
    net, layer = renormalized()
    kept = layer.statistics.copy()
    net.forward(X)
    y = net.latest_passes()[0][1].output[:-1].T
    expected = np.array([[2 * -0.25 + 0.5, -1.0], [2 * 0.75 + 0.5, 3 * 2.5 - 1]])
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(X * layer.affine()[0] + layer.affine()[1], expected, rtol=1e-12)
    np.testing.assert_array_equal(layer.statistics, kept)


@pytest.mark.parametrize("mode", ["training", "a part of the rows", "evaluation"])
def test_gradients_agree_with_central_differences_at_fixed_r_and_d(mode: str) -> None:
    """Also where only some rows of a joint batch have a gradient, as in CrossQ."""
    still = BatchRenorm.Settings(momentum=1.0)  # the averages stay
    net = nn.NeuralNet((3, 5, 2), "tanh", batch_norm=still, dtype=np.float64, seed=0)
    rng = np.random.default_rng(1)
    net.parameters[:] = rng.normal(0, 0.8, net.parameters.size)
    x, weights = rng.normal(1, 2, (6, 3)), rng.normal(0, 1, (6, 2))
    if mode == "a part of the rows":
        weights[4:] = 0.0
    for layer in net.layers:
        if isinstance(layer, BatchRenorm):
            layer.statistics[:2] = rng.uniform(0.5, 2, (2, layer.inputs))
            held = rng.uniform(0.5, 2, layer.inputs), rng.uniform(-2, 2, layer.inputs)
            layer.correction = lambda mean, std, held=held: held  # type: ignore[method-assign, misc]

    def function() -> float:
        return float((net.forward(x, mode != "evaluation") * weights).sum())

    function()
    analytic = net.backward(weights).copy()
    assert np.linalg.norm(analytic) > 1
    assert relative_error(analytic, numerical_gradient(function, net.parameters)) < 1e-7
    function()
    slope = net.input_gradient(weights).ravel().copy()
    assert relative_error(slope, numerical_gradient(function, x.reshape(-1))) < 1e-7


def test_r_and_d_are_constants_of_the_gradient() -> None:
    """Uncut, they cancel the batch's statistics; a gradient through them would be evaluation's."""
    net, _ = renormalized(r_max=100.0, d_max=100.0)
    weights = np.array([[1.0], [-2.0]])
    outputs = net.forward(X, training=True).copy()
    slope = net.input_gradient(weights).copy()
    net, _ = renormalized()
    np.testing.assert_allclose(net.forward(X), outputs, rtol=1e-12)
    # Of two examples, a batch's normal values do not depend on x at all.
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)
    assert np.abs(net.input_gradient(weights)).min() > 0.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"momentum": 1.5}, r"momentum must lie in \[0, 1\]"),
        ({"r_max": 0.5}, "r_max must be at least 1"),
        ({"d_max": -1.0}, "d_max must not be negative"),
        ({"warmup": -1}, "warmup must not be negative"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(nn.SettingError, match=said):
        BatchRenorm.Settings(**settings)


@pytest.mark.parametrize("batch_norm", [True, BatchRenorm.Settings(momentum=0.5, warmup=1)])
def test_running_averages_are_saved_copied_and_followed(
    tmp_path: Path, batch_norm: bool | BatchRenorm.Settings
) -> None:
    net = nn.NeuralNet((3, 4, 1), batch_norm=batch_norm, seed=0)
    x = np.random.default_rng(1).normal(2, 3, (5, 3)).astype(np.float32)
    fresh = net.copy()
    net.forward(x, training=True)
    assert not np.array_equal(net.statistics, fresh.statistics)
    net.save(tmp_path / "net.npz")
    for twin in (net.copy(), nn.load(tmp_path / "net.npz")):
        assert twin.batch_norm == net.batch_norm
        np.testing.assert_array_equal(twin.statistics, net.statistics)
        np.testing.assert_array_equal(twin.forward(x), net.forward(x))
    half = 0.5 * (fresh.statistics + net.statistics)
    fresh.polyak_update(net, 0.5)
    np.testing.assert_allclose(fresh.statistics, half, rtol=1e-6)
    fresh.polyak_update(net, 1)
    np.testing.assert_array_equal(fresh.forward(x), net.forward(x))


def test_a_state_without_running_averages_is_refused() -> None:
    net = nn.NeuralNet((3, 4, 1), batch_norm=True, seed=0)
    state = net.state()
    del state["statistics"]
    with pytest.raises(ValueError, match="no batch_norm"):
        net.restore(state)


def test_a_network_without_it_draws_the_same_weights_and_saves_no_averages() -> None:
    plain = nn.NeuralNet((3, 4, 1), seed=0)
    assert list(plain.state()) == ["sizes", "parameters"]
    for ours, theirs in zip(
        plain.weights, nn.NeuralNet((3, 4, 1), batch_norm=True, seed=0).weights, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
