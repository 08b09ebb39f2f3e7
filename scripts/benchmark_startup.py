"""How long from the command to the first environment step, and how much memory a run takes.

    python scripts/benchmark_startup.py [--name lunarlander_dqn] [--repeats 7]

Starts `python -m rl.run NAME` in a new process each time. The first step is noticed by a trace
around `Environments.step`, which ends the process there; the peak memory is that of a whole run.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

_UNTIL_FIRST_STEP = """
import os, sys, time
from rl.environments import Environments

def first_step(*_):
    os.write(1, repr(time.time()).encode())
    os._exit(0)

Environments.step = first_step
from rl.cli import main
main(sys.argv[1:])
"""


def seconds_to_first_step(name: str, folder: str) -> float:
    """Wall-clock seconds from starting Python to the first environment step."""
    command = [sys.executable, "-c", _UNTIL_FIRST_STEP, "run", name, "--output", folder]
    started = time.time()
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(answer.stdout) - started


def peak_megabytes(name: str, folder: str, *options: str) -> float:
    """The largest resident set of a whole run, with its evaluation and its plot, in MB.

    That of all processes so far: the run that needs the least must come first.
    """
    command = [sys.executable, "-m", "rl.run", name, "--output", folder, "--quiet", *options]
    subprocess.run(command, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the start of a run, and weighs one.")
    parser.add_argument("--name", default="lunarlander_dqn")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        times = [
            seconds_to_first_step(options.name, f"{folder}/{i}") for i in range(options.repeats)
        ]
        print(f"to the first step: median {statistics.median(times):.2f} s, "
              f"{min(times):.2f} to {max(times):.2f} s in {len(times)} starts")  # fmt: skip
        peaks = (
            peak_megabytes(options.name, f"{folder}/plain", "--no-report"),
            peak_megabytes(options.name, f"{folder}/whole"),
        )
        print("peak memory: {:.0f} MB, with a report {:.0f} MB".format(*peaks))


if __name__ == "__main__":
    main()
