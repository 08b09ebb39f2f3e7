"""Agents that act on the sum of two networks; of those, double Q-learning (van Hasselt 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nn import Optimizer
from nn.settings import setting
from nn.typing import Array, BoolArray, IntArray, State
from rl.agents.base import GreedyPolicy
from rl.agents.learning import require_finite_weights
from rl.agents.values import ActionValues
from rl.errors import UserError
from rl.memory import Batch
from rl.openai_lab.counting import bounded, tenth
from rl.openai_lab.dqn import DQN2017, FreezeDQN2017


class OfBoth(DQN2017):
    """Acts on the sum of its network and the target network."""

    kin = "values of two networks"

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """Q(s, a) + Q_target(s, a) [N, A] for observations [N, n]."""
        return self.q.values(observations, masks) + self.target.values(observations, masks)

    def explore(self, observations: Array, masks: BoolArray | None = None) -> IntArray:
        chosen: IntArray = self.exploration.choose(self.values(observations, masks), self.steps)
        return chosen

    @property
    def greedy_policy(self) -> GreedyPolicy:
        name = type(self).__name__.removesuffix("2017")
        raise UserError(f"the policy of {name}_2017 is of two networks: it cannot be exported")

    def policy_state(self) -> State:
        require_finite_weights({"network": self.q.network}, self.updates)
        return {"network": self.q.state(), "other": self.target.state()}

    def restore_policy(self, state: State) -> None:
        self.q.restore(state["network"])
        self.target.restore(state["other"])


class FreezeDQNOfBoth2017(OfBoth, FreezeDQN2017):
    """`FreezeDQN2017` that acts on the sum of its network and the frozen target network."""


class DoubleDQN2017(OfBoth):
    """Two networks, each with its optimizer, swap roles before each minibatch (algorithm 1):

        y = r + gamma Q_B(s', argmax_a' Q_A(s', a'))
        descend along the gradient of the mean of (Q_A(s, .) - target)^2.

    The agent acts on Q_A + Q_B. Both start equal.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN2017.Settings):
        """Those of `DoubleDQN2017`."""

        acts_on_both: bool = setting("whether it explores by the sum of both, or by Q_A", True)

    settings: Settings

    def __init__(self, network: Any, optimizer: Optimizer, *parts: Any) -> None:
        super().__init__(network, optimizer, *parts)
        self.target = self.q.copy()
        other = self.target.network
        self.other_optimizer = type(optimizer)(
            other.parameters, other.gradients, optimizer.settings
        )
        self._other_lowered = False

    def swap(self) -> None:
        """Exchanges the roles of A and B."""
        self.q, self.target = self.target, self.q
        self.optimizer, self.other_optimizer = self.other_optimizer, self.optimizer
        self._lowered, self._other_lowered = self._other_lowered, self._lowered

    def update(self, batch: Batch) -> None:
        self.swap()
        super().update(batch)

    def next_values(self, batch: Batch) -> Array:
        """Q_B(s', argmax_a' Q_A(s', a')) [B]."""
        seen = batch.next_observations, batch.next_masks
        best = bounded(self.q.values(*seen)).argmax(axis=1)
        chosen: Array = self.following(batch)[self.rows, best]
        return chosen

    def explore(self, observations: Array, masks: BoolArray | None = None) -> IntArray:
        if self.settings.acts_on_both:
            return super().explore(observations, masks)
        return DQN2017.explore(self, observations, masks)

    def state(self) -> State:
        return {**super().state(), "other_lowered": self._other_lowered}

    def restore(self, state: State) -> None:
        if state["other_lowered"]:
            self.other_optimizer, self._other_lowered = tenth(self.other_optimizer), True
        super().restore(state)

    def _learned(self) -> dict[str, ActionValues | Optimizer]:
        return {
            **super()._learned(),
            "target": self.target,
            "other_optimizer": self.other_optimizer,
        }
