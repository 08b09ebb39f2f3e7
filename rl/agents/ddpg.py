"""Deep deterministic policy gradients (Lillicrap et al. 2016), with TD3's options."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from nn import NeuralNet, Optimizer, make_cost
from nn.typing import Array, State
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
from rl.agents.thoughts import Thoughts, of_action
from rl.exploration import Explorer
from rl.memory import Batch, Replay
from rl.spaces import Continuous
from rl.targets import td_target


class DDPG(ReplayingAgent):
    """Learns a deterministic policy mu(s), the actor, along the slope of its values, the critic.

    Act by mu(s) plus noise; store the transition; then for a minibatch (Lillicrap et al. 2016,
    algorithm 1):

        y = r + gamma Q_target(s', mu_target(s'))
        critic: descend along the gradient of cost(Q(s, a) - y)
        actor:  ascend along the gradient of Q(s, mu(s)), through the critic
        let both target networks follow.

    TD3 (Fujimoto et al. 2018) is `twin_critics=True, actor_every=2, target_noise=0.2`: the lesser
    of two critics' values, an actor and targets that learn more slowly, and targets smoothed over
    similar actions.

    Args:
        actor: mu, from observations [B, n] to actions [B, k] with entries from -1 to 1.
        critics: Q, each from observations beside actions [B, n + k] to values [B, 1].
        optimizers: of the actor, and then of each critic.
        memory: the replay memory.
        exploration: adds noise to actions.
        rng: draws the actions before learning starts, and the targets' noise.
        lanes: environments stepped together.
        gamma: discount of one step, in [0, 1].
        n_step: steps between a state and the one it bootstraps from.
        learn_start: environment steps before the first update; until then actions are uniformly
            random.
        learn_every: environment steps an update, over all lanes.
        target_blend: how much of a network its target takes over each time.
        twin_critics: whether there are two, of which the lesser value counts.
        actor_every: updates of the critics between two of the actor and of the targets.
        target_noise: deviation of the noise on the target's actions.
        target_noise_limit: its greatest magnitude.
        max_gradient_norm: longer gradients are scaled down to it, each network's by itself.
        cost: of the critics, "quadratic" or "huber".
    """

    kinds = (Continuous,)
    roles = ("actor", "critic")
    metric_names = ("loss", "mean_q", "gradient_norm", "exploration")

    def __init__(
        self,
        actor: NeuralNet,
        critics: list[NeuralNet],
        optimizers: list[Optimizer],
        memory: Replay,
        exploration: Explorer,
        rng: np.random.Generator,
        lanes: int = 1,
        *,
        gamma: float = 0.99,
        n_step: int = 1,
        learn_start: int = 1000,
        learn_every: int = 1,
        target_blend: float = 0.005,
        twin_critics: bool = False,
        actor_every: int = 1,
        target_noise: float = 0.0,
        target_noise_limit: float = 0.5,
        max_gradient_norm: float = 10.0,
        cost: str = "quadratic",
    ) -> None:
        super().__init__(
            memory, exploration, lanes,
            gamma=gamma, n_step=n_step, learn_start=learn_start, learn_every=learn_every,
        )  # fmt: skip
        require_counts(actor_every=actor_every)
        require_blend(target_blend)
        require_not_negative(target_noise=target_noise, target_noise_limit=target_noise_limit)
        require_positive(max_gradient_norm=max_gradient_norm)
        self.actor, self.critics, self.optimizers = actor, critics, optimizers
        self.target_actor = actor.copy()
        self.target_critics = [critic.copy() for critic in critics]
        self.target_blend, self.actor_every = target_blend, actor_every
        self.target_noise, self.target_noise_limit = target_noise, target_noise_limit
        self.max_gradient_norm, self.cost = max_gradient_norm, make_cost(cost)
        self._rng, self._lanes = rng, lanes
        batch, self._n = memory.batch_size, actor.sizes[0]
        self._pairs = np.empty((batch, critics[0].sizes[0]), np.float32)  # s beside a [B, n + k]
        self._q = np.full(batch, np.nan, np.float32)  # of the latest update that went well
        self._y, self._spare_q, self._error = np.empty((3, batch), np.float32)
        self._following = np.empty((len(critics), batch), np.float32)
        self._loss = self._gradient_norm = math.nan

    @classmethod
    def assemble(cls, parts: Parts, lanes: int, **settings: Any) -> DDPG:
        n, actions = parts.spaces.observation_size, parts.spaces.actions
        assert isinstance(actions, Continuous)
        if not actions.bounded:
            raise ValueError("needs actions with finite bounds, and these have none")
        actor = parts.network(n, actions.size, "actor", output="tanh")
        count = 2 if settings["twin_critics"] else 1
        critics = [parts.network(n + actions.size, 1, "critic") for _ in range(count)]
        optimizers = [parts.optimizer(actor, "actor")]
        optimizers += [parts.optimizer(critic, "critic") for critic in critics]
        return cls(actor, critics, optimizers, parts.memory(), parts.exploration(),
                   parts.generator(), lanes, **settings)  # fmt: skip

    def act(self, observations: Array) -> Array:
        return self.actor.forward(observations)

    def thoughts(self, observations: Array) -> Thoughts:
        actions = self.act(observations)
        value = self.critics[0].forward(np.hstack([observations, actions]))
        return replace(of_action(actions[0]), value=float(value[0, 0]))

    def explore(self, observations: Array) -> Array:
        if self.steps < self.learn_start:
            shape = (self._lanes, self.actor.sizes[-1])
            return self._rng.uniform(-1.0, 1.0, shape).astype(np.float32)
        return self.exploration.choose(self.actor.forward(observations), self.steps)

    def _update(self, batch: Batch) -> None:
        y = td_target(batch.rewards, batch.discounts, self.next_values(batch), out=self._y)
        self._learn_values(batch, y)
        self.updates += 1
        if self.updates % self.actor_every == 0:
            self._learn_actions(batch)
            self.target_actor.follow(self.actor, self.target_blend)
            for target, critic in zip(self.target_critics, self.critics, strict=True):
                target.follow(critic, self.target_blend)

    def next_values(self, batch: Batch) -> Array:
        """Q_target(s', mu_target(s')) [B]: the least of the critics', for the smoothed action."""
        actions = self.target_actor.forward(batch.next_observations)
        if self.target_noise:
            noise = self.target_noise * self._rng.standard_normal(actions.shape, np.float32)
            limit = self.target_noise_limit
            actions = np.clip(actions + np.clip(noise, -limit, limit), -1.0, 1.0)
        pairs = self._beside(batch.next_observations, actions)
        for values, target in zip(self._following, self.target_critics, strict=True):
            np.copyto(values, target.forward(pairs)[:, 0])
        return np.minimum.reduce(self._following, axis=0, out=self._following[0])

    def _learn_values(self, batch: Batch, y: Array) -> None:
        """Moves each critic's Q(s, a) towards y [B]."""
        pairs, q = self._beside(batch.observations, batch.actions), self._spare_q
        for critic, optimizer in zip(self.critics, self.optimizers[1:], strict=True):
            np.copyto(q, critic.forward(pairs)[:, 0])
            loss = self.cost.gradient(q, y, out=self._error)
            require_finite_loss(loss, self.updates)
            if batch.weights is not None:
                np.multiply(self._error, batch.weights, out=self._error)
            critic.backward(self._error[:, None])
            gradient_norm = self._descend("critic", critic, optimizer)
        if batch.weights is not None:
            self.memory.learned(q - y)
        self._loss, self._gradient_norm = loss, gradient_norm
        self._q, self._spare_q = q, self._q

    def _learn_actions(self, batch: Batch) -> None:
        """Moves the actor along dQ/da dmu/dparameters (Silver et al. 2014, eq. 9)."""
        pairs = self._beside(batch.observations, self.actor.forward(batch.observations))
        self.critics[0].forward(pairs)
        self._error.fill(-1.0 / len(self._error))  # descend on -Q, averaged
        slope = self.critics[0].input_gradient(self._error[:, None])
        self.actor.backward(slope[:, self._n :])
        self._descend("actor", self.actor, self.optimizers[0])

    def _beside(self, observations: Array, actions: Array) -> Array:
        """What a critic sees: observations [B, n] beside actions [B, k]."""
        np.copyto(self._pairs[:, : self._n], observations)
        np.copyto(self._pairs[:, self._n :], actions)
        return self._pairs

    def _descend(self, name: str, network: NeuralNet, optimizer: Optimizer) -> float:
        limit = self.max_gradient_norm
        return descend({name: network}, {name: optimizer}, limit, self.updates)[name]

    def metrics(self) -> dict[str, float]:
        return {
            "loss": self._loss,
            "mean_q": float(self._q.mean()),
            "gradient_norm": self._gradient_norm,
            "exploration": self.exploration.amount(self.steps),
        }

    def policy_state(self) -> State:
        require_finite_weights(self._networks(), self.updates)
        return {"actor": self.actor.state(), "critic": self.critics[0].state()}

    def restore_policy(self, state: State) -> None:
        for network in (self.actor, self.target_actor):
            network.restore(state["actor"])
        for network in (*self.critics, *self.target_critics):
            network.restore(state["critic"])

    def _networks(self) -> dict[str, NeuralNet]:
        named = {"actor": self.actor, "target_actor": self.target_actor}
        for number, (critic, target) in enumerate(
            zip(self.critics, self.target_critics, strict=True)
        ):
            named |= {f"critic_{number}": critic, f"target_critic_{number}": target}
        return named

    def state(self) -> State:
        return {
            **super().state(),
            "networks": {name: each.state() for name, each in self._networks().items()},
            "optimizers": {str(i): each.state() for i, each in enumerate(self.optimizers)},
            "rng": self._rng.bit_generator.state,
            "latest": {
                "loss": self._loss,
                "gradient_norm": self._gradient_norm,
                "q": self._q.copy(),
            },
        }

    def restore(self, state: State) -> None:
        super().restore(state)
        for name, network in self._networks().items():
            network.restore(state["networks"][name])
        for i, optimizer in enumerate(self.optimizers):
            optimizer.restore(state["optimizers"][str(i)])
        self._rng.bit_generator.state = state["rng"]
        latest = state["latest"]
        self._loss, self._gradient_norm = latest["loss"], latest["gradient_norm"]
        np.copyto(self._q, latest["q"])
