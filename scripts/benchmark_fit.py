"""Training the ball-in-a-ring network: this engine against the textbook's program, in one run.

    python scripts/benchmark_fit.py

The textbook's program is the one that courses teach: a list of weight matrices and a list of bias
vectors, a loop over the layers each way, and new arrays at every step. One form of it goes through
a mini-batch example by example, the other takes it as a matrix. All train a (2, 4, 1) network with
cross-entropy on 1,400 points in batches of 10, from the same weights, and alternate; the medians
are printed. Each is timed with validation on 372 points once per epoch, as in the engine's `fit`,
and after each batch, as in a program that draws a curve.

The last line compares `fit` with its updates alone, on data of the size of MNIST: the processor
time of both, in turns.
"""

from __future__ import annotations

import time
from functools import partial

import common
import numpy as np
from donutball import data_sets

import nn
from nn.typing import Array, IntArray

RATE, BATCH = 0.1, 10
EPOCHS = 5  # of a call of `fit` at the size of MNIST
Data = tuple[Array, Array]


class Program:
    """Something that trains on a batch and validates."""

    def train(self, x: Array, y: Array) -> None:
        """Moves the weights by one step."""
        raise NotImplementedError

    def validate(self, x: Array, y: Array) -> tuple[float, float | None]:
        """The cost and the accuracy."""
        raise NotImplementedError

    def epoch(self, data: Data, held_out: Data, order: IntArray, each_batch: bool) -> float:
        """Trains once on all the data; returns the validation cost."""
        x, y = data
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            self.train(x[batch], y[batch])
            if each_batch:
                self.validate(*held_out)
        return self.validate(*held_out)[0]


