"""What whole commands cost: the start and the memory of a run, several sessions at once, a search.

    python scripts/benchmark_commands.py                  # all of it, about 10 minutes
    python scripts/benchmark_commands.py --only start     # or the name of another below

`start`: from the command to the first environment step, in a new process each time.
`memory`: the peak memory of a whole run, without and with a report.
`sessions`: the wall-clock time of two sessions at once against one, which alternate; medians. Each
session has the same number of steps, so the ratio is the cost of running side by side: a second
start, memory bandwidth, and whatever else uses the cores.
`short`: `rl run cartpole_dqn --sessions 20 --steps 2000` on two cores, without and with its report,
against the computing alone: two programs at once that run ten sessions each, one after the other in
one process that has imported everything. Processor time is that of all processes together.
`search`: 20 trials of 2 sessions of cartpole_dqn at 20,000 steps on two cores, and the lab's own
time in it: from the last session's end to the analysis on disk.
`parent`: the peak memory of the parent of a trial with 100 sessions, without its workers.
`ray`: on a Ray that is started here, the time of one short session, and of 20 there and in local
processes.
`many`: the peak memory of the command with 200 sessions there, and how many of them finished.
"""

from __future__ import annotations

import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common

from rl.formatting import count_of

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
began, before = time.perf_counter(), time.process_time()
for seed in range(first, first + 10):
    run_job(Job(specification, seed, folder / f"trial_000/session_{seed:03d}", seed))
print(time.perf_counter() - began, time.process_time() - before)
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
    numbers = itertools.count()

    def run(*options: object) -> tuple[float, float]:
        command = ("run", "cartpole_dqn", "--sessions", 20, "--steps", 2000, *options)
        began, before = time.perf_counter(), _of_children()
        common.rl(*command, "--output", folder / f"short_{next(numbers)}")
        return time.perf_counter() - began, _of_children() - before

    def compute() -> tuple[float, float]:
        place = str(folder / f"ten_{next(numbers)}")
        commands = [[sys.executable, "-c", TEN, first, place] for first in ("0", "10")]
        both = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for each in commands]
        times = [each.communicate()[0].split() for each in both]
        return max(float(each[0]) for each in times), sum(float(each[1]) for each in times)

    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "alone": compute,
        "command": lambda: run("--no-report"),
        "with its report": run,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _, (name, way) in itertools.product(range(repetitions), ways.items()):
        found[name].append(way())
    for name, times in found.items():
        walls, processors = zip(*times, strict=True)
        ratios = [statistics.median(each) / statistics.median(alone) for each, alone in zip(
            (walls, processors), zip(*found["alone"], strict=True), strict=True)]  # fmt: skip
        print(f"20 short sessions, {name}: {common.spread(walls)} s, ratio {ratios[0]:.2f}; "
              f"processor {common.spread(processors)} s, ratio {ratios[1]:.2f}")  # fmt: skip


def _of_children() -> float:
    """The processor time of ended children, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


SHORT = ("run", "cartpole_dqn", *QUIET, "--steps", 2000, "--jobs", 2)


def ray(folder: Path, _: int) -> None:
    """Prints the times of short sessions on Ray."""
    for how, count in (("ray", 1), ("ray", 20), ("local", 20)):
        began, output = time.perf_counter(), folder / f"{how}{count}"
        python(PARENT, *SHORT, "--executor", how, "--sessions", count, "--output", output)
        print(
            f"{how}, {count_of(count, 'session')}: {time.perf_counter() - began:.1f} s", flush=True
        )


def many(folder: Path, _: int) -> None:
    """Prints the memory of the command with 200 sessions on Ray."""
    output = folder / "many"
    peak = python(PARENT, *SHORT, "--executor", "ray", "--sessions", 200, "--output", output)
    ended = len(json.loads((output / "trial_000/trial.json").read_text())["outcomes"])
    print(f"command of 200 sessions on Ray: peak {int(peak) * UNIT / 1e6:.0f} MB, {ended} outcomes")


MEASUREMENTS = {
    each.__name__: each for each in (start, memory, sessions, short, search, parent, ray, many)
}


def main() -> None:
    parser = common.Parser(description="Times and weighs whole commands.")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--repetitions", type=common.positive, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or MEASUREMENTS:
            MEASUREMENTS[name](Path(folder), options.repetitions)


if __name__ == "__main__":
    main()
