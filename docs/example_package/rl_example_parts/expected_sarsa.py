"""Expected Sarsa with a network (van Seijen et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.agents import DQN
from rl.memory import Batch


class ExpectedSarsa(DQN):
    """DQN that values the next state by an epsilon-greedy policy:

    y = r + gamma ((1 - epsilon) max_a' Q(s', a') + epsilon mean_a' Q(s', a')),

    both over the actions a' that are allowed in s'.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN.Settings):
        """Those of DQN, and epsilon."""

        epsilon: float = setting("probability of a random action", 0.1, least=0, most=1)

    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """(1 - epsilon) max_a' Q_target(s', a') + epsilon mean_a' Q_target(s', a') [B]."""
        values = self.target.values(batch.next_observations, batch.next_masks)
        mean = values.mean(axis=1, where=values > -np.inf)
        return (1.0 - self.settings.epsilon) * values.max(axis=1) + self.settings.epsilon * mean
