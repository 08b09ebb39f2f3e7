"""Noisy layers by hand, their gradients, and what is saved of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.gradient_check import gradient_error, numerical_gradient, relative_error
from nn.noisy import NoisyDense
from nn.typing import Array


class Drawn:
    """A generator that draws 4, -9 for two inputs and 1/4, -1 for two outputs."""

    def standard_normal(self, size: int) -> Array:
        assert size == 4
        return np.array([4.0, -9.0, 0.25, -1.0])


def test_values_by_hand() -> None:
    """f = 2, -3 and 1/2, -1: z_1 = (1 + 0.1) 1 + (3 - 0.45) 10 + 5 + 0.25."""
    net = nn.Network((2, 2), noisy=True, dtype=np.float64)
    layer = net.layers[0]
    assert isinstance(layer, NoisyDense)
    layer.mu[:] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    layer.sigma[:] = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    x = np.array([[1.0, 10.0]])
    np.testing.assert_allclose(net.forward(x), [[36.0, 48.0]])
    generator: Any = Drawn()
    net.draw_noise(generator)
    np.testing.assert_allclose(net.forward(x), [[31.85, 59.0]])
    net.still()
    np.testing.assert_allclose(net.forward(x), [[36.0, 48.0]])
    assert net.mean_sigma == pytest.approx(0.35)


@pytest.mark.parametrize("more", [{}, {"layer_norm": True}, {"batch_norm": True}], ids=str)
def test_gradients_agree_with_central_differences_for_fixed_noise(more: dict[str, Any]) -> None:
    net = nn.NeuralNet((3, 5, 4, 2), "tanh", noisy=True, dtype=np.float64, seed=0, **more)
    rng = np.random.default_rng(1)
    net.parameters[:] = rng.normal(0, 0.8, net.parameters.size)
    net.draw_noise(rng)
    x, y = rng.normal(0, 1, (6, 3)), rng.normal(0, 1, (6, 2))
    assert gradient_error(net, x, y) < 1e-7
    for layer in net.layers:
        if isinstance(layer, NoisyDense):
            assert np.abs(layer.gradients[layer.rows :]).max() > 1e-3

    def function() -> float:
        return float((net.forward(x) * y).sum())

    function()
    slope = net.input_gradient(y).ravel().copy()
    assert relative_error(slope, numerical_gradient(function, x.reshape(-1))) < 1e-7


def test_noise_is_factorized_and_of_the_right_size() -> None:
    """E f(e)^2 = E |e| = sqrt(2 / pi); of a weight, the square of that."""
    net = nn.Network((3, 2), noisy=True, seed=0)
    layer, rng = net.layers[0], np.random.default_rng(0)
    assert isinstance(layer, NoisyDense)
    np.testing.assert_allclose(layer.sigma, 0.5 / np.sqrt(3), rtol=1e-6)
    more: Any = nn.Network((3, 2), noisy=1.5, seed=0).layers[0]
    np.testing.assert_allclose(more.sigma, 1.5 / np.sqrt(3), rtol=1e-6)
    drawn = []
    for _ in range(4000):
        net.draw_noise(rng)
        drawn.append(layer.noise.copy())
    noise = np.array(drawn)
    assert np.linalg.matrix_rank(noise[0]) == 1
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.06)
    squares = (noise**2).mean(axis=0)
    np.testing.assert_allclose(squares[:3], 2 / np.pi, atol=0.08)
    np.testing.assert_allclose(squares[3], np.sqrt(2 / np.pi), atol=0.08)


@pytest.mark.parametrize("noisy", [True, 1.5])
def test_a_saved_network_keeps_its_noises_scales(tmp_path: Path, noisy: bool | float) -> None:
    net = nn.NeuralNet((3, 4, 1), noisy=noisy, seed=0)
    net.parameters[:] = np.random.default_rng(0).normal(0, 1, net.parameters.size)
    net.save(tmp_path / "net.npz")
    x = np.random.default_rng(1).normal(0, 1, (5, 3)).astype(np.float32)
    for twin in (nn.load(tmp_path / "net.npz"), net.copy()):
        for each in (net, twin):
            each.draw_noise(np.random.default_rng(2))
        np.testing.assert_array_equal(twin.forward(x), net.forward(x))
        net.still()
        assert not np.array_equal(twin.forward(x), net.forward(x))


def test_means_and_their_gradients_are_what_a_plain_network_has() -> None:
    plain = nn.NeuralNet((3, 4, 1), "tanh", seed=0)
    net = nn.NeuralNet((3, 4, 1), "tanh", noisy=True, seed=0)
    net.weights = plain.weights
    x, y = np.ones((2, 3)), np.zeros((2, 1))
    for ours, theirs in zip(net.backprop(x, y)[1], plain.backprop(x, y)[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(net.feedforward(x), plain.feedforward(x))
