"""Fingerprints of what is learned: whether a change of the code has changed a bit of a result.

    python scripts/fingerprints.py --output before.json       # on the commit before
    python scripts/fingerprints.py --against before.json      # on the commit after: status 1 if not

Every experiment of rl/spec/ and some unusual combinations learn for a few thousand steps on two
seeds. A fingerprint is the SHA-256 of the final weights and of each table. It holds on one machine:
another processor or BLAS may give other last digits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rl.running.jobs import one_blas_thread
from rl.session.job import Job
from rl.session.recorder import TABLES
from rl.session.saved import weights_digest
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import Specification, all_specifications, check_form
from rl.storage.run_folder import SessionFolder

STEPS = 2_000
LEARN_START = 500
SEEDS = (0, 1)
ON_POLICY = ("ActorCritic", "A2C", "PPO")  # the first is A2C's name of earlier versions

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
    """Each experiment, cut down to a few thousand steps."""
    for specification in all_specifications().values():
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
    if specification.values["agent"]["name"] not in ON_POLICY:
        given["agent.learn_start"] = LEARN_START
    elif specification.block("memory").get("horizon", 0) > STEPS // 20:
        given["memory.horizon"] = STEPS // 20
    return specification.assign(given)


def fingerprint(specification: Specification, seed: int) -> dict[str, str]:
    """The digests of one session: of its weights, and of each table."""
    with tempfile.TemporaryDirectory() as path, one_blas_thread():
        folder = SessionFolder(Path(path))
        folder.create()
        Session(Job(specification, seed, folder.path), build(specification, seed)).run()
        tables = {name: folder.table(name).read_bytes() for name in TABLES}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in tables.items()}
        return {"weights": weights_digest(folder), **digests}


def main() -> int:
    """Prints the fingerprints, and compares them if asked to; status 1 if one differs."""
    parser = argparse.ArgumentParser(description="Fingerprints of what is learned.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="experiments, by their name")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write them, as JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with these")
    options = parser.parse_args()
    before = json.loads(options.against.read_text()) if options.against else None
    chosen = [each for each in specifications() if fnmatch(each.name, options.only)]
    found, equals, different = {}, 0, 0
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = {
            f"{each.name} {seed}": pool.submit(fingerprint, each, seed)
            for each in chosen
            for seed in SEEDS
        }
        for name, job in jobs.items():
            found[name] = job.result()
            verdict = ""
            if before is not None and name not in before:
                verdict = "  new"
            elif before is not None:
                equal = found[name] == before[name]
                equals, different = equals + equal, different + (not equal)
                verdict = "  equal" if equal else "  DIFFERENT"
            print(f"{name:40} {found[name]['weights'][:16]}{verdict}", flush=True)
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n")
    if before is not None:
        print(f"{equals} are equal, {different} are different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
