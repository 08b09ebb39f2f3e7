"""Deep Q-learning (Mnih et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import Network, Optimizer
from nn.settings import setting
from nn.typing import Array, IntArray, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.learning import require_finite_weights
from rl.agents.replay_agent import ReplayAgent
from rl.agents.thoughts import Thoughts, of_values
from rl.agents.values import ActionValues, Head, spread
from rl.environments.spaces import Discrete
from rl.exploration import Explorer
from rl.memory import Batch, Replay

_AVERAGE_EVERY = 10  # updates between two parameters that enter the average


class DQN(ReplayAgent):
    """Learns Q(s, a), the discounted return of action a in state s, from replayed transitions.

    With probability epsilon act at random, else a = argmax_a Q(s, a); store the transition; then
    for a minibatch (Mnih et al. 2015, algorithm 1):

        y = r + gamma max_a' Q_target(s', a')
        descend along the gradient of cost(Q(s, a) - y)
        let the target network follow.

    A noisy network (Fortunato et al. 2018) has new noise for each step of all lanes, and in each
    update, where the target network has its own; the greedy policy has none.

    Args:
        network: behind Q, from observations [B, n] to as many outputs as its head reads.
        optimizer: of the network's parameters.
        memory: the replay memory.
        exploration: chooses actions from values.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(ReplayAgent.Settings):
        """Those of `DQN`."""

        target_every: int = setting(
            "updates of the network per update of the target network", 1, least=1
        )
        average_updates: int = setting(
            "updates over which the greedy policy averages the online network's parameters (Polyak "
            "and Juditsky 1992), to reduce their jitter; 0 uses the online network itself. "
            "Learning does not depend on it",
            0,
            least=0,
        )
        dueling: bool = setting(
            "whether the network outputs V(s) and advantages A(s, a) (Wang et al. 2016)", False
        )

        @property
        def head(self) -> Head:
            """How the network's outputs are read."""
            return Head(dueling=self.dueling)

    kin = "values of actions"
    sees_pictures = True
    network_options: tuple[str, ...] = ("batch_norm", "noisy")
    carried: tuple[str, ...] = ("dueling",)
    settings: Settings

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        memory: Replay,
        exploration: Explorer,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        super().__init__(memory, exploration, settings, lanes)
        self.cost.require_output(network.output)
        self.q, self.optimizer = self.make_values(network), optimizer
        self._noise = network.rng  # draws that of noisy networks
        self.rows = np.arange(memory.batch_size)  # beside actions [B], the index of their values
        self.target = self.q.copy()
        self.policy = self.q.copy() if self.settings.average_updates else self.q

    def make_values(self, network: Network) -> ActionValues:
        """Q, of the network behind it."""
        return ActionValues(network, self.settings.head)

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> DQN:
        actions = parts.spaces.actions
        assert isinstance(actions, Discrete)
        outputs = settings.head.outputs(actions.count)
        network = parts.network(parts.spaces.observation_size, outputs)
        optimizer, memory = parts.optimizer(network), parts.memory()
        return cls(network, optimizer, memory, parts.exploration(), settings, parts.lanes)

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """The action values of the greedy policy: Q(s, a) [N, A] for observations [N, n]."""
        self.policy.network.still()
        return self.policy.values(observations, masks)

    def act(self, observations: Array, masks: Array | None = None) -> IntArray:
        return self.values(observations, masks).argmax(axis=1)

    @property
    def greedy_policy(self) -> GreedyPolicy:
        # Of dueling heads V, which is first, and the mean do not change which action is the best.
        network, quantiles = self.policy.network, self.policy.head.quantiles
        if quantiles is None:
            return GreedyPolicy(network, first=int(self.policy.head.dueling))
        first = quantiles * self.policy.head.dueling
        each = np.eye((network.sizes[-1] - first) // quantiles, dtype=np.float32)
        return GreedyPolicy(
            network, first=first, mix=np.repeat(each, quantiles, axis=0) / quantiles
        )

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        return of_values(self.values(observations, masks)[0])

    def saliency(self, observations: Array) -> Array:
        """|dQ(s, a*)/ds| [1, n], a* being the greedy action (Simonyan et al. 2014)."""
        best = self.act(observations)
        return np.abs(self.policy.input_gradient(observations, best)).reshape(1, -1)

    def explore(self, observations: Array, masks: Array | None = None) -> IntArray:
        self.q.network.draw_noise(self._noise)
        return self.exploration.choose(self.q.values(observations, masks), self.steps)

    def update(self, batch: Batch) -> None:
        for each in (self.q, self.target):
            each.network.draw_noise(self._noise)
        y = self.targets(batch)
        predicted = self.q.predict(batch.observations, training=True)
        taken = self.rows, batch.actions
        q = predicted[taken]
        loss, gradient = self.weighted_loss(batch, q, y)
        self.q.backward(spread(gradient, taken, predicted.shape))
        norm = self.clip_and_step("network", self.q.network, self.optimizer)
        self.conclude(batch, loss, q, y, norm)
        self.update_targets()

    def next_values(self, batch: Batch) -> Array:
        """max_a' Q_target(s', a') [B]."""
        values = self.target.values(batch.next_observations, batch.next_masks)
        return values[self.rows, self.next_actions(batch, values)]

    def next_actions(self, batch: Batch, values: Array) -> IntArray:
        """argmax_a' Q_target(s', a') [B], given these values [B, A]."""
        return values.argmax(axis=1)

    def metrics(self) -> dict[str, float]:
        """Of noisy networks, "exploration" is the mean scale of the noise."""
        network, metrics = self.q.network, super().metrics()
        return {**metrics, "exploration": network.mean_sigma} if network.noisy else metrics

    def metrics_at(self, metrics: Mapping[str, Any], step: int) -> Mapping[str, Any]:
        return metrics if self.q.network.noisy else super().metrics_at(metrics, step)

    def update_targets(self) -> None:
        """Lets the target network follow, and the average of the greedy policy."""
        settings = self.settings
        if self.updates % settings.target_every == 0:
            self.target.polyak_update(self.q, settings.tau)
        if settings.average_updates and self.updates % _AVERAGE_EVERY == 0:
            # A plain mean at first, so that the first parameters do not linger.
            window = min(settings.average_updates, self.updates) / _AVERAGE_EVERY
            self.policy.polyak_update(self.q, 1.0 / max(window, 1.0))

    def policy_state(self) -> State:
        require_finite_weights({"network": self.policy.network}, self.updates)
        return {"network": self.policy.state()}

    def restore_policy(self, state: State) -> None:
        for each in (self.q, self.target, self.policy):
            each.restore(state["network"])

    def state(self) -> State:
        return {**super().state(), **{name: each.state() for name, each in self._learned().items()}}

    def restore(self, state: State) -> None:
        super().restore(state)
        for name, each in self._learned().items():
            each.restore(state[name])

    def _learned(self) -> dict[str, ActionValues | Optimizer]:
        """What `state` holds beside that of the base class, by its name there."""
        return {
            "network": self.q,
            "target": self.target,
            "policy": self.policy,
            "optimizer": self.optimizer,
        }
