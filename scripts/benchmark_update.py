"""One training update of a Q-network: this engine against others, in one run.

    python -m pip install -e . torch jax scikit-learn     # in an environment of its own
    python scripts/benchmark_update.py
    python scripts/benchmark_update.py --only pictures

An update is what DQN does with a batch: forward for the target and the online network, Huber cost,
backward, clipping of the gradient's norm, Adam. The networks have 8 inputs, two hidden layers and
4 outputs; those of pictures are MinAtar's (Young and Tian 2019) and Nature's (Mnih et al. 2015).
All use one thread and alternate within each repetition; the medians are printed. Pictures are
float32, in the order that each library prefers: channels last, but first for PyTorch. scikit-learn
has no target network, no clipping and no convolutions: it does less work. The last column is the
time of the matrix products alone, at the speed that this machine reaches in a large
single-precision product, as a share of this engine's time.

Where an environment pins OpenBLAS to an older kernel, unpin it, as on a user's machine:
`env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python scripts/benchmark_update.py`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
from common import Work

from nn import Adam, Convolution, NeuralNet
from nn.convolution import Conv2D
from nn.layers import Affine, Dense
from rl.agents import DQN
from rl.exploration import EpsilonGreedy
from rl.memory import Batch, Replay
from rl.memory.replay import STORED

ACTIONS = 4
GAMMA, RATE, LIMIT = 0.99, 1e-3, 10.0


@dataclass(frozen=True)
class Case:
    """A network and the size of its batches.

    Args:
        name: as the table has it.
        inputs: how many, or height, width and channels.
        hidden: units of each hidden layer.
        batch: examples.
        conv: convolutional layers.
    """

    name: str
    inputs: tuple[int, ...]
    hidden: tuple[int, ...]
    batch: int
    conv: tuple[Convolution, ...] = ()


VECTORS = [Case(f"{hidden}, {batch}", (8,), (hidden, hidden), batch)
           for hidden, batch in ((64, 32), (128, 64), (256, 128), (512, 256))]  # fmt: skip
PICTURES = [
    Case("MinAtar, 32", (10, 10, 4), (128,), 32, (Convolution(filters=16, size=3),)),
    Case("Nature, 32", (84, 84, 4), (512,), 32,
         (Convolution(filters=32, size=8, stride=4), Convolution(filters=64, size=4, stride=2),
          Convolution(filters=64, size=3))),
]  # fmt: skip
CASES = {"vectors": VECTORS, "pictures": PICTURES}


def make_batch(case: Case) -> Batch:
    """A batch of random transitions."""
    rng, size = np.random.default_rng(0), case.batch
    shape = (2, size, math.prod(case.inputs))
    observations, next_observations = rng.standard_normal(shape, np.float32)
    return Batch(
        observations,
        rng.integers(ACTIONS, size=size),
        rng.standard_normal(size, np.float32),
        np.full(size, GAMMA, np.float32),
        next_observations,
    )


def engine_agent(case: Case, batch: Batch) -> DQN:
    """This repository's DQN, with a target network that is not updated."""
    rng, first = np.random.default_rng(0), case.inputs if case.conv else case.inputs[0]
    network = NeuralNet((first, *case.hidden, ACTIONS), conv=case.conv, seed=0)
    optimizer = Adam(network.parameters, network.gradients, learning_rate=RATE)
    memory = Replay(math.prod(case.inputs), rng, Replay.Settings(batch_size=len(batch.rewards)))
    settings = DQN.Settings(target_every=10**9)
    explorer = EpsilonGreedy(rng, EpsilonGreedy.Settings())
    return DQN(network, optimizer, memory, explorer, settings)


def engine(case: Case, batch: Batch) -> Work:
    agent = engine_agent(case, batch)
    return lambda: agent.update(batch)


def torch_eager(case: Case, batch: Batch, fused: bool) -> Work:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def network() -> Any:
        layers, channels = list[Any](), case.inputs[-1]
        for each in case.conv:
            layers += [nn.Conv2d(channels, each.filters, each.size, each.stride), nn.ReLU()]
            channels = each.filters
        layers.append(nn.Flatten())
        for units in case.hidden:
            layers += [nn.LazyLinear(units), nn.ReLU()]
        made = nn.Sequential(*layers, nn.LazyLinear(ACTIONS))
        with torch.no_grad():
            made(observations)
        return made

    data = {name: torch.from_numpy(getattr(batch, name)) for name in STORED}
    if case.conv:
        for name in ("observations", "next_observations"):
            data[name] = data[name].view(-1, *case.inputs).permute(0, 3, 1, 2).contiguous()
    observations, actions, rewards, discounts, next_observations = data.values()
    online, target = network(), network()
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE, fused=fused)
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


