"""Double Q-learning with two networks that swap roles (van Hasselt 2010)."""

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
from rl.openai_lab.dqn import DQN2017


class DoubleDQN2017(DQN2017):
    """Two networks, each with its optimizer, swap roles before each minibatch (algorithm 1):

        y = r + gamma Q_B(s', argmax_a' Q_A(s', a'))
        descend along the gradient of the mean of (Q_A(s, .) - target)^2.

    The agent acts on Q_A + Q_B. Both start equal.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN2017.Settings):
        """Those of `DoubleDQN2017`."""

        acts_on_both: bool = setting("whether it explores by the sum of both, or by Q_A", True)

    kin = "values of two networks"
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

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """Q_A + Q_B [N, A] for observations [N, n]."""
        return self.q.values(observations, masks) + self.target.values(observations, masks)

    def explore(self, observations: Array, masks: BoolArray | None = None) -> IntArray:
        by = self.values if self.settings.acts_on_both else self.q.values
        chosen: IntArray = self.exploration.choose(by(observations, masks), self.steps)
        return chosen

    @property
    def greedy_policy(self) -> GreedyPolicy:
        raise UserError("the policy of DoubleDQN_2017 is of two networks: it cannot be exported")

    def policy_state(self) -> State:
        require_finite_weights({"network": self.q.network}, self.updates)
        return {"network": self.q.state(), "other": self.target.state()}

    def restore_policy(self, state: State) -> None:
        self.q.restore(state["network"])
        self.target.restore(state["other"])

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
