"""The engine against PyTorch in float64: layers, costs, whole networks, and optimizers.

python -m pip install -e ".[test-peers]" && python -m pytest tests/nn/test_peers.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
from nn.activations import LeakyReLU
from nn.convolution import MaxPool2D
from nn.typing import Array
from tests.nn.test_convolution import GEOMETRIES, network, one_layer, pictures

torch: Any = pytest.importorskip("torch", reason="PyTorch is in the extra test-peers")

INPUTS, UNITS, OUTPUTS, BATCH = 4, 6, 3, 7

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.1),
    "elu": torch.nn.functional.elu,
    "softplus": torch.nn.functional.softplus,
    "silu": torch.nn.functional.silu,
    "softmax": lambda z: torch.softmax(z, dim=1),
}
# Of the pre-activation where the cost is made for an output, else of the output.
COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "quadratic": lambda o, y: ((o - y) ** 2).sum() / 2 / len(o),
    "huber": lambda o, y: torch.nn.functional.huber_loss(o, y, reduction="sum") / len(o),
    "cross_entropy": lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(
        z, y, reduction="sum"
    ) / len(z),
    "log_likelihood": lambda z, y: torch.nn.functional.cross_entropy(z, y),
}  # fmt: skip
PAIRS = [
    (output, cost) for output in nn.ACTIVATIONS for cost in nn.COSTS
    if nn.COSTS[cost].made_for in (None, nn.ACTIVATIONS[output])
]  # fmt: skip


def test_every_part_has_its_peer() -> None:
    assert set(ACTIVATIONS) == set(nn.ACTIVATIONS)
    assert set(COSTS) == set(nn.COSTS)
    assert {name for name, *_ in OPTIMIZERS} == set(nn.OPTIMIZERS)


def tensors(net: nn.NeuralNet) -> list[Any]:
    """Each layer's parameters, as leaves whose gradients are wanted."""
    return [
        torch.tensor(layer.parameters, requires_grad=True) for layer in net.layers if layer.size
    ]


def their_cost(net: nn.NeuralNet, leaves: list[Any], x: Array, y: Array, parts: Any) -> Any:
    """The same network in PyTorch's operations."""
    hidden, output, cost = parts
    a, rows = torch.tensor(x), iter(leaves)
    for number in range(len(net.sizes) - 1):
        p = next(rows)
        z = a @ p[:-1] + p[-1]
        if number < len(net.sizes) - 2:
            if net.layer_norm:
                p = next(rows)
                z = torch.nn.functional.layer_norm(z, (UNITS,), p[0], p[1])
            a = ACTIVATIONS[hidden](z)
    judged = z if nn.COSTS[cost].made_for else ACTIVATIONS[output](z)
    return COSTS[cost](judged, torch.tensor(y))


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize(("output", "cost"), PAIRS)
@pytest.mark.parametrize("hidden", nn.ACTIVATIONS)
def test_cost_and_gradients_are_theirs(
    hidden: str, output: str, cost: str, layer_norm: bool
) -> None:
    sizes = (INPUTS, UNITS, UNITS, OUTPUTS)
    net = nn.NeuralNet(
        sizes, hidden, output, cost=cost, layer_norm=layer_norm, dtype=np.float64, seed=0
    )
    rng = np.random.default_rng(1)
    net.parameters[:] = rng.normal(0, 0.8, net.parameters.size)
    x, y = rng.normal(0, 1, (BATCH, INPUTS)), np.abs(rng.normal(0, 2, (BATCH, OUTPUTS)))
    if nn.COSTS[cost].made_for:
        y /= y.sum(axis=1, keepdims=True)
    leaves = tensors(net)
    theirs = their_cost(net, leaves, x, y, (hidden, output, cost))
    theirs.backward()
    ours, _, _ = net.backprop(x, y)
    assert ours == pytest.approx(float(theirs.detach()), rel=1e-10)
    expected = np.concatenate([leaf.grad.numpy().ravel() for leaf in leaves])
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(net.gradients, expected, rtol=1e-8, atol=1e-12)


def their_picture(net: nn.NeuralNet, leaves: list[Any], x: Array, hidden: str) -> Any:
    """What the dense layers see, of PyTorch's convolutions of pictures [B, H, W, C]."""
    functional, a = torch.nn.functional, torch.tensor(x).permute(0, 3, 1, 2)
    for each, p in zip(net.conv, leaves, strict=False):
        filters = p[:-1].T.reshape(each.filters, a.shape[1], each.size, each.size)
        z = functional.conv2d(a, filters, p[-1], each.stride, each.padding)
        a = ACTIVATIONS[hidden](z.flatten(1)).reshape(z.shape)
        if each.pool > 1:
            a = functional.max_pool2d(a, each.pool, each.pool_stride or each.pool)
    return a.flatten(1)


