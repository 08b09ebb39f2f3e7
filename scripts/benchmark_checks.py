"""What it costs to look at the weights after each update, whether all are finite.

    python scripts/benchmark_checks.py

The update is the one that benchmark_update.py times. Updates with the check and without it take
turns; the medians of their processor times are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from benchmark_update import engine, make_batch

from rl.agents import learning

SIZES = ((64, 32), (128, 64))  # hidden units, batch
CHECK = learning.require_finite_weights


def without(*_: object) -> None:
    """Checks nothing."""


def seconds(update: Callable[[], object], times: int) -> float:
    """Processor seconds of one of `times` updates; others on the machine do not count."""
    started = time.process_time()
    for _ in range(times):
        update()
    return (time.process_time() - started) / times


def measure(hidden: int, size: int, turns: int) -> tuple[float, float]:
    """Median seconds of an update with the check and without it."""
    update = engine(hidden, make_batch(size))
    measured: dict[Callable[..., None], list[float]] = {CHECK: [], without: []}
    for _ in range(turns):
        for check, times in measured.items():
            learning.require_finite_weights = check
            times.append(seconds(update, 20))
    return statistics.median(measured[CHECK]), statistics.median(measured[without])


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the check for finite weights.")
    parser.add_argument("--turns", type=int, default=1000, help="of 20 updates each (default 1000)")
    options = parser.parse_args()
    print("| hidden, batch | with the check, us | without it, us | ratio |")
    print("|---|---|---|---|")
    for hidden, size in SIZES:
        checked, bare = measure(hidden, size, options.turns)
        row = f"{checked * 1e6:.1f} | {bare * 1e6:.1f} | {checked / bare:.3f}"
        print(f"| {hidden}, {size} | {row} |")


if __name__ == "__main__":
    main()
