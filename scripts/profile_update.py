"""Where the time of one training update goes: products, activations, the optimizer, the rest.

    python scripts/profile_update.py

The update is that of benchmark_update.py. Each part is measured inside it, with the cache as the
parts before it have left it. The speed of the products is compared with that of a large
single-precision product in the same run.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import common
from benchmark_update import PICTURES, VECTORS, engine_agent, make_batch, peak_flops, product_flops

from nn.convolution import Conv2D
from nn.layers import Affine
from rl.agents import DQN
from rl.memory import Batch

Timings = dict[str, float]


def timed(call: Callable[..., Any], name: str, timings: Timings) -> Callable[..., Any]:
    """`call`, whose seconds are added to `timings[name]`."""

    def timed_call(*arguments: Any, **settings: Any) -> Any:
        started = time.perf_counter()
        result = call(*arguments, **settings)
        timings[name] += time.perf_counter() - started
        return result

    return timed_call


def profile(agent: DQN, batch: Batch, times: int) -> Timings:
    """Seconds of one of `times` updates, by part."""
    common.seconds(lambda: agent.update(batch), 10)
    timings: Timings = defaultdict(float)
    for network in (agent.q.network, agent.target.network):
        for layer, passes in network.latest_passes():
            kind = "products" if isinstance(layer, Affine) else "activations"
            if isinstance(layer, Conv2D):
                kind = "convolutions"
            for name in ("forward", "backward"):
                setattr(passes, name, timed(getattr(passes, name), f"{kind}, {name}", timings))
    agent.optimizer.step = timed(agent.optimizer.step, "Adam", timings)  # type: ignore[method-assign]
    total = common.seconds(lambda: agent.update(batch), times)
    parts = {name: value / times for name, value in timings.items()}
    return {
        **parts,
        "the rest: target, cost, clipping": total - sum(parts.values()),
        "together": total,
    }


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0%}" if "share" in name else f"{value * 1e6:,.0f}"


def main() -> None:
    parser = common.Parser(description="Shows where the time of an update goes.")
    parser.add_argument("--updates", type=common.positive, help="default: about a second of them")
    options = parser.parse_args()
    columns: dict[str, Timings] = {}
    for case in (*VECTORS, *PICTURES):
        batch, agent = make_batch(case), engine_agent(case, make_batch(case))
        flops = product_flops(agent, batch)
        times = options.updates or max(30, round(5e10 / flops))
        timings = profile(agent, batch, times)
        if not case.conv:
            products = sum(value for name, value in timings.items() if name.startswith("products"))
            timings["products, share of the peak"] = flops / products / peak_flops()
        columns[case.name] = timings
    rows = [
        [name, *(_cell(name, each.get(name)) for each in columns.values())]
        for name in dict.fromkeys(name for each in columns.values() for name in each)
    ]
    print(common.table(["us", *columns], rows))


if __name__ == "__main__":
    main()
