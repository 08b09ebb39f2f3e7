"""Environment steps per second, learning included: this lab, stable-baselines3 and SBX (JAX).

    python -m pip install -e ".[atari]" stable-baselines3 sbx-rl opencv-python-headless
    python scripts/benchmark_throughput.py                   # in an environment of its own
    python scripts/benchmark_throughput.py --only "SAC*" --turns 5

In each row all learners have the same algorithm, network, batches and updates per step. They share
one processor core, so that each has one thread; they alternate, and each turn continues the one
before. The first turn, in which memory fills and JAX compiles, does not count. Seconds are those of
the processor, over all threads, so that other work on the machine disturbs as little as possible.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import common

from rl.specification.defaults import NATURE
from rl.specification.specification import all_specifications

Advance = Callable[[int], object]  # plays and learns for this many steps
LEARN_START = 256
PONG = "ALE/Pong-v5"
# Of van Hasselt, Hessel and Aslanides (2019); NATURE is of Mnih et al. (2015).
EFFICIENT = all_specifications()["pong_dqn"].block("network")["conv"]
LIBRARIES = ("stable_baselines3", "sbx")


class Case(NamedTuple):
    """A row of the table.

    Args:
        agent: by its name, which the libraries share.
        problem: the environment's id.
        hidden: units of the hidden layers, of all networks.
        steps: of a turn.
        lanes: environments that are stepped together.
        ours: blocks of the lab's specification.
        theirs: keyword arguments of the peers' class.
    """

    agent: str
    problem: str
    hidden: tuple[int, ...]
    steps: int
    lanes: int
    ours: dict[str, dict[str, Any]]
    theirs: dict[str, Any]

    @property
    def is_beyond_sbx(self) -> bool:
        """Whether SBX has no such agent, or no such network."""
        return self.agent == "A2C" or self.ours.get("network", {}).get("conv") is EFFICIENT

    @property
    def name(self) -> str:
        """As in the table and for `--only`."""
        return f"{self.agent}, {'-'.join(map(str, self.hidden))}"


def on_policy(agent: str, horizon: int, steps: int, optimizer: str, **passes: int) -> Case:
    """Eight lanes of CartPole."""
    parts = passes.get("minibatches", 0)
    theirs = {"n_epochs": passes["epochs"], "batch_size": horizon * 8 // parts} if parts else {}
    return Case(
        agent, "CartPole-v1", (64, 64), steps, 8,
        {"agent": {"name": agent, **passes}, "memory": {"horizon": horizon},
         "network": {"activation": "tanh"}, "optimizer": {"name": optimizer}},
        {"n_steps": horizon, **theirs},
    )  # fmt: skip


def continuous(agent: str, hidden: tuple[int, ...], steps: int, batch: int, **more: Any) -> Case:
    """Pendulum, with an update of all networks in each step but as the algorithm has it."""
    ours: dict[str, dict[str, Any]] = {
        "agent": {"name": agent, "learn_start": LEARN_START},
        "memory": {"batch_size": batch, "capacity": 200_000},
    }
    if agent != "SAC":
        ours["exploration"] = {"name": "Gaussian", "start": 0.1, "end": 0.1}
    theirs = {"learning_starts": LEARN_START, "batch_size": batch, "buffer_size": 200_000,
              "train_freq": 1, "gradient_steps": 1, **more}  # fmt: skip
    return Case(agent, "Pendulum-v1", hidden, steps, 1, ours, theirs)


def dqn(problem: str, hidden: tuple[int, ...], steps: int, capacity: int, **more: Any) -> Case:
    """With an update every fourth step, and a target that is copied every 1,000."""
    return Case(
        "DQN", problem, hidden, steps, 1,
        {"agent": {"name": "DQN", "learn_start": LEARN_START, "learn_every": 4, "tau": 1.0,
                   "target_every": 250},
         "memory": {"batch_size": 32, "capacity": capacity}, **more},
        {"learning_starts": LEARN_START, "batch_size": 32, "buffer_size": capacity,
         "train_freq": 4, "target_update_interval": 1_000},
    )  # fmt: skip


def cases() -> Iterator[Case]:
    """The rows: at 64-64 with batches of 64, and at the sizes that the peers have by default."""
    yield on_policy("PPO", 256, 8_192, "Adam", epochs=10, minibatches=32)
    yield on_policy("A2C", 5, 8_000, "RMSProp")
    yield dqn("CartPole-v1", (64, 64), 4_000, 50_000)
    for conv, units in ((NATURE, 512), (EFFICIENT, 256)):
        seen = {"network": {"conv": conv}, "preprocessor": {"name": "Atari"}}
        yield dqn(PONG, (units,), 200, 5_000, **seen)
    for agent, theirs in (("DDPG", (400, 300)), ("TD3", (400, 300)), ("SAC", (256, 256))):
        yield continuous(agent, (64, 64), 1_000, 64)
        yield continuous(agent, theirs, 300, 256)


def this_lab(case: Case) -> Advance:
    from rl.environments import Environments
    from rl.environments.making import environment_of
    from rl.specification.build import build
    from rl.specification.specification import Specification

    values = {"problem": case.problem, "train": {"steps": 10**9, "lanes": case.lanes}, **case.ours}
    values["network"] = {**case.ours.get("network", {}), "hidden": list(case.hidden)}
    made = build(Specification(case.agent, "benchmark", values), seed=0)
    agent, preprocessor = made.agent, made.preprocessor.for_lanes(case.lanes, learning=True)
    environments = Environments(lambda: environment_of(made.problem), case.lanes,
                                itertools.count(), preprocessor)  # fmt: skip
    environments.reset()

    def advance(steps: int) -> None:
        for _ in range(0, steps, case.lanes):
            agent.observe(environments.step(agent.explore(*environments.seen)))
            agent.learn()

    return advance


def peer(library: str, case: Case) -> Advance:
    """The same of stable-baselines3 or, under the same names, of SBX."""
    import gymnasium
    import numpy as np
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.vec_env import DummyVecEnv

    more = dict(case.theirs)
    if case.agent in ("DDPG", "TD3"):
        more["action_noise"] = NormalActionNoise(np.zeros(1), np.full(1, 0.1))
    if library == "stable_baselines3":
        import torch

        torch.set_num_threads(1)
        more["device"] = "cpu"
    kind = getattr(__import__(library), case.agent)
    if case.problem == PONG:
        from stable_baselines3.common.env_util import make_atari_env
        from stable_baselines3.common.vec_env import VecFrameStack

        lanes = VecFrameStack(make_atari_env(PONG, env_kwargs={"frameskip": 1}), 4)
        if library == "stable_baselines3":
            more["policy_kwargs"] = {
                "features_extractor_class": convolutions(case.ours["network"]["conv"]),
                "features_extractor_kwargs": {"features_dim": case.hidden[0]},
            }
        model = kind("CnnPolicy", lanes, seed=0, **more)
    else:
        lanes = DummyVecEnv([lambda: gymnasium.make(case.problem)] * case.lanes)
        sizes = {"net_arch": list(case.hidden)}
        model = kind("MlpPolicy", lanes, policy_kwargs=sizes, seed=0, **more)
    return partial(model.learn, reset_num_timesteps=False)


def convolutions(blocks: list[dict[str, Any]]) -> Any:
    """The class of stable-baselines3's network with these layers and a dense one behind them."""
    import torch
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from torch import nn

    class Convolutions(BaseFeaturesExtractor):  # type: ignore[misc, unused-ignore]
        def __init__(self, space: Any, features_dim: int) -> None:
            super().__init__(space, features_dim)
            layers, channels = list[Any](), space.shape[0]
            for each in blocks:
                sizes = each["filters"], each["size"], each.get("stride", 1)
                layers += [nn.Conv2d(channels, *sizes), nn.ReLU()]
                channels = each["filters"]
            layers += [nn.Flatten(), nn.LazyLinear(features_dim), nn.ReLU()]
            self.layers = nn.Sequential(*layers)
            self.layers(torch.zeros(1, *space.shape))

        def forward(self, x: Any) -> Any:
            return self.layers(x)

    return Convolutions


