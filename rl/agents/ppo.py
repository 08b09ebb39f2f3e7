"""Proximal policy optimization (Schulman et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.agents.a2c import A2C


class PPO(A2C):
    """A2C that takes several gradient steps on each rollout, of a clipped objective (eq. 7):

        actor: ascend along the gradient of min(r A, clip(r, 1 - epsilon, 1 + epsilon) A),

    with r = pi(a|s) / pi_old(a|s). So a policy is no longer drawn towards what it has already made
    likelier by more than epsilon.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(A2C.Settings):
        """Those of `PPO`."""

        normalize_advantages: bool = setting(
            "whether each update scales them to mean 0 and standard deviation 1", True
        )
        epochs: int = setting("passes over a rollout", 10, least=1, most=1_000)
        minibatches: int = setting("gradient steps per pass", 4, least=1)
        clip: float = setting("epsilon, the clipping range of the ratio", 0.2, above=0)

    settings: Settings

    def policy_weights(self, log_probs: Array, a: Array, old_log_probs: Array) -> Array:
        """r A, or 0 where r has left the interval on the side that A draws it to [B].

        The gradient of min(r A, clip(r) A) is r A times that of ln pi, or 0.
        """
        clip = self.settings.clip
        r = np.exp(log_probs - old_log_probs)
        left = np.where(a > 0, r > 1.0 + clip, r < 1.0 - clip)
        return np.where(left, 0.0, r * a).astype(a.dtype)