@pytest.mark.parametrize("hidden", nn.ACTIVATIONS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_convolutions_are_theirs(name: str, hidden: str) -> None:
    net = network(*GEOMETRIES[name], hidden)
    rng, leaves = np.random.default_rng(2), tensors(net)
    x, y = pictures(net), rng.normal(0, 1, (5, 3))
    z = their_picture(net, leaves, x, hidden) @ leaves[-2][:-1] + leaves[-2][-1]
    o = ACTIVATIONS[hidden](z) @ leaves[-1][:-1] + leaves[-1][-1]
    theirs = COSTS["quadratic"](o, torch.tensor(y))
    theirs.backward()
    assert net.backprop(x, y)[0] == pytest.approx(float(theirs.detach()), rel=1e-10)
    expected = np.concatenate([leaf.grad.numpy().ravel() for leaf in leaves])
    np.testing.assert_allclose(net.gradients, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (3, 2, 1), (4, 3, 2)]
)
def test_padded_pools_are_theirs(size: int, stride: int, padding: int) -> None:
    """With many equal entries, of which the first alone receives the gradient."""
    picture = np.random.default_rng(0).integers(0, 3, (2, 8, 7)).astype(np.float64)
    layer = MaxPool2D((2, 8, 7), size, stride, padding)
    made, leaf = one_layer(layer, picture), torch.tensor(picture, requires_grad=True)
    theirs = torch.nn.functional.max_pool2d(leaf[None], size, stride, padding)[0]
    np.testing.assert_array_equal(made.output[:-1, 0], theirs.detach().numpy().ravel())
    slope = np.random.default_rng(1).normal(0, 1, layer.outputs)
    made.doutput[:, 0] = slope
    made.backward()
    theirs.flatten().backward(torch.tensor(slope))
    np.testing.assert_allclose(made._dx[:, 0], leaf.grad.numpy().ravel(), rtol=1e-12)


def test_another_slope_is_theirs() -> None:
    z = np.linspace(-3, 3, 12).reshape(3, 4)
    net = nn.NeuralNet((4, 4), output=LeakyReLU(0.3), dtype=np.float64)
    net.weights = [np.eye(4)]
    theirs = torch.nn.functional.leaky_relu(torch.tensor(z), 0.3).numpy()
    np.testing.assert_allclose(net.feedforward(z), theirs, rtol=1e-12)


OPTIMIZERS: list[tuple[str, dict[str, Any], Callable[..., Any], dict[str, Any]]] = [
    ("SGD", {"learning_rate": 0.03}, torch.optim.SGD, {"lr": 0.03}),
    ("SGD", {"learning_rate": 0.03, "momentum": 0.8}, torch.optim.SGD,
     {"lr": 0.03, "momentum": 0.8}),
    ("SGD", {"learning_rate": 0.03, "momentum": 0.8, "nesterov": True}, torch.optim.SGD,
     {"lr": 0.03, "momentum": 0.8, "nesterov": True}),
    ("AdaGrad", {"learning_rate": 0.1}, torch.optim.Adagrad, {"lr": 0.1}),
    ("RMSProp", {"learning_rate": 0.01, "decay": 0.95}, torch.optim.RMSprop,
     {"lr": 0.01, "alpha": 0.95}),
    ("RMSProp", {"learning_rate": 0.00025, "decay": 0.95, "epsilon": 0.01, "centered": True,
                 "momentum": 0.95}, torch.optim.RMSprop,  # as Young and Tian (2019) have it
     {"lr": 0.00025, "alpha": 0.95, "eps": 0.01, "centered": True, "momentum": 0.95}),
    ("Adam", {"learning_rate": 0.01}, torch.optim.Adam, {"lr": 0.01}),
    ("Adam", {"beta1": 0.7, "beta2": 0.9, "epsilon": 0.1}, torch.optim.Adam,
     {"lr": 1e-3, "betas": (0.7, 0.9), "eps": 0.1}),
    ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.2}, torch.optim.AdamW,
     {"lr": 0.01, "weight_decay": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ours", "theirs", "their_settings"), OPTIMIZERS)
def test_a_hundred_steps_are_theirs(
    name: str, ours: dict[str, Any], theirs: Callable[..., Any], their_settings: dict[str, Any]
) -> None:
    """Each follows the gradients of a network of its own, so that an error would feed itself."""
    net = nn.NeuralNet((INPUTS, UNITS, OUTPUTS), "tanh", dtype=np.float64, seed=0)
    leaves = tensors(net)
    optimizer = nn.make_optimizer(name, net.parameters, net.gradients, **ours)
    their_optimizer = theirs(leaves, **their_settings)
    rng, start = np.random.default_rng(1), net.parameters.copy()
    for _ in range(100):
        x, y = rng.normal(0, 1, (BATCH, INPUTS)), rng.normal(0, 2, (BATCH, OUTPUTS))
        net.propagate(x, y)
        optimizer.step()
        their_optimizer.zero_grad()
        their_cost(net, leaves, x, y, ("tanh", "identity", "quadratic")).backward()
        their_optimizer.step()
    reached = np.concatenate([leaf.detach().numpy().ravel() for leaf in leaves])
    np.testing.assert_allclose(net.parameters, reached, rtol=1e-6, atol=1e-9)
    assert np.abs(net.parameters - start).max() > 0.01


SCHEDULES: list[tuple[nn.Schedule, Callable[[Any], Any]]] = [
    (nn.Step(start=1.0, factor=0.5, every=7),
     lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.5)),
    (nn.Linear(start=1.0, end=0.1, steps=30),
     lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 30)),
    (nn.Exponential(start=1.0, end=0.9**50, steps=50),
     lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)),
    (nn.Cosine(start=1.0, end=0.1, steps=50),
     lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50, eta_min=0.1)),
    (nn.Warmup(steps=10, then=1.0),
     lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), SCHEDULES, ids=range(len(SCHEDULES)))
def test_schedules_are_theirs(ours: nn.Schedule, theirs: Callable[[Any], Any]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = theirs(optimizer)
    for step in range(50):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        scheduler.step()


def test_a_dense_layers_initial_weights_are_distributed_as_theirs() -> None:
    """PyTorch draws weights and biases uniformly from +-1 / sqrt(fan_in)."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(400, 200)
    net = nn.NeuralNet((400, 200), initializer="uniform", bias_initializer="uniform", seed=0)
    for ours, theirs in ((net.weights[0], linear.weight), (net.biases[0], linear.bias)):
        theirs = theirs.detach().numpy()
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)
        assert ours.std() == pytest.approx(theirs.std(), rel=0.12)
