"""Defaults alone: what the lab and stable-baselines3 learn when nobody has tuned anything.

    python -m pip install -e ".[mujoco]" stable-baselines3     # in an environment of its own
    python scripts/defaults_matrix.py --jobs 2
    python scripts/defaults_matrix.py --only "CartPole*" --learner lab      # some of them

Each learner has the same environment steps and the seeds 0, 1 and 2. The lab learns as `rl run ID`
does, but to the last step; of stable-baselines3, with no setting but the seed, DQN and PPO learn
where actions are discrete, PPO and SAC where they are continuous. All are evaluated by the same
rule, code and episodes: every 5,000 steps a few greedy ones, more for as long as they look solved;
the best checkpoint, by the lower end of its interval, is reported on episodes that did not choose
it.

A row for each run is kept in docs/defaults_matrix.csv, so an interrupted matrix continues where it
was, and the lab's runs are repeated when its defaults have changed. The table in docs/RESULTS.md is
made of these rows; a problem is in it once all its learners are.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import common
import numpy as np
from rows import Row, Rows

from rl.errors import UserError

if TYPE_CHECKING:
    from nn.typing import Array

ROWS = Path(__file__).parents[1] / "docs" / "defaults_matrix.csv"
SEEDS = (0, 1, 2)
EVERY = 5_000  # steps from one evaluation to the next
COLUMNS = ("problem", "learner", "seed", "steps", "mean_return", "last", "seconds", "settings")
PEERS = {True: ("DQN", "PPO"), False: ("PPO", "SAC")}  # by whether actions are discrete
HEAD = ("problem", "steps", "the lab", "each seed", "stable-baselines3", "each seed", "the lab is")


class Problem(NamedTuple):
    """An environment, how long it is learned, and how many episodes tell what was learned.

    Few steps where the peers, too, need no more; many episodes where each is mostly luck.
    """

    id: str
    discrete: bool
    steps: int = 100_000
    episodes: int = 100

    @property
    def learners(self) -> tuple[str, ...]:
        """The lab, and the algorithms of stable-baselines3."""
        return ("lab", *PEERS[self.discrete])


PROBLEMS = (
    Problem("CartPole-v1", True, 50_000),
    Problem("Acrobot-v1", True),
    Problem("MountainCar-v0", True),
    Problem("LunarLander-v3", True),
    Problem("Taxi-v4", True),
    Problem("FrozenLake-v1", True, episodes=1_000),
    Problem("CliffWalking-v1", True),
    Problem("Blackjack-v1", True, episodes=10_000),
    Problem("Pendulum-v1", False, 20_000),
    Problem("MountainCarContinuous-v0", False, 50_000),
    Problem("LunarLanderContinuous-v3", False),
    Problem("BipedalWalker-v3", False),
    Problem("InvertedPendulum-v5", False, 20_000),
    Problem("Reacher-v5", False, 50_000),
    Problem("Hopper-v5", False),
)


def settings_of(problem: Problem, learner: str) -> str:
    """What a row was measured with: a digest of the lab's defaults, or the peer's version.

    It is of what the specification says, so a setting that is added to a part costs no runs.
    """
    if learner != "lab":
        return version("stable-baselines3")
    return str(_specification(problem).digest[:8])


def _specification(problem: Problem) -> Any:
    from rl.specification.by_name import specification_of

    overrides = {"train.steps": problem.steps, "train.stop_when_solved": False}
    return specification_of(problem.id, overrides=overrides)


def run_lab(problem: Problem, seed: int) -> dict[str, float]:
    """Trains as `rl run ID` does, but to the last step."""
    import rl

    with tempfile.TemporaryDirectory() as folder:
        run = rl.train(
            problem.id, seed, {"train.steps": problem.steps, "train.stop_when_solved": False},
            output=f"{folder}/run", draw=False,
        )  # fmt: skip
        means = {
            name: run.evaluate(problem.episodes, seed, checkpoint).mean
            for name, checkpoint in (("mean_return", "best"), ("last", "last"))
        }
        return {**means, "seconds": run.outcome["seconds"]}


def run_peer(problem: Problem, learner: str, seed: int) -> dict[str, float]:
    """Trains an algorithm of stable-baselines3, evaluated as the lab's agents are."""
    import gymnasium
    import stable_baselines3
    import torch
    from gymnasium.wrappers import FlattenObservation

    from rl.environments import evaluation_seeds
    from rl.environments.spaces import Continuous
    from rl.session.choice import Choice
    from rl.session.evaluation import Evaluator
    from rl.session.progress import Progress
    from rl.specification.build import build

    torch.set_num_threads(1)
    experiment = build(_specification(problem), 0)
    actions, train = experiment.spaces.actions, experiment.training
    environment = gymnasium.make(problem.id)
    if not isinstance(environment.observation_space, gymnasium.spaces.Box):
        environment = FlattenObservation(environment)  # one-hot, as stable-baselines3 does itself
    model = getattr(stable_baselines3, learner)("MlpPolicy", environment, seed=seed)

    class Greedy:
        def act(self, observations: Array, masks: Array | None = None) -> Array:
            chosen = np.asarray(model.predict(observations, deterministic=True)[0])
            if isinstance(actions, Continuous):  # which the evaluator takes from -1 to 1
                return (chosen - actions.middle) / actions.reach
            return chosen

    evaluator = Evaluator.of(experiment.problem, None, None)
    seeds = evaluation_seeds("selection", seed, train.extended_episodes)
    threshold = experiment.problem.solved
    choice, progress = Choice(threshold, EVERY), Progress(problem.steps)
    best: dict[str, Any] = {}

    def evaluate(_local: dict[str, Any], _global: dict[str, Any]) -> bool:
        if model.num_timesteps >= choice.next_step:
            progress.step = model.num_timesteps
            choice.advance(progress, {})
            result = evaluator.evaluate(Greedy(), seeds, train.evaluate_episodes, threshold)
            if choice.is_best(result, progress):
                best.update(copy.deepcopy(model.policy.state_dict()))
        return True

    started = time.perf_counter()
    model.learn(problem.steps, callback=evaluate)
    seconds = time.perf_counter() - started
    unseen = evaluation_seeds("report", seed, problem.episodes)
    last = evaluator.play(Greedy(), unseen).mean
    model.policy.load_state_dict(best)
    return {
        "mean_return": evaluator.play(Greedy(), unseen).mean, "last": last, "seconds": seconds,
    }  # fmt: skip


