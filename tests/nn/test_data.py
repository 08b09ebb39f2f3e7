"""The network as a person uses it: data in, answers out, mistakes named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn import checkpoint
from nn.activations import LeakyReLU, Tanh
from nn.typing import Array

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])


def by_hand() -> nn.NeuralNet:
    """o = sigmoid(2 x0 - x1 + 0.5)."""
    net = nn.NeuralNet((2, 1), cost="cross_entropy")
    net.weights, net.biases = [np.array([[2.0], [-1.0]])], [np.array([0.5])]
    return net


def sigmoid(z: float) -> float:
    return float(1 / (1 + np.exp(-z)))


def test_feedforward_by_hand() -> None:
    outputs = by_hand().feedforward(X)
    np.testing.assert_allclose(outputs[:, 0], [sigmoid(0.5), sigmoid(7.5), sigmoid(0.5)], rtol=1e-6)


def test_feedforward_gives_an_array_of_ones_own() -> None:
    net = by_hand()
    outputs = net.feedforward(X)
    kept = outputs.copy()
    net.feedforward(-X)
    np.testing.assert_array_equal(outputs, kept)


def test_a_cost_brings_its_output() -> None:
    assert type(nn.NeuralNet((2, 3), cost="log_likelihood").output).__name__ == "Softmax"
    assert type(nn.NeuralNet((2, 3), cost="cross_entropy").output).__name__ == "Sigmoid"
    assert type(nn.NeuralNet((2, 3), cost="huber").output).__name__ == "Identity"


@pytest.mark.parametrize(
    ("cost", "output", "right"),
    [("cross_entropy", "softmax", "Sigmoid"), ("log_likelihood", "sigmoid", "Softmax"),
     ("log_likelihood", "identity", "Softmax"), ("cross_entropy", "relu", "Sigmoid")],
)  # fmt: skip
def test_a_pair_that_makes_no_sense_is_refused(cost: str, output: str, right: str) -> None:
    with pytest.raises(ValueError, match=f"goes with the output {right}"):
        nn.NeuralNet((2, 3), output=output, cost=cost)


def test_predict_is_one_hot_or_a_single_zero_or_one() -> None:
    net = by_hand()
    net.biases = [np.array([-1.0])]
    assert net.predict(X).tolist() == [[0.0], [1.0], [0.0]]
    classes = nn.NeuralNet((2, 3), output="softmax", cost="log_likelihood", seed=0)
    predicted = classes.predict(X)
    assert (predicted.sum(axis=1) == 1.0).all()
    np.testing.assert_array_equal(predicted.argmax(1), classes.feedforward(X).argmax(1))


def test_predict_gives_the_values_of_a_regression() -> None:
    x = np.linspace(-1, 1, 50)
    net = nn.NeuralNet((1, 20, 1), hidden="tanh", seed=0)
    net.fit(x, np.sin(3 * x), epochs=300, batch_size=10, optimizer="adam", learning_rate=0.02,
            verbose=False, seed=0)  # fmt: skip
    assert net.predict(x)[:, 0] == pytest.approx(np.sin(3 * x), abs=0.15)
    assert net.score(x, np.sin(3 * x)) > 0.99
    assert not net.classifies
    for output in ("relu", "tanh", "softplus"):
        other = nn.NeuralNet((1, 3, 2), output=output, seed=0)
        np.testing.assert_array_equal(other.predict(x), other.feedforward(x))


def test_score_is_r_squared_by_hand_or_the_accuracy() -> None:
    net = nn.NeuralNet((1, 2))
    net.weights = [np.array([[1.0, 2.0]])]
    # Outputs 1, 2, 3 and 2, 4, 6; residuals 1 of a total of 2, and 0 of a total of 8.
    assert net.score([1, 2, 3], [[1, 2], [2, 4], [4, 6]]) == pytest.approx(1 - (3 / 14) / 2)
    assert net.score([1, 1], [[1, 5], [1, 5]]) == 0.5  # both constant, one of them right
    assert by_hand().score(X, [1, 0, 1]) == by_hand().accuracy(X, [[1], [0], [1]])


def test_probabilities_and_labels_by_hand() -> None:
    p = [sigmoid(0.5), sigmoid(7.5), sigmoid(0.5)]
    np.testing.assert_allclose(by_hand().predict_proba(X), [[1 - each, each] for each in p], 1e-4)
    assert by_hand().predict_labels(-X).tolist() == [1, 0, 1]
    net = nn.NeuralNet((2, 3), cost="log_likelihood", seed=0)
    np.testing.assert_array_equal(net.predict_proba(X), net.feedforward(X))
    np.testing.assert_array_equal(net.predict_labels(X), net.feedforward(X).argmax(axis=1))


@pytest.mark.parametrize(
    "labels",
    [[2, 0, 1], np.array([2, 0, 1], np.uint8), np.array([[2], [0], [1]]), [2.0, 0.0, 1.0],
     (2, 0, 1), nn.one_hot([2, 0, 1], 3), nn.one_hot([2, 0, 1], 3).tolist()],
    ids=["list", "uint8", "column", "float", "tuple", "rows", "nested"],
)  # fmt: skip
def test_class_labels_are_taken_for_rows(labels: Any) -> None:
    net, rows = nn.NeuralNet((2, 3), cost="log_likelihood", seed=0), nn.one_hot([2, 0, 1], 3)
    assert net.cost(X, labels) == net.cost(X, rows)
    assert net.accuracy(X, labels) == net.score(X, labels) == net.accuracy(X, rows)
    one, other = net.copy(), net.copy()
    for each, y in ((one, labels), (other, rows)):
        each.fit(X, y, epochs=2, batch_size=2, verbose=False, seed=0)
    np.testing.assert_array_equal(one.parameters, other.parameters)


class Framed:
    """Something like a data frame."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.array(self.values, dtype)


