"""What it costs to check after each update that all weights are finite.

    python scripts/benchmark_checks.py

The update is that of benchmark_update.py. Updates with and without the check alternate; the medians
of their processor times are printed, which other programs on the machine hardly affect.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import common
from benchmark_update import VECTORS, Case, engine, make_batch

from rl.agents import learning

CASES = VECTORS[:2]
CHECK = learning.require_finite_weights


def updates(update: common.Work, check: Callable[..., None]) -> common.Work:
    """A work of 20 updates that check the weights in this way."""

    def work() -> None:
        learning.require_finite_weights = check
        for _ in range(20):
            update()

    return work


def row(case: Case, turns: int) -> tuple[str, ...]:
    """Median microseconds of an update with the check and without it."""
    update = engine(case, make_batch(case))
    works = {"checked": updates(update, CHECK), "bare": updates(update, lambda *_: None)}
    measured = common.in_turns(
        works, turns, lambda work: common.seconds(work, clock=time.process_time)
    )
    checked, bare = (1e6 / 20 * median for median in common.medians(measured).values())
    return case.name, f"{checked:.1f}", f"{bare:.1f}", f"{checked / bare:.3f}"


def main() -> None:
    parser = common.Parser(description="Times the check for finite weights.")
    parser.add_argument(
        "--turns", type=common.positive, default=1000, help="20 updates each (1000)"
    )
    options = parser.parse_args()
    head = ("hidden, batch", "with the check, us", "without it, us", "ratio")
    print(common.table(head, (row(case, options.turns) for case in CASES)))


if __name__ == "__main__":
    main()
