"""Backpropagation against central differences: every activation with every cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from nn.activations import LeakyReLU, Scratch, Tanh
from nn.costs import Cost
from nn.gradient_check import gradient_error, numerical_gradient, relative_error
from nn.typing import Array
from tests.rl.conftest import quick

INPUTS, UNITS, OUTPUTS = 4, 5, 3
MARGIN = 1e-4  # from a kink, in units of a pre-activation or of an error; steps are 1e-6

Part = str | nn.Activation


def goes_with(output: str, cost: str) -> bool:
    made_for = nn.COSTS[cost].made_for
    return made_for is None or nn.ACTIVATIONS[output] is made_for


PAIRS = [
    (output, cost) for output in nn.ACTIVATIONS for cost in nn.COSTS if goes_with(output, cost)
]


class Problem:
    """A random network with random examples, in float64."""

    def __init__(
        self, hidden: Part, output: Part, cost: Cost, depth: int, batch: int, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        sizes = (INPUTS, *[UNITS] * depth, OUTPUTS)
        self.net = nn.NeuralNet(sizes, hidden, output, cost=cost, dtype=np.float64)
        self.net.parameters[:] = rng.normal(0.0, 0.8, self.net.parameters.size)  # biases too
        self.cost = cost
        self.x = rng.normal(0.0, 1.0, (batch, INPUTS))
        self.y = rng.normal(0.0, 2.0, (batch, OUTPUTS))
        if cost.made_for is not None:  # probabilities that sum to 1
            self.y = np.abs(self.y) / np.abs(self.y).sum(axis=1, keepdims=True)

    def error(self, l2: float = 0.0) -> float:
        return gradient_error(self.net, self.x, self.y, l2)

    def shows_something(self) -> bool:
        """No kink within reach, errors on both sides of delta, and all gradients alive."""
        errors = np.abs(self.net.forward(self.x) - self.y)
        delta = getattr(self.cost, "delta", errors.mean())
        return bool(
            self._nearest_to_zero() > MARGIN
            and np.abs(errors - delta).min() > MARGIN
            and errors.min() < delta < errors.max()
            and min(self.gradient_norms()) > 1e-3
            and np.linalg.norm(self.net.gradients) > 0.05
        )

    def gradient_norms(self) -> list[float]:
        """Of each layer."""
        self.net.backprop(self.x, self.y)
        return [float(np.linalg.norm(each.gradients)) for each in self.net.layers if each.size]

    def _nearest_to_zero(self) -> float:
        """The smallest magnitude of any pre-activation."""
        nearest, a = np.inf, self.x.T
        for weights, biases in zip(self.net.weights, self.net.biases, strict=True):
            a = weights.T @ a + biases[:, None]
            nearest = min(nearest, np.abs(a).min())
            scratch = Scratch(a, keeps_slope=True)
            self.net.hidden.forward(a, scratch)
        return float(nearest)


def make_problem(hidden: Part, output: Part, cost: Cost, depth: int, batch: int) -> Problem:
    """The first seed that shows something: a check of zero against zero would pass as well."""
    for seed in range(1000):
        problem = Problem(hidden, output, cost, depth, batch, seed)
        if problem.shows_something():
            return problem
    raise AssertionError("no seed has living gradients away from all kinks")


@pytest.mark.parametrize("batch", quick(1, [7, 1]))
@pytest.mark.parametrize("depth", quick(2, [3, 0, 1]))
@pytest.mark.parametrize(("output", "cost"), PAIRS)
@pytest.mark.parametrize("hidden", nn.ACTIVATIONS)
def test_backpropagation_agrees_with_central_differences(
    hidden: str, output: str, cost: str, depth: int, batch: int
) -> None:
    problem = make_problem(hidden, output, nn.make_cost(cost), depth, batch)
    assert problem.error() < 1e-6
    assert np.linalg.norm(problem.net.gradients) > 0.05
    assert min(problem.gradient_norms()) > 1e-3


@pytest.mark.parametrize("delta", [0.5, 2.0])
@pytest.mark.parametrize("slope", [0.02, 0.6])
def test_other_settings_agree_with_central_differences(delta: float, slope: float) -> None:
    problem = make_problem(LeakyReLU(slope), "identity", nn.Huber(delta), depth=2, batch=7)
    assert problem.error() < 1e-6


@pytest.mark.parametrize(("output", "cost"), [("identity", "huber"), ("softmax", "log_likelihood")])
def test_the_penalty_on_the_weights_is_part_of_cost_and_gradient(output: str, cost: str) -> None:
    problem = make_problem("tanh", output, nn.make_cost(cost), depth=1, batch=7)
    assert problem.error(l2=3.0) < 1e-6
    without = problem.net.backprop(problem.x, problem.y)
    penalized = problem.net.backprop(problem.x, problem.y, l2=3.0)
    squares = sum((weights**2).sum() for weights in problem.net.weights)
    assert penalized[0] - without[0] == pytest.approx(3.0 / 14 * squares)
    np.testing.assert_allclose(
        penalized[1][1] - without[1][1], 3.0 / 7 * problem.net.weights[1], rtol=1e-9
    )
    np.testing.assert_array_equal(penalized[2][1], without[2][1])


@pytest.mark.parametrize("batch", quick(1, [7, 1]))
@pytest.mark.parametrize("hidden", nn.ACTIVATIONS)
@pytest.mark.parametrize(
    "layers",
    [
        {"layer_norm": True},
        {"dropout": 0.4},
        {"batch_norm": True},
        {"layer_norm": True, "dropout": 0.4},
    ],
    ids=str,
)
def test_every_layer_agrees_with_central_differences(
    layers: dict[str, Any], hidden: str, batch: int
) -> None:
    """Seven units a layer, so that dropout leaves some of them; kinks are rarely met."""
    errors = []
    for seed in range(5):
        net = nn.NeuralNet((INPUTS, 7, 7, OUTPUTS), hidden, dtype=np.float64, seed=seed, **layers)
        rng = np.random.default_rng(seed)
        net.parameters[:] = rng.normal(0.0, 0.8, net.parameters.size)  # gains and biases too
        x, y = rng.normal(0, 1, (batch, INPUTS)), rng.normal(0, 2, (batch, OUTPUTS))
        errors.append(gradient_error(net, x, y))
        assert np.linalg.norm(net.gradients) > 0.05
    assert np.median(errors) < 1e-7
    assert np.mean(np.array(errors) < 1e-6) >= 0.8


@pytest.mark.parametrize("layers", [{}, {"layer_norm": True}, {"dropout": 0.4}], ids=str)
@pytest.mark.parametrize("output", ["identity", "tanh", "softmax"])
def test_the_inputs_gradient_agrees_with_central_differences(
    layers: dict[str, Any], output: str
) -> None:
    net = nn.NeuralNet((INPUTS, 7, OUTPUTS), "tanh", output, dtype=np.float64, seed=0, **layers)
    rng = np.random.default_rng(1)
    x, weights = rng.normal(0, 1, (5, INPUTS)), rng.normal(0, 1, (5, OUTPUTS))
    flat = x.reshape(-1)

    def function() -> float:
        return float((net.forward(x) * weights).sum())

    function()
    analytic = net.input_gradient(weights).copy()
    assert relative_error(analytic.ravel(), numerical_gradient(function, flat)) < 1e-6
    function()
    expected = net.backward(weights).copy()
    function()
    net.input_gradient(2 * weights)
    function()
    np.testing.assert_array_equal(net.backward(weights), expected)  # undisturbed


def test_a_wrong_gain_is_found() -> None:
    """The negative control of the check above: gradients that forget the gain g."""
    net = nn.NeuralNet((INPUTS, 7, OUTPUTS), "tanh", dtype=np.float64, layer_norm=True, seed=0)
    net.parameters[:] = np.random.default_rng(0).normal(0.0, 0.8, net.parameters.size)
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (5, INPUTS)), rng.normal(0, 2, (5, OUTPUTS))
    assert gradient_error(net, x, y) < 1e-6
    normalized = net.layers[1]
    forget = normalized.at

    def at(x: Array, dx: Array | None) -> Any:
        result: Any = forget(x, dx)
        gain = result._gain.copy()
        backward = result.backward

        def without_gain() -> None:
            result.doutput /= gain
            backward()

        result.backward = without_gain
        return result

    normalized.at = at  # type: ignore[method-assign]
    net._workspaces.clear()
    assert gradient_error(net, x, y) > 1e-3


@pytest.mark.parametrize(("l1", "l2"), [(3.0, 0.0), (2.0, 5.0)])
def test_both_penalties_agree_with_central_differences(l1: float, l2: float) -> None:
    problem = make_problem("tanh", "identity", nn.Quadratic(), depth=1, batch=7)
    assert gradient_error(problem.net, problem.x, problem.y, l2, l1=l1) < 1e-6
    without = problem.net.backprop(problem.x, problem.y, l2)
    penalized = problem.net.backprop(problem.x, problem.y, l2, l1=l1)
    magnitudes = sum(np.abs(weights).sum() for weights in problem.net.weights)
    assert penalized[0] - without[0] == pytest.approx(l1 / 7 * magnitudes)
    np.testing.assert_array_equal(penalized[2][1], without[2][1])  # biases have no penalty


class Spoiled(nn.Activation):
    """An activation whose slope is half as large again as it should be."""

    def __init__(self, name: str) -> None:
        self._true = nn.make_activation(name)

    def forward(self, z: Array, scratch: Scratch) -> None:
        self._true.forward(z, scratch)

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        self._true.backward(a, gradient, scratch)
        np.multiply(gradient, 1.5, out=gradient)


class TanhWithoutItsSquare(Tanh):
    """1 - f for 1 - f^2: a slip of the pen."""

    def backward(self, a: Array, gradient: Array, scratch: Scratch) -> None:
        np.multiply(gradient, 1.0 - a, out=gradient)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_a_wrong_slope_is_found_in_any_place(name: str, batch: int) -> None:
    """The negative control of the check above."""
    hidden = make_problem(Spoiled(name), "identity", nn.Huber(), depth=1, batch=batch)
    assert hidden.error() > 1e-3
    output = make_problem("tanh", Spoiled(name), nn.Huber(), depth=1, batch=batch)
    assert output.error() > 1e-3


def test_a_wrong_formula_is_found() -> None:
    wrong = TanhWithoutItsSquare()
    assert make_problem(wrong, "identity", nn.Quadratic(), depth=3, batch=7).error() > 1e-3
    assert make_problem("tanh", wrong, nn.Quadratic(), depth=1, batch=7).error() > 1e-3


class HuberThatDoesNotClip(nn.Huber):
    """Right below delta, wrong above it."""

    def gradient(self, prediction: Array, target: Array, out: Array) -> float:
        value = super().gradient(prediction, target, out)
        np.multiply(prediction - target, 1.0 / len(prediction), out=out)
        return value


def test_a_cost_that_is_wrong_on_one_side_of_delta_is_found() -> None:
    problem = make_problem("tanh", "identity", HuberThatDoesNotClip(), depth=1, batch=1)
    assert problem.error() > 1e-3


def test_central_differences_by_hand() -> None:
    """f = p0^2 p1 + 4 p2 at (3, 5, 7): 2 p0 p1 = 30, p0^2 = 9, 4."""
    p = np.array([3.0, 5.0, 7.0])
    gradient = numerical_gradient(lambda: float(p[0] ** 2 * p[1] + 4 * p[2]), p)
    np.testing.assert_allclose(gradient, [30.0, 9.0, 4.0], rtol=1e-8)
    assert p.tolist() == [3.0, 5.0, 7.0]


def test_relative_error_by_hand() -> None:
    assert relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == 0.0
    assert relative_error(np.array([3.0, 4.0]), np.zeros(2)) == 1.0
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    # |(0, 2)| / (|(0, 3)| + |(0, 1)|)
    assert relative_error(np.array([0.0, 3.0]), np.array([0.0, 1.0])) == 0.5


def test_a_float32_network_is_refused() -> None:
    net = nn.NeuralNet((2, 1), seed=0)
    with pytest.raises(ValueError, match="float64"):
        gradient_error(net, np.ones((1, 2)), np.ones((1, 1)))
