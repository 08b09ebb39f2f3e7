"""Double DQN (van Hasselt, Guez and Silver 2016)."""

from __future__ import annotations

from nn.typing import Array, IntArray
from rl.agents.dqn import DQN
from rl.memory import Batch


class DoubleDQN(DQN):
    """DQN with the next action chosen by the online network and valued by the target network.

    The maximum of noisy values is biased upwards; two networks whose noise differs take most of
    that bias away: y = r + gamma Q_target(s', argmax_a' Q(s', a')) (eq. 4).
    """

    def next_actions(self, batch: Batch, values: Array) -> IntArray:
        """argmax_a' Q(s', a') [B]."""
        return self.q.values(batch.next_observations, batch.next_masks).argmax(axis=1)
