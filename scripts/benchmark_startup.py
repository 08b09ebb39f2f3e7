"""How long from the command to the first environment step, and how much memory a run takes.

    python scripts/benchmark_startup.py [--name lunarlander_dqn] [--repeats 7]

Each start is a new process, which ends at the first `Environments.step`. The peak memory is that of
a whole run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time

import common

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
    """The peak memory of a whole run, with its evaluation and its plot, in MB.

    It is that of all processes so far: the run that needs the least must come first.
    """
    common.rl("run", name, "--output", folder, "--quiet", *options)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the start of a run, and weighs one.")
    parser.add_argument("--name", default="lunarlander_dqn")
    parser.add_argument("--repeats", type=common.positive, default=7)
    options = parser.parse_args()
    name = options.name
    with tempfile.TemporaryDirectory() as folder:
        times = [seconds_to_first_step(name, f"{folder}/{i}") for i in range(options.repeats)]
        print(f"to the first step: median {common.spread(times, '.2f')} s in {len(times)} starts")
        bare = peak_megabytes(name, f"{folder}/bare", "--no-report")
        whole = peak_megabytes(name, f"{folder}/whole")
        print(f"peak memory: {bare:.0f} MB, with a report {whole:.0f} MB")


if __name__ == "__main__":
    main()
