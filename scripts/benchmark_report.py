"""How long a report takes beyond its film, and how large it is.

    python scripts/benchmark_report.py                     # of a run of lunarlander_dqn, made here
    python scripts/benchmark_report.py runs/a runs/b       # of run folders; writes their reports

The goals: at most 20 s for the film, 10 s for the rest, and 10 MB.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import common

import rl
from rl.report import write_report
from rl.running.opened_run import Run
from rl.watching.film import make_film
from rl.watching.window import draw_off_screen


def measure(path: Path) -> None:
    """Prints the times and the size of a run's report."""
    run = Run.open(path)
    film = common.both_clocks(lambda: make_film(run, run.session.film))
    rest = common.both_clocks(lambda: write_report(path))
    size = (path / "report.html").stat().st_size / 1e6
    print(f"{path}: film {film}, the rest {rest}, {size:.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times reports.")
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="run folders")
    options = parser.parse_args()
    draw_off_screen()
    for run in options.runs:
        measure(run)
    if not options.runs:
        with tempfile.TemporaryDirectory() as folder:
            measure(rl.train("lunarlander_dqn", output=Path(folder) / "run").path)


if __name__ == "__main__":
    main()
