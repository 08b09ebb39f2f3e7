"""From a specification to the parts of an experiment, and what is refused before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.agents import AGENTS, Agent
from rl.environments.actions import combined
from rl.environments.problems import Problem
from rl.environments.rules import Unfit
from rl.environments.spaces import Discrete, MultiDiscrete, Spaces
from rl.preprocessors import Preprocessor
from rl.specification.blocks import Training
from rl.specification.earlier_names import with_present_names
from rl.specification.environment import as_set, registered_problem, spaces_in
from rl.specification.parts import SpecifiedParts
from rl.specification.specification import Specification

# Each part that draws random numbers has a stream of its own, so that one part's use of it never
# shifts another's. New names go at the end.
STREAMS = ("network", "exploration", "memory", "environment", "evaluation")


@dataclass
class Experiment:
    """A specification turned into objects, ready for a session.

    Args:
        specification: with every default filled in.
        digests: of the specification as it was given and as it is here; a checkpoint of an earlier
            version has the former.
        tasks: the same, but for what says when a session ends.
        problem: what is to be solved.
        agent: who is to solve it.
        preprocessor: what the agent sees of it.
        spaces: of the environment itself, with the actions that the agent acts among.
        training: for how long.
        rngs: a generator for each of `STREAMS`.
    """

    specification: Specification
    digests: tuple[str, str]
    tasks: tuple[str, str]
    problem: Problem
    agent: Agent
    preprocessor: Preprocessor
    spaces: Spaces
    training: Training
    rngs: dict[str, np.random.Generator]


def build(specification: Specification, seed: int) -> Experiment:
    """All the parts of an experiment, for the session of one seed.

    Raises:
        UserError: a name, key, type or size that does not fit; the message names file and key.
    """
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    rngs = {name: np.random.default_rng(each) for name, each in zip(STREAMS, children, strict=True)}
    given, specification = specification, with_present_names(specification)
    registered = registered_problem(specification)
    parts = SpecifiedParts(specification, rngs)
    training: Training = parts.settings("train", Training)
    parts.lanes = training.lanes
    problem = as_set(registered, vars(training))
    spaces = parts.spaces = spaces_in(specification, problem)
    preprocessor = parts.preprocessor()
    agent_class = _agent_class(parts, problem)
    spaces = replace(spaces, actions=parts.spaces.actions)
    agent = parts.agent(agent_class)
    parts.refuse_unused()
    _refuse_hopeless(specification, training, agent, problem)
    resolved = parts.resolved()
    digests = given.digest, resolved.digest
    tasks = given.without_budget.digest, resolved.without_budget.digest
    return Experiment(
        resolved, digests, tasks, problem, agent, preprocessor, spaces, training, rngs
    )


def _agent_class(parts: SpecifiedParts, problem: Problem) -> type[Agent]:
    """The agent; `parts.spaces` then has its actions: perhaps combinations of several."""
    agent: type[Agent] = parts.find(AGENTS, "agent", default=None)
    actions = parts.spaces.actions
    complaint = f"does not handle the {type(actions).__name__.lower()} actions of {problem.id}"
    try:
        if isinstance(actions, MultiDiscrete) and agent.kinds == (Discrete,):
            actions = combined(actions)
    except Unfit as error:
        complaint = f"does not handle the actions of {problem.id} ({error})"
    if not isinstance(actions, agent.kinds):
        others = [name for name, each in AGENTS.items() if isinstance(actions, each.kinds)]
        raise parts.specification.explain(
            "agent.name", f"is {agent.__name__}, which {complaint}; these do: {', '.join(others)}"
        )
    parts.spaces = replace(parts.spaces, actions=actions)
    return agent


def _refuse_hopeless(
    specification: Specification, training: Training, agent: Agent, problem: Problem
) -> None:
    """Refuses a session that ends before its agent learns."""
    most = {"steps": training.steps, "episodes": most_steps(training, problem)}
    for name, steps in most.items():
        if steps is not None and steps <= agent.learns_after:
            many = f", {steps} steps at most," if name == "episodes" else ","
            raise specification.explain(
                f"train.{name}",
                f"is {getattr(training, name)}{many} but the agent first learns after "
                f"{agent.learns_after} steps ({agent.waits_for}): nothing would be learned",
            )


def most_steps(training: Training, problem: Problem) -> int | None:
    """Environment steps within `train.episodes`, at most; None if nobody knows."""
    limits = [each for each in (problem.horizon, training.max_episode_steps) if each is not None]
    if training.episodes is None or not limits:
        return None
    return (training.episodes + training.lanes - 1) * min(limits)
