"""Ensembles by hand, against their members one by one, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from nn.ensemble import BlockDense
from nn.gradient_check import numerical_gradient, relative_error
from nn.typing import Array

MEMBERS = 3


def make(seed: int = 0, **settings: Any) -> nn.Ensemble:
    """Three members of 2 inputs, 4 units and 2 outputs each, with random biases."""
    settings = {"dtype": np.float64, **settings}
    net = nn.Ensemble((2, 12, 12, 6), "tanh", members=MEMBERS, seed=seed, **settings)
    net.parameters[:] = np.random.default_rng(seed + 5).normal(0, 1, net.parameters.size)
    return net


def member(net: nn.Ensemble, k: int) -> nn.Network:
    """One of its members as a network of its own."""
    alone = nn.Network((2, 4, 4, 2), "tanh", dtype=np.float64)
    first, *others = net.weights
    alone.weights = [first[:, 4 * k : 4 * k + 4], *(each[k] for each in others)]
    alone.biases = [each.reshape(MEMBERS, -1)[k] for each in net.biases]
    return alone


def test_values_by_hand() -> None:
    """Two members, x = 3: units 3 * 2 + 1 = 7 and 3 * 5 - 1 = 14; then 7 * 10 + 1, 14 * 100 + 2."""
    net = nn.Ensemble((1, 2, 2), "relu", members=2, dtype=np.float64)
    net.weights = [np.array([[2.0, 5.0]]), np.array([[[10.0]], [[100.0]]])]
    net.biases = [np.array([1.0, -1.0]), np.array([1.0, 2.0])]
    np.testing.assert_allclose(net.forward(np.array([[3.0]])), [[71.0, 1402.0]])


def test_each_member_computes_and_learns_what_it_does_alone() -> None:
    net, rng = make(), np.random.default_rng(1)
    x, slopes = rng.normal(0, 1, (5, 2)), rng.normal(0, 1, (5, 6))
    outputs = net.forward(x).copy()
    net.backward(slopes)
    layers = [layer for layer in net.layers if layer.size]
    for k in range(MEMBERS):
        alone, own = member(net, k), slice(2 * k, 2 * k + 2)
        np.testing.assert_allclose(alone.forward(x), outputs[:, own], rtol=1e-12)
        alone.backward(slopes[:, own])
        theirs = [layer.gradients for layer in alone.layers if layer.size]
        np.testing.assert_allclose(layers[0].gradients[:, 4 * k : 4 * k + 4], theirs[0])
        for layer, expected in zip(layers[1:], theirs[1:], strict=True):
            assert isinstance(layer, BlockDense)
            np.testing.assert_allclose(layer.blocks(layer.gradients)[k], expected[:-1])
            biases = layer.gradients[-1].reshape(MEMBERS, -1)[k]
            np.testing.assert_allclose(biases, expected[-1])


def test_gradients_agree_with_central_differences() -> None:
    net, rng = make(), np.random.default_rng(2)
    x, slopes = rng.normal(0, 1, (4, 2)), rng.normal(0, 1, (4, 6))

    def function() -> float:
        return float((net.forward(x) * slopes).sum())

    function()
    analytic = net.backward(slopes).copy()
    assert relative_error(analytic, numerical_gradient(function, net.parameters)) < 1e-7
    function()
    slope = net.input_gradient(slopes).ravel().copy()
    assert relative_error(slope, numerical_gradient(function, x.reshape(-1))) < 1e-7


@pytest.mark.parametrize("initializer", ["he", "glorot"])
def test_members_begin_apart_and_each_as_a_network_of_its_own(initializer: str) -> None:
    """The spread of the first weights goes by the sizes of one member: 2 by 200, not 2 by 600."""
    net = nn.Ensemble((2, 600, 600), members=MEMBERS, initializer=initializer, seed=0)
    alone = nn.Network((2, 200, 200), initializer=initializer, seed=0)
    blocks: list[Array] = [*np.split(net.weights[0], MEMBERS, axis=1), *net.weights[1]]
    for k, block in enumerate(blocks):
        assert block.std() == pytest.approx(alone.weights[k // MEMBERS].std(), rel=0.1)
        assert not any(np.array_equal(block, other) for other in blocks[:k])


def test_two_ensembles_side_by_side_are_one() -> None:
    one, other = make(0), make(1)
    both, x = one.beside(other), np.random.default_rng(3).normal(0, 1, (5, 2))
    expected = np.hstack([one.forward(x), other.forward(x)])
    assert both.members == 2 * MEMBERS
    np.testing.assert_allclose(both.forward(x.astype(np.float32)), expected, rtol=1e-4, atol=1e-5)


def test_a_copy_is_equal_and_its_own() -> None:
    net, x = make(), np.ones((1, 2))
    twin = net.copy()
    np.testing.assert_array_equal(twin.forward(x), net.forward(x))
    twin.parameters += 1.0
    assert not np.array_equal(twin.forward(x), net.forward(x))


def test_sizes_must_be_multiples_of_the_members() -> None:
    with pytest.raises(ValueError, match="3 members need multiples"):
        nn.Ensemble((2, 12, 7), members=MEMBERS)


CONV = [{"filters": 3, "size": 2, "pool": 2}, {"filters": 4, "size": 2, "padding": 1}]


def heads(seed: int = 0, **settings: Any) -> nn.Ensemble:
    """Three heads of 4 units and 2 outputs each on one trunk."""
    net = nn.Ensemble(((6, 5, 2), 12, 6), "tanh", members=MEMBERS, conv=CONV, seed=seed,
                      pixel_scale=0.5, dtype=np.float64, **settings)  # fmt: skip
    net.parameters[:] = np.random.default_rng(seed + 5).normal(0, 0.7, net.parameters.size)
    return net


def test_members_are_heads_of_one_trunk() -> None:
    net, x = heads(), np.random.default_rng(1).normal(0, 1, (4, 6, 5, 2))
    outputs = net.forward(x).copy()
    for k in range(MEMBERS):
        alone = nn.Network(((6, 5, 2), 4, 2), "tanh", conv=CONV, pixel_scale=0.5, dtype=np.float64)
        *trunk, first, last = net.weights
        alone.weights = [*trunk, first[:, 4 * k : 4 * k + 4], last[k]]
        *trunk, first, last = net.biases
        alone.biases = [*trunk, first[4 * k : 4 * k + 4], last[2 * k : 2 * k + 2]]
        np.testing.assert_allclose(outputs[:, 2 * k : 2 * k + 2], alone.forward(x))


def test_the_gradient_of_a_trunk_agrees_with_central_differences() -> None:
    net, rng = heads(), np.random.default_rng(1)
    x, slope = rng.normal(0, 1, (4, 6, 5, 2)), rng.normal(0, 1, (4, 6))
    net.forward(x)
    found = net.backward(slope).copy()
    expected = numerical_gradient(lambda: float((net.forward(x) * slope).sum()), net.parameters)
    assert relative_error(found, expected) < 1e-6


def test_ensembles_of_pictures_side_by_side_keep_their_trunks() -> None:
    one, other = heads(0), heads(1)
    x = np.random.default_rng(1).normal(0, 1, (4, 6, 5, 2)).astype(np.float32)
    both = one.beside(other)
    expected = np.hstack([one.forward(x), other.forward(x)])
    np.testing.assert_allclose(both.forward(x), expected, rtol=1e-4, atol=1e-5)