def measure(problem: Problem, learner: str, seed: int) -> Row:
    """A row, of a run in a process of its own."""
    command = [sys.executable, __file__, "--one", problem.id, learner, str(seed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(answer.stdout.splitlines()[-1])
    return {
        "problem": problem.id, "learner": learner, "seed": str(seed), "steps": str(problem.steps),
        **{name: f"{figures[name]:.6g}" for name in ("mean_return", "last", "seconds")},
        "settings": settings_of(problem, learner),
    }  # fmt: skip


def _key(row: Row) -> tuple[int, int, int]:
    """Its place in the file: rows are in the order of `PROBLEMS`."""
    ids = [problem.id for problem in PROBLEMS]
    at = ids.index(row["problem"])
    return at, PROBLEMS[at].learners.index(row["learner"]), int(row["seed"])


def returns(rows: Rows, problem: Problem, learner: str) -> list[float]:
    """The returns of the best checkpoints, by seed."""
    found = rows.matching({"problem": problem.id, "learner": learner})
    return [float(row["mean_return"]) for row in found]


def is_known(rows: Rows, problem: Problem, learner: str, seed: int) -> bool:
    """Whether this run was measured, with its present settings."""
    return bool(rows.matching({
        "problem": problem.id, "learner": learner, "seed": str(seed), "steps": str(problem.steps),
        "settings": settings_of(problem, learner),
    }))  # fmt: skip


def verdict(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Where the lab stands: "clearly" if every seed is on the same side of every other.

    It is level where the table shows the same mean: -0.0001 is no better than -0.0003.
    """
    means = [common.rounded(float(np.mean(each))) for each in (ours, theirs)]
    if means[0] == means[1]:
        return "level"
    if min(ours) > max(theirs):
        return "clearly above"
    if max(ours) < min(theirs):
        return "clearly below"
    return "above" if np.mean(ours) > np.mean(theirs) else "below"


def lines(rows: Rows) -> Iterator[tuple[str, ...]]:
    """The lines of the table: each problem of which every learner is there."""
    for problem in PROBLEMS:
        found = {learner: returns(rows, problem, learner) for learner in problem.learners}
        if any(len(each) < len(SEEDS) for each in found.values()):
            continue
        ours = found.pop("lab")
        peer = max(found, key=lambda name: float(np.mean(found[name])))
        yield (
            problem.id, f"{problem.steps:,}", common.rounded(float(np.mean(ours))), each(ours),
            f"{common.rounded(float(np.mean(found[peer])))} ({peer})", each(found[peer]),
            verdict(ours, found[peer]),
        )  # fmt: skip


def each(returns: Sequence[float]) -> str:
    """The returns of the seeds."""
    return " ".join(common.rounded(value, 0) for value in returns)


def main() -> None:
    parser = common.Parser(description="Defaults alone, beside stable-baselines3's.")
    parser.add_only("problems, such as 'LunarLander*'")
    parser.add_argument("--learner", action="append", choices=("lab", "DQN", "PPO", "SAC"),
                        help="only this one")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=1)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    known = {problem.id: problem for problem in PROBLEMS}
    if options.one:
        id, learner, seed = options.one
        problem = known[id]
        run = run_lab(problem, int(seed)) if learner == "lab" else run_peer(
            problem, learner, int(seed)
        )  # fmt: skip
        print(json.dumps(run))
        return
    runs = [
        (problem, learner, seed)
        for problem in parser.named(options.only, PROBLEMS, lambda each: [each.id])
        for learner in problem.learners
        if learner in (options.learner or problem.learners)
        for seed in SEEDS
    ]
    with parser.answering(UserError, goes_on=True):
        rows = Rows(ROWS, COLUMNS, _key)
        try:
            due = [run for run in runs if not is_known(rows, *run)]
        except PackageNotFoundError as error:
            parser.refuse(f"{error.name} is missing: python -m pip install {error.name}")
        with ThreadPoolExecutor(options.jobs) as pool:
            for row in pool.map(lambda run: measure(*run), due):
                print(*row.values(), flush=True)
                rows.add(row)
        common.put_into_results("defaults matrix", common.table(HEAD, lines(rows), aligned=False))


if __name__ == "__main__":
    main()
