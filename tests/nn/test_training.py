"""Training on a data set: what is learned, from which examples, and when it stops."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

import nn
from nn import training
from nn.settings import fields_of
from nn.training import FitSettings
from nn.typing import Array

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0], [1], [1], [0]])


def xor_net(seed: int = 0) -> nn.NeuralNet:
    return nn.NeuralNet((2, 8, 1), "tanh", cost="cross_entropy", initializer="glorot", seed=seed)


def disc(examples: int, seed: int) -> tuple[Array, Array]:
    x = np.random.default_rng(seed).uniform(-1, 1, (examples, 2))
    return x, (np.hypot(x[:, 0], x[:, 1])[:, None] < 0.7).astype(float)


@pytest.mark.parametrize(
    ("optimizer", "rate", "settings"),
    [("sgd", 1.0, {}), ("sgd", 0.2, {"momentum": 0.9}), ("adam", 0.05, {}),
     ("rmsprop", 0.02, {}), ("adagrad", 0.5, {}), ("adamw", 0.05, {"weight_decay": 1e-3})],
)  # fmt: skip
def test_every_optimizer_learns_what_no_line_divides(
    optimizer: str, rate: float, settings: dict[str, Any]
) -> None:
    net = xor_net()
    history = net.fit(*XOR, epochs=600, batch_size=4, learning_rate=rate, optimizer=optimizer,
                      report_every=0, **settings)  # fmt: skip
    assert history.accuracy[-1] == 1.0
    assert history.cost[-1] < 0.1 < history.cost[0]
    assert len(history.cost) == 600


def test_one_step_by_hand() -> None:
    """w <- w - rate (mean gradient + l2 / n w); the bias has no penalty."""
    net = nn.NeuralNet((1, 1), cost="quadratic", dtype=np.float64)
    net.weights, net.biases = [np.array([[2.0]])], [np.array([1.0])]
    # Errors 2 * 1 + 1 - 1 = 2 and 2 * 3 + 1 - 0 = 7: gradients (2 + 21) / 2 and 9 / 2.
    history = net.fit([[1.0], [3.0]], [[1.0], [0.0]], epochs=1, batch_size=2, learning_rate=0.1,
                      l2=4.0, report_every=0)  # fmt: skip
    weight, bias = 2.0 - 0.1 * (11.5 + 4 / 2 * 2), 1.0 - 0.1 * 4.5
    assert net.weights[0][0, 0] == pytest.approx(weight)
    assert net.biases[0][0] == pytest.approx(bias)
    errors = [weight + bias - 1, 3 * weight + bias]
    cost = sum(error**2 for error in errors) / 4 + 4 / (2 * 2) * weight**2
    assert history.cost == [pytest.approx(cost)]


class Recording(nn.NeuralNet):
    """Notes the batches it learns from."""

    def propagate(self, x: Array, y: Array) -> float:
        self.seen.append(x[:, 0].tolist())
        return super().propagate(x, y)

    seen: list[list[float]]


def test_each_epoch_uses_every_example_once_and_in_another_order() -> None:
    net = Recording((1, 1), seed=0)
    net.seen = []
    x = np.arange(10.0)[:, None]
    net.fit(x, x, epochs=2, batch_size=4, learning_rate=1e-4, report_every=0, seed=1)
    assert [len(batch) for batch in net.seen] == [4, 4, 2] * 2
    first, second = ([*chain(*batches)] for batches in (net.seen[:3], net.seen[3:]))
    assert sorted(first) == sorted(second) == x[:, 0].tolist()
    assert first != second


def test_examples_are_taken_out_in_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_TAKEN", 7)  # so two batches of three at once
    net = Recording((1, 1), seed=0)
    net.seen = []
    x = np.arange(20.0)[:, None]
    net.fit(x, x, epochs=1, batch_size=3, learning_rate=1e-4, report_every=0, seed=1)
    assert [len(batch) for batch in net.seen] == [3] * 6 + [2]
    assert sorted(chain(*net.seen)) == x[:, 0].tolist()


def test_inputs_and_targets_stay_together() -> None:
    x = np.arange(20.0)[:, None] / 20
    net = nn.NeuralNet((1, 1), seed=0)
    net.fit(x, 3 * x + 1, epochs=300, batch_size=3, learning_rate=0.3, report_every=0, seed=0)
    assert net.weights[0][0, 0] == pytest.approx(3.0, abs=0.01)
    assert net.biases[0][0] == pytest.approx(1.0, abs=0.01)


def test_the_seed_decides_the_order() -> None:
    nets = [xor_net() for _ in range(3)]
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        net.fit(*XOR, epochs=5, batch_size=1, report_every=0, seed=seed)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert not np.array_equal(nets[0].parameters, nets[2].parameters)


def test_validation_is_measured_and_not_learned_from() -> None:
    net, alone = xor_net(), xor_net()
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 2, "report_every": 0, "seed": 0}
    history = net.fit(*XOR, validation=disc(9, seed=0), **settings)
    without = alone.fit(*XOR, **settings)
    np.testing.assert_array_equal(net.parameters, alone.parameters)
    assert len(history.validation_cost) == len(history.validation_accuracy) == 4
    assert history.validation_cost[-1] == net.cost(*disc(9, seed=0))
    assert (without.validation_cost, without.best_epoch) == ([], -1)


def test_patience_ends_training_and_restores_the_best_weights() -> None:
    """Thirty noisy examples, learned by heart: the validation cost falls and then rises."""
    x, y = disc(30, seed=1)
    y[::5] = 1 - y[::5]
    held_out = disc(500, seed=2)
    net = nn.NeuralNet((2, 30, 1), "tanh", cost="cross_entropy", seed=0)
    history = net.fit(x, y, validation=held_out, epochs=2000, batch_size=5, optimizer="adam",
                      learning_rate=0.02, patience=20, report_every=0, seed=0)  # fmt: skip
    costs = history.validation_cost
    assert len(costs) == history.best_epoch + 21 < 2000
    assert costs[history.best_epoch] == min(costs) < costs[-1]
    assert net.cost(*held_out) == min(costs)


def test_both_penalties_and_the_max_norm_in_one_step_by_hand() -> None:
    net = nn.NeuralNet((1, 1), cost="quadratic", dtype=np.float64)
    net.weights, net.biases = [np.array([[2.0]])], [np.array([1.0])]
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 2, "report_every": 0}
    net.fit([[1.0], [3.0]], [[1.0], [0.0]], learning_rate=0.1, l2=4.0, l1=3.0, **settings)
    weight = 2.0 - 0.1 * (11.5 + 4 / 2 * 2 + 3 / 2)
    assert net.weights[0][0, 0] == pytest.approx(weight)
    assert net.biases[0][0] == pytest.approx(1.0 - 0.1 * 4.5)
    net.weights, net.biases = [np.array([[2.0]])], [np.array([1.0])]
    net.fit([[1.0], [3.0]], [[1.0], [0.0]], learning_rate=0.1, max_norm=0.6, **settings)
    assert net.weights[0][0, 0] == pytest.approx(0.6)  # 2 - 1.15 is more
    assert net.biases[0][0] == pytest.approx(1.0 - 0.1 * 4.5)


def test_a_schedule_counts_updates() -> None:
    """Rates of 0.1 and then 0: only the first of two batches moves anything."""
    net = nn.NeuralNet((1, 1), dtype=np.float64)
    net.weights = [np.array([[2.0]])]
    rate = nn.Step(start=0.1, factor=0.0, every=1)
    net.fit([[1.0], [1.0]], [[1.0], [1.0]], epochs=3, batch_size=1, learning_rate=rate,
            report_every=0)  # fmt: skip
    assert net.weights[0][0, 0] == pytest.approx(2.0 - 0.1 * 1.0)


def test_l1_leaves_out_the_inputs_that_say_nothing() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (200, 10))
    y = 2 * x[:, :1] + 0.1 * rng.normal(0, 1, (200, 1))
    nets = [nn.NeuralNet((10, 1), seed=0) for _ in range(2)]
    for net, l1 in zip(nets, (0.0, 20.0), strict=True):
        net.fit(x, y, epochs=50, batch_size=20, learning_rate=0.02, l1=l1, report_every=0, seed=0)
    plain, sparse = (np.abs(net.weights[0][1:]).max() for net in nets)
    assert sparse < 0.005 < 0.02 < plain
    assert nets[1].weights[0][0, 0] == pytest.approx(1.9, abs=0.05)  # 2 less the penalty's 0.1


def test_targets_that_are_no_classes_have_no_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.linspace(0, 1, 20)[:, None]
    net = nn.NeuralNet((1, 5, 1), seed=0)
    history = net.fit(x, np.sin(x), epochs=2, batch_size=5, validation=(x, np.sin(x)))
    assert (history.accuracy, history.validation_accuracy) == ([], [])
    assert len(history.cost) == len(history.validation_cost) == 2
    assert "accuracy" not in capsys.readouterr().out


def test_the_internals_of_an_update_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.NeuralNet((2, 1, 1), "relu", dtype=np.float64)
    net.weights = [np.array([[2.0], [1.0]]), np.array([[3.0]])]
    net.fit([[1.0, 0.5]], [[7.0]], epochs=1, batch_size=1, report_every=0, verbose=True)
    # z = 2.5, output 7.5, error 0.5: gradients 2.5 * 0.5, 0.5, and 3 * 0.5 times the inputs.
    text = " ".join(capsys.readouterr().out.split())
    assert "batch of 1, cost 0.125 x [[1. 0.5]] Dense 2 -> 1 weights [[2.] [1.]]" in text
    assert "dC/dweights [[1.5 ] [0.75]] dC/dbias [1.5]" in text
    assert "ReLU 1 -> 1 output [[2.5]]" in text
    assert "dC/dweights [[1.25]] dC/dbias [0.5] output [[7.5]]" in text
    assert text.endswith("y [[7.]]")


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [({}, ["0/4", "1/4", "2/4", "3/4", "4/4"]), ({"report_every": 2}, ["0/4", "2/4", "4/4"]),
     ({"report_every": 3, "validation": XOR}, ["0/4", "3/4"]), ({"report_every": 0}, []),
     ({"verbose": False}, []), ({"verbose": 0}, []), ({"verbose": False, "report_every": 2}, [])],
)  # fmt: skip
def test_reports(
    settings: dict[str, Any], epochs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    net = xor_net()
    before = f"epoch 0/4  cost {net.cost(*XOR):.4f}  accuracy {net.accuracy(*XOR):.2%}"
    net.fit(*XOR, epochs=4, batch_size=4, **settings)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == epochs
    assert not lines or lines[0].startswith(before)
    assert all(("validation" in line) == ("validation" in settings) for line in lines)


def test_the_costs_of_each_batch_are_kept_on_request() -> None:
    """One example a batch, and a rate of 0: the cost of each batch is that of its example."""
    net = nn.NeuralNet((1, 1), dtype=np.float64)
    net.weights = [np.array([[2.0]])]
    x, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0])
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 1, "verbose": False, "l2": 3.0}
    history = net.fit(x, y, validation=(x, y), learning_rate=0.0, each_batch=True, **settings)
    costs = [each + 2.0 for each in (2.0, 8.0, 12.5)]  # 3 / (2 * 3) * 2^2 is the penalty
    assert sorted(history.batch_cost) == pytest.approx(sorted(costs * 2))
    assert history.batch_validation_cost == pytest.approx([22.5 / 3] * 6)
    assert net.fit(x, y, learning_rate=0.0, **settings).batch_cost == []


@pytest.mark.parametrize(
    ("last", "sizes", "even"), [("keep", [4, 4, 2], [4, 4]), ("drop_short", [4, 4], [4, 4]),
                                ("drop", [4, 4], [4])],
)  # fmt: skip
def test_the_last_batch(last: str, sizes: list[int], even: list[int]) -> None:
    for examples, wanted in ((10, sizes), (8, even)):
        net = Recording((1, 1), seed=0)
        net.seen = []
        x = np.arange(float(examples))
        net.fit(x, x, epochs=1, batch_size=4, learning_rate=1e-4, verbose=False, last_batch=last)
        assert [len(batch) for batch in net.seen] == wanted


def test_a_penalty_per_batch_divides_by_the_batch() -> None:
    nets = [nn.NeuralNet((2, 1), seed=0, dtype=np.float64) for _ in range(2)]
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 2, "verbose": False, "seed": 0}
    y = XOR[1].ravel()
    nets[0].fit(XOR[0], y, l2=0.5, l1=0.1, penalty_per="batch", **settings)
    nets[1].fit(XOR[0], y, l2=1.0, l1=0.2, **settings)  # of twice as many examples
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-12)


def test_a_share_is_held_out_and_not_learned_from() -> None:
    net = Recording((1, 1), seed=0)
    net.seen = []
    x = np.arange(20.0) / 20
    history = net.fit(x, 3 * x, epochs=3, batch_size=1, verbose=False, validation_split=0.25,
                      seed=4, patience=3)  # fmt: skip
    learned = {round(20 * value) for batch in net.seen for value in batch}
    held_out = np.array([each for each in range(20) if each not in learned])
    assert len(held_out) == 5
    assert list(held_out) != list(range(15, 20))  # chosen at random
    assert len(history.validation_cost) == 3
    best = history.validation_cost[history.best_epoch]
    assert net.cost(held_out / 20, held_out * 3 / 20) == pytest.approx(best)


@pytest.mark.parametrize(("share", "held"), [(0.01, 1), (0.99, 3)])
def test_a_share_leaves_something_on_either_side(share: float, held: int) -> None:
    net = Recording((2, 1), seed=0)
    net.seen = []
    net.fit(*XOR, epochs=1, batch_size=1, verbose=False, validation_split=share)
    assert len(net.seen) == 4 - held


def test_many_examples_are_measured_in_part() -> None:
    net = nn.NeuralNet((1, 1), seed=0)
    x = np.linspace(0, 1, 4096)
    history = net.fit(x, x**2, epochs=1, batch_size=4096, learning_rate=0.1, verbose=False)
    assert history.cost == [net.cost(x[::4], x[::4] ** 2)]
    few = net.fit(x[:2048], x[:2048], epochs=1, batch_size=2048, verbose=False)
    assert few.cost == [net.cost(x[:2048], x[:2048])]


def test_a_callback_sees_each_epoch_and_may_end_training() -> None:
    lengths: list[int] = []

    def third(history: nn.History) -> bool:
        lengths.append(len(history.cost))
        return len(lengths) == 3

    history = xor_net().fit(*XOR, epochs=9, batch_size=4, verbose=False, callback=third)
    assert lengths == [1, 2, 3] == list(range(1, len(history.cost) + 1))
    histories: list[nn.History] = []  # whose `append` returns None
    xor_net().fit(*XOR, epochs=2, batch_size=4, verbose=False, callback=histories.append)
    assert len(histories[0].cost) == len(histories) == 2


def test_augmentation_changes_what_is_learned_from_and_not_what_is_measured() -> None:
    net = Recording((1, 1), seed=0)
    net.seen = []
    x = np.arange(6.0)
    seeds = []

    def negate(batch: Array, rng: np.random.Generator) -> Array:
        seeds.append(rng.random())
        return -batch

    history = net.fit(x, x, epochs=1, batch_size=2, learning_rate=1e-3, verbose=False,
                      augment=negate, seed=0)  # fmt: skip
    assert sorted(value for batch in net.seen for value in batch) == sorted(-x)
    assert history.cost == [net.cost(x, x)]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 5}, "batch_size must be at most the 4 examples, not 5"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"l2": -1.0}, "l2 must not be negative"),
        ({"l1": -1.0}, "l1 must not be negative"),
        ({"max_norm": 0.0}, "max_norm must be greater than 0"),
        ({"learning_rate": nn.Linear(start=-1.0, end=1.0, steps=5)}, "must not be negative"),
        ({"patience": 0, "validation": XOR}, "patience must be at least 1"),
        ({"patience": 3}, r"patience needs validation.*validation_split=0.1"),
        ({"validation_split": 1.0}, r"validation_split must lie in \(0, 1\), not 1.0"),
        ({"validation_split": 0.5, "validation": XOR}, "exclude each other"),
        ({"validation_split": 0.5}, "batch_size must be at most the 2 examples, not 4"),
        ({"validation": 0.2}, r"validation must be a pair \(x, y\)"),
        ({"validation": (XOR[0],)}, r"validation must be a pair \(x, y\)"),
        ({"validation": (XOR[0][:, :1], XOR[1])}, r"validation data: x must be .* \[B, 2\]"),
        ({"last_batch": "drop"}, "last_batch leaves no batch: choose a smaller batch_size"),
        ({"last_batch": "dorp"}, "did you mean 'drop'"),
        ({"epochs": 2.5}, "epochs must be a whole number, not 2.5"),
        ({"epochs": None}, "epochs must be a number, not None"),
        ({"epochs": "ten"}, "epochs must be a number, not 'ten'"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, not 2.5"),
        ({"patience": 1.5, "validation": XOR}, "patience must be a whole number, not 1.5"),
        ({"optimizer": None}, "optimizer must be a name, not None"),
        ({"optimizer": nn.Adam}, "optimizer must be a name, not <class"),
        ({"learning_rate": "fast"}, "unknown schedule 'fast'"),
        ({"augment": lambda x, rng: x[:2]}, r"inputs of the shape \[4, 2\], not \[2, 2\]"),
        ({"penalty_per": "bach"}, "did you mean 'batch'"),
        ({"optimizer": "adma"}, "did you mean 'Adam'"),
        ({"learning_rate": -1.0}, "learning_rate must not be negative"),
        ({"validation": (XOR[0], XOR[1][:2])}, "x has 4 examples and y 2"),
    ],
)
def test_mistakes_are_named(settings: dict[str, Any], said: str) -> None:
    net = xor_net()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=said):
        net.fit(*XOR, **{"batch_size": 4, **settings})
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epoch": 3}, "'epoch' is not a setting of fit or SGD; did you mean 'epochs'"),
        ({"momentun": 0.9}, "did you mean 'momentum'"),
        ({"optimizer": "adam", "momentum": 0.9}, "'momentum' is not a setting of fit or Adam"),
    ],
)
def test_a_setting_that_nothing_has_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        xor_net().fit(*XOR, **{"batch_size": 4, **settings})


def test_help_tells_every_setting_of_fit() -> None:
    said = " ".join((nn.NeuralNet.fit.__doc__ or "").split())
    assert "batch_size: examples per update (at least 1; default 32)" in said
    for name, field in fields_of(FitSettings).items():
        assert f" {name}: {field.metadata['meaning']} (" in said
