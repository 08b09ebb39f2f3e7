"""Twin delayed DDPG (Fujimoto, van Hoof and Meger 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.agents.ddpg import DDPG


class TD3(DDPG):
    """DDPG whose values are less often too high (algorithm 1):

    the least of several critics' values counts (section 4.2); the policy and the targets are
    updated less often than the critics (5.2); and targets are smoothed over similar actions (5.3),

        y = r + gamma min_i Q_target_i(s', clip(mu_target(s') + clip(noise, -c, c), -1, 1)).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DDPG.Settings):
        """Those of `TD3`."""

        critics: int = setting("number of critics", 2, least=1, most=100)
        policy_delay: int = setting(
            "critic updates per update of the actor and of the targets", 2, least=1
        )
        target_noise: float = setting(
            "standard deviation of the noise on the target's actions", 0.2, least=0
        )
        target_noise_clip: float = setting("c, the maximum magnitude of that noise", 0.5, least=0)

        @property
        def count(self) -> int:
            """How many critics there are."""
            return self.critics

    settings: Settings

    def next_actions(self, observations: Array) -> Array:
        """mu_target(s') [B, k] with clipped noise."""
        actions, settings = super().next_actions(observations), self.settings
        if not settings.target_noise:
            return actions
        noise = settings.target_noise * self._rng.standard_normal(actions.shape, np.float32)
        limit = settings.target_noise_clip
        return np.clip(actions + np.clip(noise, -limit, limit), -1.0, 1.0)

    @property
    def updates_policy(self) -> bool:
        """Whether the actor and the targets are updated too, after the latest of the critics."""
        return self.updates % self.settings.policy_delay == 0
