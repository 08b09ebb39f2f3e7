"""One training update of a Q-network: this engine against others, in one run.

    python -m pip install -e . torch jax scikit-learn     # in an environment of its own
    python scripts/benchmark_update.py

An update is what DQN does with a batch: forward for the target and the online network, Huber cost,
backward, clipping of the gradient's norm, Adam. The networks have 8 inputs, two hidden layers and
4 outputs. All use one thread and alternate within each repetition; the medians are printed.
scikit-learn has no target network and no clipping: it does less work. The last column is the time
of the matrix products alone, at the speed that this machine reaches in a large single-precision
product, as a share of this engine's time.

Where an environment pins OpenBLAS to an older kernel, unpin it, as on a user's machine:
`env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python scripts/benchmark_update.py`.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Callable, Mapping
from typing import Any

import common
import numpy as np
from common import Work

from nn import Adam, NeuralNet
from nn.layers import Dense
from rl.agents import DQN
from rl.exploration import EpsilonGreedy
from rl.memory import Batch, Replay
from rl.memory.replay import STORED

SIZES = ((64, 32), (128, 64), (256, 128), (512, 256))  # hidden units, batch
INPUTS, ACTIONS = 8, 4
GAMMA, RATE, LIMIT = 0.99, 1e-3, 10.0


def make_batch(size: int) -> Batch:
    """A batch of random transitions."""
    rng = np.random.default_rng(0)
    observations, next_observations = rng.standard_normal((2, size, INPUTS), np.float32)
    return Batch(
        observations,
        rng.integers(ACTIONS, size=size),
        rng.standard_normal(size, np.float32),
        np.full(size, GAMMA, np.float32),
        next_observations,
    )


def engine_agent(hidden: int, batch: Batch) -> DQN:
    """This repository's DQN, with a target network that is not updated."""
    rng = np.random.default_rng(0)
    network = NeuralNet((INPUTS, hidden, hidden, ACTIONS), seed=0)
    optimizer = Adam(network.parameters, network.gradients, learning_rate=RATE)
    memory = Replay(INPUTS, rng, Replay.Settings(batch_size=len(batch.rewards)))
    settings = DQN.Settings(target_every=10**9)
    explorer = EpsilonGreedy(rng, EpsilonGreedy.Settings())
    return DQN(network, optimizer, memory, explorer, settings)


def engine(hidden: int, batch: Batch) -> Work:
    agent = engine_agent(hidden, batch)
    return lambda: agent.update(batch)


def torch_eager(hidden: int, batch: Batch, fused: bool) -> Work:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def network() -> Any:
        return nn.Sequential(
            nn.Linear(INPUTS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, ACTIONS),
        )  # fmt: skip

    online, target = network(), network()
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE, fused=fused)
    observations, actions, rewards, discounts, next_observations = (
        torch.from_numpy(getattr(batch, name)) for name in STORED
    )
    chosen = actions[:, None]

    def update() -> None:
        with torch.no_grad():
            y = rewards + discounts * target(next_observations).max(1).values
        loss = nn.functional.smooth_l1_loss(online(observations).gather(1, chosen)[:, 0], y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(online.parameters(), LIMIT)
        optimizer.step()

    return update


def jax_jit(hidden: int, batch: Batch) -> Work:
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = flags
    import jax
    import jax.numpy as jnp

    sizes = (INPUTS, hidden, hidden, ACTIONS)
    rng = np.random.default_rng(0)

    def parameters() -> Any:
        return [
            (jnp.asarray(rng.normal(0, (2 / a) ** 0.5, (a, b)), jnp.float32), jnp.zeros(b))
            for a, b in itertools.pairwise(sizes)
        ]

    def q(p: Any, x: Any) -> Any:
        for weights, biases in p[:-1]:
            x = jax.nn.relu(x @ weights + biases)
        return x @ p[-1][0] + p[-1][1]

    def cost(p: Any, x: Any, actions: Any, y: Any) -> Any:
        error = jnp.abs(jnp.take_along_axis(q(p, x), actions[:, None], 1)[:, 0] - y)
        return jnp.where(error < 1, 0.5 * error**2, error - 0.5).mean()

    def step(p: Any, m: Any, v: Any, t: Any, target: Any, b: Any) -> Any:
        observations, actions, rewards, discounts, next_observations = b
        y = rewards + discounts * q(target, next_observations).max(1)
        g = jax.grad(cost)(p, observations, actions, y)
        norm = jnp.sqrt(sum((each**2).sum() for each in jax.tree.leaves(g)))
        g = jax.tree.map(lambda each: each * jnp.minimum(1.0, LIMIT / norm), g)
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b**2, v, g)
        p = jax.tree.map(
            lambda a, m, v: a
            - RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8),
            p, m, v,
        )  # fmt: skip
        return p, m, v, t + 1

    compiled = jax.jit(step)
    data = tuple(jnp.asarray(getattr(batch, name)) for name in STORED)
    target, p = parameters(), parameters()
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = [p, zeros, zeros, jnp.asarray(1.0)]

    def update() -> None:
        state[:] = compiled(*state, target, data)
        jax.block_until_ready(state)

    return update