@pytest.mark.parametrize(
    "y", [[1, 0, 1], np.array([True, False, True]), [[1], [0], [1]], Framed([1, 0, 1]),
          np.array([1, 0, 1], object), np.ma.array([1, 0, 1]), memoryview(b"\1\0\1")],
    ids=["list", "bool", "column", "frame", "objects", "masked", "memory"],
)  # fmt: skip
def test_one_dimensional_targets_of_any_kind_are_a_column(y: Any) -> None:
    net = by_hand()
    assert net.cost(Framed(X), y) == net.cost(X, [[1.0], [0.0], [1.0]])
    assert net.accuracy(X.tolist(), y) == pytest.approx(2 / 3)


def test_a_single_input_may_be_one_dimensional() -> None:
    net = nn.NeuralNet((1, 2), seed=0)
    np.testing.assert_array_equal(net.feedforward([1, 2]), net.feedforward([[1.0], [2.0]]))


def test_the_threshold_of_the_post_excludes_one_half(tmp_path: Path) -> None:
    ours, posts = (nn.NeuralNet((1, 1), cost="cross_entropy", **settings)
                   for settings in ({}, {"threshold": "> 0.5"}))  # fmt: skip
    posts.save(tmp_path / "net.npz")
    for net, at_half in ((ours, 1), (posts, 0), (posts.copy(), 0),
                         (nn.load(tmp_path / "net.npz"), 0)):  # fmt: skip
        net.weights = [np.array([[1.0]])]
        assert net.feedforward([0.0]) == 0.5
        assert net.predict([-1.0, 0.0, 1.0])[:, 0].tolist() == [0, at_half, 1]
        assert net.predict_labels([0.0]) == net.accuracy([0.0], [1.0]) == at_half
        assert net.measure(np.zeros((1, 1)), np.ones((1, 1)))[1] == at_half


