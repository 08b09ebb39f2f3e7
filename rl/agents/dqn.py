"""Deep Q-learning (Mnih et al. 2015)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import NeuralNet, Optimizer, clip_norm, make_cost
from nn.typing import Array, IntArray, State
from rl.agents.base import Agent, Parts
from rl.environments import Transitions
from rl.errors import Diverged
from rl.exploration import Explorer
from rl.memory import Batch, NStep, Replay
from rl.targets import td_target

_AVERAGE_EVERY = 10  # updates between two parameters that enter the average


class DQN(Agent):
    """Learns Q(s, a), the discounted return of action a in state s, from replayed transitions.

    With probability epsilon act at random, else a = argmax_a Q(s, a); store the transition; then
    for a minibatch (Mnih et al. 2015, algorithm 1):

        y = r + gamma max_a' Q_target(s', a')
        descend along the gradient of cost(Q(s, a) - y)
        let the target network follow.

    Args:
        network: Q, from observations [B, n] to action values [B, A].
        optimizer: of the network's parameters.
        memory: the replay memory.
        exploration: chooses actions from values.
        lanes: environments stepped together.
        gamma: discount of one step, in [0, 1].
        n_step: steps between a state and the one it bootstraps from.
        learn_start: environment steps before the first update.
        learn_every: environment steps an update, over all lanes.
        target_every: updates between two of the target network.
        target_blend: how much of the online network the target then takes over: 1 copies it
            (Mnih et al. 2015), less blends (Lillicrap et al. 2016).
        average_updates: the greedy policy's parameters are the online network's, averaged over
            about so many updates (Polyak and Juditsky 1992), which takes out their jitter; 0
            takes the online network as it is. What is learned does not depend on it.
        max_gradient_norm: longer gradients are scaled down to it.
        cost: "huber" or "quadratic".
    """

    def __init__(
        self,
        network: NeuralNet,
        optimizer: Optimizer,
        memory: Replay,
        exploration: Explorer,
        lanes: int = 1,
        *,
        gamma: float = 0.99,
        n_step: int = 1,
        learn_start: int = 1000,
        learn_every: int = 4,
        target_every: int = 1,
        target_blend: float = 0.01,
        average_updates: int = 0,
        max_gradient_norm: float = 10.0,
        cost: str = "huber",
    ) -> None:
        _check_settings(gamma, target_blend, max_gradient_norm)
        _check_counts(learn_start, average_updates, learn_every, target_every)
        self.network, self.target, self.optimizer = network, network.copy(), optimizer
        self.policy = network.copy() if average_updates else network
        self.memory, self.exploration = memory, exploration
        self.gamma, self.cost = gamma, make_cost(cost)
        self.cost.require_output(network.output)
        self.learn_start, self.learn_every = learn_start, learn_every
        self.target_every, self.target_blend = target_every, target_blend
        self.average_updates, self.max_gradient_norm = average_updates, max_gradient_norm
        self._n_step = [NStep(memory.add, n_step, gamma) for _ in range(lanes)]
        self._loss = self._gradient_norm = math.nan
        batch, actions = memory.batch_size, network.sizes[-1]
        self._rows = np.arange(batch) * actions
        self._chosen = np.empty(batch, np.int64)  # flat indices of the chosen actions' values
        self._values = np.empty((batch, actions), np.float32)
        self._next_values = np.empty(batch, np.float32)
        self._q = np.empty(batch, np.float32)
        self._y = np.empty(batch, np.float32)
        self._error = np.empty(batch, np.float32)

    @classmethod
    def assemble(cls, parts: Parts, lanes: int, **settings: Any) -> DQN:
        network = parts.network(parts.spaces.observation_size, parts.spaces.actions)
        optimizer = parts.optimizer(network)
        return cls(network, optimizer, parts.memory(), parts.exploration(), lanes, **settings)

    @property
    def learns_after(self) -> int:
        return self.learn_start

    def values(self, observations: Array) -> Array:
        return self.policy.forward(observations)

    def explore(self, observations: Array) -> IntArray:
        return self.exploration.choose(self.network.forward(observations), self.steps)

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        for lane, n_step in enumerate(self._n_step):
            n_step.add(
                t.observations[lane],
                t.actions[lane],
                float(t.rewards[lane]),
                t.next_observations[lane],
                t.terminated[lane],
                t.truncated[lane],
            )
        self.steps += len(self._n_step)

    def learn(self) -> None:
        due = (self.steps - self.learn_start) // self.learn_every
        while self.updates < due and self.memory.size:
            self._update(self.memory.sample())

    def _update(self, batch: Batch) -> None:
        y = td_target(batch.rewards, batch.discounts, self.next_values(batch), out=self._y)
        q = self._q_of(self.network.forward(batch.observations), batch.actions, out=self._q)
        self._loss = self.cost.gradient(q, y, out=self._error)
        self._values.fill(0.0)
        self._values.reshape(-1)[self._chosen] = self._error
        self.network.backward(self._values)
        self._descend()
        self.updates += 1
        if self.updates % self.target_every == 0:
            self.target.follow(self.network, self.target_blend)
        if self.average_updates and self.updates % _AVERAGE_EVERY == 0:
            # A plain mean at first, so that the first parameters do not linger.
            window = min(self.average_updates, self.updates) / _AVERAGE_EVERY
            self.policy.follow(self.network, blend=1.0 / max(window, 1.0))

    def next_values(self, batch: Batch) -> Array:
        """max_a' Q_target(s', a') [B]: the value of what follows. Double DQN differs here."""
        values = self.target.forward(batch.next_observations)
        return np.maximum.reduce(values, axis=1, out=self._next_values)

    def _q_of(self, values: Array, actions: IntArray, out: Array) -> Array:
        """values[i, actions[i]] for each i, into `out` [B]."""
        np.copyto(self._values, values)
        np.add(self._rows, actions, out=self._chosen)
        return self._values.reshape(-1).take(self._chosen, out=out, mode="clip")

    def _descend(self) -> None:
        self._gradient_norm = clip_norm(self.network.gradients, self.max_gradient_norm)
        if not math.isfinite(self._loss):
            raise Diverged("loss", f"{self._loss} at update {self.updates}")
        if not math.isfinite(self._gradient_norm):
            raise Diverged("gradient", f"norm {self._gradient_norm} at update {self.updates}")
        self.optimizer.step()

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self._loss,
            "mean_q": float(self._q.mean()),
            "gradient_norm": self._gradient_norm,
            "exploration": self.exploration.amount(self.steps),
        }

    def policy_state(self) -> State:
        if not np.isfinite(self.policy.parameters).all():
            raise Diverged("weights", f"not finite after update {self.updates}")
        return {"network": self.policy.state()}

    def restore_policy(self, state: State) -> None:
        for network in (self.network, self.target, self.policy):
            network.restore(state["network"])

    def state(self) -> State:
        return {
            "network": self.network.state(),
            "target": self.target.state(),
            "policy": self.policy.state(),
            "optimizer": self.optimizer.state(),
            "memory": self.memory.state(),
            "exploration": self.exploration.state(),
            "n_step": {str(lane): each.state() for lane, each in enumerate(self._n_step)},
            "steps": self.steps,
            "updates": self.updates,
        }

    def restore(self, state: State) -> None:
        for name in ("network", "target", "policy", "optimizer", "memory", "exploration"):
            getattr(self, name).restore(state[name])
        for lane, each in enumerate(self._n_step):
            each.restore(state["n_step"][str(lane)])
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


def _check_settings(gamma: float, target_blend: float, max_gradient_norm: float) -> None:
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie in [0, 1], not {gamma}")
    if not 0 < target_blend <= 1:
        raise ValueError(f"target_blend must lie in (0, 1], not {target_blend}")
    if not max_gradient_norm > 0:
        raise ValueError(f"max_gradient_norm must be greater than 0, not {max_gradient_norm}")


def _check_counts(
    learn_start: int, average_updates: int, learn_every: int, target_every: int
) -> None:
    for name, value in (("learn_start", learn_start), ("average_updates", average_updates)):
        if value < 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    for name, value in (("learn_every", learn_every), ("target_every", target_every)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