def scikit_learn(hidden: int, batch: Batch) -> Work:
    from sklearn.neural_network import MLPRegressor

    size = len(batch.rewards)
    model = MLPRegressor(
        hidden_layer_sizes=(hidden, hidden), batch_size=size, learning_rate_init=RATE
    )
    targets = np.random.default_rng(1).standard_normal((size, ACTIONS), np.float32)
    return lambda: model.partial_fit(batch.observations, targets)


PEERS: dict[str, Callable[[int, Batch], Work]] = {
    "PyTorch": lambda hidden, batch: torch_eager(hidden, batch, fused=False),
    "PyTorch, fused Adam": lambda hidden, batch: torch_eager(hidden, batch, fused=True),
    "JAX, jit": jax_jit,
    "scikit-learn": scikit_learn,
}


def peak_flops() -> float:
    """Floating-point operations per second in a large matrix product."""
    a = np.random.default_rng(0).random((1024, 1024), np.float32)
    out = np.empty_like(a)
    best = min(common.seconds(lambda: np.matmul(a, a, out=out), 3) for _ in range(10))
    return float(2 * 1024**3 / best)


def product_flops(agent: DQN, batch: Batch) -> float:
    """Floating-point operations of the products as the engine does them, with the biases."""
    total = 0.0
    for number, layer in enumerate(agent.q.network.layers):
        if isinstance(layer, Dense):
            forward = 2.0 * len(batch.rewards) * layer.size
            total += 3 * forward  # the target's, the online network's, and the way back to P
            if number:
                total += 2.0 * len(batch.rewards) * layer.weight_size  # and to x
    return total


def measure(hidden: int, batch: Batch, repeats: int) -> tuple[float, dict[str, float]]:
    """FLOPs of the products, and the median seconds of an update by every learner installed."""
    agent = engine_agent(hidden, batch)
    updates: dict[str, Work] = {"engine": lambda: agent.update(batch)}
    for name, make in PEERS.items():
        try:
            updates[name] = make(hidden, batch)
        except ImportError:
            continue
    for update in updates.values():
        common.seconds(update, 10)
    flops = product_flops(agent, batch)
    times = max(10, round(2e9 / flops))
    measured = common.in_turns(updates, repeats, lambda work: common.seconds(work, times))
    return flops, common.medians(measured)


def cell(name: str, medians: Mapping[str, float]) -> str:
    """A peer's time, and its ratio to the engine's."""
    if name not in medians:
        return "not installed"
    return f"{medians[name] * 1e6:,.0f} ({medians[name] / medians['engine']:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Times one training update.")
    parser.add_argument("--repeats", type=common.positive, default=15)
    options = parser.parse_args()
    peak = peak_flops()
    print(f"sgemm: {peak / 1e9:.0f} GFLOP/s")
    rows = []
    for hidden, size in SIZES:
        flops, medians = measure(hidden, make_batch(size), options.repeats)
        ours, cells = medians["engine"], [cell(name, medians) for name in PEERS]
        rows.append(
            [f"{hidden}, {size}", f"{ours * 1e6:,.0f}", *cells, f"{flops / peak / ours:.0%}"]
        )
    peers = [f"{name}, us (ratio)" for name in PEERS]
    print(common.table(["hidden, batch", "this engine, us", *peers, "products alone"], rows))


if __name__ == "__main__":
    main()