def test_the_summary_counts_parameters_by_hand() -> None:
    net = nn.NeuralNet((784, 100, 10), cost="log_likelihood", dropout=0.5, layer_norm=True)
    rows = [line.split() for line in net.summary().splitlines()]
    assert ["Dense", "784", "->", "100", "100", "78,500"] in rows
    assert ["Dense", "100", "->", "10", "10", "1,010"] in rows
    assert ["total", "79,710"] in rows  # with a gain and a bias of each hidden unit
    assert [row[0] for row in rows[2:9]] == [
        "Input", "Dense", "LayerNorm", "ReLU", "Dropout", "Dense", "Softmax"
    ]  # fmt: skip
    assert repr(net.summary()) == str(net.summary())


def test_accuracy_is_the_share_of_right_answers() -> None:
    net = by_hand()  # predicts 1, 1, 1
    assert net.accuracy(X, [[1], [0], [1]]) == pytest.approx(2 / 3)


def test_costs_by_hand() -> None:
    y = np.array([[1.0], [0.0], [0.25]])
    p = [sigmoid(0.5), sigmoid(7.5), sigmoid(0.5)]
    entropy = -np.log(p[0]) - np.log(1 - p[1]) - 0.25 * np.log(p[2]) - 0.75 * np.log(1 - p[2])
    assert by_hand().cost(X, y) == pytest.approx(entropy / 3, rel=1e-5)
    # The penalty: 6 / (2 * 3) * (2^2 + 1^2).
    assert by_hand().cost(X, y, l2=6.0) == pytest.approx(entropy / 3 + 5.0, rel=1e-5)


def test_backprop_by_hand() -> None:
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0], [0.0]])
    cost, (weights,), (biases,) = by_hand().backprop(x, y, l2=4.0)
    errors = [sigmoid(0.5) - 1.0, sigmoid(7.5)]
    np.testing.assert_allclose(biases, [sum(errors) / 2], rtol=1e-5)
    np.testing.assert_allclose(
        weights[:, 0],
        [(errors[0] + 3 * errors[1]) / 2 + 4 / 2 * 2, (2 * errors[0] - errors[1]) / 2 + 4 / 2 * -1],
        rtol=1e-5,
    )
    assert cost == pytest.approx(by_hand().cost(x, y, l2=4.0), rel=1e-6)


@pytest.mark.parametrize("cost", ["cross_entropy", "log_likelihood"])
def test_saturated_outputs_give_exact_costs_and_gradients(cost: str) -> None:
    net = nn.NeuralNet((2, 2), cost=cost)
    net.weights = [np.array([[1e4, -1e4], [0.0, 0.0]])]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, _, (biases,) = net.backprop([[1.0, 0.0]], [[0.0, 1.0]])
    assert value == 20_000.0  # ln p of the wrong certainty, which p itself cannot tell from 0
    assert biases.tolist() == [1.0, -1.0]


def test_one_hot_by_hand() -> None:
    assert nn.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert nn.one_hot(np.array([1], np.uint8), 2).tolist() == [[0, 1]]


def test_any_number_of_examples_is_taken_in_pieces() -> None:
    net = nn.NeuralNet((2, 3), cost="log_likelihood", seed=0, dtype=np.float64)
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (2500, 2)), nn.one_hot(rng.integers(3, size=2500), 3)
    outputs = net.feedforward(x)
    assert net._workspaces.keys() == {(1024, 2), (452, 2)}
    np.testing.assert_allclose(outputs, net.forward(x), rtol=1e-12)
    assert net.cost(x, y) == pytest.approx(-np.log((outputs * y).sum(axis=1)).mean(), rel=1e-12)
    right = outputs.argmax(axis=1) == y.argmax(axis=1)
    assert net.accuracy(x, y) == right.mean()
    assert net.measure(x, y) == (net.cost(x, y), right.mean())


