"""Soft actor-critic (Haarnoja et al. 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from nn import Network, Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.distributions import SquashedNormal
from rl.agents.off_policy_actor_critic import (
    OffPolicyActorCritic,
    pairs,
    slope_of,
    value_of,
)
from rl.exploration import OrnsteinUhlenbeck
from rl.memory import Batch, Replay


class SAC(OffPolicyActorCritic):
    """Learns a stochastic policy pi that seeks returns and entropy: a = tanh(mean + sigma xi).

    Act by pi; store the transition; then for a minibatch, with xi drawn anew for each policy
    ("Soft actor-critic algorithms and applications", Haarnoja et al. 2018, algorithm 1):

        y = r + gamma (min_i Q_target_i(s', a') - alpha ln pi(a'|s')),      a' ~ pi(.|s')
        critics: descend along the gradient of cost(Q_i(s, a) - y)          (eq. 5 and 6)
        actor:   descend along that of alpha ln pi(a|s) - min_i Q_i(s, a),  a ~ pi(.|s) (eq. 7, 9)
        alpha:   descend along that of -alpha (ln pi(a|s) + H)              (eq. 18)
        let the target critics follow.

    Args:
        actor: from observations [B, n] to the means and ln sigma of k entries [B, 2 k].
        critics: Q_i, each from observations beside actions [B, n + k] to values [B, 1].
        temperature: whose one bias is ln alpha, [1, 1].
        optimizers: of the actor, of each critic, and of the temperature.
        memory: the replay memory.
        rng: draws xi, and the actions before learning starts.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.

    Raises:
        ValueError: another number of critics than the settings ask for.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(OffPolicyActorCritic.Settings):
        """Those of `SAC`."""

        critics: int = setting("number of critics, the least of whose values counts", 2,
                               least=1, most=100)  # fmt: skip
        alpha: float = setting("weight of the entropy, or where it starts", 1.0, above=0)
        learn_alpha: bool = setting(
            "whether alpha is learned, so that the policy's entropy stays near a target", True
        )
        theta: float = setting(
            "share of xi forgotten per step of exploring: 1 draws it anew, less reaches further "
            "(as OrnsteinUhlenbeck; Eberhard et al. 2023)",
            1.0,
            above=0,
            most=1,
        )
        target_entropy: float | None = setting(
            "H, that target; null is -1 for each entry of an action", None
        )

        @property
        def count(self) -> int:
            """How many critics there are."""
            return self.critics

    roles = ("actor", "critic", "temperature")
    network_options = ("batch_norm",)
    kin = "squashed Gaussian actor and critics"
    metric_names = ("loss", "mean_q", "gradient_norm", "alpha", "entropy")
    settings: Settings

    def __init__(
        self,
        actor: Network,
        critics: list[Network],
        temperature: Network,
        optimizers: list[Optimizer],
        memory: Replay,
        rng: np.random.Generator,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        settings = settings or self.Settings()
        explorer = OrnsteinUhlenbeck(rng, OrnsteinUhlenbeck.Settings(theta=settings.theta))
        super().__init__(actor, critics, optimizers, memory, explorer, rng, settings, lanes)
        self._xi = explorer.noise
        self.temperature, self._entropy = temperature, math.nan
        temperature.parameters[:] = 0.0
        temperature.biases[0][:] = math.log(self.settings.alpha)
        target = self.settings.target_entropy
        self.target_entropy = -float(self.action_size) if target is None else target

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> SAC:
        n, k = parts.spaces.observation_size, cls.bounded(parts).size
        actor = parts.network(n, 2 * k, "actor")
        critics = cls.critics_of(parts, settings, k)
        temperature = Network((1, 1))
        optimizers = [parts.optimizer(actor, "actor")]
        optimizers += [parts.optimizer(critic, "critic") for critic in critics]
        optimizers.append(parts.optimizer(temperature, "temperature"))
        return cls(actor, critics, temperature, optimizers, parts.memory(), parts.generator(),
                   settings, parts.lanes)  # fmt: skip

    @property
    def alpha(self) -> float:
        """The weight of the entropy."""
        return math.exp(self.temperature.biases[0][0])

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        return np.tanh(self.actor.forward(observations)[:, : self.action_size])

    @property
    def greedy_policy(self) -> GreedyPolicy:
        return GreedyPolicy(self.actor, count=self.action_size, bound="tanh")

    def explore(self, observations: Array, masks: Array | None = None) -> Array:
        if self.settings.theta < 1:  # the first policy reaches further than uniform actions
            return self.try_out(observations)
        return super().explore(observations, masks)

    def try_out(self, observations: Array) -> Array:
        """Actions drawn from pi [N, k]."""
        xi = self._xi((len(observations), self.action_size)).astype(np.float32)
        return SquashedNormal(self.actor.forward(observations), xi).actions

    def policy(self, observations: Array, training: bool = False) -> SquashedNormal:
        """pi(.|s) for observations [B, n], and actions drawn from it."""
        xi = self._rng.standard_normal((len(observations), self.action_size), np.float32)
        return SquashedNormal(self.actor.forward(observations, training), xi)

    def update(self, batch: Batch) -> None:
        self.update_critics(batch)
        self.update_actor(batch.observations)
        self.update_target_critics()

    def next_values(self, batch: Batch) -> Array:
        """min_i Q_target_i(s', a') - alpha ln pi(a'|s') [B]."""
        following = self.policy(batch.next_observations)
        values = self.least_target_value(batch.next_observations, following.actions)
        return values - self.alpha * following.log_probs

    def update_actor(self, observations: Array) -> None:
        """Moves the actor, and then the temperature."""
        policy = self.policy(observations, training=True)
        slope = self.slope(observations, policy.actions)
        weight = np.float32(self.alpha / len(slope))
        self.actor.backward(policy.gradient(-slope, weight))
        self.clip_and_step("actor", self.actor, self.optimizers[0])
        self._entropy = -float(policy.log_probs.sum() / len(slope))
        if self.settings.learn_alpha:
            self.update_temperature()

    def slope(self, observations: Array, actions: Array) -> Array:
        """The gradient of the mean of min_i Q_i(s, a) with respect to the actions [B, k]."""
        taken = pairs(observations, actions)
        values = np.array([value_of(each, taken) for each in self.critics])
        least, share = values.argmin(axis=0), np.float32(1) / np.float32(len(actions))
        slopes = [
            slope_of(critic, (least == number) * share, self.action_size)
            for number, critic in enumerate(self.critics)
        ]
        return reduce(np.add, slopes)

    def update_temperature(self) -> None:
        """Moves ln alpha, along the gradient of ln alpha (entropy - H).

        With respect to ln alpha that of eq. 18 has the factor alpha as well, which makes no
        difference to Adam but while alpha changes.
        """
        self.temperature.gradients[:] = 0.0
        self.temperature.gradients[-1] = self._entropy - self.target_entropy
        self.clip_and_step("temperature", self.temperature, self.optimizers[-1])

    def metrics(self) -> dict[str, float]:
        metrics = {**super().metrics(), "alpha": self.alpha, "entropy": self._entropy}
        return {name: metrics[name] for name in self.metric_names}

    def learned_state(self) -> State:
        return {**super().learned_state(), "temperature": self.temperature.state()}

    def take_over(self, policy: State, learned: State) -> None:
        super().take_over(policy, learned)
        if "temperature" in learned:
            self.temperature.restore(learned["temperature"])

    def _networks(self) -> dict[str, Network]:
        return {**super()._networks(), "temperature": self.temperature}

    def state(self) -> State:
        return {**super().state(), "entropy": self._entropy}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._entropy = state["entropy"]
