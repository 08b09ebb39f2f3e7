"""The value-based agents of OpenAI Lab with one learning network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import ACTIVATIONS, Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import Parts
from rl.agents.dqn import DQN
from rl.agents.learning import require_finite_loss
from rl.agents.values import ActionValues
from rl.environments.spaces import Discrete
from rl.memory import Batch
from rl.openai_lab.counting import Counting, bounded, mean_square, tenth
from rl.openai_lab.exploration import ByEpisode


class DQN2017(Counting, DQN):
    """Q-learning with a replay memory and no target network:

        y = r + gamma max_a' Q(s', a'),  the values cut to +-10,000
        descend along the gradient of the mean over B and all A of (Q(s, .) - target)^2,

    where the target is y for the action taken, and Q(s, .) itself, cut, for the others.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Counting.Settings, DQN.Settings):
        """Those of `DQN2017`."""

        epi_change_lr: int | None = setting(
            "episode at whose start a new optimizer takes over, with a tenth of the learning rate",
            None,
            least=0,
        )
        output: str = setting("activation of the last layer", "identity", names=ACTIVATIONS)
        tau: float = setting("not used", 1.0, least=1, most=1)
        target_every: int = setting("not used", 1, least=1, most=1)
        average_updates: int = setting("not used", 0, least=0, most=0)
        cost: str = setting("the mean square, and no other", "quadratic", names=("quadratic",))

    network_options = ()
    settings: Settings

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.target = self.policy = self.q
        self._lowered = False  # whether the learning rate is a tenth

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> DQN2017:
        actions = parts.spaces.actions
        assert isinstance(actions, Discrete)
        sizes = parts.spaces.observation_size, settings.head.outputs(actions.count)
        network = parts.network(*sizes, output=settings.output)
        network.pixel_scale = 1.0  # bytes entered as they are
        optimizer, memory = parts.optimizer(network), parts.memory()
        return cls(network, optimizer, memory, parts.exploration(), settings, parts.lanes)

    def prepare(self, t: int, is_over: bool) -> None:
        if t == 0 and self._episode == self.settings.epi_change_lr:
            self._lower()

    def _lower(self) -> None:
        self.optimizer, self._lowered = tenth(self.optimizer), True

    def update(self, batch: Batch) -> None:
        y = self.targets(batch).astype(np.float32)
        predicted = self.q.predict(batch.observations, training=True)
        taken = (self.rows, batch.actions)
        q, error = predicted[taken], predicted - bounded(predicted)
        error[taken] = q - y
        loss, gradient = mean_square(error)
        require_finite_loss(loss, self.updates)
        self.q.backward(gradient)
        norm = self.clip_and_step("network", self.q.network, self.optimizer)
        self.conclude(batch, loss, bounded(q), y, norm)

    def next_values(self, batch: Batch) -> Array:
        """max_a' Q(s', a') [B]."""
        return self.following(batch).max(axis=1)

    def following(self, batch: Batch) -> Array:
        """Q(s', .) [B, A], cut."""
        return bounded(self.target.values(batch.next_observations, batch.next_masks))

    def restore(self, state: State) -> None:
        if state["lowered"]:
            self._lower()
        super().restore(state)

    def state(self) -> State:
        return {**super().state(), "lowered": self._lowered}

    def _learned(self) -> dict[str, ActionValues | Optimizer]:
        return {"network": self.q, "optimizer": self.optimizer}


class FreezeDQN2017(DQN2017):
    """DQN whose target network is a copy of the network as each episode ends."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.target = self.q.copy()

    def prepare(self, t: int, is_over: bool) -> None:
        if is_over:
            self.target.polyak_update(self.q, 1.0)
        super().prepare(t, is_over)

    def _learned(self) -> dict[str, ActionValues | Optimizer]:
        return {**super()._learned(), "target": self.target}


class OffPolicySarsa2017(DQN2017):
    """Expected Sarsa for an epsilon-greedy policy with an epsilon of its own, `eval_e`:

    y = r + gamma ((1 - eval_e) max_a' Q(s', a') + eval_e mean_a' Q(s', a')).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN2017.Settings):
        """Those of `OffPolicySarsa2017`."""

        eval_e: float = setting("epsilon of the policy that is evaluated", 0.05, least=0, most=1)

    settings: Settings

    def next_values(self, batch: Batch) -> Array:
        """(1 - epsilon) max_a' Q(s', a') + epsilon mean_a' Q(s', a') [B]."""
        return self.mixed(batch, self.settings.eval_e)

    def mixed(self, batch: Batch, epsilon: float) -> Array:
        """The mean of Q(s', .) under an epsilon-greedy policy [B]."""
        values = self.following(batch)
        mixed: Array = (1.0 - epsilon) * values.max(axis=1) + epsilon * values.mean(axis=1)
        return mixed


class DeepSarsa2017(DQN2017):
    """Learns from the latest transition alone; a' is drawn anew by the exploring policy.

    y = r + gamma Q(s', a'). Its memory holds one transition.
    """

    def next_values(self, batch: Batch) -> Array:
        """Q(s', a') [B]; draws a'."""
        values, explorer = self.following(batch), self.exploration
        draw = explorer.peek if isinstance(explorer, ByEpisode) else explorer.choose
        chosen: Array = values[self.rows, draw(values, self.steps)]
        return chosen


class DeepExpectedSarsa2017(OffPolicySarsa2017):
    """Learns from the latest transition alone, with the epsilon that the policy explores by."""

    Settings = DQN2017.Settings  # type: ignore[assignment]
    settings: DQN2017.Settings  # type: ignore[assignment]

    def next_values(self, batch: Batch) -> Array:
        """(1 - epsilon) max_a' Q(s', a') + epsilon mean_a' Q(s', a') [B]."""
        return self.mixed(batch, self.exploration.amount(self.steps))
