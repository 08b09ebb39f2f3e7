"""A steady-state update allocates nothing: neither for good nor for the moment."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

import nn
from nn.typing import Array

BATCH, INPUTS, OUTPUTS = 2048, 8, 4
ONE_ARRAY = 4 * BATCH  # bytes of one [B] float32 array
MEASUREMENTS = 3
RETAINED = 1024  # bytes: a few Python numbers
WARM_UP = 400  # updates: workspaces come into being, and the free lists of the interpreter fill


# Nothing to do with the engine: a loop of older versions copies through 8,192 elements at a time.
WITHOUT_BUFFERS = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0",
    reason="reductions of NumPy before 2.3 hold a buffer of 8,192 elements",
)


def measure(update: Callable[[], object], updates: int) -> tuple[int, int]:
    """Bytes kept after `updates` further updates, and the most that was ever held above the start.

    tracemalloc sees NumPy's arrays and the buffers of its loops as well as Python's objects; and
    those of other threads, such as the one in which a test process talks to the process that began
    it. What an update allocates shows in each of several measurements, so the least one counts.
    """
    gc.collect()  # what earlier tests have left
    gc.disable()  # a collection empties the interpreter's free lists, which then fill again
    try:
        for _ in range(WARM_UP):
            update()
        found = [_measure_once(update, updates) for _ in range(MEASUREMENTS)]
    finally:
        gc.enable()
    return min(retained for retained, _ in found), min(peak for _, peak in found)


def _measure_once(update: Callable[[], object], updates: int) -> tuple[int, int]:
    tracemalloc.start()
    try:
        update()  # what tracing itself brings about
        start, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(updates):
            update()
        end, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return end - start, peak - start


class Learner:
    """An online network that learns to predict its own slow copy, as in Q-learning.

    `route` says where the cost's gradient goes: into the network's own array ("in place"), or
    into one of the caller's, for a chosen output alone ("chosen"), as in DQN.
    """

    def __init__(
        self,
        hidden: str = "relu",
        output: str = "identity",
        cost: str = "huber",
        optimizer: str = "Adam",
        route: str = "in place",
        settings: dict[str, float] | None = None,
        units: int = 16,
        **layers: Any,
    ) -> None:
        sizes = (INPUTS, units, units, OUTPUTS)
        self.online = nn.NeuralNet(sizes, hidden, output, seed=0, **layers)
        self.target = nn.NeuralNet(sizes, hidden, output, seed=1, **layers)
        self.cost = nn.make_cost(cost)
        self.optimizer = nn.make_optimizer(
            optimizer, self.online.parameters, self.online.gradients, **(settings or {})
        )
        self.route = route
        rng = np.random.default_rng(0)
        self.x = rng.normal(0, 1, (BATCH, INPUTS)).astype(np.float32)
        self.next_x = rng.normal(0, 1, (BATCH, INPUTS)).astype(np.float32)
        self.gradient = np.zeros((BATCH, OUTPUTS), np.float32)
        self.q, self.y, self.error = np.zeros((3, BATCH), np.float32)

    def update(self) -> None:
        target = self.target.forward(self.next_x)
        prediction = self.online.forward(self.x, training=True)
        self._descend_from(prediction, target)
        nn.clip_norm(self.online.gradients, 1.0)
        self.optimizer.step()
        self.target.polyak_update(self.online, tau=0.01)

    def _descend_from(self, prediction: Array, target: Array) -> None:
        if self.route == "in place":
            self.cost.gradient(prediction, target, self.online.output_gradient)
            self.online.backpropagate()
            return
        np.copyto(self.q, prediction[:, 1])
        np.copyto(self.y, target[:, 2])
        self.cost.gradient(self.q, self.y, self.error)
        np.copyto(self.gradient[:, 1], self.error)
        self.online.backward(self.gradient)


@WITHOUT_BUFFERS
@pytest.mark.slow
@pytest.mark.parametrize(("route", "updates"), [("in place", 400), ("chosen", 200)])
def test_steady_updates_allocate_nothing(route: str, updates: int) -> None:
    retained, peak = measure(Learner(route=route, units=64).update, updates)
    assert retained < RETAINED
    assert peak < ONE_ARRAY


@WITHOUT_BUFFERS
@pytest.mark.parametrize(
    "parts",
    [
        *[{"hidden": name} for name in nn.ACTIVATIONS],
        *[{"output": name} for name in nn.ACTIVATIONS],
        *[{"cost": name} for name in nn.COSTS],
        *[{"optimizer": name} for name in nn.OPTIMIZERS],
        {"optimizer": "SGD", "settings": {"momentum": 0.9}},
        {"layer_norm": True},
        {"batch_norm": True},
        {"noisy": True},
        {"dropout": 0.5},
    ],
    ids=str,
)
def test_no_part_allocates(parts: dict[str, Any]) -> None:
    retained, peak = measure(Learner(**parts).update, 20)
    assert retained < RETAINED
    assert peak < ONE_ARRAY


def test_batches_of_several_sizes_each_keep_their_workspace() -> None:
    """As when one network acts for one lane and learns from a batch."""
    learner, one = Learner(), np.ones((1, INPUTS), np.float32)

    def update() -> None:
        learner.online.forward(one)
        learner.update()

    retained, peak = measure(update, 20)
    assert retained < RETAINED
    assert peak < ONE_ARRAY


def test_one_array_for_the_moment_is_noticed() -> None:
    """A negative control: it is freed at once, and still shows in the peak."""
    learner = Learner()

    def update() -> None:
        learner.update()
        np.zeros(BATCH, np.float32)

    retained, peak = measure(update, 20)
    assert retained < RETAINED
    assert peak >= ONE_ARRAY


def test_one_number_kept_an_update_is_noticed() -> None:
    """A negative control: no peak, and a growth."""
    learner, kept, numbers = Learner(), list[float](), count()

    def update() -> None:
        learner.update()
        kept.append(float(next(numbers)))

    retained, _ = measure(update, 100)
    assert retained >= RETAINED
