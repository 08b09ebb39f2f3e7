"""Sarsa and expected Sarsa with a network and a replay memory."""

from __future__ import annotations

from nn.typing import Array
from rl.agents.dqn import DQN
from rl.exploration import expected
from rl.memory import Batch


class DeepSarsa(DQN):
    """DQN that values the next state by an action a' of the exploring policy.

        y = r + gamma Q_target(s', a'), a' drawn by the explorer from Q(s', .)

    (Rummery and Niranjan 1994, with the memory and the target network of Mnih et al. 2015). The a'
    of a replayed transition was taken by a policy of long ago; so it is drawn anew, by the policy
    of now, which keeps the target on-policy.
    """

    def next_values(self, batch: Batch) -> Array:
        """Q_target(s', a') [B]; draws a'."""
        seen = batch.next_observations, batch.next_masks
        next_actions = self.exploration.choose(self.q.values(*seen), self.steps)
        chosen: Array = self.target.values(*seen)[self.rows, next_actions]
        return chosen


class DeepExpectedSarsa(DQN):
    """DQN that values the next state by the mean over the exploring policy's actions.

    y = r + gamma sum_a' pi(a'|s') Q_target(s', a'), with pi what the explorer makes of Q_target
    (van Seijen et al. 2009, with the memory and target network of Mnih et al. 2015).
    """

    needs_probabilities = True

    def next_values(self, batch: Batch) -> Array:
        """sum_a' pi(a'|s') Q_target(s', a') [B]."""
        values = self.target.values(batch.next_observations, batch.next_masks)
        return expected(self.exploration, values, self.steps)
