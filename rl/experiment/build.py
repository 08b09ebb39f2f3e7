"""From names to objects: the only place where a name becomes a part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from nn import OPTIMIZERS, NeuralNet, Optimizer
from nn.limits import require_memory
from nn.names import lookup, suggestion
from rl import rules
from rl.agents import DDPG, DQN, ActorCritic, Agent, DoubleDQN
from rl.environments import make_env
from rl.errors import BrokenEnvironment, UserError, brief
from rl.experiment.evaluation import EXTENDED_EPISODES
from rl.experiment.player import Player
from rl.experiment.settings import Explain, construct, resolve
from rl.experiment.specification import IMPORT_FOLDER, Specification
from rl.exploration import (
    Boltzmann,
    EpsilonGreedy,
    Explorer,
    Gaussian,
    Greedy,
    NoNoise,
    OrnsteinUhlenbeck,
    PeriodicEpsilonGreedy,
    TargetEpsilonGreedy,
)
from rl.memory import Prioritized, Replay, Rollout
from rl.modules import import_module, places
from rl.preprocessors import Difference, Normalize, Preprocessor, Stack
from rl.problems import Problem, find_problem
from rl.spaces import Actions, Continuous, Discrete, Spaces, spaces_of

AGENTS: dict[str, type[Agent]] = {
    "DQN": DQN,
    "DoubleDQN": DoubleDQN,
    "ActorCritic": ActorCritic,
    "DDPG": DDPG,
}
REPLAYS: dict[str, type[Replay]] = {"Replay": Replay, "Prioritized": Prioritized}
ROLLOUTS: dict[str, type[Rollout]] = {"Rollout": Rollout}
EXPLORERS: dict[type[Actions], dict[str, type[Explorer]]] = {
    Discrete: {
        "EpsilonGreedy": EpsilonGreedy,
        "PeriodicEpsilonGreedy": PeriodicEpsilonGreedy,
        "TargetEpsilonGreedy": TargetEpsilonGreedy,
        "Boltzmann": Boltzmann,
        "None": Greedy,
    },
    Continuous: {
        "Gaussian": Gaussian,
        "OrnsteinUhlenbeck": OrnsteinUhlenbeck,
        "None": NoNoise,
    },
}
PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "Identity": Preprocessor,
    "Stack": Stack,
    "Difference": Difference,
    "Normalize": Normalize,
}

# Beyond these a setting is a slip of the keyboard rather than an experiment.
MOST_LAYERS = 100
MOST_LANES = 10_000
MOST_EPISODES = 100_000  # of one evaluation

# float32s for each parameter of a network: itself and its gradient, whether it is a weight, two
# moments and room for the step, and a target network.
PARAMETER_BYTES = 9 * 4

# float32s for each unit of a network and row of a batch: its output and the gradient.
UNIT_BYTES = 2 * 4

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
        extended_episodes: to how many, at least the 100 over which "solved" is defined. Of many
            checkpoints that look alike, the one that comes out best was in part lucky with its
            episodes; more of them leave less to luck.
        stop_when_solved: end as soon as an evaluation shows that the problem is solved.
        checkpoint_seconds: wall-clock seconds between two checkpoints.
    """

    steps: int
    lanes: int = 1
    max_episode_steps: int | None = None
    evaluate_every: int = 5000
    evaluate_episodes: int = 5
    extended_episodes: int = EXTENDED_EPISODES
    stop_when_solved: bool = True
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("steps", 1, math.inf),
            ("lanes", 1, MOST_LANES),
            ("evaluate_every", 1, math.inf),
            ("extended_episodes", EXTENDED_EPISODES, MOST_EPISODES),
            ("evaluate_episodes", 1, self.extended_episodes),
        ):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
            if value > most:
                raise ValueError(f"{name} must be at most {most}, not {value}")
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
        preprocessor: what the agent sees of it.
        spaces: of the environment itself.
        training: for how long.
        rngs: a generator for each of `STREAMS`.
    """

    specification: Specification
    problem: Problem
    agent: Agent
    preprocessor: Preprocessor
    spaces: Spaces
    training: Training
    rngs: dict[str, np.random.Generator]

    def player(self) -> Player:
        """The agent in front of an environment."""
        return Player(self.agent, self.preprocessor, self.spaces)


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
    preprocessor = parts.preprocessor()
    agent_class = _agent_class(parts, problem)
    agent: Agent = parts.make(
        "agent", agent_class, (parts, training.lanes), constructor=agent_class.assemble
    )
    parts.refuse_unused()
    _refuse_hopeless(specification, training, agent)
    return Experiment(parts.resolved(), problem, agent, preprocessor, spaces, training, rngs)


def import_package(specification: Specification) -> dict[str, str]:
    """Imports the package that registers the specification's environment, if it names one.

    Returns:
        What a manifest remembers: the folder that it was found in, if it is not installed.

    Raises:
        UserError: it cannot be imported.
    """
    name = specification.values.get("import")
    if name is None:
        return {}
    try:
        found = import_module(name, places(specification.folder))
    except UserError as error:
        raise specification.explain("import", str(error)) from None
    return {IMPORT_FOLDER: str(found)} if found else {}


def _problem(specification: Specification) -> tuple[Problem, Spaces]:
    id = specification.values["problem"]
    import_package(specification)
    try:
        problem = find_problem(id)
        env = make_env(problem.id)
        spaces = spaces_of(env, problem.id)
        rules.close(env)
    except BrokenEnvironment:  # the specification is not at fault
        raise
    except UserError as error:
        raise specification.explain("problem", f"does not fit: {error}") from None
    return problem, spaces


def _agent_class(parts: SpecifiedParts, problem: Problem) -> type[Agent]:
    agent: type[Agent] = parts.find(AGENTS, "agent", default=None)
    kind = type(parts.spaces.actions)
    if kind not in agent.kinds:
        others = ", ".join(name for name, each in AGENTS.items() if kind in each.kinds)
        raise parts.specification.explain(
            "agent.name",
            f"is {agent.__name__}, which does not handle the {kind.__name__.lower()} actions of "
            f"{problem.id}; these do: {others}",
        )
    return agent


def _refuse_hopeless(specification: Specification, training: Training, agent: Agent) -> None:
    if training.steps <= agent.learns_after:
        raise specification.explain(
            "train.steps",
            f"is {training.steps}, but the agent first learns after {agent.learns_after} steps "
            f"({agent.waits_for}): nothing would be learned",
        )


@dataclass
class SpecifiedParts:
    """Builds parts from a specification's blocks and remembers the settings it resolved."""

    specification: Specification
    spaces: Spaces
    rngs: Mapping[str, np.random.Generator]
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)
    _units: int = 0  # of all networks together

    def preprocessor(self) -> Preprocessor:
        """What the agent sees of the problem; `spaces` is then of that."""
        part = self.find(PREPROCESSORS, "preprocessor", "Identity")
        made: Preprocessor = self.make("preprocessor", part, (self.spaces.observation_size,))
        self.spaces = replace(self.spaces, observation_size=made.size)
        return made

    def network(
        self, inputs: int, outputs: int, role: str | None = None, output: str = "identity"
    ) -> NeuralNet:
        """A network from `inputs` to `outputs` with the hidden layers of the `network` block."""
        wiring = (inputs, outputs, output, self.rngs["network"])
        net: NeuralNet = self.make("network", make_network, wiring, role=role)
        self._units += sum(net.sizes)
        return net

    def optimizer(self, network: NeuralNet, role: str | None = None) -> Optimizer:
        """An optimizer of the network's parameters."""
        part = self.find(OPTIMIZERS, "optimizer", "Adam", role)
        wiring = (network.parameters, network.gradients)
        made: Optimizer = self.make("optimizer", part, wiring, role=role)
        return made

    def memory(self) -> Replay:
        """A memory for the problem's observations and actions."""
        spaces = self.spaces
        wiring = (spaces.observation_size, self.rngs["memory"], spaces.actions.array(0))
        made: Replay = self.make(
            "memory", self.find(REPLAYS, "memory", "Replay", others=ROLLOUTS), wiring
        )
        self._refuse_large_batch("memory.batch_size", made.batch_size, made.batch_size)
        return made

    def rollout(self, lanes: int) -> Rollout:
        """A memory of the latest steps of so many lanes."""
        wiring = (self.spaces.observation_size, lanes, self.spaces.actions.array(0))
        made: Rollout = self.make(
            "memory", self.find(ROLLOUTS, "memory", "Rollout", others=REPLAYS), wiring
        )
        self._refuse_large_batch("memory.horizon", made.horizon, made.horizon * lanes)
        return made

    def _refuse_large_batch(self, path: str, value: int, rows: int) -> None:
        """Refuses more rows than the networks, which are there by now, can learn from at once."""
        try:
            require_memory(path, value, rows * self._units * UNIT_BYTES)
        except ValueError as error:
            raise self.specification.explain(path, str(error).partition(" ")[2]) from None

    def generator(self) -> np.random.Generator:
        """The random numbers of a stochastic policy."""
        return self.rngs["exploration"]

    def exploration(self) -> Explorer:
        """An explorer among the problem's actions."""
        table = EXPLORERS[type(self.spaces.actions)]
        others = {name: each for kind in EXPLORERS.values() for name, each in kind.items()}
        part = self.find(table, "exploration", next(iter(table)), others=others)
        made: Explorer = self.make("exploration", part, (self.rngs["exploration"],))
        return made

    def find(
        self,
        table: Mapping[str, Any],
        key: str,
        default: str | None,
        role: str | None = None,
        others: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """The part that block `key` names, or the default's; `others` do not fit the agent."""
        path, block = self._block(key, role)
        name = block.get("name", default)
        if not isinstance(name, str):
            complaint = f"must be a name, not {brief(name)}{suggestion('', table)}"
            raise self.specification.explain(f"{path}.name", complaint)
        try:
            part = lookup(table, name, key)
        except ValueError as error:
            if name in others:
                agent, fitting = self._resolved["agent"]["name"], ", ".join(table)
                complaint = f"is {name}, which does not fit {agent}; these do: {fitting}"
                raise self.specification.explain(f"{path}.name", complaint) from None
            raise self.specification.explain(f"{path}.name", f"names an {error}") from None
        self._done(key, role)["name"] = next(k for k, v in table.items() if v is part)
        return part

    def make(
        self,
        key: str,
        part: Callable[..., Any],
        wiring: tuple[Any, ...],
        constructor: Callable[..., Any] | None = None,
        role: str | None = None,
    ) -> Any:
        """`part` with the settings of block `key`, made by `constructor` where that differs."""
        path, block = self._block(key, role)
        explain: Explain = lambda name, complaint: self.specification.explain(  # noqa: E731
            f"{path}.{name}" if name else path, complaint
        )
        done = self._done(key, role)
        if "name" in done:  # it has been found by it
            block.pop("name", None)
        settings = resolve(part, block, explain)
        done.update(settings)
        return construct(constructor or part, wiring, settings, explain)

    def _block(self, key: str, role: str | None) -> tuple[str, dict[str, Any]]:
        """The settings of block `key` for a role, and the path they stand at."""
        block = self.specification.block(key)
        if role is None:
            return key, block
        roles = AGENTS[self._resolved["agent"]["name"]].roles
        if not any(name in roles for name in block):
            return key, block
        for name, each in block.items():
            if name not in roles:
                near = suggestion(name, roles)
                raise self.specification.explain(f"{key}.{name}", f"is no network's role{near}")
            if not isinstance(each, dict):
                raise self.specification.explain(f"{key}.{name}", "must be a block of settings")
        return f"{key}.{role}", dict(block.get(role, {}))

    def _done(self, key: str, role: str | None) -> dict[str, Any]:
        """Where the resolved settings of block `key` for a role are noted."""
        done = self._resolved.setdefault(key, {})
        return done if role is None else done.setdefault(role, {})

    def refuse_unused(self) -> None:
        """Refuses a block that the agent has no use for."""
        for key, value in self.specification.values.items():
            if isinstance(value, dict) and key not in (*self._resolved, "search"):
                agent = self._resolved["agent"]["name"]
                raise self.specification.explain(key, f"is not used by {agent}; leave it out")
        for key, block in self._resolved.items():
            for role in AGENTS[self._resolved["agent"]["name"]].roles:
                if role in self.specification.block(key) and role not in block:
                    complaint = "is of a network that is not there; leave it out"
                    raise self.specification.explain(f"{key}.{role}", complaint)

    def resolved(self) -> Specification:
        """The specification with every default filled in."""
        given = self.specification
        texts = {key: value for key, value in given.values.items() if isinstance(value, str)}
        search = {"search": given.values["search"]} if "search" in given.values else {}
        values = {**texts, **self._resolved, **search}
        return replace(given, values=values, overridden=frozenset())


def make_network(
    inputs: int,
    outputs: int,
    output: str,
    rng: np.random.Generator,
    *,
    hidden: tuple[int, ...] = (64, 64),
    activation: str = "relu",
    initializer: str = "he",
    layer_norm: bool = False,
    output_scale: float = 1.0,
) -> NeuralNet:
    """A feedforward network; its input and output fit the problem and the agent.

    Args:
        inputs: units of the first layer.
        outputs: units of the last.
        output: the activation of the last layer, which the agent chooses.
        rng: draws the weights.
        hidden: units of each hidden layer; an empty list is a linear network.
        activation: of the hidden layers.
        initializer: of the weights; biases begin at 0.
        layer_norm: whether each hidden layer is normalized before its activation.
        output_scale: what the last layer's first weights are multiplied by; less than 1 makes a
            policy that is undecided at first.
    """
    if len(hidden) > MOST_LAYERS or min(hidden, default=1) < 1:
        raise ValueError(
            f"hidden must be up to {MOST_LAYERS} layers of at least 1 unit, not "
            f"{brief(list(hidden))}"
        )
    sizes = (inputs, *hidden, outputs)
    parameters = sum((before + 1) * after for before, after in pairwise(sizes))
    require_memory("hidden", brief(list(hidden)), parameters * PARAMETER_BYTES)
    if not output_scale > 0:
        raise ValueError(f"output_scale must be greater than 0, not {output_scale}")
    network = NeuralNet(
        sizes, activation, output,
        initializer=initializer, layer_norm=layer_norm, seed=rng,
    )  # fmt: skip
    network.weights[-1][:] *= output_scale
    return network


make_network.__name__ = "network"  # what an error calls it
