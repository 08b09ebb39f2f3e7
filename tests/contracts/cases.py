"""What the contract suite tries each part with: small specifications, and values out of bounds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nn.settings import Bounds
from rl.agents import AGENTS, CEM, DQN, REINFORCE, Agent, Random
from rl.agents.replay_agent import ReplayAgent
from rl.agents.tabular import Tabular
from rl.environments import Environments, TrainingSeeds, Transitions, environment_of
from rl.environments.spaces import Continuous, Discrete, MultiDiscrete
from rl.preprocessors import PREPROCESSORS
from rl.specification.build import Experiment, build
from rl.specification.settings import settings_of, types_of
from rl.specification.specification import Specification
from tests.rl import gates  # noqa: F401  registers its environments

# Preprocessors that take any observation.
OF_VECTORS = {name: part for name, part in PREPROCESSORS.items() if not part.of_pictures}
PROBLEMS: dict[Any, str] = {
    Discrete: "CartPole-v1", MultiDiscrete: "OpenSeveral-v0", Continuous: "Pendulum-v1",
}  # fmt: skip
NARROW = {"hidden": [8]}
BY_EPISODE = (REINFORCE, CEM)  # they learn from how episodes end, and Pendulum's have 200 steps
SHORT = "SteadyContinuous-v0"
UNUSED: dict[type[Agent], tuple[str, ...]] = {  # blocks that the tests give and an agent refuses
    Tabular: ("network", "optimizer", "memory"),
    REINFORCE: ("memory",),
    CEM: ("optimizer", "memory"),
    Random: ("network", "optimizer", "memory"),
}
EXAMPLE = Path(__file__).parents[2] / "docs/example_package"


def mellow_dqn() -> type[DQN]:
    """The agent of the example package, as if that were installed."""
    sys.path.append(str(EXAMPLE))
    found: type[DQN] = importlib.import_module("rl_example_parts.mellow_dqn").MellowDQN
    sys.path.remove(str(EXAMPLE))
    return found


def agents() -> Iterator[tuple[str, Any]]:
    """Each agent of the table, with each kind of actions that it handles."""
    for name, agent in AGENTS.items():
        for kind in agent.kinds:
            yield name, kind


def with_options() -> Iterator[tuple[str, Any]]:
    """Each option of the block `network` with the agents that handle it, as `NAME+OPTION`."""
    for name, agent in AGENTS.items():
        for option in agent.network_options:
            yield f"{name}+{option}", agent.kinds[0]


def values(name: str, kind: Any, **blocks: Any) -> dict[str, Any]:
    """A specification of an agent that learns within a hundred steps; `name` may have an option."""
    name, _, option = name.partition("+")
    agent = {"name": name, **blocks.pop("agent", {})}
    memory = {"horizon": 8}
    if issubclass(AGENTS[name], ReplayAgent):
        agent = {"learn_start": 20, "learn_every": 1, **agent}
        memory = {"capacity": 50, "batch_size": 8}
    if issubclass(AGENTS[name], CEM):
        agent = {"population": 2, "elite": 0.5, **agent}
    if issubclass(AGENTS[name], Tabular):
        agent = {"bins": [2], **agent}
    problem = SHORT if issubclass(AGENTS[name], BY_EPISODE) and kind is Continuous else None
    given = {
        "problem": blocks.get("problem") or problem or PROBLEMS[kind],
        "agent": agent,
        "network": {**NARROW, option: True} if option else NARROW,
        "memory": memory,
        "train": {"steps": 1_000, "lanes": 2},
        **blocks,
    }
    unused = next((keys for base, keys in UNUSED.items() if issubclass(AGENTS[name], base)), ())
    return {key: block for key, block in given.items() if key not in unused}


def experiment(given: dict[str, Any], seed: int = 0) -> Experiment:
    """The parts of a specification."""
    return build(Specification("contract", "contract.yaml", given), seed)


class Play:
    """An experiment in its environments, step by step."""

    def __init__(self, made: Experiment) -> None:
        self.agent, lanes = made.agent, made.training.lanes
        self.environments = Environments(
            lambda: environment_of(made.problem),
            lanes,
            TrainingSeeds(made.rngs["environment"]),
            made.preprocessor.for_lanes(lanes, learning=True),
            actions=made.spaces.actions,
        )
        self.environments.reset()

    def steps(self, count: int, spoil: Any = None) -> None:
        """So many steps of all lanes; `spoil` changes the transitions before they are seen."""
        for _ in range(count):
            actions = self.agent.explore(*self.environments.seen)
            transitions: Transitions = self.environments.step(actions)
            if spoil:
                spoil(transitions)
            self.agent.observe(transitions)
            self.agent.learn()


def arrays(state: Any, path: str = "") -> dict[str, Any]:
    """Each leaf of a nested state, by its path."""
    if isinstance(state, dict):
        found: dict[str, Any] = {}
        for key, value in state.items():
            found.update(arrays(value, f"{path}/{key}"))
        return found
    return {path: np.asarray(state)}


def assert_same(one: Any, other: Any) -> None:
    """Two states are equal to the bit."""
    one, other = arrays(one), arrays(other)
    assert one.keys() == other.keys()
    for path, array in one.items():
        np.testing.assert_array_equal(array, other[path], err_msg=path)


def refused(part: Any) -> Iterator[tuple[str, Any]]:
    """For each setting of a part, values that it must refuse: of other types, and out of bounds."""
    for name, field in settings_of(part).items():
        kind, bounds = types_of(part)[name], field.metadata["bounds"]
        yield name, {"no": "value of any setting"}
        if kind is str and bounds.names is None:
            yield name, 3
        else:
            yield name, "no such name"
        if bool not in getattr(kind, "__args__", (kind,)):
            yield name, True
        for value in outside(bounds):
            yield name, value


def outside(bounds: Bounds) -> Iterator[float]:
    """Numbers that bounds leave out."""
    if bounds.least is not None:
        yield bounds.least - 1
    if bounds.above is not None:
        yield bounds.above
    if bounds.most is not None:
        yield bounds.most + 1
    if bounds.below is not None:
        yield bounds.below
