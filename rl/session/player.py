"""A trained agent in front of its environment."""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.agents import Agent
from rl.environments.problems import Problem
from rl.environments.spaces import Spaces
from rl.preprocessors import Preprocessor
from rl.specification.build import Experiment


class Player:
    """Takes the environment's own observations and gives the environment's own actions.

        player.reset()
        observation, _ = env.reset()
        action = player.act(observation)

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
        self._seen = np.zeros((1, preprocessor.size), np.float32)
        self._starting = True

    def reset(self) -> None:
        """Says that an episode begins; a preprocessor that looks back must know."""
        self._starting = True

    def act(self, observation: Any) -> Any:
        """The greedy action for one observation.

        Raises:
            ValueError: the observation has not the size that the agent was trained on.
        """
        raw = np.asarray(self.spaces.flatten(observation) if self.spaces.flatten else observation)
        if raw.shape != (self.spaces.observation_size,):
            raise ValueError(
                f"the observation must have {self.spaces.observation_size} entries, "
                f"not the shape {list(raw.shape)}"
            )
        look = self._view.start if self._starting else self._view.follow
        look(0, raw, self._seen[0])
        self._starting = False
        return self.spaces.actions.for_environment(self.agent.act(self._seen)[0])


def player_of(experiment: Experiment) -> Player:
    """An experiment's agent in front of its environment."""
    agent, seen = experiment.agent, experiment.preprocessor
    return Player(agent, seen, experiment.spaces, experiment.problem)
