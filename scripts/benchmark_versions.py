"""How fast agents learn in this checkout and in another one, in turns.

    git worktree add ../before 2a04a7e
    python scripts/benchmark_versions.py ../before                  # steps a second, ten minutes
    python scripts/benchmark_versions.py ../before --solve 20       # seconds to solved, eight more

Steps a second are those of whole runs with a single evaluation, at their end. Seconds to solved are
those of `lunarlander_dqn` on the seeds 0, 1, ..., which both checkouts learn at the same time, one
on each of two cores, and change cores with each seed. It wants Linux, for `taskset`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import common

from rl.storage.files import read_json

HERE = Path(__file__).parents[1]
SETS = ("train.evaluate_episodes=1", "train.stop_when_solved=false")
PRIORITIZED = ("memory.name=Prioritized", "memory.capacity=100000")
RUNS: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("A2C", "cartpole_actor_critic", 100_000, ()),
    ("PPO", "pendulum_actor_critic", 60_000, ()),
    ("DQN, prioritized", "cartpole_dqn", 20_000, PRIORITIZED),
    ("DQN, prioritized", "lunarlander_dqn", 20_000, PRIORITIZED),
]


def outcomes(cores: dict[Path, int], *arguments: object) -> list[dict[str, Any]]:
    """What became of a run in each of these checkouts, all at once, each on its core."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(number)) for number in range(len(cores))]
        running = [
            subprocess.Popen(
                ["taskset", "-c", str(core), sys.executable, "-m", "rl", "run",
                 *map(str, arguments), "--quiet", "--no-report", "--output", str(place)],
                cwd=checkout,
            )
            for (checkout, core), place in zip(cores.items(), places, strict=True)
        ]  # fmt: skip
        ends = [process.wait() for process in running]
        if any(ends):
            sys.exit("a run failed")
        return [read_json(place / "trial_000/session_000/session.json") for place in places]


def speed(checkout: Path, name: str, steps: int, settings: tuple[str, ...]) -> float:
    """The environment steps a second of a run, learning included."""
    sets = ("--set", f"train.evaluate_every={steps}", *SETS, *settings)
    (outcome,) = outcomes({checkout: 1}, name, "--steps", steps, *sets)
    return float(outcome["steps"] / outcome["seconds"])


def compare_speeds(other: Path, turns: int) -> None:
    """Prints a table of steps a second."""
    rows = []
    for label, name, steps, sets in RUNS:
        works = [partial(speed, each, name, steps, sets) for each in (other, HERE)]
        before, now = zip(*([work() for work in works] for _ in range(turns)), strict=True)
        ratios = [new / old for old, new in zip(before, now, strict=True)]
        medians = [f"{statistics.median(each):,.0f}" for each in (before, now)]
        rows.append([f"{label}: `{name}`", *medians, common.spread(ratios, ".2f")])
    print(common.table(("steps a second", "before", "now", "ratio"), rows))


def compare_times(other: Path, seeds: int) -> None:
    """Prints how long it took until the problem was solved."""
    pairs = []
    for seed in range(seeds):
        cores = {other: seed % 2, HERE: 1 - seed % 2}
        pairs.append(outcomes(cores, "lunarlander_dqn", "--seed", seed))
    names = ("before", "now")
    for name, each in zip(names, zip(*pairs, strict=True), strict=True):
        solved = [outcome for outcome in each if outcome["status"] == "solved"]
        seconds = common.spread([outcome["seconds"] for outcome in solved])
        steps = statistics.median(outcome["steps"] for outcome in solved)
        print(f"{name}: solved {len(solved)} of {seeds}, in {seconds} s, {steps:,.0f} steps")
    ratios = [now["seconds"] / before["seconds"] for before, now in pairs]
    print(f"ratio of each seed's seconds: {common.spread(ratios, '.2f')}")


def main() -> None:
    """Prints what was measured."""
    parser = common.Parser(description="The speed of learning, before and now.")
    parser.add_argument("checkout", type=Path, help="of another version")
    parser.add_argument("--turns", type=common.positive, default=5)
    parser.add_argument("--solve", type=common.positive, metavar="SEEDS")
    options = parser.parse_args()
    if options.solve:
        compare_times(options.checkout, options.solve)
    else:
        compare_speeds(options.checkout, options.turns)


if __name__ == "__main__":
    main()