def measure(case: Case, libraries: list[str], turns: int) -> dict[str, list[float]]:
    """Steps per processor second of each learner, turn by turn."""
    learners = {"the lab": this_lab(case)}
    for library in libraries:
        if not (library == "sbx" and case.is_beyond_sbx):
            learners[library] = peer(library, case)
    works = {name: partial(advance, case.steps) for name, advance in learners.items()}
    for work in works.values():
        work()
    clock = time.process_time
    return common.in_turns(works, turns, lambda work: case.steps / common.seconds(work, 1, clock))


def row(case: Case, rates: dict[str, list[float]]) -> tuple[str, ...]:
    """A row: steps per processor second and the ratios of the medians."""
    medians = common.medians(rates)
    ours = medians["the lab"]
    cells = [case.name, case.problem, common.spread(rates["the lab"], ",.0f")]
    for library in LIBRARIES:
        if library in rates:
            cells += [common.spread(rates[library], ",.0f"), f"{ours / medians[library]:.2f}"]
        else:
            cells += ["", ""]
    return tuple(cells)


def main() -> None:
    parser = common.Parser(description="Times learners, with learning.")
    parser.add_only("learners, such as 'SAC*'")
    parser.add_argument("--turns", type=common.positive, default=5)
    parser.add_argument("--without", action="append", default=[], choices=LIBRARIES,
                        help="a library that is not installed, or not asked for")  # fmt: skip
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # on Linux; JAX has no other way to one thread
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    libraries = [each for each in LIBRARIES if each not in options.without]
    rows = []
    for case in parser.named(options.only, cases(), lambda case: [case.name]):
        rows.append(row(case, measure(case, libraries, options.turns)))
        print("; ".join(rows[-1]), flush=True)
    head = ("learner", "problem", "the lab", "stable-baselines3", "ratio", "SBX", "ratio")
    print(f"\n{common.table(head, rows)}")


if __name__ == "__main__":
    main()
