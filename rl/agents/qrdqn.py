"""Quantile-regression DQN (Dabney, Rowland, Bellemare and Munos 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from nn.settings import setting
from nn.typing import Array
from rl.agents.dqn import DQN
from rl.agents.quantile_huber import quantile_huber
from rl.agents.values import Head, allowed
from rl.memory import Batch


class QRDQN(DQN):
    """DQN that learns the distribution of the return, as N quantiles theta_i(s, a), not its mean.

    Q(s, a) is their mean. With a* the best next action by the target network,

        y_j = r + gamma theta_target_j(s', a*)
        descend along the gradient of sum_i mean_j rho_i(y_j - theta_i(s, a)),

    rho_i being the quantile Huber loss at the midpoint (i - 1/2) / N.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN.Settings):
        """Those of `QRDQN`."""

        quantiles: int = setting("N, number of quantiles per action", 50, least=1, most=10_000)
        kappa: float = setting("the cost is linear for errors beyond it", 1.0, above=0)
        cost: str = setting("the quantile Huber loss, and no other", "huber", names=("huber",))

        @property
        def head(self) -> Head:
            """How the network's outputs are read."""
            return Head(dueling=self.dueling, quantiles=self.quantiles)

    kin = "quantiles of actions"
    carried = ("dueling", "quantiles")
    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """theta_target(s', a*) [B, N]."""
        quantiles = self.target.predict(batch.next_observations)
        values = allowed(quantiles.mean(axis=2), batch.next_masks)
        return quantiles[self.rows, self.next_actions(batch, values)]

    def loss(self, q: Array, y: Array) -> tuple[float, Array]:
        """The quantile Huber loss of theta [B, N] against y [B, N], and its gradient [B, N]."""
        return quantile_huber(q, y, self.settings.kappa)
