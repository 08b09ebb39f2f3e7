"""The lab's agents on bsuite, the behaviour suite of Osband et al. (2020).

    python -m pip install -e ".[bsuite]"
    python scripts/bsuite_radar.py --share 0.25                     # a quarter of the settings
    python scripts/bsuite_radar.py --only noise --agent DQN         # a tag, or an experiment

Each agent has one setting of hyper-parameters for the whole suite, `AGENTS`, and acts in one
environment for as many episodes as the suite has; what counts is how it does while it learns. What
is logged, and how it is scored, is bsuite's own. MNIST's experiments are left out: bsuite 0.3.6
lets the bytes of its pictures overflow. Deep sea ends as soon as its score is decided.

A row for each agent and setting is kept in docs/bsuite_radar.csv, so an interrupted run continues
where it was, and what was measured with other hyper-parameters is measured again. The tables and
the picture in docs/RESULTS.md are made of these rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import numpy as np
from bsuite_scores import (
    LOGGED,
    by_experiment,
    experiment_of,
    is_decided,
    pictures,
    suite,
    tables,
    tags_of,
)
from rows import Row, Rows

from rl.errors import UserError
from rl.session.callback import Callback
from rl.specification.specification import digest_of

if TYPE_CHECKING:
    from rl.environments.dm_env import DmEnv

ROWS = Path(__file__).parents[1] / "docs" / "bsuite_radar.csv"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "bsuite.png"
MEASURED = ("agent", "bsuite_id", "seconds", "settings")

_VALUES: dict[str, Any] = {
    "network": {"hidden": [64, 64]},
    "optimizer": {"name": "Adam", "learning_rate": 0.001},
}
AGENTS: dict[str, dict[str, Any]] = {
    "DQN": {
        **_VALUES,
        "agent": {"name": "DoubleDQN", "n_step": 3, "learn_start": 100, "learn_every": 1,
                  "tau": 0.05, "cost": "quadratic", "return_std": 10.0},
        "memory": {"name": "Replay", "capacity": 100_000, "batch_size": 64},
        "exploration": {"name": "EpsilonGreedy", "start": 0.2, "end": 0.02, "steps": 2_000},
    },
    "BootstrappedDQN": {
        **_VALUES,
        "agent": {"name": "BootstrappedDQN", "learn_start": 100, "learn_every": 1, "tau": 0.05,
                  "cost": "quadratic"},
        "memory": {"name": "Replay", "capacity": 30_000, "batch_size": 64},
    },
    "PPO": {
        "agent": {"name": "PPO", "entropy_weight": 0.01, "epochs": 4, "minibatches": 2},
        "network": {"hidden": [64, 64], "activation": "tanh", "output_scale": 0.1},
        "memory": {"name": "Rollout", "horizon": 64},
        "preprocessor": {"name": "Normalize", "rewards": True, "epsilon": 1e-12},
    },
}  # fmt: skip

Run = tuple[str, str, int]  # an agent, the id of a setting, and episodes


def settings_of(agent: str) -> str:
    """What a row was measured with: a digest of the agent's hyper-parameters."""
    return digest_of(AGENTS[agent])[:8]


def chosen(ids: Sequence[str], share: float) -> list[str]:
    """A share of an experiment's settings, at even distances, with the first and the last."""
    count = max(1, round(share * len(ids)))
    return [ids[round(place)] for place in np.linspace(0, len(ids) - 1, count)]


def episodes_of(bsuite_id: str, share: float) -> int:
    """A share of the episodes: the greatest number up to that at which bsuite logs."""
    from bsuite import sweep

    wanted = max(1, int(share * sweep.EPISODES[bsuite_id]))
    return next(number for number in range(wanted, 0, -1) if is_logged(number))


def number_of(bsuite_id: str) -> int:
    """The number of a setting, which is also the seed of its session."""
    return int(bsuite_id.partition("/")[2])


def is_logged(episode: int) -> bool:
    """Whether bsuite logs after so many episodes, of which its scores are made."""
    from bsuite.utils.wrappers import _logarithmic_logging

    return bool(_logarithmic_logging(episode))


class Log(Callback):
    """What bsuite has logged last; it stops the session where the score is decided.

    Args:
        bsuite_id: of the setting.
    """

    def __init__(self, bsuite_id: str) -> None:
        self.row: dict[str, Any] = {"bsuite_id": bsuite_id}
        self._is_decided = False

    def write(self, row: Mapping[str, Any]) -> None:
        """Is called by bsuite."""
        if not self._is_decided:
            self.row |= row
            self._is_decided = is_decided(self.row)

    def episode_ended(self, job: Any, session: Any, episode: Any) -> None:
        if self._is_decided:
            session.stop("the score is decided")