class Matrices(Program):
    """The textbook's program for mini-batches as matrices, a row an example."""

    def __init__(self, net: nn.NeuralNet) -> None:
        self.weights = [each.astype(float) for each in net.weights]
        self.biases = [each.astype(float) for each in net.biases]

    def feedforward(self, x: Array) -> list[Array]:
        outputs = [x]
        for weights, biases in zip(self.weights, self.biases, strict=True):
            outputs.append(1.0 / (1.0 + np.exp(-(outputs[-1] @ weights + biases))))
        return outputs

    def gradients(self, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
        outputs = self.feedforward(x)
        delta = outputs[-1] - y
        of_weights: list[Array] = []
        of_biases: list[Array] = []
        for layer in reversed(range(len(self.weights))):
            a = outputs[layer]
            of_weights.insert(0, a.T @ delta)
            of_biases.insert(0, delta.sum(axis=0))
            delta = (delta @ self.weights[layer].T) * a * (1.0 - a)
        return of_weights, of_biases

    def take_step(self, of_weights: list[Array], of_biases: list[Array], examples: int) -> None:
        rate = RATE / examples
        pairs = zip(self.weights, of_weights, strict=True)
        self.weights = [w - rate * gradient for w, gradient in pairs]
        pairs = zip(self.biases, of_biases, strict=True)
        self.biases = [b - rate * gradient for b, gradient in pairs]

    def train(self, x: Array, y: Array) -> None:
        self.take_step(*self.gradients(x, y), len(x))

    def validate(self, x: Array, y: Array) -> tuple[float, float | None]:
        a = self.feedforward(x)[-1]
        cost = -np.mean(np.sum(y * np.log(a) + (1 - y) * np.log(1 - a), axis=1))
        return float(cost), float(np.mean((a >= 0.5) == y))


class Examples(Matrices):
    """The textbook's program that goes through a mini-batch example by example."""

    def train(self, x: Array, y: Array) -> None:
        sums = [np.zeros_like(w) for w in self.weights], [np.zeros_like(b) for b in self.biases]
        for i in range(len(x)):
            gradients = self.gradients(x[i : i + 1], y[i : i + 1])
            for total, each in zip(sums, gradients, strict=True):
                total[:] = [one + other for one, other in zip(total, each, strict=True)]
        self.take_step(*sums, len(x))


class Engine(Program):
    """This repository's."""

    def __init__(self, net: nn.NeuralNet) -> None:
        self.net = net
        self.optimizer = nn.SGD(net.parameters, net.gradients, learning_rate=RATE)

    def train(self, x: Array, y: Array) -> None:
        self.net.propagate(x, y)
        self.optimizer.step()

    def validate(self, x: Array, y: Array) -> tuple[float, float | None]:
        return self.net.measure(x, y)

    def epoch(self, data: Data, held_out: Data, order: IntArray, each_batch: bool) -> float:
        if each_batch:
            return super().epoch(data, held_out, order, each_batch)
        x, y = data
        history = self.net.fit(x[order], y[order], validation=held_out, epochs=1, batch_size=BATCH,
                               learning_rate=RATE, report_every=0, seed=0)  # fmt: skip
        return history.validation_cost[-1]


PROGRAMS = {
    "textbook, example by example": Examples,
    "textbook, batch as a matrix": Matrices,
    "this engine": Engine,
}


def measure(epochs: int, each_batch: bool) -> dict[str, tuple[float, float]]:
    """Median seconds per epoch, and the validation cost at the end, by program."""
    data, held_out = (
        (x.astype(np.float32), y.astype(np.float32)) for x, y in data_sets(np.random.default_rng(0))
    )
    net = nn.NeuralNet((2, 4, 1), "sigmoid", cost="cross_entropy", initializer="glorot", seed=0)
    programs = {name: make(net.copy()) for name, make in PROGRAMS.items()}
    generators = {name: np.random.default_rng(0) for name in programs}  # equal orders for all
    cost: dict[str, float] = {}

    def epoch(name: str) -> None:
        order = generators[name].permutation(len(data[0]))
        cost[name] = programs[name].epoch(data, held_out, order, each_batch)

    times = common.in_turns({name: partial(epoch, name) for name in programs}, epochs)
    return {name: (median, cost[name]) for name, median in common.medians(times).items()}


def fit_and_updates(examples: int, batch: int, turns: int) -> dict[str, list[float]]:
    """Processor seconds per epoch of `fit` and of its updates, (784, 100, 10) with Adam."""
    rng = np.random.default_rng(0)
    x = rng.random((examples, 784), dtype=np.float32)
    y = nn.one_hot(rng.integers(10, size=examples), 10)
    net = nn.NeuralNet((784, 100, 10), cost="log_likelihood", seed=0)
    optimizer = nn.Adam(net.parameters, net.gradients)

    def updates() -> None:
        for _ in range(EPOCHS):
            order = rng.permutation(examples)
            for start in range(0, examples, batch):
                which = order[start : start + batch]
                net.propagate(x[which], y[which])
                optimizer.step()

    def fit() -> None:
        net.fit(x, y, epochs=EPOCHS, batch_size=batch, optimizer="Adam", learning_rate=1e-3,
                verbose=False, seed=rng)  # fmt: skip

    def measure(work: common.Work) -> float:
        return common.seconds(work, clock=time.process_time) / EPOCHS

    return common.in_turns({"updates": updates, "fit": fit}, turns, measure)


def main() -> None:
    parser = common.Parser(description="Times an epoch of the ball in a ring.")
    parser.add_argument("--epochs", type=common.positive, default=40)
    parser.add_argument("--turns", type=common.positive, default=5, help="at MNIST's size")
    options = parser.parse_args()
    rows = []
    for each_batch, when in ((False, "once per epoch"), (True, "after each batch")):
        measured = measure(options.epochs, each_batch)
        ours, _ = measured["this engine"]
        for name, (median, cost) in measured.items():
            cells = f"{1e3 * median:.2f}", f"{median / ours:.1f}", f"{cost:.4f}"
            rows.append((name, when, *cells))
    head = ("program", "validation", "ms per epoch", "times the engine's", "cost at the end")
    print(common.table(head, rows))
    times = fit_and_updates(60_000, 100, options.turns)
    ratios = [one / other for one, other in zip(times["fit"], times["updates"], strict=True)]
    print(f"MNIST's size, ms per epoch: fit {common.spread([1e3 * t for t in times['fit']])}, "
          f"updates {common.spread([1e3 * t for t in times['updates']])}, "
          f"ratio {common.spread(ratios, '.2f')}")  # fmt: skip


if __name__ == "__main__":
    main()
