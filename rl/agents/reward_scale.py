"""Rewards in units of the returns that they make, for agents with a replay memory."""

from __future__ import annotations

import math

from nn.typing import State
from rl.preprocessors.normalize import Spread


class RewardScale:
    """The factor that gives discounted returns a wanted standard deviation.

    It is for rewards that are sampled, not for those that are stored: so all transitions of a
    batch have the same scale, however much was learned of the returns since they were made. The
    deviation is that of the sums R_t = r_t + gamma R_{t-1} within episodes, as Engstrom et al.
    (2020, section 3) have it.

    Args:
        std: the wanted standard deviation.
        gamma: the discount per step.
        lanes: environments stepped together.
    """

    def __init__(self, std: float, gamma: float, lanes: int) -> None:
        self._std, self._gamma = std, gamma
        self._returns, self._spread = [0.0] * lanes, Spread()

    @property
    def factor(self) -> float:
        """What a reward is multiplied by."""
        return self._std / (math.sqrt(self._spread.variance) or 1.0)

    def add(self, lane: int, reward: float, ended: bool) -> None:
        """Takes in a step of a lane."""
        total = reward + self._gamma * self._returns[lane]
        self._spread.add(total)
        self._returns[lane] = 0.0 if ended else total

    def abandon(self, lane: int) -> None:
        """Forgets the episode of a lane."""
        self._returns[lane] = 0.0

    def state(self) -> State:
        """What `restore` needs."""
        return {"returns": list(self._returns), "spread": self._spread.state()}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._returns = [float(each) for each in state["returns"]]
        self._spread.restore(state["spread"])
