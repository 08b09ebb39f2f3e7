"""What it costs to run several sessions at once, and to search.

    python scripts/benchmark_trial.py                  # all three, about 10 minutes
    python scripts/benchmark_trial.py --only sessions  # or search, memory

`sessions`: the wall-clock time of two sessions at once against one, as whole commands that
alternate; medians. Each session has the same number of steps, so the ratio is the cost of running
side by side: a second start, memory bandwidth, and whatever else uses the cores.
`search`: 20 trials of 2 sessions of cartpole_dqn at 20,000 steps on two cores, and the lab's own
time in it: from the last session's end to the analysis on disk.
`memory`: the peak memory of the parent of a trial with 100 sessions, without its workers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common

RUN = ("run", "lunarlander_dqn", "--steps", 60000, "--set", "train.stop_when_solved=false")
QUIET = ("--quiet", "--no-report")


def sessions(folder: Path, repetitions: int) -> None:
    """Prints the times of two sessions at once and of one."""
    numbers = itertools.count()

    def run(*options: object) -> None:
        common.rl(*RUN, *QUIET, "--output", folder / f"run_{next(numbers)}", *options)

    works = {"one": run, "two": lambda: run("--sessions", 2, "--jobs", 2)}
    one, two = common.in_turns(works, repetitions).values()
    ratio = statistics.median(two) / statistics.median(one)
    times = f"one session {common.spread(one)} s, two at once {common.spread(two)} s"
    print(f"medians: {times}, ratio {ratio:.2f}")


def search(folder: Path, _: int) -> None:
    """Prints the time of a search, and the lab's own part of it."""
    run = folder / "search"
    taken = common.seconds(lambda: common.rl(
        "search", "cartpole_dqn", "--method", "random", "--trials", 20, "--sessions", 2,
        "--jobs", 2, "--steps", 20000, "--output", run, *QUIET,
    ))  # fmt: skip
    ends = [path.stat().st_mtime for path in run.rglob("checkpoints/last.npz")]
    outcomes = [json.loads(path.read_text()) for path in run.rglob("session.json")]
    analysed = max(path.stat().st_mtime for path in run.glob("*.*"))
    learning = sum(outcome["seconds"] for outcome in outcomes)
    print(
        f"search of {len(outcomes)} sessions: {taken:.1f} s, of which {analysed - max(ends):.1f} s "
        f"from the last step to the analysis (with the evaluation of the last session); "
        f"sum of the sessions' own seconds {learning:.1f}"
    )


def memory(folder: Path, _: int) -> None:
    """Prints the peak memory of the parent of 100 sessions."""
    code = (
        "import resource\n"
        "from rl.cli import main\n"
        "main(['run', 'cartpole_dqn', '--sessions', '100', '--jobs', '2', '--steps', '1500',"
        f" '--quiet', '--output', {str(folder / 'hundred')!r}])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    print(f"parent of 100 sessions: peak {int(answer.stdout) * unit / 1e6:.0f} MB")


MEASUREMENTS = {"sessions": sessions, "search": search, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description="Sessions at once, and a search.")
    parser.add_argument("--only", choices=MEASUREMENTS)
    parser.add_argument("--repetitions", type=common.positive, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in [options.only] if options.only else MEASUREMENTS:
            MEASUREMENTS[name](Path(folder), options.repetitions)


if __name__ == "__main__":
    main()
