"""The notebooks' trainings: their list, that they resume, and the page."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from tests.programs import program

script = program("notebooks")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: object) -> str:
    """Runs the program in this process; returns the page."""
    page = folder / "docs" / "NOTEBOOKS.md"
    given = ("--output", folder, "--document", page, "--epochs", 1, *arguments)
    monkeypatch.setattr(sys, "argv", ["notebooks.py", *map(str, given)])
    monkeypatch.setattr(script, "draw_boundaries", lambda trainings, path: None)
    script.main()
    return page.read_text()


def test_all_90_trainings_are_there_with_settings_that_exist() -> None:
    trainings = script.read_trainings()
    assert [each.number for each in trainings] == list(range(1, 91))
    assert Counter(each.examples for each in trainings) == {1400: 16, 5000: 73, 60_000: 1}
    assert {each.group for each in trainings} == set(script.GROUPS)
    rates = {each.learning_rate for each in trainings}
    assert (min(rates), max(rates)) == (0.0001, 1.0)
    (best,) = (each for each in trainings if each.examples == 60_000)
    assert (best.sizes, best.original_test, best.l2) == ((784, 100, 10), 96.19, 0.5)


@pytest.mark.parametrize(("name", "bound"), [("uniform", 784**-0.5), ("glorot", (6 / 884) ** 0.5)])
def test_the_initial_weights_are_those_of_the_notebooks(name: str, bound: float) -> None:
    net = nn.NeuralNet((784, 100, 10), cost="log_likelihood", dtype=np.float64)
    script.initialize(net, name)
    # The first number of the generator with seed 1 is 0.417022004702574.
    assert net.weights[0][0, 0] == pytest.approx((2 * 0.417022004702574 - 1) * bound)
    assert 0.999 * bound < np.abs(net.weights[0]).max() < bound
    assert 0.9 < np.abs(net.biases[0]).max() <= 1
    twin = net.copy()
    script.initialize(twin, name)
    np.testing.assert_array_equal(twin.parameters, net.parameters)


def test_the_softmax_of_the_notebooks_by_hand() -> None:
    net = script.network(script.read_trainings()[-1])
    assert isinstance(net.cost_function, script.RaisedLogLikelihood)
    gradient = np.empty((1, 2))
    z, y = np.log([[4.0, 2.0]]), np.array([[0.0, 1.0]])
    cost = net.cost_function.gradient(z, y, gradient)  # outputs 1.001 and 0.501, of 1.502
    assert cost == pytest.approx(-np.log(0.501 / 1.502))
    np.testing.assert_allclose(gradient, [[1.001 / 1.502, 0.501 / 1.502 - 1]])


def test_a_training_takes_the_conventions_of_the_textbook(monkeypatch: pytest.MonkeyPatch) -> None:
    nets: list[str] = []
    fit = nn.NeuralNet.fit

    def watch(net: Any, *data: Any, **settings: Any) -> Any:
        assert (settings["penalty_per"], settings["last_batch"]) == ("batch", "drop")
        nets.append(net.threshold)
        return fit(net, *data, **settings)

    monkeypatch.setattr(nn.NeuralNet, "fit", watch)
    first = script.read_trainings()[0]
    result = script.train(first, 1, script.data_of(None, first.examples))
    assert nets == ["> 0.5"]
    assert 50 < result.training < 80
    assert result.epochs == 1


def test_the_points_are_a_ball_and_a_ring() -> None:
    x, y = script.points(2000, np.random.default_rng(0))
    radius = 6 * np.hypot(*(x - 0.5).T)
    ball, ring = radius[y[:, 0] == 1], radius[y[:, 0] == 0]
    assert (len(ball), len(ring)) == (760, 1240)
    assert 1.3 < ball.max() <= 2**0.5
    assert 5**0.5 <= ring.min() < 2.3
    assert 2.9 < ring.max() <= 3


def test_the_boundary_is_drawn_at_the_epochs_of_the_post(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PICTURES", {"quadratic": range(6), "cross_entropy": range(6)})
    shown = [replace(each, epochs=5) for each in script.read_trainings()[10:12]]
    script.draw_boundaries(shown, tmp_path / "boundary.png")
    assert (tmp_path / "boundary.png").read_bytes().startswith(b"\x89PNG")


def test_it_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = run(monkeypatch, tmp_path, "--only", "ring_relu")
    assert capsys.readouterr().err.count(" in ") == 3
    assert (
        "| 8 | (2, 4, 1) | cross_entropy | relu, sigmoid | uniform | 0.05 | 10 | 0 | 1001 |" in page
    )
    assert "3 of 90" in page
    assert "--only ring_initializers ring_cross_entropy ring_nodes" in page  # what is missing
    rows = tmp_path / "rows.csv"
    lines = rows.read_text().splitlines(keepends=True)
    rows.write_text("".join(lines[:2]) + lines[2][:9])  # killed while it wrote
    run(monkeypatch, tmp_path, "--only", "ring_relu", "ring_pictures")
    trained = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert trained == ["10", "11", "12"]
    assert list(script.read_results(rows)) == [8, 9, 10, 11, 12]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "relu_l2"], "give the folder of the MNIST files as --data"),
     (["--only", "relu_l2", "--data", "/nothing"], "there is no folder /nothing"),
     (["--only", "dough"], "invalid choice: 'dough'")],
)  # fmt: skip
def test_a_mistake_is_answered_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit, match=r"^2$"):
        run(monkeypatch, tmp_path, *arguments)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
