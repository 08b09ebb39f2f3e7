"""CrossQ (Bhatt, Palenicek et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.agents.off_policy_actor_critic import pairs, value_of
from rl.agents.sac import SAC
from rl.memory import Batch
from rl.targets import td_target


class CrossQ(SAC):
    """SAC without target networks: the critics see both sides of the Bellman equation in one batch.

    A critic whose layers are normalized over the batch is stable without a target network if the
    batch holds the next states and actions as well; otherwise these would be normalized by
    statistics that are not theirs:

        q_i, q'_i = Q_i([s; s'], [a; a']),      a' ~ pi(.|s')
        y = r + gamma (min_i q'_i - alpha ln pi(a'|s'))
        critics: descend along the gradient of cost(q_i - y), with y held fixed.

    The actor and alpha learn as in SAC, with every `policy_delay`-th update.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(SAC.Settings):
        """Those of `CrossQ`; `tau` has no effect."""

        policy_delay: int = setting("critic updates per update of the actor", 3, least=1)

    network_options = ("batch_norm",)
    network_defaults = MappingProxyType({"batch_norm": True})
    settings: Settings

    def make_targets(self) -> None:
        self.target_critics = []

    def update(self, batch: Batch) -> None:
        self.update_critics(batch)
        if self.updates % self.settings.policy_delay == 0:
            self.update_actor(batch.observations)

    def update_critics(self, batch: Batch) -> None:
        following = self.policy(batch.next_observations)
        both = np.concatenate(
            [pairs(batch.observations, batch.actions),
             pairs(batch.next_observations, following.actions)]
        )  # fmt: skip
        values = np.stack([value_of(each, both, training=True) for each in self.critics])
        now, later = np.split(values, 2, axis=1)  # [critics, B]
        soft = later.min(axis=0) - self.alpha * following.log_probs
        y: Array = td_target(batch.rewards, batch.discounts, soft)
        for critic, optimizer, q in zip(self.critics, self.optimizers[1:], now, strict=False):
            loss, gradient = self.weighted_loss(batch, q, y)
            critic.backward(np.concatenate([gradient, np.zeros_like(gradient)])[:, None])
            norm = self.clip_and_step("critic", critic, optimizer)
        self.conclude(batch, loss, q, y, norm)
