"""Convolution and pooling: by hand, against central differences, and as a person uses them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.convolution import Conv2D, MaxPool2D
from nn.gradient_check import gradient_error, numerical_gradient, relative_error
from nn.initializers import he, zero_biases
from nn.layers import Layer
from nn.typing import Array
from tests.nn.test_allocation import RETAINED, measure

Conv = list[dict[str, Any]]
PICTURE = (7, 8, 2)  # height, width, channels
BUFFERS = 16 * 1024  # bytes: three of 1,024 float32 and what holds them; x has 73,728
CONV: Conv = [{"filters": 3, "size": 3, "padding": 1, "pool": 2}, {"filters": 4, "size": 2}]

# Every stride and padding with sides that they do not divide, kernels as large as the picture, and
# pooling that leaves a row out or overlaps.
GEOMETRIES: dict[str, tuple[tuple[int, ...], Conv]] = {
    "two": (PICTURE, CONV),
    "stride": (PICTURE, [{"filters": 3, "size": 3, "stride": 2}, {"filters": 2, "size": 2}]),
    "long stride": ((9, 7, 1), [{"filters": 3, "size": 2, "stride": 3}]),
    "padding": ((5, 4, 3), [{"filters": 2, "size": 4, "padding": 3, "stride": 2}]),
    "padding, then stride": (
        (6, 5, 2),
        [{"filters": 3, "size": 1, "padding": 1}, {"filters": 2, "size": 3, "stride": 2,
                                                   "padding": 2}],
    ),
    "one pixel": ((3, 2, 2), [{"filters": 3, "size": 1}, {"filters": 2, "size": 1, "stride": 2}]),
    "whole picture": ((4, 4, 2), [{"filters": 3, "size": 4}]),
    "pool leaves out": (PICTURE, [{"filters": 3, "size": 2, "pool": 4}]),
    "pool overlaps": (PICTURE, [{"filters": 3, "size": 2, "pool": 3, "pool_stride": 1}]),
    "pool skips": ((9, 9, 1), [{"filters": 3, "size": 2, "pool": 2, "pool_stride": 3},
                               {"filters": 2, "size": 2}]),
}  # fmt: skip


def network(
    picture: tuple[int, ...] = PICTURE, conv: Conv = CONV, hidden: str = "tanh", **settings: Any
) -> nn.NeuralNet:
    """A float64 network whose biases are not zero."""
    sizes = (picture, 5, 3)
    net = nn.NeuralNet(sizes, hidden, conv=conv, dtype=np.float64, seed=0, **settings)
    net.parameters[:] = np.random.default_rng(1).normal(0, 0.7, net.parameters.size)
    return net


def pictures(net: nn.NeuralNet, batch: int = 5, seed: int = 2) -> Array:
    assert net.picture
    return np.random.default_rng(seed).normal(0, 1, (batch, *net.picture))


def one_layer(layer: Layer, picture: Array) -> Any:
    """The pass of one layer over one picture [C, H, W], after its forward."""
    layer.bind(np.zeros(layer.size), np.zeros(layer.size), np.zeros(0))
    x = np.ones((layer.inputs + 1, 1))
    x[:-1, 0] = picture.ravel()
    made = layer.at(x, np.full((layer.inputs, 1), 7.0))
    made.forward(training=True)
    return made


PIXELS = np.array([[[1.0, 2, 3], [4, 5, 6]], [[0, 1, 0], [2, 0, 3]]])  # two channels of 2 x 3


def test_convolution_by_hand() -> None:
    """Two channels of 2 x 3, one filter of 2 x 2 whose entries tell row from column."""
    layer = Conv2D((2, 2, 3), 1, 2, 1, 0, he, zero_biases)
    made = one_layer(layer, PIXELS)
    layer.filters[...] = [[[[1, 10], [100, 1000]], [[0, 0], [-1, 2]]]]
    layer.biases[:] = 0.5
    made.forward(training=True)
    # 1 + 20 + 400 + 5000 - 2 + 0 + 0.5, and 2 + 30 + 500 + 6000 - 0 + 6 + 0.5
    assert made.output[:, 0].tolist() == [5419.5, 6538.5, 1.0]
    made.doutput[:, 0] = [1.0, 10.0]
    made.backward()
    # Each weight saw the pixel under it at both places.
    expected = [1 + 20, 2 + 30, 4 + 50, 5 + 60, 0 + 10, 1 + 0, 2 + 0, 0 + 30, 1 + 10]
    assert layer.gradients[:, 0].tolist() == expected
    # The middle column lies under both places: [10 + 10, 1000 + 1000] and [0, 2 - 10].
    dx = made.backward_to_input()[:, 0].reshape(2, 2, 3)
    assert dx[0].tolist() == [[1, 20, 100], [100, 2000, 10000]]
    assert dx[1].tolist() == [[0, 0, 0], [-1, -8, 20]]


def test_stride_and_padding_by_hand() -> None:
    layer = Conv2D((2, 2, 3), 1, 2, 2, 1, he, zero_biases)
    made = one_layer(layer, PIXELS)
    layer.filters[...] = [[[[1, 10], [100, 1000]], [[0, 0], [0, 0]]]]
    made.forward(training=True)
    # Of the padded rows [0 0 0 0 0], [0 1 2 3 0], [0 4 5 6 0], [0 0 0 0 0].
    assert layer.output_shape == (1, 2, 2)
    assert made.output[:4, 0].tolist() == [1000, 3200, 40, 65]
    made.doutput[:, 0] = [1, 2, 3, 4]
    assert made.backward_to_input()[:3, 0].tolist() == [1000, 200, 2000]


def test_pooling_by_hand() -> None:
    """Of equal entries the first receives the gradient, so that none is counted twice."""
    layer = MaxPool2D((1, 2, 4), 2, 2)
    made = one_layer(layer, np.array([[[1.0, 5, 3, 3], [5, 2, 3, 3]]]))
    assert made.output[:, 0].tolist() == [5, 3, 1]
    made.doutput[:, 0] = [10, 20]
    made.backward()
    np.testing.assert_array_equal(made._dx[:, 0], [0, 10, 20, 0, 0, 0, 0, 0])


def test_the_padding_of_a_pool_is_never_the_maximum() -> None:
    layer = MaxPool2D((1, 2, 2), 2, 1, padding=1)
    made = one_layer(layer, -np.array([[[1.0, 2], [3, 4]]]))
    assert made.output[:-1, 0].tolist() == [-1, -1, -2, -1, -1, -2, -3, -3, -4]
    made.doutput[:, 0] = 1.0
    made.backward()
    assert made._dx[:, 0].tolist() == [4, 2, 2, 1]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry_agrees_with_central_differences(name: str) -> None:
    check(network(*GEOMETRIES[name]))


@pytest.mark.parametrize("hidden", nn.ACTIVATIONS)
def test_every_activation_agrees_with_central_differences(hidden: str) -> None:
    check(network(hidden=hidden))


@pytest.mark.parametrize("cost", nn.COSTS)
@pytest.mark.parametrize("settings", [{"layer_norm": True}, {"batch_norm": True}, {"dropout": 0.4}])
def test_every_cost_agrees_with_central_differences(cost: str, settings: dict[str, Any]) -> None:
    check(network(cost=cost, **settings))


def check(net: nn.NeuralNet) -> None:
    x, y = pictures(net), np.random.default_rng(3).uniform(0.1, 0.9, (5, 3))
    if net.cost_function.made_for:
        y /= y.sum(axis=1, keepdims=True)
    assert gradient_error(net, x, y) < 1e-6
    assert min(np.linalg.norm(each.gradients) for each in net.layers if each.size) > 1e-4


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_inputs_gradient_agrees_with_central_differences(name: str) -> None:
    net = network(*GEOMETRIES[name])
    x, slope = pictures(net), np.random.default_rng(3).normal(0, 1, (5, 3))
    flat = x.reshape(-1)
    net.forward(x)
    given = net.input_gradient(slope).copy()
    assert given.shape == x.shape
    found = numerical_gradient(lambda: float((net.forward(x) * slope).sum()), flat)
    assert relative_error(given.ravel(), found) < 1e-6


@pytest.mark.parametrize("settings", [{}, {"batch_norm": True}, {"layer_norm": True}], ids=str)
def test_numbers_joined_to_a_picture_agree_with_central_differences(
    settings: dict[str, Any],
) -> None:
    """As a critic sees a picture and an action of two numbers."""
    net = network(joined=2, **settings)
    rng = np.random.default_rng(3)
    x, slope = rng.normal(0, 1, (5, 112 + 2)), rng.normal(0, 1, (5, 3))
    assert net.sizes[0] == 114
    assert gradient_error(net, x, slope) < 1e-6
    assert min(np.linalg.norm(each.gradients) for each in net.layers if each.size) > 1e-4
    net.forward(x)
    given = net.input_gradient(slope).copy()
    flat = x.reshape(-1)
    found = numerical_gradient(lambda: float((net.forward(x) * slope).sum()), flat)
    assert relative_error(given, found.reshape(x.shape)[:, 112:]) < 1e-6
    net.forward(x)
    first = net.backward(slope).copy()
    net.input_gradient(slope)
    np.testing.assert_array_equal(net.backward(slope), first)  # undisturbed


def test_joined_numbers_stand_behind_the_picture_and_are_not_scaled() -> None:
    plain, net = network(pixel_scale=0.5), network(pixel_scale=0.5, joined=2, channels_first=True)
    first = next(number for number, each in enumerate(net.weights) if len(each) == 24 + 2)
    net.weights = [
        np.vstack([each, [[1.0] * 5, [10.0] * 5]]) if number == first else each
        for number, each in enumerate(plain.weights)
    ]
    net.biases = plain.biases
    x = pictures(plain, 1)
    plain.biases[first][:] += 3.0 + 10 * 4.0
    given = np.hstack([np.moveaxis(x, 3, 1).reshape(1, -1), [[3.0, 4.0]]])
    np.testing.assert_allclose(net.forward(given), plain.forward(x))
    with pytest.raises(ValueError, match=re.escape("examples x features, [B, 114], not [1, 112]")):
        net.forward(x.reshape(1, -1))


def test_a_lost_patch_is_found() -> None:
    """The negative control: the second layer passes nothing on from an entry of its kernel."""
    net = network()
    net.forward(pictures(net))
    second: Any = net.latest_passes()[3][1]
    second._dkernel = second._dkernel[:-1]
    second._dwindow.kernel = second._dwindow.kernel[:-1]
    assert gradient_error(net, pictures(net), np.ones((5, 3))) > 1e-3


def test_both_passes_may_be_repeated() -> None:
    net, gradient = network(), np.ones((5, 3))
    net.forward(pictures(net))
    first = net.backward(gradient).copy()
    net.input_gradient(gradient)
    np.testing.assert_array_equal(net.backward(gradient), first)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.bool_])
def test_pictures_are_taken_flattened_or_not_and_of_any_type(kind: type) -> None:
    net = network()
    x: Array = (np.abs(pictures(net)) * 2).astype(kind)
    expected = net.forward(x.astype(np.float64)).copy()
    for given in (x, x.reshape(5, -1), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        np.testing.assert_array_equal(net.forward(given), expected)
        np.testing.assert_array_equal(net.feedforward(given), expected)


def test_a_grey_picture_needs_no_axis_of_channels() -> None:
    net = network((6, 5), [{"filters": 2}])
    assert net.picture == (6, 5, 1)
    x = pictures(net)
    np.testing.assert_array_equal(net.feedforward(x[..., 0]), net.feedforward(x))


def test_many_pictures_are_taken_in_pieces() -> None:
    net = nn.NeuralNet(((70, 70, 1), 2), conv=[{"filters": 1, "size": 40}], seed=0)
    x = np.random.default_rng(0).normal(0, 1, (5, 70, 70, 1))
    assert net._at_once < 5
    alone = [net.feedforward(one[None])[0] for one in x]
    np.testing.assert_allclose(net.feedforward(x), alone, rtol=1e-5)
    assert net.cost(x, np.zeros((5, 2))) > 0


def test_a_network_of_pictures_comes_back_from_its_file_and_as_a_copy(tmp_path: Path) -> None:
    net = network(cost="log_likelihood", layer_norm=True)
    net.save(tmp_path / "net.npz")
    back, x = nn.load(tmp_path / "net.npz"), pictures(net)
    assert (back.picture, back.conv) == (net.picture, net.conv)
    for twin in (back, net.copy()):
        np.testing.assert_array_equal(twin.feedforward(x), net.feedforward(x))


def test_a_network_of_joined_numbers_comes_back_too(tmp_path: Path) -> None:
    net, x = network(joined=2), np.random.default_rng(0).normal(0, 1, (5, 114))
    net.save(tmp_path / "net.npz")
    for twin in (nn.load(tmp_path / "net.npz"), net.copy()):
        np.testing.assert_array_equal(twin.feedforward(x), net.feedforward(x))
    with pytest.raises(ValueError, match="the saved network has layers"):
        net.restore(network().state())


@pytest.mark.parametrize(
    ("picture", "conv"),
    [((8, 7, 2), CONV), (PICTURE, [{"filters": 3, "size": 3, "padding": 1, "pool": 2},
                                   {"filters": 4, "size": 2, "stride": 2}])],
)  # fmt: skip
def test_a_state_of_other_convolutions_is_refused(picture: tuple[int, ...], conv: Conv) -> None:
    net = network()
    with pytest.raises(ValueError, match="other convolutional layers"):
        net.restore(network(picture, conv).state())
    with pytest.raises(ValueError, match="layers"):
        net.restore(nn.NeuralNet((112, 5, 3), dtype=np.float64).state())


def test_the_summary_tells_the_sides() -> None:
    text = network().summary()
    assert "Conv2D 3x3 2x7x8 -> 3x7x8         168          57" in text
    assert "MaxPool2D 2x2 3x7x8 -> 3x3x4" in text
    assert "Flatten 24 -> 24" in text


def test_it_learns_to_tell_rows_from_columns() -> None:
    rng = np.random.default_rng(0)
    labels, places = rng.integers(2, size=200), rng.integers(6, size=200)
    x = rng.normal(0, 0.3, (200, 6, 6))
    for picture, label, place in zip(x, labels, places, strict=True):
        (picture if label else picture.T)[place] += 1.0
    net = nn.NeuralNet(((6, 6), 2), conv=[{"filters": 4, "pool": 4}], cost="log_likelihood", seed=0)
    net.fit(x[:150], labels[:150], optimizer="adam", learning_rate=0.02, epochs=15, verbose=False)
    assert net.accuracy(x[150:], labels[150:]) > 0.95


REFUSED: list[tuple[Any, Any, str]] = [
    # sizes, conv, what the message must say
    (((8, 8, 1), 2), [{"filters": 2, "size": 9}],
     "conv[0] does not fit: a kernel of 9 x 9 is larger than its picture of 8 x 8"),
    (((8, 8, 1), 2), [{"filters": 2}, {"filters": 2, "size": 9, "padding": 1}],
     "conv[1] does not fit: a kernel of 9 x 9 is larger than its picture of 6 x 6 with a padding of"
     " 1"),
    (((8, 5, 1), 2), [{"filters": 2, "pool": 4}],
     "conv[0] does not fit: a kernel of 4 x 4 is larger than its picture of 6 x 3"),
    ((64, 2), [{"filters": 2}], "conv needs a picture: let the first of sizes be (height, width, "),
    (((8, 8, 1), 2), [], "conv needs a layer, since the input is a picture, (8, 8, 1); a dense"),
    (((8, 8, 1), 2), [{"filter": 2}], "conv[0].filter is no setting; did you mean 'filters'?"),
    (((8, 8, 1), 2), [{"size": 2}], "conv[0].filters is missing"),
    (((8, 8, 1), 2), [{"filters": 0}], "conv[0].filters must be at least 1, not 0"),
    (((8, 8, 1), 2), [{"filters": 2, "stride": 0}], "conv[0].stride must be at least 1, not 0"),
    (((8, 8, 1), 2), [{"filters": 2, "padding": -1}], "conv[0].padding must not be negative, but"),
    (((8, 8, 1), 2), [{"filters": 2.5}], "conv[0].filters must be a whole number, not 2.5"),
    (((8, 8, 1), 2), [{"filters": "2"}], "conv[0].filters must be a whole number, not '2'"),
    (((8, 8, 1), 2), [16], "conv[0] must be settings such as {'filters': 16}, not 16"),
    (((8, 8, 1), 2), {"filters": 2}, "conv must be a list of layers, not {'filters': 2}"),
    (((8, 8, 1, 1), 2), [{"filters": 2}], "a picture must be height, width and channels, not (8,"),
    (((8, 0, 1), 2), [{"filters": 2}], "a picture must be height, width and channels, not (8, 0"),
    (((8, 8.5, 1), 2), [{"filters": 2}], "a picture must be height, width and channels, not (8, "),
    (((8, 8, 1),), [{"filters": 2}], "sizes must be two or more layers of at least 1 unit, not"),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "conv", "said"), REFUSED, ids=[each[2] for each in REFUSED])
def test_what_is_no_network_of_pictures_is_refused(sizes: Any, conv: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        nn.NeuralNet(sizes, conv=conv)


@pytest.mark.parametrize(
    "shape", [(5,), (5, 111), (5, 8, 7, 2), (5, 7, 8), (5, 7, 8, 1), (0, 7, 8, 2), (1, 5, 7, 8, 2)]
)
def test_inputs_that_are_no_pictures_are_refused(shape: tuple[int, ...]) -> None:
    net = network()
    net.forward(pictures(net))
    with pytest.raises(
        ValueError, match=re.escape(f"must be pictures, [B, 7, 8, 2], not {[*shape]}")
    ):
        net.forward(np.ones(shape))
    said = "x has no examples" if 0 in shape else "x must be pictures, [B, 7, 8, 2], or flattened, "
    with pytest.raises(ValueError, match=re.escape(said)):
        net.feedforward(np.ones(shape))


def test_a_steady_update_of_pictures_allocates_buffers_alone() -> None:
    """Those of ufuncs on strided arrays, for the moment."""
    net = nn.NeuralNet(((12, 12, 4), 16, 3), conv=[{"filters": 8, "padding": 1, "pool": 2},
                                                  {"filters": 8}], seed=0)  # fmt: skip
    optimizer = nn.Adam(net.parameters, net.gradients)
    x = np.random.default_rng(0).random((32, 12, 12, 4), np.float32)

    def update() -> None:
        net.propagate(x.reshape(32, -1), y)
        optimizer.step()

    y = np.zeros((32, 3), np.float32)
    retained, peak = measure(update, 10)
    assert retained < RETAINED
    assert peak < BUFFERS
