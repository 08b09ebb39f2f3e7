"""A trained agent in front of its environment."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from nn.typing import BoolArray
from rl.agents import Agent
from rl.environments import rules
from rl.environments.problems import Problem
from rl.environments.spaces import Continuous, Spaces
from rl.errors import UserError
from rl.formatting import count_of
from rl.preprocessors import Preprocessor
from rl.specification.build import Experiment


class Player:
    """Takes the environment's own observations and gives the environment's own actions.

        player.reset()
        observation, _ = env.reset()
        action = player.act(observation)

    One whose preprocessor remembers the episode, such as Stack, must be told where episodes begin:
    it acts only after `reset`, and in no more steps than the environment's time limit.

    Args:
        agent: who decides.
        preprocessor: what the agent sees of an observation.
        spaces: of the environment.
        problem: that was learned, with how its environment is made; None if nobody knows.
    """

    def __init__(
        self,
        agent: Agent,
        preprocessor: Preprocessor,
        spaces: Spaces,
        problem: Problem | None = None,
    ) -> None:
        self.agent, self.preprocessor, self.spaces = agent, preprocessor, spaces
        self.problem = problem
        self._view = preprocessor.for_lanes(1, learning=False)
        self._seen = np.zeros((1, preprocessor.size), preprocessor.kind)
        self._steps = 0  # since `reset`
        self._most = 0 if preprocessor.remembers else sys.maxsize  # steps of an episode

    def reset(self, longest: int | None = None) -> None:
        """Says that an episode begins; a preprocessor that looks back must know.

        Args:
            longest: steps that it may have; by default the time limit of the problem learned.
        """
        limit = longest or (self.problem.horizon if self.problem else None)
        self._steps = 0
        self._most = limit if limit and self.preprocessor.remembers else sys.maxsize

    def act(self, observation: Any, mask: Any = None) -> Any:
        """The greedy action for one observation.

        Args:
            observation: as the environment gives it.
            mask: likewise, its `info["action_mask"]`; None allows all actions.

        Raises:
            ValueError: the observation is not of the form that the agent was trained on, or the
                mask is none of its actions.
            UserError: the preprocessor remembers, and nobody said that an episode begins.
        """
        if self._steps >= self._most:
            raise UserError(self._not_reset())
        try:
            seen = self.spaces.flatten(observation) if self.spaces.flatten else observation
            masks = [] if mask is None else [self._mask(mask)]
        except (rules.Breach, rules.NotFinite) as found:
            raise ValueError(str(found)) from None
        raw = np.asarray(seen)
        if raw.shape != (self.spaces.observation_size,):
            wanted = count_of(self.spaces.observation_size, "entry", "entries")
            raise ValueError(f"the observation must have {wanted}, not the shape {list(raw.shape)}")
        look = self._view.follow if self._steps else self._view.start
        look(0, raw, self._seen[0])
        self._steps += 1
        return self.spaces.actions.for_environment(self.agent.act(self._seen, *masks)[0])

    def _mask(self, given: Any) -> BoolArray:
        actions = self.spaces.actions
        if isinstance(actions, Continuous):
            raise ValueError("continuous actions have no mask")
        return actions.mask(given)[None]

    def _not_reset(self) -> str:
        """The complaint about acting in an episode that nobody has begun."""
        name = type(self.preprocessor).__name__
        told = f"call agent.reset() where each episode begins: {name} remembers the episode"
        if not self._steps:
            return told
        return (
            f"{told}, and {self._steps} steps since are all that one has; where they are longer: "
            "agent.reset(longest=STEPS)"
        )


def player_of(experiment: Experiment) -> Player:
    """An experiment's agent in front of its environment."""
    agent, seen = experiment.agent, experiment.preprocessor
    return Player(agent, seen, experiment.spaces, experiment.problem)
