"""How soon an agent solves LunarLander-v3: this lab's DQN and stable-baselines3's, in one run.

    python -m pip install -e . stable-baselines3      # in an environment of its own
    python scripts/benchmark_solve.py --seeds 5
    python scripts/benchmark_solve.py --seeds 20 --rows solve.csv      # goes on where it was

Each run is a process of its own on one core with one BLAS thread; the two alternate, seed by seed.
Both learners are evaluated by the same rule, code and seeds: every 5,000 steps a few greedy
episodes, extended to 100 for as long as they look solved; solved is a mean return whose 95%
interval begins at 200 or above. Both clocks include these evaluations and stop there; the solved
agent is then evaluated on 100 unseen episodes, which neither clock includes.

stable-baselines3 has the settings that its RL Zoo publishes for this environment.

With --rows the runs are kept in a file, and those that it has are not repeated. Let it be of one
machine: seconds of two are not to be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import numpy as np
from rows import Row, Rows

from rl.errors import UserError

if TYPE_CHECKING:
    from nn.typing import Array

PROBLEM, THRESHOLD = "LunarLander-v3", 200.0
LEARNERS = ("this-lab", "stable-baselines3")
FIGURES = ("solved", "steps", "seconds", "evaluating", "mean_return")

Result = dict[str, Any]  # of a run: its FIGURES

# https://github.com/DLR-RM/rl-baselines3-zoo, hyperparams/dqn.yml, LunarLander: exploration falls
# over 12% of 100,000 steps.
ZOO = {
    "learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 0,
    "gamma": 0.99, "target_update_interval": 250, "train_freq": 4, "gradient_steps": -1,
    "exploration_final_eps": 0.1, "policy_kwargs": {"net_arch": [256, 256]},
}  # fmt: skip
ZOO_EXPLORATION_STEPS = 12_000


def run_lab(seed: int, limit: int) -> Result:
    """Trains `lunarlander_dqn` as `python -m rl.run` does."""
    import rl

    with tempfile.TemporaryDirectory() as folder:
        run = rl.train("lunarlander_dqn", seed, [f"train.steps={limit}"], output=f"{folder}/run")
        outcome = run.outcome
    return {
        "solved": outcome["status"] == "solved",
        "steps": outcome["steps"],
        "seconds": outcome["seconds"],
        "evaluating": outcome["evaluation_seconds"],
        "mean_return": outcome["evaluation"]["mean_return"],
    }


def run_peer(seed: int, limit: int) -> Result:
    """Trains stable-baselines3's DQN, evaluated every 5,000 steps as the lab's is."""
    import torch
    from stable_baselines3 import DQN

    from rl.environments import evaluation_seeds, make_env
    from rl.session.evaluation import Evaluator

    torch.set_num_threads(1)

    class Greedy:
        def act(self, observations: Array) -> Array:
            return np.asarray(model.predict(observations, deterministic=True)[0])

    model = DQN(
        "MlpPolicy", make_env(PROBLEM), seed=seed,
        exploration_fraction=ZOO_EXPLORATION_STEPS / limit, **ZOO,
    )  # fmt: skip
    evaluator = Evaluator(lambda: make_env(PROBLEM))
    seeds = evaluation_seeds("selection", seed, 100)
    state = {"solved": False, "evaluating": 0.0, "next": 5000}

    def evaluate(local: dict[str, Any], _: Any) -> bool:
        if local["self"].num_timesteps < state["next"]:
            return True
        state["next"] += 5000
        started = time.perf_counter()
        result = evaluator.evaluate(Greedy(), seeds, 5, THRESHOLD)
        state["evaluating"] += time.perf_counter() - started
        state["solved"] = result.surely_solves(THRESHOLD)
        return not state["solved"]

    started = time.perf_counter()
    model.learn(limit, callback=evaluate)
    seconds = time.perf_counter() - started
    final = evaluator.play(Greedy(), evaluation_seeds("report", 0, 100))
    return {
        "solved": state["solved"], "steps": model.num_timesteps, "seconds": seconds,
        "evaluating": state["evaluating"], "mean_return": final.mean,
    }  # fmt: skip


def in_process(learner: str, seed: int, limit: int) -> Result:
    """One run in a process of its own, on one core."""
    command = [sys.executable, __file__, "--one", learner, "--seed", str(seed),
               "--limit", str(limit)]  # fmt: skip
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def results_of(
    learners: Sequence[str], seeds: int, limit: int, rows: Rows | None
) -> Iterator[tuple[str, int, Result]]:
    """The results of each learner on each seed, in turns, and those of the rows, which are kept."""
    for seed in range(seeds):
        for learner in learners:
            named = {"learner": learner, "seed": str(seed), "limit": str(limit)}
            if rows and (found := rows.matching(named)):
                yield learner, seed, {name: json.loads(found[0][name]) for name in FIGURES}
                continue
            result = in_process(learner, seed, limit)
            if rows:
                rows.add({**named, **{name: json.dumps(result[name]) for name in FIGURES}})
            yield learner, seed, result


def rows_of(path: Path) -> Rows:
    """The runs that a file has."""
    return Rows(path, ("learner", "seed", "limit", *FIGURES), _key)


def _key(row: Row) -> tuple[int, str, int]:
    return int(row["limit"]), row["learner"], int(row["seed"])


def summarize(results: dict[str, list[Result]]) -> None:
    """Prints the table."""
    head = ("learner", "solved", "steps, median", "seconds, median", "of which evaluating",
            "mean return, unseen")  # fmt: skip
    rows, medians = [], []
    for learner, runs in results.items():
        steps, seconds, evaluating, returns = (
            [run[key] for run in runs] for key in ("steps", "seconds", "evaluating", "mean_return")
        )
        solved = f"{sum(run['solved'] for run in runs)} of {len(runs)}"
        medians.append(statistics.median(seconds))
        rows.append((
            learner, solved, common.spread(steps, ",.0f"), common.spread(seconds),
            f"{statistics.median(evaluating):.1f}", f"{statistics.mean(returns):.1f}",
        ))  # fmt: skip
    print(f"\n{common.table(head, rows)}")
    if len(medians) == len(LEARNERS):
        ours, theirs = medians
        print(f"\nsooner, ratio of the medians: {theirs / ours:.1f}")


def main() -> None:
    parser = common.Parser(description="Time to a solved LunarLander agent.")
    parser.add_argument("--seeds", type=common.positive, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--limit", type=common.positive, default=200_000, help="steps at most")
    parser.add_argument("--learner", choices=LEARNERS, action="append", help="only this one")
    parser.add_argument("--rows", metavar="FILE", type=Path, help="keep the runs in a CSV file")
    parser.add_argument("--one", choices=LEARNERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        run = run_lab if options.one == "this-lab" else run_peer
        print(json.dumps(run(options.seed, options.limit)))
        return
    if options.rows:
        parser.make_folder(options.rows.parent)  # before a run is lost for want of it
    results: dict[str, list[Result]] = {learner: [] for learner in LEARNERS}
    learners = options.learner or LEARNERS
    try:
        rows = rows_of(options.rows) if options.rows else None
        for learner, seed, result in results_of(learners, options.seeds, options.limit, rows):
            results[learner].append(result)
            print(f"seed {seed}, {learner}: {result}", flush=True)
    except UserError as error:
        parser.refuse(str(error))
    except KeyboardInterrupt:
        print("interrupted: the table is of the runs that ended")
    summarize({learner: rows for learner, rows in results.items() if rows})


if __name__ == "__main__":
    main()
