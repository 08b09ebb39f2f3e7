"""The network: its two passes by hand, its views, its shapes and its state."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nn
from nn.typing import Array

X = np.array([[2.0, 1.0], [-1.0, 2.0]], np.float32)  # [B, n_in]


def tiny() -> nn.NeuralNet:
    """2-2-1 with ReLU. Z = [[5.5, -4.5], [5.5, 2.0]], so one unit is off for one example."""
    net = nn.NeuralNet((2, 2, 1), hidden="relu", output="identity")
    net.weights[0][:] = [[1.0, -2.0], [3.0, 0.5]]
    net.biases[0][:] = [0.5, -1.0]
    net.weights[1][:] = [[2.0], [-1.0]]
    net.biases[1][:] = [0.25]
    return net


def random_net(seed: int = 0, sizes: tuple[int, ...] = (3, 5, 2), **settings: Any) -> nn.NeuralNet:
    """A network whose biases are not zero."""
    net = nn.NeuralNet(sizes, hidden="tanh", **settings)
    net.parameters[:] = np.random.default_rng(seed).normal(0, 1, net.parameters.size)
    return net


def examples(batch: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 1, (batch, 3)).astype(np.float32)


def test_forward_by_hand() -> None:
    # 2 * 5.5 + 0.25, and 2 * 5.5 - 2 + 0.25
    np.testing.assert_allclose(tiny().forward(X), [[11.25], [9.25]])


def test_backward_by_hand() -> None:
    net = tiny()
    net.forward(X)
    gradients = net.backward(np.array([[1.0], [10.0]]))
    # dZ = [[2, 0], [20, -10]] in the hidden layer.
    first = [2 * 2 - 20, 10, 2 + 2 * 20, 2 * -10, 2 + 20, -10]
    second = [5.5 + 55, 2 * 10, 1 + 10]
    np.testing.assert_allclose(gradients, first + second)


def test_a_single_outputs_slope_follows_its_weights() -> None:
    """W dZ of one output is made another way; the weights are other ones in the second pass."""
    net = nn.Network((3, 1), seed=0)
    for weights in ([2.0, -1.0, 0.5], [-4.0, 3.0, 1.0]):
        net.weights = [np.array(weights)[:, None]]
        net.forward(np.ones((2, 3), np.float32))
        slope = net.input_gradient(np.array([[1.0], [-2.0]]))
        np.testing.assert_array_equal(slope, np.outer([1.0, -2.0], weights))


def test_the_output_activation_is_the_last_layers_alone() -> None:
    net = nn.NeuralNet((1, 1, 1), hidden="identity", output="relu")
    net.parameters[:] = [1.0, 0.0, 1.0, 0.0]
    np.testing.assert_array_equal(net.forward(np.array([[-2.0], [3.0]])), [[0.0], [3.0]])
    net = nn.NeuralNet((1, 1, 1), hidden="relu", output="identity")
    net.parameters[:] = [1.0, 0.0, -1.0, 0.0]
    np.testing.assert_array_equal(net.forward(np.array([[-2.0], [3.0]])), [[0.0], [-3.0]])


def test_the_parameters_are_one_vector_of_which_the_layers_hold_views() -> None:
    net = tiny()
    np.testing.assert_allclose(net.parameters, [1, -2, 3, 0.5, 0.5, -1, 2, -1, 0.25])
    net.parameters[:] = np.arange(9)
    assert net.weights[0].tolist() == [[0, 1], [2, 3]]
    assert net.biases[0].tolist() == [4, 5]
    assert net.weights[1].tolist() == [[6], [7]]
    assert net.biases[1].tolist() == [8]
    net.weights[0][1, 0], net.biases[1][0] = 20, 80
    assert net.parameters.tolist() == [0, 1, 20, 3, 4, 5, 6, 7, 80]


def test_a_parameter_written_after_a_forward_is_used_by_the_next() -> None:
    net = tiny()
    net.forward(X)
    net.parameters[-1] = 1.25
    np.testing.assert_allclose(net.forward(X), [[12.25], [10.25]])


def test_gradients_are_returned_in_the_networks_own_vector() -> None:
    net = tiny()
    net.forward(X)
    assert net.backward(np.ones((2, 1))) is net.gradients
    assert net.gradients.shape == net.parameters.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_arrays_have_the_networks_type(dtype: type) -> None:
    net = nn.NeuralNet((2, 3, 1), dtype=dtype)
    output = net.forward(X)
    gradients = net.backward(np.ones((2, 1)))
    types = {each.dtype for each in (net.parameters, output, gradients, net.output_gradient)}
    assert types == {np.dtype(dtype)}


def test_the_type_is_float32_unless_asked_otherwise() -> None:
    assert nn.NeuralNet((2, 1)).parameters.dtype == np.float32


@pytest.mark.parametrize(
    "x",
    [X.astype(np.float64), X.astype(np.int64), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]],
    ids=["float64", "int64", "columns", "strided"],
)
def test_inputs_of_any_type_and_layout_are_taken(x: Array) -> None:
    np.testing.assert_allclose(tiny().forward(x), [[11.25], [9.25]])


def test_the_next_forward_of_the_same_batch_size_overwrites_the_output() -> None:
    net = random_net()
    output = net.forward(examples(4, seed=1))
    kept = output.copy()
    net.forward(examples(4, seed=2))
    assert not np.any(output == kept)


def test_a_forward_of_another_batch_size_leaves_the_output_alone() -> None:
    net = random_net()
    output = net.forward(examples(4, seed=1))
    kept = output.copy()
    net.forward(examples(5, seed=2))
    np.testing.assert_array_equal(output, kept)


def test_examples_do_not_see_each_other() -> None:
    net, x = random_net(), examples(6)
    together = net.forward(x).copy()
    alone = [net.forward(x[i : i + 1])[0].copy() for i in range(6)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_backward_goes_through_the_latest_forward_whatever_came_before() -> None:
    net, gradient = random_net(), np.ones((4, 2))
    net.forward(examples(4, seed=1))
    expected = net.backward(gradient).copy()
    net.forward(examples(4, seed=2))
    net.backward(gradient)
    net.forward(examples(7, seed=3))
    net.forward(examples(4, seed=1))
    np.testing.assert_array_equal(net.backward(gradient), expected)


def test_backward_overwrites_and_does_not_add() -> None:
    net = random_net()
    net.forward(examples(4))
    first = net.backward(np.ones((4, 2))).copy()
    np.testing.assert_array_equal(net.backward(np.ones((4, 2))), first)


def test_the_output_gradient_may_be_written_in_place() -> None:
    net, gradient = random_net(), np.random.default_rng(1).normal(0, 1, (4, 2))
    net.forward(examples(4))
    expected = net.backward(gradient).copy()
    net.forward(examples(4))
    net.output_gradient[:] = gradient
    np.testing.assert_array_equal(net.backpropagate(), expected)


def test_neither_pass_writes_into_its_argument() -> None:
    net, x, gradient = random_net(), examples(4), np.ones((4, 2), np.float32)
    net.forward(x)
    net.backward(gradient)
    np.testing.assert_array_equal(x, examples(4))
    assert (gradient == 1).all()


@pytest.mark.parametrize("warm", [False, True], ids=["no workspace yet", "workspace there"])
@pytest.mark.parametrize(
    "shape",
    [
        *[(1,), (3,), (4,), (0,)],  # one-dimensional
        *[(4, 1), (4, 2), (4, 5), (1, 1), (3, 4)],  # of the wrong width
        (0, 3),  # empty
        *[(4, 3, 1), (1, 4, 3), (4, 3, 4)],  # three-dimensional
    ],
    ids=str,
)
def test_inputs_of_a_wrong_shape_are_refused(shape: tuple[int, ...], warm: bool) -> None:
    """Also where NumPy could stretch them to the shape of a workspace that is there already."""
    net = random_net()
    for batch in (1, 3, 4) if warm else ():
        net.forward(examples(batch))
    message = f"examples x features, [B, 3], not {list(shape)}"
    with pytest.raises(ValueError, match=re.escape(message)):
        net.forward(np.ones(shape, np.float32))


@pytest.mark.parametrize("warm", [False, True])
def test_a_network_of_one_input_refuses_a_flat_batch(warm: bool) -> None:
    net = nn.NeuralNet((1, 2))
    if warm:
        net.forward(np.ones((4, 1)))
    with pytest.raises(ValueError, match=re.escape("[B, 1], not [4]")):
        net.forward(np.ones(4))


def test_a_refused_input_leaves_the_latest_forward_in_place() -> None:
    net, gradient = random_net(), np.ones((4, 2))
    net.forward(examples(7))
    net.forward(examples(4))
    expected = net.backward(gradient).copy()
    with pytest.raises(ValueError, match="must be examples x features"):
        net.forward(np.ones((7, 5)))
    np.testing.assert_array_equal(net.backward(gradient), expected)


@pytest.mark.parametrize(
    "sizes", [(), (3,), (3, 0), (0, 3), (3, -1, 2), (3, 2.5), ("3", "1"), 5, "31", None], ids=str
)
def test_sizes_that_are_no_network_are_refused(sizes: Any) -> None:
    with pytest.raises(ValueError, match="two or more layers of at least 1 unit"):
        nn.NeuralNet(sizes)


def test_follow_moves_by_a_share_of_the_difference() -> None:
    net, other = nn.NeuralNet((1, 1)), nn.NeuralNet((1, 1))
    net.parameters[:], other.parameters[:] = [2.0, -4.0], [6.0, 4.0]
    net.polyak_update(other, tau=0.25)
    assert net.parameters.tolist() == [3.0, -2.0]
    net.polyak_update(other, tau=0.5)
    assert net.parameters.tolist() == [4.5, 1.0]
    assert other.parameters.tolist() == [6.0, 4.0]


def test_follow_with_a_blend_of_one_copies_to_the_bit() -> None:
    net, other = random_net(1), random_net(2)
    net.parameters[:] *= 1e6  # p + (q - p) would not give q
    net.polyak_update(other, tau=1)
    np.testing.assert_array_equal(net.parameters, other.parameters)
    other.parameters[:] = 0.0
    assert net.parameters.all()  # a copy and not the same array


def test_follow_reaches_the_output() -> None:
    net, other, x = random_net(1), random_net(2), examples(4)
    net.forward(x)
    net.polyak_update(other, tau=1)
    np.testing.assert_array_equal(net.forward(x), other.forward(x))


def test_a_copy_computes_the_same_with_parameters_of_its_own() -> None:
    net = nn.NeuralNet((3, 5, 2), hidden="tanh", output="sigmoid", dtype=np.float64)
    twin, x = net.copy(), examples(4)
    np.testing.assert_array_equal(twin.forward(x), net.forward(x))
    assert twin.parameters.dtype == np.float64
    net.parameters[:] = 0.0
    assert twin.weights[0].all()
    assert not np.any(twin.forward(x) == net.forward(x))


def test_a_restored_network_gives_the_same_output_to_the_bit() -> None:
    net, other, x = random_net(1), random_net(2), examples(4)
    other.forward(x)
    other.restore(net.state())
    np.testing.assert_array_equal(other.forward(x), net.forward(x))


def test_a_state_does_not_change_with_its_network() -> None:
    net = random_net()
    state, kept = net.state(), net.parameters.copy()
    net.parameters[:] = 0.0
    net.restore(state)
    np.testing.assert_array_equal(net.parameters, kept)
    net.parameters[:] = 0.0
    np.testing.assert_array_equal(state["parameters"], kept)


@pytest.mark.parametrize("sizes", [(3, 5, 3), (3, 1), (1, 2)], ids=str)
def test_a_state_of_other_sizes_is_refused(sizes: tuple[int, ...]) -> None:
    """(1, 2) has as many parameters as (3, 1)."""
    net = random_net(sizes=(1, 2) if sizes == (3, 1) else (3, 1))
    kept = net.parameters.copy()
    with pytest.raises(ValueError, match=re.escape(f"has layers {sizes}, this one {net.sizes}")):
        net.restore(random_net(sizes=sizes).state())
    np.testing.assert_array_equal(net.parameters, kept)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 2), (3, 2)])
def test_a_gradient_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    net = nn.NeuralNet((3, 2), seed=0)
    net.forward(np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match=r"output's shape, \[4, 2\]"):
        net.backward(np.ones(shape, np.float32))