def test_the_workspaces_of_many_batch_sizes_do_not_pile_up() -> None:
    net = nn.NeuralNet((2, 3), seed=0)
    for batch in range(1, 100):
        assert net.forward(np.ones((batch, 2))).shape == (batch, 3)
    assert len(net._workspaces) == 8


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 3e38), (np.float64, 1.5e308)])
def test_inputs_as_large_as_numbers_go_give_no_nan(dtype: type, size: float) -> None:
    """The difference of the two pre-activations is more than there is a number for."""
    net = nn.NeuralNet((1, 2), cost="log_likelihood", dtype=dtype)
    net.weights = [np.array([[size, -size]])]
    assert net.feedforward([[1.0]]).tolist() == [[1.0, 0.0]]
    assert net.cost([[1.0]], [[1.0, 0.0]]) == 0.0
    cost, _, (biases,) = net.backprop([[1.0]], [[0.0, 1.0]])
    assert cost >= size
    assert biases.tolist() == [1.0, -1.0]


def test_integers_are_converted() -> None:
    net = by_hand()
    assert net.cost([[1, 2]], [[1]]) == net.cost([[1.0, 2.0]], [[1.0]])


NOTHING: Any = None
NET: Any = nn.NeuralNet((2, 3), seed=0)
GOOD = np.zeros((4, 3))
SOFT: Any = nn.NeuralNet((2, 2), cost="log_likelihood", seed=0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: NET.feedforward(np.zeros(2)), r"x must be .* \[B, 2\], not \[2\]"),
        (lambda: NET.feedforward(np.zeros((4, 5))), r"x must be .* \[B, 2\], not \[4, 5\]"),
        (lambda: NET.predict(np.zeros((0, 2))), "x has no examples"),
        (lambda: NET.cost(np.zeros((4, 2)), np.zeros(4)), r"y must be .* \[B, 3\], not \[4\]"),
        (lambda: NET.cost(np.zeros((5, 2)), GOOD), "x has 5 examples and y 4"),
        (lambda: NET.backprop([[0, np.nan], [0, 0]], GOOD[:2]), r"x\[0, 1\] is nan"),
        (lambda: NET.cost(np.zeros((4, 2)), np.zeros(4)), "become such rows by nn.one_hot"),
        (lambda: NET.accuracy(np.zeros((4, 2)), GOOD + np.inf), r"y\[0, 0\] is inf"),
        (lambda: NET.accuracy(np.zeros((4, 2)), GOOD), r"y\[0\] is \[0.0, .*must be one-hot"),
        (lambda: by_hand().accuracy(X, [[0], [2], [1]]), r"y\[1\] is \[2.0\].*must be 0 or 1"),
        (lambda: by_hand().cost(X, [[0], [1], [2]]), r"y\[2, 0\] is 2; .* lie in \[0, 1\]"),
        (lambda: by_hand().backprop(X, [[-1], [1], [0]]), r"y\[0, 0\] is -1; .* in \[0, 1\]"),
        (lambda: SOFT.cost(X, [[1, 0], [1, 1], [0, 1]]), r"y\[1\] sums to 2; .* sum to 1"),
        (lambda: SOFT.fit(X, [[1, 0], [2, -1], [0, 1]]), r"y\[1, 1\] is -1; .*not be negative"),
        (lambda: NET.predict([["a", "b"]]), "x must be an array of numbers, not of <U1"),
        (lambda: NET.predict([[1, 2], [3]]), "x must be an array of numbers: setting an array"),
        (lambda: NET.predict(np.ones((1, 2), complex)), "numbers, not of complex128"),
        (lambda: NET.predict(np.zeros((1, 2), "M8[D]")), "numbers, not of datetime64"),
        (lambda: NET.predict(iter([[1, 2]])), "x must be an array of numbers: float"),
        (lambda: NET.predict({"a": 1}), "x must be an array of numbers: float"),
        (lambda: NET.predict([[1, None]]), r"x\[0, 1\] is nan; it must be finite"),
        (lambda: NET.predict([[1e300, 0]]), r"x\[0, 0\] is 1e\+300; .* finite as float32"),
        (lambda: NET.predict(None), r"x must be .* \[B, 2\], not \[\]"),
        (lambda: NET.predict(np.ma.array([[1, 2]], mask=[[False, True]])), "x has masked entries"),
        (lambda: NET.predict_proba(X[:, :2]), "needs a sigmoid or softmax output, not Identity"),
        (lambda: NET.predict_labels(X[:, :2]), "predict_labels needs a sigmoid or softmax"),
        (lambda: SOFT.cost(X, [0, 1, 2]), r"y\[2\] is 2; .* whole number from 0 to 1"),
        (lambda: SOFT.cost(X, [0, 0.5, 1]), r"y\[1\] is 0.5; .* whole number"),
        (lambda: SOFT.cost(X, ["a", "b", "a"]), "y must be an array of numbers, not of <U1"),
        (lambda: SOFT.fit(X, [0, 1]), "x has 3 examples and y 2"),
        (lambda: SOFT.cost(X, []), r"y must be .* \[B, 2\], not \[0\]"),
        (lambda: nn.NeuralNet((2, 1), threshold="0.5"), "threshold must be one of"),
        (lambda: nn.one_hot([0, 3, 2], 3), r"labels\[1\] is 3; .* from 0 to 2"),
        (lambda: nn.one_hot([0, 1.5], 3), r"labels\[1\] is 1.5"),
        (lambda: nn.one_hot([-1], 3), r"labels\[0\] is -1"),
        (lambda: nn.one_hot([[0, 1]], 3), r"one-dimensional, \[n\], not \[1, 2\]"),
        (lambda: nn.NeuralNet((2, 3, 1), hidden=NOTHING), "unknown activation None. Known: elu"),
        (lambda: nn.NeuralNet((2, 1), initializer=3), "unknown initializer 3. Known: glorot"),
        (
            lambda: nn.NeuralNet((2, 3, 1), dropout="half"),
            r"dropout must lie in \[0, 1\), not half",
        ),
        (lambda: nn.NeuralNet((2, 1), dtype=int), "float32 or float64, not int64"),
        (lambda: nn.NeuralNet((2, 1), bias_initializer="zeros"), "did you mean 'zero'"),
        (lambda: setattr(NET, "weights", [np.zeros((3, 2))]), r"weights must .*\[\[2, 3\]\]"),
        (lambda: setattr(NET, "biases", []), r"biases must have the shapes \[\[3\]\]"),
    ],
)
def test_mistakes_are_named(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_network_comes_back_with_equal_outputs(tmp_path: Path, dtype: type) -> None:
    net = nn.NeuralNet(
        (2, 5, 3), LeakyReLU(0.3), "softmax", cost="log_likelihood", seed=3, dtype=dtype
    )
    net.save(tmp_path / "net.npz")
    back = nn.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(back.feedforward(X), net.feedforward(X))
    assert back.parameters.dtype == dtype
    assert vars(back.hidden) == {"slope": 0.3}
    assert back.cost(X, np.eye(3)) == net.cost(X, np.eye(3))


def test_another_huber_comes_back_as_it_was(tmp_path: Path) -> None:
    net = nn.NeuralNet((2, 1), cost=nn.Huber(0.25), seed=0)
    net.cost(X, np.zeros((3, 1)))
    net.save(tmp_path / "net.npz")
    assert vars(nn.load(tmp_path / "net.npz").cost_function)["delta"] == 0.25


def test_an_activation_of_ones_own_cannot_be_saved_by_name(tmp_path: Path) -> None:
    class Mine(Tanh):
        pass

    with pytest.raises(ValueError, match="Mine is not in the tables"):
        nn.NeuralNet((2, 2, 1), Mine()).save(tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"parts": {}, "network": {}},
        {"parts": {"hidden": {"name": "relu"}, "output": {"name": "identity"},
                   "cost": {"name": "quadratic"}},
         "network": {"sizes": [2, 1], "parameters": np.zeros(7)}},
    ],
)  # fmt: skip
def test_a_file_without_a_network_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    checkpoint.save(tmp_path / "net.npz", state)
    with pytest.raises(nn.CheckpointError, match="does not hold a network"):
        nn.load(tmp_path / "net.npz")
