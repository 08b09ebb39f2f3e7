"""What whole commands cost: the start and the memory of a run, several sessions at once, a search.

    python scripts/benchmark_commands.py                  # all of it, about 10 minutes
    python scripts/benchmark_commands.py --only start     # or the name of another below

`start`: from the command to the first environment step, in a new process each time.
`memory`: the peak memory of a whole run, without and with a report.
`sessions`: the wall-clock time of two sessions at once against one, which alternate; medians. Each
session has the same number of steps, so the ratio is the cost of running side by side: a second
start, memory bandwidth, and whatever else uses the cores.
`short`: 20 sessions of cartpole_dqn at 2,000 steps on two cores, against the computing alone: two
programs at once that run ten each, one after the other in one process that has imported everything.
`search`: 20 trials of 2 sessions of cartpole_dqn at 20,000 steps on two cores, and the lab's own
time in it: from the last session's end to the analysis on disk.
`parent`: the peak memory of the parent of a trial with 100 sessions, without its workers.
`ray`: on a Ray that is started here, the time of one short session, and of 20 there and in local
processes; the peak memory of the command with 200 sessions, and how many of them finished.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

NAME = "lunarlander_dqn"
RUN = ("run", NAME, "--steps", 60000, "--set", "train.stop_when_solved=false")
QUIET = ("--quiet", "--no-report")
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of `ru_maxrss`
UNTIL_FIRST_STEP = """
import os, sys, time
from rl.environments import Environments

def first_step(*_):
    os.write(1, repr(time.time()).encode())
    os._exit(0)

Environments.step = first_step
from rl.cli import main
main(sys.argv[1:])
"""
PARENT = """
import resource, sys
from rl.cli import main
main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

TEN = """
import sys, time
from pathlib import Path
import gymnasium
from rl.running.jobs import run_job
from rl.session.job import Job
from rl.specification.build import build
from rl.specification.specification import load_specification

first, folder = int(sys.argv[1]), Path(sys.argv[2])
known = load_specification("cartpole_dqn", overrides=["train.steps=2000"])
specification = build(known, first).specification
began = time.perf_counter()
for seed in range(first, first + 10):
    run_job(Job(specification, seed, folder / f"trial_000/session_{seed:03d}", seed))
print(time.perf_counter() - began)
"""


def python(code: str, *arguments: object) -> str:
    """The output of a program."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def start(folder: Path, repetitions: int) -> None:
    """Prints the time to the first step."""
    times = []
    for number in range(repetitions):
        started = time.time()
        ended = python(UNTIL_FIRST_STEP, "run", NAME, "--output", folder / f"start_{number}")
        times.append(float(ended) - started)
    print(f"to the first step: median {common.spread(times, '.2f')} s in {len(times)} starts")


def memory(folder: Path, _: int) -> None:
    """Prints the peak memory of all processes so far: the run that needs the least comes first."""
    peaks = []
    for name, options in (("bare", QUIET), ("whole", QUIET[:1])):
        common.rl("run", NAME, "--output", folder / name, *options)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT / 1e6)
    print("peak memory: {:.0f} MB, with a report {:.0f} MB".format(*peaks))


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


def short(folder: Path, repetitions: int) -> None:
    """Prints the time of many short sessions, and of the computing alone."""
    whole, alone = [], []
    for number in range(repetitions):
        options = ("--sessions", 20, "--steps", 2000, "--jobs", 2, *QUIET)
        started = time.perf_counter()
        common.rl("run", "cartpole_dqn", *options, "--output", folder / f"short_{number}")
        whole.append(time.perf_counter() - started)
        commands = [
            [sys.executable, "-c", TEN, str(first), str(folder / f"ten_{number}")]
            for first in (0, 10)
        ]
        both = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for each in commands]
        alone.append(max(float(each.communicate()[0]) for each in both))
    ratio = statistics.median(one / other for one, other in zip(whole, alone, strict=True))
    print(
        f"20 short sessions: {common.spread(whole)} s, the computing alone {common.spread(alone)} "
        f"s, median ratio {ratio:.2f}"
    )


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


def parent(folder: Path, _: int) -> None:
    """Prints the peak memory of the parent of 100 sessions."""
    options = ("--sessions", 100, "--jobs", 2, "--steps", 1500, *QUIET)
    peak = python(PARENT, "run", "cartpole_dqn", *options, "--output", folder / "hundred")
    print(f"parent of 100 sessions: peak {int(peak) * UNIT / 1e6:.0f} MB")


def ray(folder: Path, _: int) -> None:
    """Prints the times of short sessions on Ray, and the memory of the command with 200."""
    short = ("run", "cartpole_dqn", *QUIET, "--steps", 2000, "--jobs", 2)
    for how, count in (("ray", 1), ("ray", 20), ("local", 20)):
        began, output = time.perf_counter(), folder / f"{how}{count}"
        python(PARENT, *short, "--executor", how, "--sessions", count, "--output", output)
        print(f"{how}, {count} sessions: {time.perf_counter() - began:.1f} s", flush=True)
    output = folder / "many"
    peak = python(PARENT, *short, "--executor", "ray", "--sessions", 200, "--output", output)
    ended = len(json.loads((output / "trial_000/trial.json").read_text())["outcomes"])
    print(f"command of 200 sessions on Ray: peak {int(peak) * UNIT / 1e6:.0f} MB, {ended} outcomes")


MEASUREMENTS = {
    each.__name__: each for each in (start, memory, sessions, short, search, parent, ray)
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Times and weighs whole commands.")
    parser.add_argument("--only", choices=MEASUREMENTS)
    parser.add_argument("--repetitions", type=common.positive, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in [options.only] if options.only else MEASUREMENTS:
            MEASUREMENTS[name](Path(folder), options.repetitions)


if __name__ == "__main__":
    main()
