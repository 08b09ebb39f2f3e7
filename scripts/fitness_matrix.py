"""The fitness matrix: what every agent reaches on every problem, over several seeds.

    python scripts/fitness_matrix.py --jobs 2
    python scripts/fitness_matrix.py --only "pendulum*"      # some experiments; only prints
    python scripts/fitness_matrix.py --grid                  # runs nothing; prints the grid
    python scripts/fitness_matrix.py --grid --spec classic_experiment_specs.json

Trains each experiment of rl/spec/ once for each of the seeds 0 to SESSIONS - 1 in processes of
their own with one BLAS thread, prints a row for each, and puts the table into docs/RESULTS.md. Run
folders are kept in --folder, under the experiment's name and a digest of its specification: a
finished session is not run again unless its specification has changed, so an interrupted matrix
continues where it was.

The return is that of the run's best checkpoint on 100 episodes other than those it was chosen on;
"last" is that of the last checkpoint on the same episodes. Mean, IQM (the mean without the lowest
and highest quarter) and interval are over the sessions. The published figures are those of the RL
Zoo's benchmark table (single runs) and of SLM Lab's (means of four sessions), with their
environment steps.

The grid has a row for each problem, a column for each agent, and in each cell two scores of
docs/metrics.md over the sessions: fitness_2017, and the lab's own fitness in brackets; of several
experiments the one with the best fitness_2017. With --grid it is made of the sessions that are in
--folder. --spec takes the experiments of a file instead of the lab's, such as OpenAI Lab's.
"""

from __future__ import annotations

import argparse
import fnmatch
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np

from rl.analysis.metrics import trial_metrics
from rl.analysis.records import read_record
from rl.analysis.statistics import bootstrap_interval, interquartile_mean
from rl.environments.problems import find_problem
from rl.specification.specification import (
    Specification,
    all_specifications,
    read_specifications,
)
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder


class Published(NamedTuple):
    """The best published single figure for a problem and an agent."""

    mean_return: float
    steps: str


PUBLISHED: dict[str, Published | None] = {
    "cartpole_dqn": Published(500, "50k"),
    "cartpole_double_dqn": Published(500, "50k"),
    "cartpole_qrdqn": Published(500, "50k"),
    "cartpole_actor_critic": Published(500, "500k"),
    "acrobot_dqn": Published(-76.6, "100k"),
    "acrobot_double_dqn": Published(-83.9, "300k"),
    "acrobot_actor_critic": Published(-83.4, "500k"),
    "mountaincar_dqn": Published(-100.8, "120k"),
    "mountaincar_double_dqn": Published(-100.8, "120k"),
    "mountaincar_actor_critic": Published(-111.3, "1M"),
    "lunarlander_dqn": Published(195, "300k"),
    "lunarlander_double_dqn": Published(265.9, "300k"),
    "lunarlander_actor_critic": Published(155, "200k"),
    "mountaincar_continuous_actor_critic": Published(91.2, "100k"),
    "mountaincar_continuous_ddpg": Published(93.5, "300k"),
    "pendulum_actor_critic": Published(-163, "1M"),
    "pendulum_ddpg": Published(-152, "20k"),
    "lunarlander_continuous_actor_critic": Published(84, "5M"),
    "lunarlander_continuous_ddpg": Published(230, "300k"),
    "bipedalwalker_actor_critic": Published(299.8, "5M"),
    "bipedalwalker_ddpg": Published(197, "1M"),
    "pendulum_sac": Published(-157, "20k"),
    "cartpole_reinforce": Published(483, "200k"),
    "cartpole_deep_sarsa": Published(431, "200k"),
    # Nobody's figure of these is known here.
    **dict.fromkeys(
        (
            "cartpole_rainbow",
            "lunarlander_rainbow",
            "cartpole_bootstrapped_dqn",
            "pendulum_crossq",
            "cartpole_deep_expected_sarsa",
            "cartpole_cem",
            "pong_dqn",
            "breakout_dqn",
            "asterix_dqn",
            "freeway_dqn",
            "seaquest_dqn",
            "space_invaders_dqn",
            "cartpole_random",
            "frozenlake_q_table",
            "cliffwalking_sarsa",
            "cliffwalking_expected_sarsa",
        ),
    ),
}
# More for the main job, fewer for what takes hours.
SESSIONS = {"lunarlander_dqn": 10, "bipedalwalker_actor_critic": 3, "bipedalwalker_ddpg": 3}

HEADER = ("experiment", "mean return", "IQM", "95% interval", "each seed", "last", "solved",
          "steps, median and most", "s", "steps/s", "published")  # fmt: skip


Scores = tuple[float, float]  # fitness_2017 and fitness