def measure(agent: str, bsuite_id: str, episodes: int) -> Row:
    """Trains an agent on a setting; returns the row."""
    from bsuite.utils import wrappers

    from rl.environments.bsuite import load
    from rl.environments.dm_env import DmEnv

    log, started = Log(bsuite_id), time.process_time()
    learn(agent, lambda: DmEnv(wrappers.Logging(load(bsuite_id), log)), episodes,
          number_of(bsuite_id), log)  # fmt: skip
    return {
        "agent": agent, "bsuite_id": bsuite_id, "settings": settings_of(agent),
        "seconds": f"{time.process_time() - started:.1f}",
        **{name: f"{log.row[name]:.10g}" for name in LOGGED if name in log.row},
    }  # fmt: skip


def learn(agent: str, make: Callable[[], DmEnv], episodes: int, seed: int, log: Log) -> None:
    """Lets an agent learn in a session that is not evaluated, as what it does meanwhile counts."""
    from rl.session.job import Job
    from rl.session.session import Session
    from rl.specification.build import build
    from rl.specification.objects import specification_from
    from rl.storage.session_folder import SessionFolder

    train = {"episodes": episodes, "evaluate_every": None, "renew_environment": False,
             "checkpoint_seconds": 1e9}  # fmt: skip
    values = {"problem": "CartPole-v1", **AGENTS[agent], "train": train}
    specification = specification_from(values, env=make)
    with tempfile.TemporaryDirectory() as place:
        folder = SessionFolder(Path(place) / "run" / "trial_000" / "session_000")
        folder.create()
        job = Job(specification, seed, folder.path)
        Session(job, build(specification, seed), log).run()


def rows_of(path: Path) -> Rows:
    """The rows of a file, one for each agent and setting."""
    return Rows(path, (*MEASURED, *LOGGED), _key)


def _key(row: Row) -> tuple[str, str, int]:
    return row["agent"], experiment_of(row["bsuite_id"]), number_of(row["bsuite_id"])


def is_known(rows: Rows, agent: str, bsuite_id: str, episodes: int) -> bool:
    """Whether that was measured over as many episodes, with the agent's hyper-parameters."""
    asked = {"agent": agent, "bsuite_id": bsuite_id, "settings": settings_of(agent)}
    found = rows.matching(asked)
    return any(int(row["episode"]) >= episodes or is_decided(row) for row in found)


def scored(rows: Rows, agent: str) -> dict[str, list[Row]]:
    """The rows of each experiment by which an agent is scored.

    They are of its present hyper-parameters, and over the most episodes.
    """
    found: dict[str, list[Row]] = {}
    for row in rows.matching({"agent": agent, "settings": settings_of(agent)}):
        found.setdefault(experiment_of(row["bsuite_id"]), []).append(row)
    return {experiment: _longest(each) for experiment, each in found.items()}


def _longest(rows: Sequence[Row]) -> list[Row]:
    most = max(int(row["episode"]) for row in rows)
    return [row for row in rows if int(row["episode"]) == most or is_decided(row)]


def write_results(rows: Rows) -> None:
    """Writes the tables and the picture."""
    from rl.analysis.drawer import draw

    measured = {agent: found for agent in AGENTS if (found := scored(rows, agent))}
    scores = {
        agent: by_experiment([row for each in found.values() for row in each])
        for agent, found in measured.items()
    }
    if scores:
        common.put_into_results("bsuite", tables(measured, scores))
        draw(pictures(scores), PICTURE, "bsuite")


def runs_of(
    agents: Sequence[str], experiments: Iterable[str], share: float, of_episodes: float
) -> Iterator[Run]:
    """The runs that are asked for."""
    for experiment in experiments:
        for agent in agents:
            for bsuite_id in chosen(suite()[experiment], share):
                yield agent, bsuite_id, episodes_of(bsuite_id, of_episodes)


def main() -> None:
    parser = common.Parser(description="The lab's agents on bsuite.")
    parser.add_only("a tag such as noise, or experiments such as 'catch*'")
    parser.add_argument("--agent", action="append", choices=[*AGENTS], help="only this one")
    parser.add_argument("--share", type=part, default=1.0, help="of each experiment's settings")
    parser.add_argument("--episodes", type=part, default=1.0, help="share of the episodes")
    parser.add_argument("--jobs", type=common.positive, default=1)
    options = parser.parse_args()
    experiments = parser.named(options.only, suite(), lambda each: [each, *tags_of(each)])
    asked = runs_of(options.agent or [*AGENTS], experiments, options.share, options.episodes)
    with parser.answering(UserError, goes_on=True):
        rows = rows_of(ROWS)
        due = [partial(measure, *run) for run in asked if not is_known(rows, *run)]
        for row in common.in_processes(due, options.jobs, in_order=False):
            rows.add(row)
        write_results(rows)


def part(text: str) -> float:
    """A number above 0 and up to 1, as the type of an option."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, not {text}")
    return value


if __name__ == "__main__":
    main()
