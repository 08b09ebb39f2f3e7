"""One training update of a Q-network: this engine against others, in one run.

    python -m pip install -e . torch jax scikit-learn     # in an environment of its own
    python scripts/benchmark_update.py

An update is what DQN does with a batch: forward for the target and the online network, Huber cost,
backward, clipping of the gradient's norm, Adam. The networks have 8 inputs, two hidden layers and
4 outputs. All use one thread, and take turns within each repetition; the medians are printed.
scikit-learn has no target network and no clipping: its figure is for less work. The last column
is the arithmetic of the matrix products alone, at the speed that this machine reaches in a large
single-precision product, as a share of this engine's time.

Where an environment pins OpenBLAS to an older kernel, unpin it, as a user's machine would be:
`env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python scripts/benchmark_update.py`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

# Before NumPy is imported, since BLAS reads them then.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402

from nn import Adam, NeuralNet  # noqa: E402
from rl.agents import DQN  # noqa: E402
from rl.exploration import EpsilonGreedy  # noqa: E402
from rl.memory import Batch, Replay  # noqa: E402
from rl.memory.replay import STORED  # noqa: E402

SIZES = ((64, 32), (128, 64), (256, 128), (512, 256))  # hidden units, batch
INPUTS, ACTIONS = 8, 4
GAMMA, RATE, LIMIT = 0.99, 1e-3, 10.0

Update = Callable[[], object]


def make_batch(size: int) -> Batch:
    rng = np.random.default_rng(0)
    observations, following = rng.standard_normal((2, size, INPUTS), np.float32)
    return Batch(
        observations,
        rng.integers(ACTIONS, size=size),
        rng.standard_normal(size, np.float32),
        np.full(size, GAMMA, np.float32),
        following,
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


def engine(hidden: int, batch: Batch) -> Update:
    agent = engine_agent(hidden, batch)
    return lambda: agent.update(batch)


def torch_eager(hidden: int, batch: Batch, fused: bool) -> Update:
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
    observations, actions, rewards, discounts, following = (
        torch.from_numpy(getattr(batch, name)) for name in STORED
    )
    chosen = actions[:, None]

    def update() -> None:
        with torch.no_grad():
            y = rewards + discounts * target(following).max(1).values
        loss = nn.functional.smooth_l1_loss(online(observations).gather(1, chosen)[:, 0], y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(online.parameters(), LIMIT)
        optimizer.step()

    return update


def jax_jit(hidden: int, batch: Batch) -> Update:
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
        observations, actions, rewards, discounts, following = b
        y = rewards + discounts * q(target, following).max(1)
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


def scikit_learn(hidden: int, batch: Batch) -> Update:
    from sklearn.neural_network import MLPRegressor

    size = len(batch.rewards)
    model = MLPRegressor(
        hidden_layer_sizes=(hidden, hidden), batch_size=size, learning_rate_init=RATE
    )
    targets = np.random.default_rng(1).standard_normal((size, ACTIONS), np.float32)
    return lambda: model.partial_fit(batch.observations, targets)


PEERS: dict[str, Callable[[int, Batch], Update]] = {
    "PyTorch": lambda hidden, batch: torch_eager(hidden, batch, fused=False),
    "PyTorch, fused Adam": lambda hidden, batch: torch_eager(hidden, batch, fused=True),
    "JAX, jit": jax_jit,
    "scikit-learn": scikit_learn,
}


def seconds(update: Update, times: int) -> float:
    """Seconds of one of `times` updates."""
    started = time.perf_counter()
    for _ in range(times):
        update()
    return (time.perf_counter() - started) / times


def peak_flops() -> float:
    """Floating-point operations a second in a large matrix product."""
    a, out = np.random.default_rng(0).random((1024, 1024), np.float32), np.empty((1024, 1024))
    out = out.astype(np.float32)
    best = min(seconds(lambda: np.matmul(a, a, out=out), 3) for _ in range(10))
    return float(2 * 1024**3 / best)


def product_flops(hidden: int, batch: int) -> float:
    """Of the update's matrix products: two forward passes, and a backward one to the weights."""
    forward = INPUTS * hidden + hidden * hidden + hidden * ACTIONS
    return 2.0 * batch * (3 * forward + hidden * hidden + hidden * ACTIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times one training update.")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    peak = peak_flops()
    print(f"sgemm: {peak / 1e9:.0f} GFLOP/s")
    names = " | ".join(f"{name}, us (ratio)" for name in PEERS)
    print(f"| hidden, batch | this engine, us | {names} | products alone |")
    print("|---" * (3 + len(PEERS)) + "|")
    for hidden, size in SIZES:
        batch = make_batch(size)
        updates = {"engine": engine(hidden, batch)}
        for name, make in PEERS.items():
            try:
                updates[name] = make(hidden, batch)
            except ImportError:
                continue
        times = max(10, round(2e9 / product_flops(hidden, size)))
        for update in updates.values():
            seconds(update, 10)
        measured: dict[str, list[float]] = {name: [] for name in updates}
        for _ in range(options.repeats):
            for name, update in updates.items():
                measured[name].append(seconds(update, times))
        medians = {name: statistics.median(each) for name, each in measured.items()}
        ours = medians.pop("engine")
        cells = [
            f"{medians[name] * 1e6:,.0f} ({medians[name] / ours:.1f})" if name in medians
            else "not installed"
            for name in PEERS
        ]  # fmt: skip
        share = product_flops(hidden, size) / peak / ours
        print(f"| {hidden}, {size} | {ours * 1e6:,.0f} | {' | '.join(cells)} | {share:.0%} |")


if __name__ == "__main__":
    main()
