"""Deep deterministic policy gradients (Lillicrap et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn import Network
from nn.typing import Array, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.off_policy_actor_critic import (
    OffPolicyActorCritic,
    pairs,
    slope_of,
    value_of,
)
from rl.memory import Batch


class DDPG(OffPolicyActorCritic):
    """Learns a deterministic policy mu(s), the actor, along the slope of its values, the critic.

    Act by mu(s) plus noise; store the transition; then for a minibatch (Lillicrap et al. 2016,
    algorithm 1):

        y = r + gamma Q_target(s', mu_target(s'))
        critic: descend along the gradient of cost(Q(s, a) - y)
        actor:  ascend along the gradient of Q(s, mu(s)), through the critic
        let both target networks follow.

    The actor goes from observations [B, n] to actions [B, k] with entries from -1 to 1. The other
    arguments are those of the base class; here there is one critic.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(OffPolicyActorCritic.Settings):
        """Those of `DDPG`."""

    kin = "deterministic actor and critics"
    network_options = ("batch_norm",)
    settings: Settings

    def make_targets(self) -> None:
        super().make_targets()
        self.target_actor = self.actor.copy()

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> DDPG:
        n, k = parts.spaces.observation_size, cls.bounded(parts).size
        actor = parts.network(n, k, "actor", output="tanh")
        critics = cls.critics_of(parts, settings, k)
        optimizers = [parts.optimizer(actor, "actor")]
        optimizers += [parts.optimizer(critic, "critic") for critic in critics]
        return cls(actor, critics, optimizers, parts.memory(), parts.exploration(),
                   parts.generator(), settings, parts.lanes)  # fmt: skip

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        return self.actor.forward(observations)

    @property
    def greedy_policy(self) -> GreedyPolicy:
        return GreedyPolicy(self.actor)

    def try_out(self, observations: Array) -> Array:
        """mu(s) plus noise [N, k]."""
        return self.exploration.choose(self.actor.forward(observations), self.steps)

    def update(self, batch: Batch) -> None:
        self.update_critics(batch)
        if self.updates_policy:
            self.update_actor(batch.observations)
            self.update_target_critics()
            self.target_actor.polyak_update(self.actor, self.settings.tau)

    def next_values(self, batch: Batch) -> Array:
        """Q_target(s', mu_target(s')) [B]; of several critics the least."""
        following = batch.next_observations
        return self.least_target_value(following, self.next_actions(following))

    def next_actions(self, observations: Array) -> Array:
        """mu_target(s') [B, k]."""
        return self.target_actor.forward(observations)

    @property
    def updates_policy(self) -> bool:
        """Whether the actor and the targets are updated too, after the latest of the critics."""
        return True

    def update_actor(self, observations: Array) -> None:
        """Moves the actor along dQ/da dmu/dparameters (Silver et al. 2014, eq. 9)."""
        actions = self.actor.forward(observations, training=True)
        value_of(self.critics[0], pairs(observations, actions))
        descent = self.descent(len(actions))
        self.actor.backward(slope_of(self.critics[0], descent, self.action_size))
        self.clip_and_step("actor", self.actor, self.optimizers[0])

    def descent(self, count: int) -> Array:
        """The weight of each value in the actor's cost [B], which is the mean of -Q."""
        return np.full(count, -1.0 / count, np.float32)

    def restore_policy(self, state: State) -> None:
        super().restore_policy(state)
        self.target_actor.restore(state["actor"])

    def _networks(self) -> dict[str, Network]:
        return {**super()._networks(), "target_actor": self.target_actor}