def jax_jit(case: Case, batch: Batch) -> Work:
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = flags
    import jax
    import jax.numpy as jnp

    rng, layers = np.random.default_rng(0), engine_agent(case, batch).q.network.layers
    shapes: list[tuple[int, ...]] = []
    for layer in layers:
        if isinstance(layer, Conv2D):
            side = layer.size_of_kernel
            shapes.append((side, side, layer.shape[0], layer.units))
        elif isinstance(layer, Dense):
            shapes.append((layer.inputs, layer.outputs))

    def parameters() -> Any:
        return [
            (jnp.asarray(rng.normal(0, (2 / math.prod(shape[:-1])) ** 0.5, shape), jnp.float32),
             jnp.zeros(shape[-1]))
            for shape in shapes
        ]  # fmt: skip

    def q(p: Any, x: Any) -> Any:
        if case.conv:
            x = x.reshape(-1, *case.inputs)
            for (weights, biases), each in zip(p, case.conv, strict=False):
                z = jax.lax.conv_general_dilated(
                    x,
                    weights,
                    (each.stride,) * 2,
                    "VALID",
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )
                x = jax.nn.relu(z + biases)
            x = x.reshape(len(x), -1)
        for weights, biases in p[len(case.conv) : -1]:
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


def scikit_learn(case: Case, batch: Batch) -> Work | None:
    if case.conv:
        return None
    from sklearn.neural_network import MLPRegressor

    size = len(batch.rewards)
    model = MLPRegressor(hidden_layer_sizes=case.hidden, batch_size=size, learning_rate_init=RATE)
    targets = np.random.default_rng(1).standard_normal((size, ACTIONS), np.float32)
    return lambda: model.partial_fit(batch.observations, targets)


PEERS: dict[str, Callable[[Case, Batch], Work | None]] = {
    "PyTorch": lambda case, batch: torch_eager(case, batch, fused=False),
    "PyTorch, fused Adam": lambda case, batch: torch_eager(case, batch, fused=True),
    "JAX, jit": jax_jit,
    "scikit-learn": scikit_learn,
}


def peak_flops(clock: Callable[[], float] = time.perf_counter) -> float:
    """Floating-point operations per second in a large matrix product."""
    a = np.random.default_rng(0).random((1024, 1024), np.float32)
    out = np.empty_like(a)
    best = min(common.seconds(lambda: np.matmul(a, a, out=out), 3, clock) for _ in range(10))
    return float(2 * 1024**3 / best)


def product_flops(agent: DQN, batch: Batch) -> float:
    """Floating-point operations of the products as the engine does them, with the biases."""
    total = 0.0
    for number, layer in enumerate(agent.q.network.layers):
        if isinstance(layer, Affine):
            places = len(batch.rewards) * layer.outputs // layer.units  # one each in a dense layer
            total += 3 * 2.0 * places * layer.size  # the target's, the online one's, the way to P
            if number:
                total += 2.0 * places * layer.weight_size  # and to x
    return total


def measure(
    case: Case, batch: Batch, repeats: int, clock: Callable[[], float]
) -> tuple[float, dict[str, float]]:
    """FLOPs of the products, and the median seconds of an update by every learner installed."""
    agent = engine_agent(case, batch)
    updates: dict[str, Work] = {"engine": lambda: agent.update(batch)}
    for name, make in PEERS.items():
        try:
            if (update := make(case, batch)) is not None:
                updates[name] = update
        except ImportError:
            continue
    for work in updates.values():
        common.seconds(work, 10)
    flops = product_flops(agent, batch)
    times = max(3, round(2e9 / flops))
    measured = common.in_turns(updates, repeats, lambda work: common.seconds(work, times, clock))
    return flops, common.medians(measured)


def cell(name: str, medians: Mapping[str, float]) -> str:
    """A peer's time, and its ratio to the engine's."""
    if name not in medians:
        return "---"
    return f"{medians[name] * 1e6:,.0f} ({medians[name] / medians['engine']:.1f})"


def main() -> None:
    parser = common.Parser(description="Times one training update.")
    parser.add_argument("--repeats", type=common.positive, default=15)
    parser.add_argument("--processor", action="store_true",
                        help="processor time, for where other programs run beside it")  # fmt: skip
    parser.add_argument("--only", choices=CASES, action="append", help="networks of these alone")
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    peak = peak_flops(clock)
    print(f"sgemm: {peak / 1e9:.0f} GFLOP/s")
    rows = []
    cases = [case for group in options.only or CASES for case in CASES[group]]
    for case in cases:
        flops, medians = measure(case, make_batch(case), options.repeats, clock)
        ours, cells = medians["engine"], [cell(name, medians) for name in PEERS]
        rows.append([case.name, f"{ours * 1e6:,.0f}", *cells, f"{flops / peak / ours:.0%}"])
    peers = [f"{name}, us (ratio)" for name in PEERS]
    print(common.table(["hidden, batch", "this engine, us", *peers, "products alone"], rows))


if __name__ == "__main__":
    main()
