"""What checkpoints cost, from which an interrupted run resumes.

    python scripts/benchmark_checkpoint.py
    python scripts/benchmark_checkpoint.py --steps 60000 --repetitions 9

Two questions. How much longer does a run take that saves complete checkpoints, at every evaluation
and every `train.checkpoint_seconds`, than one that saves none? The two alternate; the ratios are of
the medians of the processor time and of the wall-clock. And how long does learning pause, and how
much memory does it take, while a replay memory of a million transitions of BipedalWalker's size (24
observations, 4 actions) is saved? Once as in a run, in small increments, and once all at a stroke.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import common
import numpy as np

from rl.memory import Replay
from rl.session.checkpoints import Checkpoints
from rl.session.job import Job
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.session_folder import SessionFolder

MILLION = 1_000_000
OBSERVATIONS, ACTIONS = 24, 4  # of BipedalWalker
BETWEEN_SAVES = 2_000  # transitions in 0.2 s at 10,000 steps per second


def run_once(name: str, steps: int, saves: bool) -> tuple[float, float]:
    """The seconds of wall-clock and of the processor that a session takes."""
    experiment = build(load_specification(name, overrides=[f"train.steps={steps}"]), seed=0)
    with tempfile.TemporaryDirectory() as place:
        folder = SessionFolder(Path(place))
        folder.create()
        session = Session(Job(experiment.specification, 0, folder.path), experiment)
        if not saves:
            for method in ("save", "note"):
                patch.object(session.persistence.checkpoints, method, lambda *_: None).start()
        wall, processor = time.perf_counter(), time.process_time()
        session.run()
        return time.perf_counter() - wall, time.process_time() - processor


def compare(name: str, steps: int, repetitions: int) -> None:
    """Prints how much longer a run takes that saves."""
    pairs = [[run_once(name, steps, saves) for saves in (True, False)] for _ in range(repetitions)]
    medians = np.median(pairs, axis=0)  # [with or without, wall-clock or processor]
    for what, (with_it, without) in zip(("wall-clock", "processor"), medians.T, strict=True):
        print(
            f"{name}, {steps:,} steps, {what}: {with_it:.2f} s with checkpoints, {without:.2f} s "
            f"without: {100 * (with_it / without - 1):+.1f}%"
        )


def full_memory() -> Replay:
    """A memory whose arrays are all in main memory."""
    actions = np.zeros((0, ACTIONS), np.float32)
    memory = Replay(
        OBSERVATIONS, np.random.default_rng(0), Replay.Settings(capacity=MILLION), actions
    )
    for array in vars(memory._stored).values():
        if array is not None:
            array.fill(1)  # which is when the system provides the pages
    return memory


def pauses(memory: Replay, increment: int, save: Callable[[], None]) -> list[float]:
    """How long each `save` takes while the memory fills in increments."""
    taken = []
    while memory.added < MILLION:
        memory.added += increment
        memory.size = memory.added
        taken.append(common.seconds(save))
    return taken


def measure_pauses() -> None:
    """Prints how long learning pauses for a million transitions."""
    memory = full_memory()
    size = sum(array.nbytes for array in vars(memory._stored).values() if array is not None)
    for what, increment in (("as they come", BETWEEN_SAVES), ("all at a stroke", MILLION)):
        memory.added = memory.size = 0
        at_first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with tempfile.TemporaryDirectory() as place:
            folder = SessionFolder(Path(place))
            folder.create()
            checkpoints = Checkpoints(folder, memory)
            taken = pauses(memory, increment, checkpoints.note)
            last = common.seconds(partial(checkpoints.save, {}, {}))
            checkpoints.wait()
            checkpoints.close()
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_first) / 1024
        print(
            f"{size / 1e6:.0f} MB of transitions, {what}: longest pause {max(*taken, last):.3f} s, "
            f"median {statistics.median(taken) * 1000:.2f} ms; peak memory {more:+.0f} MB"
        )


def main() -> None:
    parser = common.Parser(description="What complete checkpoints cost.")
    parser.add_argument("--name", default="lunarlander_dqn", help="the experiment")
    parser.add_argument("--steps", type=common.positive, default=30_000)
    parser.add_argument("--repetitions", type=common.positive, default=5)
    options = parser.parse_args()
    measure_pauses()
    compare(options.name, options.steps, options.repetitions)


if __name__ == "__main__":
    main()
