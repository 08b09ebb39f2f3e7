"""Expected Sarsa with a network (van Seijen et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass

from nn.settings import setting
from nn.typing import Array
from rl.agents import DQN
from rl.memory import Batch


class ExpectedSarsa(DQN):
    """DQN that values the next state by an epsilon-greedy policy:

    y = r + gamma ((1 - epsilon) max_a' Q(s', a') + epsilon mean_a' Q(s', a')).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN.Settings):
        """Those of DQN, and one more."""

        epsilon: float = setting("of the policy that is valued", 0.1, least=0, most=1)

    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """(1 - epsilon) max_a' Q_target(s', a') + epsilon mean_a' Q_target(s', a') [B]."""
        values, epsilon = self.target.values(batch.next_observations), self.settings.epsilon
        return (1.0 - epsilon) * values.max(axis=1) + epsilon * values.mean(axis=1)