def place(specification: Specification, seed: int, folder: Path) -> SessionFolder:
    """Where a session is or will be."""
    path = folder / f"{specification.name}-{specification.digest[:8]}" / f"seed_{seed}"
    return RunFolder(path).session()


def session(
    specification: Specification, seed: int, folder: Path, more: Sequence[object] = ()
) -> dict[str, Any]:
    """The outcome of one session, run unless it has been, with more options of `rl run`."""
    found = place(specification, seed, folder)
    if "final" not in found.read_outcome():
        path = found.path.parents[1]
        shutil.rmtree(path, ignore_errors=True)  # what an interrupted session has left
        options = ("--seed", seed, "--quiet", "--no-report", "--output", path, *more)
        common.rl("run", specification.name, *options)
    return found.read_outcome()


def scores(specification: Specification, folder: Path) -> Scores | None:
    """The scores over the sessions that are there; None without one."""
    name = f"{specification.name}-{specification.digest[:8]}"
    found = [RunFolder(each).session() for each in sorted(folder.glob(f"{name}/seed_*"))]
    figures = trial_metrics([read_record(each) for each in found])
    if figures["fitness_2017"] is None:
        return None
    return figures["fitness_2017"], figures["fitness"]


def grid(specifications: Iterable[Specification], folder: Path) -> str:
    """The best scores of each agent on each problem, as a table."""
    best: dict[tuple[str, str], Scores] = {}
    for each in specifications:
        pair = each.environment_id, each.values["agent"]["name"].removesuffix("_2017")
        if found := scores(each, folder):
            best[pair] = max(found, best.get(pair, found))
    agents = sorted({agent for _, agent in best})
    rows = (
        (problem, *(_cell(best.get((problem, agent))) for agent in agents))
        for problem in dict.fromkeys(problem for problem, _ in best)
    )
    return common.table(("problem", *agents), rows, aligned=False)


def _cell(found: Scores | None) -> str:
    return f"{found[0]:.4g} ({found[1]:.4g})" if found else ""


def row(specification: Specification, outcomes: Sequence[dict[str, Any]]) -> str:
    """A line of the table."""
    name, threshold = specification.name, find_problem(specification.environment_id).solved
    returns = np.array([each["evaluation"]["mean_return"] for each in outcomes])
    low, high = bootstrap_interval(returns)
    steps, seconds = (np.array([each[key] for each in outcomes]) for key in ("steps", "seconds"))
    solved = "" if threshold is None else f"{(returns >= threshold).sum()} of {len(returns)}"
    published = PUBLISHED.get(name)
    cells = [
        name,
        f"{returns.mean():.1f}",
        f"{interquartile_mean(returns):.1f}",
        f"{low:.1f} to {high:.1f}",
        " ".join(f"{each:.0f}" for each in returns),
        f"{np.mean([each['final']['mean_return'] for each in outcomes]):.1f}",
        solved,
        f"{np.median(steps):,.0f}, {steps.max():,}",
        f"{np.median(seconds):.0f}",
        f"{np.median(steps / seconds):,.0f}",
        f"{published.mean_return:g} in {published.steps}" if published else "",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Every experiment over several seeds.")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="such as 'lunarlander*'")
    parser.add_argument("--sessions", type=common.positive,
                        help="default 5; 10 of lunarlander_dqn, 3 of BipedalWalker")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/matrix"))
    parser.add_argument("--grid", action="store_true", help="run nothing; print the grid alone")
    parser.add_argument("--spec", type=Path, help="a file of experiments, instead of the lab's")
    options = parser.parse_args()
    known = read_specifications(options.spec) if options.spec else all_specifications()
    specifications = {
        name: each for name, each in known.items()
        if fnmatch.fnmatch(name, options.only) and not each.refusal
    }  # fmt: skip
    if options.grid:
        print(grid(specifications.values(), options.folder))
        return
    more = ("--spec", options.spec) if options.spec else ()
    lines = [common.table(HEADER, [], aligned=False)]
    print(*lines)
    with ThreadPoolExecutor(options.jobs) as pool:
        pending = {
            name: [pool.submit(session, each, seed, options.folder, more)
                   for seed in range(options.sessions or SESSIONS.get(name, 5))]
            for name, each in specifications.items()
        }  # fmt: skip
        for name, sessions in pending.items():
            lines.append(row(specifications[name], [each.result() for each in sessions]))
            print(lines[-1], flush=True)
    squares = grid(specifications.values(), options.folder)
    print(f"\n{squares}")
    if options.only == "*" and not options.spec:
        common.put_into_results("fitness matrix", "\n".join(lines))
        common.put_into_results("fitness grid", squares)


if __name__ == "__main__":
    main()
