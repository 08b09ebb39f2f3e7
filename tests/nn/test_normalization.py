"""Layer normalization by hand, what it takes out, and its state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn


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
