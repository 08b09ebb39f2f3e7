"""Fingerprints of training results: shows whether a change of the code changes any bit of them.

    python scripts/fingerprints.py --output before.json       # on the commit before
    python scripts/fingerprints.py --against before.json      # on the commit after: status 1 if not

Every experiment of rl/spec/ and some unusual combinations train for a few thousand steps on two
seeds. A fingerprint is the SHA-256 of the final weights and of each table. It is valid on one
machine: results may differ in the last digits with another processor or BLAS.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import common

from rl.agents import AGENTS
from rl.environments.registered import is_installed
from rl.session.job import Job
from rl.session.recorder import TABLES
from rl.session.saved import weights_digest
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.earlier_names import with_present_names
from rl.specification.settings import settings_of
from rl.specification.specification import Specification, all_specifications, check_form
from rl.storage.session_folder import SessionFolder

STEPS = 2_000
LEARN_START = 500
SEEDS = (0, 1)

DQN: dict[str, Any] = {"problem": "CartPole-v1", "agent": {"name": "DQN"}}
DDPG: dict[str, Any] = {"problem": "Pendulum-v1", "agent": {"name": "DDPG"}}
ACTOR_CRITIC: dict[str, Any] = {"problem": "CartPole-v1", "agent": {"name": "ActorCritic"}}

UNUSUAL: dict[str, dict[str, Any]] = {
    "lanes": {**DQN, "train": {"lanes": 3}},
    "prioritized_n_step": {
        **DQN,
        "agent": {"name": "DoubleDQN", "n_step": 3},
        "memory": {"name": "Prioritized", "capacity": 700},
        "train": {"lanes": 2},
    },
    "prioritized_ddpg": {**DDPG, "memory": {"name": "Prioritized", "capacity": 1000}},
    "stack": {**DQN, "preprocessor": {"name": "Stack", "length": 3}},
    "difference": {**DQN, "preprocessor": {"name": "Difference", "reward_clip": 0.5}},
    "normalize": {
        **DQN,
        "preprocessor": {"name": "Normalize", "rewards": True},
        "train": {"lanes": 2},
    },
    "dueling_average": {
        **DQN,
        "agent": {
            "name": "DoubleDQN", "dueling": True, "average_updates": 200, "cost": "quadratic",
        },
        "network": {"hidden": [32], "layer_norm": True},
    },
    "ppo": {
        **ACTOR_CRITIC,
        "agent": {
            "name": "ActorCritic", "epochs": 3, "minibatches": 4, "clip": 0.2,
            "entropy_weight": 0.01, "normalize_advantages": True, "shared": True,
        },
        "memory": {"horizon": 32},
        "train": {"lanes": 4},
    },
    "gaussian_policy": {
        **ACTOR_CRITIC,
        "problem": "Pendulum-v1",
        "agent": {"name": "ActorCritic", "squash": True, "log_std": -0.5},
        "network": {"actor": {"hidden": [16]}, "critic": {"hidden": [24, 24]}},
    },
    "state_dependent_std": {
        **ACTOR_CRITIC,
        "problem": "Pendulum-v1",
        "agent": {"name": "ActorCritic", "state_dependent_std": True, "shared": True},
    },
    "ornstein_uhlenbeck": {
        **DDPG,
        "exploration": {"name": "OrnsteinUhlenbeck", "start": 0.3, "end": 0.1, "steps": 1000},
        "train": {"lanes": 2},
    },
    "td3": {
        **DDPG,
        "agent": {
            "name": "DDPG", "twin_critics": True, "actor_every": 2, "target_noise": 0.2,
            "n_step": 2,
        },
    },
    "boltzmann": {**DQN, "exploration": {"name": "Boltzmann"}},
    "periodic": {**DQN, "exploration": {"name": "PeriodicEpsilonGreedy", "period": 300}},
    "target": {**DQN, "exploration": {"name": "TargetEpsilonGreedy", "target": 100, "episodes": 5}},
    "one_hot": {**DQN, "problem": "FrozenLake-v1", "optimizer": {"name": "RMSProp"}},
}  # fmt: skip


def specifications() -> Iterator[Specification]:
    """Each experiment whose package is installed, cut down to a few thousand steps."""
    for specification in all_specifications().values():
        if is_installed(specification.environment_id):
            yield shortened(specification)
    for name, values in UNUSUAL.items():
        made = Specification(name, "fingerprints", values)
        check_form(made)
        yield shortened(made)


def shortened(specification: Specification) -> Specification:
    """The same with few steps, an early first update, and two short evaluations."""
    given: dict[str, Any] = {
        "train.steps": STEPS,
        "train.evaluate_every": STEPS // 2,
        "train.evaluate_episodes": 2,
        "train.stop_when_solved": False,
    }
    agent = AGENTS[with_present_names(specification).values["agent"]["name"]]
    if "learn_start" in settings_of(agent):
        given["agent.learn_start"] = LEARN_START
    if specification.block("memory").get("horizon", 0) > STEPS // 20:
        given["memory.horizon"] = STEPS // 20
    return specification.assign(given)


def fingerprint(specification: Specification, seed: int) -> dict[str, str]:
    """The digests of one session: of its weights, and of each table."""
    with tempfile.TemporaryDirectory() as path:
        folder = SessionFolder(Path(path))
        folder.create()
        Session(Job(specification, seed, folder.path), build(specification, seed)).run()
        tables = {name: folder.table(name).read_bytes() for name in TABLES}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in tables.items()}
        return {"weights": weights_digest(folder), **digests}


def main() -> int:
    """Prints the fingerprints and compares them on request; status 1 if one differs."""
    parser = common.Parser(description="Fingerprints of training results.")
    parser.add_only("experiments, such as 'cartpole*'")
    parser.add_argument("--jobs", type=common.positive, default=1, help="processes")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write them, as JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with these")
    options = parser.parse_args()
    earlier = json.loads(options.against.read_text()) if options.against else {}
    works = {
        f"{each.name} {seed}": partial(fingerprint, each, seed)
        for each in parser.named(options.only, specifications(), lambda each: [each.name])
        for seed in SEEDS
    }  # fmt: skip
    found, verdicts = {}, Counter[str]()
    results = common.in_processes(list(works.values()), options.jobs)
    for name, result in zip(works, results, strict=True):
        found[name] = result
        verdict = "new"
        if name in earlier:
            verdict = "equal" if result == earlier[name] else "DIFFERENT"
        verdicts[verdict] += 1
        print(f"{name:40} {result['weights'][:16]}  {verdict}", flush=True)
    if options.output:
        with common.written(options.output) as file:
            file.write(json.dumps(found, indent=2).encode() + b"\n")
    if options.against:
        print(f"{verdicts['equal']} are equal, {verdicts['DIFFERENT']} are different")
    return int("DIFFERENT" in verdicts)


if __name__ == "__main__":
    sys.exit(main())
