"""What it costs to run several sessions at once, and to search.

    python scripts/benchmark_trial.py                  # all three, about 10 minutes
    python scripts/benchmark_trial.py --only sessions  # or search, memory

`sessions`: the wall-clock time of two sessions at once against one, whole commands, in turns; the
median of each over the repetitions. Both have the same number of steps to do, so the ratio is what
running side by side costs: a second start, memory bandwidth, and whatever else uses the cores.
`search`: 20 trials of 2 sessions of cartpole_dqn at 20,000 steps on two cores, and the lab's own
time in it: from the last session's end to the analysis on disk.
`memory`: the peak memory of the parent of a trial with 100 sessions, without its workers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = ("--steps", "60000", "--set", "train.stop_when_solved=false")


def rl(*arguments: object) -> float:
    """Runs `rl ...`; returns its seconds."""
    started = time.perf_counter()
    quiet = ("--quiet", "--no-report")
    subprocess.run([sys.executable, "-m", "rl", *map(str, arguments), *quiet], check=True)
    return time.perf_counter() - started


def sessions(folder: Path, repetitions: int) -> None:
    """Prints two sessions at once against one."""
    one, two = [], []
    for number in range(repetitions):
        one.append(rl("run", "lunarlander_dqn", *STEPS, "--output", folder / f"one_{number}"))
        two.append(rl("run", "lunarlander_dqn", *STEPS, "--output", folder / f"two_{number}",
                      "--sessions", 2, "--jobs", 2))  # fmt: skip
    ratio = statistics.median(two) / statistics.median(one)
    print(f"one session: {_seconds(one)}; two at once: {_seconds(two)}; ratio {ratio:.2f}")


def _seconds(values: list[float]) -> str:
    return f"median {statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})"


def search(folder: Path) -> None:
    """Prints the time of a search, and the lab's own part of it."""
    run = folder / "search"
    taken = rl("search", "cartpole_dqn", "--method", "random", "--trials", 20, "--sessions", 2,
               "--jobs", 2, "--steps", 20000, "--output", run)  # fmt: skip
    ends = [path.stat().st_mtime for path in run.rglob("checkpoints/last.npz")]
    outcomes = [json.loads(path.read_text()) for path in run.rglob("session.json")]
    analysed = max(path.stat().st_mtime for path in run.glob("*.*"))
    learning = sum(outcome["seconds"] for outcome in outcomes)
    print(
        f"search of {len(outcomes)} sessions: {taken:.1f} s, of which {analysed - max(ends):.1f} s "
        f"from the last step to the analysis (with the evaluation of the last session); "
        f"sum of the sessions' own seconds {learning:.1f}"
    )


def memory(folder: Path) -> None:
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Sessions at once, and a search.")
    parser.add_argument("--only", choices=("sessions", "search", "memory"))
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in (None, "sessions"):
            sessions(folder, options.repetitions)
        if options.only in (None, "search"):
            search(folder)
        if options.only in (None, "memory"):
            memory(folder)


if __name__ == "__main__":
    main()
