"""DQN with the mellowmax operator (Asadi and Littman 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.agents import DQN
from rl.memory import Batch


class MellowDQN(DQN):
    """DQN that values the next state between the mean and the maximum of its action values:

    y = r + gamma ln(mean_a' exp(omega Q(s', a'))) / omega,

    over the actions a' that are allowed in s'.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN.Settings):
        """Those of DQN, and omega."""

        omega: float = setting("near 0 it is the mean, a large one the maximum", 1.0, above=0)

    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """ln(mean_a' exp(omega Q_target(s', a'))) / omega [B]."""
        values = self.target.values(batch.next_observations, batch.next_masks)
        best = values.max(axis=1, keepdims=True)  # subtracted, so that nothing overflows
        powers = np.exp(self.settings.omega * (values - best))
        mean = powers.mean(axis=1, where=values > -np.inf)
        return best[:, 0] + np.log(mean) / self.settings.omega
