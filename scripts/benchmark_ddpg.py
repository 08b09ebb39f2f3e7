"""Steps per second of DDPG on Pendulum, with learning: this lab against stable-baselines3.

    python -m pip install -e . stable-baselines3      # in an environment of its own
    python scripts/benchmark_ddpg.py

Both have the network and the rates of the RL Zoo: hidden layers of 400 and 300 units, batches of
256, one update of actor and critic per step, Gaussian noise with a standard deviation of 0.1, Adam
at 0.001. Each uses one thread; they alternate, and each turn continues the one before. The first
turn, in which memory and caches fill, does not count.

A third learner only computes an update's matrix products between the hidden layers, in NumPy: the
limit of any engine that multiplies with NumPy.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from functools import partial

import common
import numpy as np

from rl.environments import Environments, make_env
from rl.specification.build import build
from rl.specification.specification import Specification

PROBLEM, LEARN_START = "Pendulum-v1", 256
HIDDEN, BATCH = (400, 300), 256
Advance = Callable[[int], None]  # plays and learns for this many steps


def this_lab() -> Advance:
    values = {
        "problem": PROBLEM,
        "agent": {"name": "DDPG", "gamma": 0.98, "learn_start": LEARN_START},
        "network": {"hidden": list(HIDDEN)},
        "optimizer": {"name": "Adam", "learning_rate": 0.001},
        "memory": {"name": "Replay", "batch_size": BATCH, "capacity": 200_000},
        "exploration": {"name": "Gaussian", "start": 0.1, "end": 0.1},
        "train": {"steps": 10**9},
    }
    agent = build(Specification("pendulum_ddpg", "benchmark", values), seed=0).agent
    environments = Environments(lambda: make_env(PROBLEM), 1, itertools.count())
    environments.reset()

    def advance(steps: int) -> None:
        for _ in range(steps):
            agent.observe(environments.step(agent.explore(environments.observations)))
            agent.learn()

    advance(LEARN_START)
    return advance


def stable_baselines3() -> Advance:
    import gymnasium
    import torch
    from stable_baselines3 import DDPG
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(1)
    model = DDPG(
        "MlpPolicy", gymnasium.make(PROBLEM), learning_rate=1e-3, buffer_size=200_000,
        learning_starts=LEARN_START, batch_size=BATCH, gamma=0.98, train_freq=1, gradient_steps=1,
        action_noise=NormalActionNoise(np.zeros(1), np.full(1, 0.1)),
        policy_kwargs={"net_arch": list(HIDDEN)}, seed=0, device="cpu",
    )  # fmt: skip
    model.learn(LEARN_START)

    def advance(steps: int) -> None:
        model.learn(steps, reset_num_timesteps=False)

    return advance


def products_alone() -> Advance:
    """Five times forward, twice back to the weights, three times back to the layer before.

    Forward: both targets, the critic, the actor, and the critic on the actor's actions. Back to
    the weights: the critic and the actor. Back to the layer before: the critic, the critic for the
    slope of its input, and the actor.
    """
    first, second = HIDDEN
    rng = np.random.default_rng(0)
    x, weights, delta = (
        rng.standard_normal(shape, np.float32)
        for shape in ((BATCH, first), (first, second), (BATCH, second))
    )
    into = np.empty_like(delta), np.empty_like(weights), np.empty_like(x)

    def advance(steps: int) -> None:
        for _ in range(steps):
            for _ in range(5):
                np.matmul(x, weights, out=into[0])
            for _ in range(2):
                np.matmul(x.T, delta, out=into[1])
            for _ in range(3):
                np.matmul(delta, weights.T, out=into[2])

    return advance


def main() -> None:
    parser = argparse.ArgumentParser(description="Times DDPG on Pendulum.")
    parser.add_argument("--steps", type=common.positive, default=1000, help="steps per turn")
    parser.add_argument("--turns", type=common.positive, default=7)
    options = parser.parse_args()
    learners = {
        "this-lab": this_lab(),
        "stable-baselines3": stable_baselines3(),
        "the products alone": products_alone(),
    }
    turns = {name: partial(advance, options.steps) for name, advance in learners.items()}
    for advance in turns.values():
        advance()
    rates = common.in_turns(turns, options.turns, lambda turn: options.steps / common.seconds(turn))
    rows = [(name, common.spread(each, ".0f")) for name, each in rates.items()]
    print(common.table(("learner", "steps per second (slowest to fastest turn)"), rows))
    ours, theirs, products = common.medians(rates).values()
    print(f"\nratio of the medians: {ours / theirs:.2f}")
    print(f"of the products alone to stable-baselines3: {products / theirs:.2f}")


if __name__ == "__main__":
    main()
