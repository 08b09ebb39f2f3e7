"""Deep Q-learning (Mnih et al. 2015)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import NeuralNet, Optimizer, make_cost
from nn.typing import Array, IntArray, State
from rl.agents.base import Parts
from rl.agents.learning import (
    descend,
    require_blend,
    require_counts,
    require_finite_loss,
    require_finite_weights,
    require_not_negative,
    require_positive,
)
from rl.agents.replaying import ReplayingAgent
from rl.agents.thoughts import Thoughts, of_values
from rl.exploration import Explorer
from rl.memory import Batch, Replay
from rl.spaces import Discrete
from rl.targets import td_target

_AVERAGE_EVERY = 10  # updates between two parameters that enter the average


class DQN(ReplayingAgent):
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
        dueling: the network gives V(s) and the advantages A(s, a) instead (Wang et al. 2016).
        cost: "huber" or "quadratic".
    """

    metric_names = ("loss", "mean_q", "gradient_norm", "exploration")

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
        dueling: bool = False,
        cost: str = "huber",
    ) -> None:
        super().__init__(
            memory, exploration, lanes,
            gamma=gamma, n_step=n_step, learn_start=learn_start, learn_every=learn_every,
        )  # fmt: skip
        require_counts(target_every=target_every)
        require_blend(target_blend)
        require_not_negative(average_updates=average_updates)
        require_positive(max_gradient_norm=max_gradient_norm)
        self.network, self.target, self.optimizer = network, network.copy(), optimizer
        self.policy = network.copy() if average_updates else network
        self.cost, self.dueling = make_cost(cost), dueling
        self.cost.require_output(network.output)
        self.target_every, self.target_blend = target_every, target_blend
        self.average_updates, self.max_gradient_norm = average_updates, max_gradient_norm
        self._loss = self._gradient_norm = math.nan
        batch, actions = memory.batch_size, network.sizes[-1] - dueling
        self._rows = np.arange(batch) * actions
        self._chosen = np.empty(batch, np.int64)  # flat indices of the chosen actions' values
        self._values = np.empty((batch, actions), np.float32)
        self._next_values = np.empty(batch, np.float32)
        self._q = np.full(batch, np.nan, np.float32)  # of the latest update that went well
        self._spare_q = np.empty(batch, np.float32)
        self._y = np.empty(batch, np.float32)
        self._error = np.empty(batch, np.float32)

    @classmethod
    def assemble(cls, parts: Parts, lanes: int, **settings: Any) -> DQN:
        actions = parts.spaces.actions
        assert isinstance(actions, Discrete)
        outputs = actions.count + bool(settings.get("dueling"))
        network = parts.network(parts.spaces.observation_size, outputs)
        optimizer = parts.optimizer(network)
        return cls(network, optimizer, parts.memory(), parts.exploration(), lanes, **settings)

    def values(self, observations: Array) -> Array:
        """What the greedy policy goes by: Q(s, a) [N, A] for observations [N, n]."""
        return self._values_of(self.policy, observations)

    def act(self, observations: Array) -> IntArray:
        return self.values(observations).argmax(axis=1)

    def thoughts(self, observations: Array) -> Thoughts:
        return of_values(self.values(observations)[0])

    def explore(self, observations: Array) -> IntArray:
        return self.exploration.choose(self._values_of(self.network, observations), self.steps)

    def _values_of(self, network: NeuralNet, observations: Array) -> Array:
        """Q(s, a) [N, A] of one of the networks."""
        outputs = network.forward(observations)
        return dueling_values(outputs) if self.dueling else outputs

    def _update(self, batch: Batch) -> None:
        y = td_target(batch.rewards, batch.discounts, self.next_values(batch), out=self._y)
        values = self._values_of(self.network, batch.observations)
        q = self._q_of(values, batch.actions, out=self._spare_q)
        loss = self.cost.gradient(q, y, out=self._error)
        if batch.weights is not None:
            np.multiply(self._error, batch.weights, out=self._error)
            self.memory.learned(q - y)
        self._values.fill(0.0)
        self._values.reshape(-1)[self._chosen] = self._error
        self.network.backward(dueling_gradient(self._values) if self.dueling else self._values)
        self._descend(loss)
        self._q, self._spare_q = q, self._q
        self.updates += 1
        if self.updates % self.target_every == 0:
            self.target.follow(self.network, self.target_blend)
        if self.average_updates and self.updates % _AVERAGE_EVERY == 0:
            # A plain mean at first, so that the first parameters do not linger.
            window = min(self.average_updates, self.updates) / _AVERAGE_EVERY
            self.policy.follow(self.network, blend=1.0 / max(window, 1.0))

    def next_values(self, batch: Batch) -> Array:
        """max_a' Q_target(s', a') [B]: the value of what follows. Double DQN differs here."""
        values = self._values_of(self.target, batch.next_observations)
        return np.maximum.reduce(values, axis=1, out=self._next_values)

    def _q_of(self, values: Array, actions: IntArray, out: Array) -> Array:
        """values[i, actions[i]] for each i, into `out` [B]."""
        np.copyto(self._values, values)
        np.add(self._rows, actions, out=self._chosen)
        return self._values.reshape(-1).take(self._chosen, out=out, mode="clip")

    def _descend(self, loss: float) -> None:
        require_finite_loss(loss, self.updates)
        norms = descend(
            {"network": self.network}, {"network": self.optimizer},
            self.max_gradient_norm, self.updates,
        )  # fmt: skip
        self._loss, self._gradient_norm = loss, norms["network"]

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self._loss,
            "mean_q": float(self._q.mean()),
            "gradient_norm": self._gradient_norm,
            "exploration": self.exploration.amount(self.steps),
        }

    def policy_state(self) -> State:
        require_finite_weights({"network": self.policy}, self.updates)
        return {"network": self.policy.state()}

    def restore_policy(self, state: State) -> None:
        for network in (self.network, self.target, self.policy):
            network.restore(state["network"])

    def state(self) -> State:
        parts = {name: getattr(self, name).state() for name in _LEARNED}
        latest = {"loss": self._loss, "gradient_norm": self._gradient_norm, "q": self._q.copy()}
        return {**super().state(), **parts, "latest": latest}

    def restore(self, state: State) -> None:
        super().restore(state)
        for name in _LEARNED:
            getattr(self, name).restore(state[name])
        latest = state["latest"]
        self._loss, self._gradient_norm = latest["loss"], latest["gradient_norm"]
        np.copyto(self._q, latest["q"])


_LEARNED = ("network", "target", "policy", "optimizer")


def dueling_values(outputs: Array) -> Array:
    """Q = V + A - mean(A) [B, A] of outputs [B, 1 + A], V first (Wang et al. 2016, eq. 9).

    The two streams share all hidden layers.
    """
    advantages = outputs[:, 1:]
    return outputs[:, :1] + advantages - advantages.mean(axis=1, keepdims=True)


def dueling_gradient(gradient: Array) -> Array:
    """dC/doutputs [B, 1 + A] for dC/dQ [B, A], the transpose of `dueling_values`."""
    total = gradient.sum(axis=1, keepdims=True)
    return np.hstack([total, gradient - total / gradient.shape[1]])
