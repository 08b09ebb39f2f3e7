"""Every experiment over several seeds, as a table.

    python scripts/fitness_matrix.py --sessions 10 --jobs 2 [NAME ...]

Trains each experiment (by default all) once for each of the seeds 0 to SESSIONS - 1, from its spec
as it stands, in processes of their own with one BLAS thread, and prints a row for each experiment.
Run folders are kept in --folder: a session that has finished there is not run again, so that an
interrupted table goes on where it was.

The return is that of the checkpoint which the run itself chose as its best, on 100 episodes that
are not those it was chosen on. "Reached" counts the seeds whose return reaches the target.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rl.analysis.statistics import bootstrap_interval
from rl.experiment.specification import all_specifications
from rl.problems import known_problems
from rl.run_folder import RunFolder

# What an agent of each problem should reach: its own threshold, except for Acrobot's -100, which is
# too easy to tell agents apart.
TARGETS = {id: problem.solved or 0.0 for id, problem in known_problems().items()}
TARGETS["Acrobot-v1"] = -90.0


def session(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """The outcome of one session, run unless it has been."""
    path = folder / name / f"seed_{seed}"
    outcome = RunFolder(path).session().read_outcome()
    if "evaluation" not in outcome:
        command = [sys.executable, "-m", "rl", "run", name, "--seed", str(seed), "--quiet"]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        subprocess.run([*command, "--output", str(path)], check=True, env={**os.environ, **threads})
        outcome = RunFolder(path).session().read_outcome()
    return outcome


def row(name: str, problem: str, outcomes: list[dict[str, Any]]) -> str:
    """A line of the table."""
    returns = np.array([each["evaluation"]["mean_return"] for each in outcomes])
    low, high = bootstrap_interval(returns)
    steps, seconds = (np.array([each[key] for each in outcomes]) for key in ("steps", "seconds"))
    reached = int((returns >= TARGETS[problem]).sum())
    return (
        f"| {name} | {returns.mean():.1f} | {low:.1f} to {high:.1f} | {returns.min():.1f} "
        f"| {reached} of {len(returns)} (at {TARGETS[problem]:g}) | {np.median(steps):,.0f} "
        f"| {steps.max():,} | {np.median(seconds):.1f} | {np.median(steps / seconds):,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Every experiment over several seeds.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/matrix"))
    options = parser.parse_args()
    specifications = all_specifications()
    print("| experiment | mean return | 95% interval | worst seed | reached | median steps "
          "| most steps | median s | steps/s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    with ThreadPoolExecutor(options.jobs) as pool:
        pending = {
            name: [pool.submit(session, name, seed, options.folder)
                   for seed in range(options.sessions)]
            for name in options.names or specifications
        }  # fmt: skip
        for name, sessions in pending.items():
            outcomes = [each.result() for each in sessions]
            print(row(name, specifications[name].values["problem"], outcomes), flush=True)


if __name__ == "__main__":
    main()
