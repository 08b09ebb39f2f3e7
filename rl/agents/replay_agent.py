"""What agents that learn values from a replay memory have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nn import COSTS, Network, Optimizer, make_cost
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import Agent
from rl.agents.learning import clip_and_step, require_finite_loss, with_history
from rl.agents.reward_scale import RewardScale
from rl.environments import Transitions
from rl.errors import Diverged
from rl.exploration import Explorer
from rl.memory import Batch, NStep, Replay
from rl.targets import td_target


class ReplayAgent(Agent):
    """Stores what happens in a memory, and learns values from samples of it at a steady pace.

    Args:
        memory: the replay memory.
        exploration: chooses actions.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Agent.Settings):
        """Those of every agent with a replay memory."""

        gamma: float = setting("discount per step", 0.99, least=0, most=1)
        n_step: int = setting("steps between a state and the state it bootstraps from", 1, least=1)
        learn_start: int = setting("environment steps before the first update", 1000, least=0)
        learn_every: int = setting("environment steps per update, over all lanes", 4, least=1)
        tau: float = setting(
            "weight of the online network in each update of its target: 1 copies it (Mnih et al. "
            "2015), less blends (Lillicrap et al. 2016)",
            0.01,
            above=0,
            most=1,
        )
        max_gradient_norm: float = setting(
            "maximum norm of each network's gradient; longer ones are scaled down", 10.0, above=0
        )
        return_std: float | None = setting(
            "standard deviation that rewards are scaled to give to discounted returns, so that the "
            "scale of a problem's rewards does not matter; null leaves them as they are",
            None,
            above=0,
        )
        cost: str = setting('cost of the values, "huber" or "quadratic"', "huber", names=COSTS)

    settings: Settings
    exploration: Explorer
    metric_names: tuple[str, ...] = ("loss", "mean_q", "gradient_norm", "exploration")

    def __init__(
        self,
        memory: Replay,
        exploration: Explorer,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        self.settings = settings = settings or self.Settings()
        self.memory, self.exploration = memory, exploration
        self.cost = make_cost(settings.cost)
        steps, gamma = settings.n_step, settings.gamma
        self._n_step = [NStep(memory.adder(lane), steps, gamma) for lane in range(lanes)]
        self._scale = settings.return_std and RewardScale(settings.return_std, gamma, lanes)
        self._loss = self._gradient_norm = math.nan
        self._q: Array = np.full(memory.batch_size, np.nan, np.float32)  # of the latest update

    @property
    def learns_after(self) -> int:
        return self.settings.learn_start

    def gradient_steps(self, steps: int) -> int:
        return max(steps - self.settings.learn_start, 0) // self.settings.learn_every

    @property
    def replay(self) -> Replay:
        return self.memory

    def abandon(self, lane: int) -> None:
        self._n_step[lane].clear()
        if self._scale:
            self._scale.abandon(lane)
        self._ended(lane, None)

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        for lane, n_step in enumerate(self._n_step):
            terminated, truncated = bool(t.terminated[lane]), bool(t.truncated[lane])
            next_mask = None if t.next_masks is None else t.next_masks[lane]
            n_step.add(
                t.observations[lane],
                t.actions[lane],
                float(t.rewards[lane]),
                t.next_observations[lane],
                terminated,
                truncated,
                next_mask,
            )
            if self._scale:
                self._scale.add(lane, float(t.rewards[lane]), terminated or truncated)
            if terminated or truncated:
                self._ended(lane, float(t.returns[lane]))
        self.steps += len(self._n_step)

    def _ended(self, lane: int, total: float | None) -> None:
        self.memory.ended(lane, total)
        self.exploration.ended(lane, total)

    def learn(self) -> None:
        due = (self.steps - self.settings.learn_start) // self.settings.learn_every
        while self.updates < due and self.memory.size:
            batch = self.memory.sample()
            if self._scale:
                batch = replace(batch, rewards=batch.rewards * np.float32(self._scale.factor))
            try:
                self.update(batch)
            except Diverged as error:
                raise with_history(error, self.metrics()) from None

    def update(self, batch: Batch) -> None:
        """Learns from a sample; counts it in `updates`."""
        raise NotImplementedError

    def next_values(self, batch: Batch) -> Array:
        """What the states that follow are worth [B], by the target network."""
        raise NotImplementedError

    def targets(self, batch: Batch) -> Array:
        """y = r + discount * V(s') [B]; [B, N] where the values are a distribution."""
        return td_target(batch.rewards, batch.discounts, self.next_values(batch))

    def loss(self, q: Array, y: Array) -> tuple[float, Array]:
        """The cost of predictions q [B] against targets y [B], and dC/dq [B]."""
        gradient = np.empty_like(q)
        return self.cost.gradient(q, y, out=gradient), gradient

    def weighted_loss(self, batch: Batch, q: Array, y: Array) -> tuple[float, Array]:
        """`loss`, with each transition's part of the gradient times its weight in the sample.

        Raises:
            Diverged: the cost is not finite.
        """
        loss, gradient = self.loss(q, y)
        require_finite_loss(loss, self.updates)
        if batch.weights is not None:
            gradient = (gradient.T * batch.weights).T
        return loss, gradient

    def clip_and_step(self, name: str, network: Network, optimizer: Optimizer) -> float:
        """Moves one network along its gradients; returns their norm before it was clipped."""
        limit = self.settings.max_gradient_norm
        return clip_and_step({name: network}, {name: optimizer}, limit, self.updates)[name]

    def conclude(self, batch: Batch, loss: float, q: Array, y: Array, gradient_norm: float) -> None:
        """Updates the priorities of the batch, notes the metrics, and counts the update."""
        if batch.weights is not None:
            self.memory.update_priorities(q - y if q.ndim == 1 else (q - y).mean(axis=1))
        self._loss, self._gradient_norm, self._q = loss, gradient_norm, q
        self.updates += 1

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self._loss,
            "mean_q": float(self._q.mean()),
            "gradient_norm": self._gradient_norm,
            "exploration": self.exploration.amount(self.steps),
        }

    def state(self) -> State:
        latest = {"loss": self._loss, "gradient_norm": self._gradient_norm, "q": self._q}
        return {
            "memory": self.memory.state(),
            "exploration": self.exploration.state(),
            "n_step": {str(lane): each.state() for lane, each in enumerate(self._n_step)},
            "steps": self.steps,
            "updates": self.updates,
            "latest": latest,
            **({"scale": self._scale.state()} if self._scale else {}),
        }

    def restore(self, state: State) -> None:
        self.memory.restore(state["memory"])
        self.exploration.restore(state["exploration"])
        for lane, each in enumerate(self._n_step):
            each.restore(state["n_step"][str(lane)])
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
        if self._scale:
            self._scale.restore(state["scale"])
        latest = state["latest"]
        self._loss, self._gradient_norm = latest["loss"], latest["gradient_norm"]
        self._q = latest["q"]
