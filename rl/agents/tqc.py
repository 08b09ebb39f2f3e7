"""Truncated quantile critics (Kuznetsov, Shvechikov, Grishin and Vetrov 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from nn.settings import SettingError, setting
from nn.typing import Array
from rl.agents.off_policy_actor_critic import pairs, slope_of, value_of
from rl.agents.quantile_huber import quantile_huber
from rl.agents.sac import SAC
from rl.memory import Batch


class TQC(SAC):
    """SAC whose critics learn the distribution of the return, of which the top is cut off.

    Each critic has M quantiles theta_im(s, a). Those of all N target critics together are sorted,
    z_1 <= z_2 <= ..., and the d N largest left out, so that what is overestimated does not spread.
    That can be set more finely than by taking the least of several values (sections 3 and 4):

        y_j = r + gamma (z_j(s', a') - alpha ln pi(a'|s')),  j = 1 ... (M - d) N,  a' ~ pi(.|s')
        critics: descend along the gradient of mean_m mean_j rho_m(y_j - theta_im(s, a))
        actor:   descend along that of alpha ln pi(a|s) - mean_im theta_im(s, a),  a ~ pi(.|s)

    rho_m being the quantile Huber loss at the midpoint (m - 1/2) / M. alpha learns as in SAC.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(SAC.Settings):
        """Those of `TQC`."""

        critics: int = setting("N, number of critics", 2, least=1, most=100)
        quantiles: int = setting("M, number of quantiles per critic", 25, least=2, most=10_000)
        dropped: int = setting(
            "d, number of quantiles per critic that the target leaves out", 2, least=0
        )
        kappa: float = setting("the cost is linear for errors beyond it", 1.0, above=0)
        cost: str = setting("the quantile Huber loss, and no other", "huber", names=("huber",))

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.dropped >= self.quantiles:
                complaint = f"must be less than quantiles, which is {self.quantiles}"
                raise SettingError("dropped", f"{complaint}; not {self.dropped}")

        @property
        def outputs(self) -> int:
            """How many values each critic gives an action."""
            return self.quantiles

    kin = "squashed Gaussian actor and critics of quantiles"
    carried = ("quantiles",)
    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """z_j - alpha ln pi(a'|s') [B, (M - d) N]."""
        policy = self.policy(batch.next_observations)
        following = pairs(batch.next_observations, policy.actions)
        every = np.hstack([value_of(each, following) for each in self.target_critics])
        every.sort(axis=1)
        left_out = self.settings.dropped * self.settings.count
        kept = every[:, : every.shape[1] - left_out]
        return kept - self.alpha * policy.log_probs[:, None]

    def loss(self, q: Array, y: Array) -> tuple[float, Array]:
        """The quantile Huber loss of theta_i [B, M] against y [B, (M - d) N], and its gradient."""
        loss, gradient = quantile_huber(q, y, self.settings.kappa)
        return loss / q.shape[1], gradient / q.shape[1]

    def conclude(self, batch: Batch, loss: float, q: Array, y: Array, gradient_norm: float) -> None:
        super().conclude(batch, loss, q.mean(axis=1), y.mean(axis=1), gradient_norm)

    def slope(self, observations: Array, actions: Array) -> Array:
        """The gradient of the mean of all theta_im(s, a) with respect to the actions [B, k]."""
        taken, shape = pairs(observations, actions), (len(actions), self.settings.quantiles)
        share = np.full(shape, 1.0 / (shape[0] * shape[1] * self.settings.count), np.float32)
        for critic in self.critics:
            critic.forward(taken)
        return reduce(np.add, [slope_of(each, share, self.action_size) for each in self.critics])
