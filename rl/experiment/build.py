"""From names to objects: the only place where a name becomes a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn import OPTIMIZERS, NeuralNet, Optimizer
from nn.names import lookup
from rl.agents import DQN, Agent, DoubleDQN
from rl.environments import Spaces, make_env, spaces_of
from rl.errors import UserError
from rl.experiment.settings import Explain, construct, resolve
from rl.experiment.specification import Specification
from rl.exploration import Boltzmann, EpsilonGreedy, Explorer
from rl.memory import Replay
from rl.problems import Problem, find_problem

AGENTS: dict[str, type[Agent]] = {"DQN": DQN, "DoubleDQN": DoubleDQN}
MEMORIES: dict[str, type[Replay]] = {"Replay": Replay}
EXPLORERS: dict[str, type[Explorer]] = {"EpsilonGreedy": EpsilonGreedy, "Boltzmann": Boltzmann}

# Each part that draws random numbers has a stream of its own, so that one part's use of it never
# shifts another's. New names go at the end.
STREAMS = ("network", "exploration", "memory", "environment", "evaluation")


@dataclass(frozen=True, kw_only=True)
class Training:
    """The `train` block: how long a session learns, and how it is evaluated meanwhile.

    Args:
        steps: environment steps, over all lanes.
        lanes: environments stepped together.
        max_episode_steps: cuts training episodes sooner than the environment does. The value of
            what would have followed is bootstrapped, so the task stays the same; an agent that
            dawdles sees more beginnings. Evaluation episodes are never cut.
        evaluate_every: environment steps between two evaluations.
        evaluate_episodes: greedy episodes of an evaluation; one that looks solved is extended.
        stop_when_solved: end as soon as an evaluation shows that the problem is solved.
        checkpoint_seconds: wall-clock seconds between two checkpoints.
    """

    steps: int
    lanes: int = 1
    max_episode_steps: int | None = None
    evaluate_every: int = 5000
    evaluate_episodes: int = 5
    stop_when_solved: bool = True
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("steps", "lanes", "evaluate_every", "evaluate_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, not {self.max_episode_steps}")
        if not self.checkpoint_seconds > 0:
            raise ValueError(
                f"checkpoint_seconds must be greater than 0, not {self.checkpoint_seconds}"
            )


@dataclass
class Experiment:
    """A specification turned into objects, ready for a session.

    Args:
        specification: with every default filled in.
        problem: what is to be solved.
        agent: who is to solve it.
        training: for how long.
        rngs: a generator for each of `STREAMS`.
    """

    specification: Specification
    problem: Problem
    agent: Agent
    training: Training
    rngs: dict[str, np.random.Generator]


def build(specification: Specification, seed: int) -> Experiment:
    """All the parts of an experiment, for the session of one seed.

    Raises:
        UserError: a name, key, type or size that does not fit; the message names file and key.
    """
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    rngs = {name: np.random.default_rng(each) for name, each in zip(STREAMS, children, strict=True)}
    problem, spaces = _problem(specification)
    parts = SpecifiedParts(specification, spaces, rngs)
    training: Training = parts.make("train", Training, ())
    agent_class = parts.find(AGENTS, "agent", default=None)
    agent: Agent = parts.make(
        "agent", agent_class, (parts, training.lanes), constructor=agent_class.assemble
    )
    parts.refuse_unused()
    _refuse_hopeless(specification, training, agent)
    return Experiment(parts.resolved(), problem, agent, training, rngs)


def _problem(specification: Specification) -> tuple[Problem, Spaces]:
    id = specification.values["problem"]
    try:
        problem = find_problem(id)
        env = make_env(problem.id)
        spaces = spaces_of(env, problem.id)
        env.close()
    except UserError as error:
        raise specification.explain("problem", f"does not fit: {error}") from None
    return problem, spaces


def _refuse_hopeless(specification: Specification, training: Training, agent: Agent) -> None:
    if training.steps <= agent.learns_after:
        raise specification.explain(
            "train.steps",
            f"is {training.steps}, but the agent first learns after {agent.learns_after} steps "
            "(agent.learn_start): nothing would be learned",
        )


@dataclass
class SpecifiedParts:
    """Builds parts from a specification's blocks and remembers the settings it resolved."""

    specification: Specification
    spaces: Spaces
    rngs: Mapping[str, np.random.Generator]
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)

    def network(self, inputs: int, outputs: int) -> NeuralNet:
        """A network from `inputs` to `outputs` with the hidden layers of the `network` block."""
        net: NeuralNet = self.make("network", _network, (inputs, outputs, self.rngs["network"]))
        return net

    def optimizer(self, network: NeuralNet) -> Optimizer:
        """An optimizer of the network's parameters."""
        wiring = (network.parameters, network.gradients)
        made: Optimizer = self.make("optimizer", self.find(OPTIMIZERS, "optimizer", "Adam"), wiring)
        return made

    def memory(self) -> Replay:
        """A memory for the problem's observations."""
        wiring = (self.spaces.observation_size, self.rngs["memory"])
        made: Replay = self.make("memory", self.find(MEMORIES, "memory", "Replay"), wiring)
        return made

    def exploration(self) -> Explorer:
        """An explorer."""
        part = self.find(EXPLORERS, "exploration", "EpsilonGreedy")
        made: Explorer = self.make("exploration", part, (self.rngs["exploration"],))
        return made

    def find(self, table: Mapping[str, Any], key: str, default: str | None) -> Any:
        """The part that block `key` names, or the default's."""
        name = self.specification.block(key).get("name", default)
        if not isinstance(name, str):
            raise self.specification.explain(f"{key}.name", f"must be a name, not {name!r}")
        try:
            part = lookup(table, name, key)
        except ValueError as error:
            raise self.specification.explain(f"{key}.name", f"names an {error}") from None
        self._resolved.setdefault(key, {})["name"] = next(k for k, v in table.items() if v is part)
        return part

    def make(
        self,
        key: str,
        part: Callable[..., Any],
        wiring: tuple[Any, ...],
        constructor: Callable[..., Any] | None = None,
    ) -> Any:
        """`part` with the settings of block `key`, made by `constructor` where that differs."""
        explain = self._explainer(key)
        given = {name: each for name, each in self.specification.block(key).items()
                 if not (name == "name" and key in self._resolved)}  # fmt: skip
        settings = resolve(part, given, explain)
        self._resolved.setdefault(key, {}).update(settings)
        return construct(constructor or part, wiring, settings, explain)

    def _explainer(self, key: str) -> Explain:
        return lambda name, complaint: self.specification.explain(
            f"{key}.{name}" if name else key, complaint
        )

    def refuse_unused(self) -> None:
        """Refuses a block that the agent has no use for."""
        for key, value in self.specification.values.items():
            if isinstance(value, dict) and key not in self._resolved:
                agent = self._resolved["agent"]["name"]
                raise self.specification.explain(key, f"is not used by {agent}; leave it out")

    def resolved(self) -> Specification:
        """The specification with every default filled in."""
        given = self.specification
        texts = {key: value for key, value in given.values.items() if isinstance(value, str)}
        return Specification(given.name, given.source, {**texts, **self._resolved})


def _network(
    inputs: int,
    outputs: int,
    rng: np.random.Generator,
    *,
    hidden: tuple[int, ...] = (64, 64),
    activation: str = "relu",
    initializer: str = "he",
) -> NeuralNet:
    for size in hidden:
        if size < 1:
            raise ValueError(f"hidden must be layers of at least 1 unit, not {list(hidden)}")
    return NeuralNet(
        (inputs, *hidden, outputs), hidden=activation, initializer=initializer, seed=rng
    )


_network.__name__ = "network"
