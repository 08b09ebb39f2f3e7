"""DDPG as OpenAI Lab has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import ACTIVATIONS
from nn.settings import setting
from nn.typing import Array
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.ddpg import DDPG
from rl.agents.off_policy_actor_critic import pairs, value_of
from rl.memory import Batch
from rl.openai_lab.branched import BranchedCritic
from rl.openai_lab.counting import Counting, mean_square


class DDPG2017(Counting, DDPG):
    """DDPG whose targets follow after each step of the environment, and not after each update.

    Target networks start from weights of their own. The critic has a branch of the first layer's
    units for states and another for actions, which are in the environment's units; its weights
    start from `lecun_uniform`, whatever the block `network` says. The actor's gradient is the sum
    over a minibatch. Its outputs, which `output` may leave unbounded, are clipped when the agent
    acts but not when it learns. There are no random actions at first. The priority of a transition
    is the error of Q_target(s, mu_target(s')), as in the original.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Counting.Settings, DDPG.Settings):
        """Those of `DDPG2017`."""

        tau: float = setting(
            "weight of a network in each update of its target", 0.001, above=0, most=1
        )
        output: str = setting("activation of the actor's last layer", "tanh", names=ACTIVATIONS)
        unit: float = setting("half the range of the environment's actions", 1.0, above=0)
        cost: str = setting("the mean square, and no other", "quadratic", names=("quadratic",))

    network_options = ()  # type: ignore[assignment]
    sees_pictures = False
    settings: Settings

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> DDPG2017:
        n, k = parts.spaces.observation_size, cls.bounded(parts).size
        actor, target = (parts.network(n, k, "actor", output=settings.output) for _ in range(2))
        plain, rng = parts.network(n + k, 1, "critic"), parts.generator()
        if len(plain.sizes) < 3:
            raise ValueError("needs a hidden layer, for the branches of the critic")
        sizes = (n + k, 2 * plain.sizes[1], *plain.sizes[2:])
        critic, target_critic = (
            BranchedCritic(
                sizes, plain.hidden, plain.output, actions=k, unit=settings.unit, seed=rng
            )
            for _ in range(2)
        )
        optimizers = [parts.optimizer(actor, "actor"), parts.optimizer(critic, "critic")]
        made = cls(actor, [critic], optimizers, parts.memory(), parts.exploration(), rng,
                   settings, parts.lanes)  # fmt: skip
        made.target_actor, made.target_critics = target, [target_critic]
        return made

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        return np.clip(self.actor.forward(observations), -1.0, 1.0)

    def try_out(self, observations: Array) -> Array:
        return np.clip(super().try_out(observations), -1.0, 1.0)

    @property
    def greedy_policy(self) -> GreedyPolicy:
        return GreedyPolicy(self.actor, bound="" if self.settings.output == "tanh" else "clip")

    def prepare(self, t: int, is_over: bool) -> None:
        self.update_target_critics()
        self.target_actor.polyak_update(self.actor, self.settings.tau)

    def update(self, batch: Batch) -> None:
        errors = None
        if batch.weights is not None:
            mu = self.next_actions(batch.next_observations)
            q = value_of(self.target_critics[0], pairs(batch.observations, mu))
            errors = q - self.targets(batch)
        self.update_critics(batch)
        if errors is not None:
            self.memory.update_priorities(errors)
        self.update_actor(batch.observations)

    def descent(self, count: int) -> Array:
        return np.full(count, -1.0, np.float32)

    def loss(self, q: Array, y: Array) -> tuple[float, Array]:
        return mean_square((q - y).astype(np.float32))
