"""Advantage actor-critic (Mnih et al. 2016) with generalized advantages (Schulman et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from nn import Network, Optimizer
from nn.settings import SettingError, setting
from nn.typing import Array, State
from rl.agents.base import Agent, GreedyPolicy, Parts
from rl.agents.distributions import (
    Categorical,
    Conditional,
    Distribution,
    Gaussian,
    Product,
    masked,
)
from rl.agents.learning import (
    clip_and_step,
    require_finite_loss,
    require_finite_weights,
    with_history,
)
from rl.agents.thoughts import Thoughts
from rl.environments import Transitions
from rl.environments.spaces import Actions, Continuous, Discrete, MultiDiscrete
from rl.errors import Diverged
from rl.memory import Rollout, Steps
from rl.targets import advantages

_MOST_EPOCHS = 1_000  # an update cannot be interrupted
LOG_STD = "deviation"  # what checkpoints call the network of ln sigma


@dataclass(frozen=True, kw_only=True)
class PolicySettings(Agent.Settings):
    """Those of every agent that learns a stochastic policy."""

    gamma: float = setting("discount per step", 0.99, least=0, most=1)
    entropy_weight: float = setting("weight of the entropy bonus", 0.0, least=0)
    max_gradient_norm: float = setting(
        "maximum norm of each network's gradient; longer ones are scaled down", 0.5, above=0
    )
    squash: bool = setting(
        "whether continuous actions are squashed by tanh instead of clipped to bounds", False
    )
    log_std: float = setting(
        "initial ln of a continuous policy's standard deviations, for actions from -1 to 1",
        0.0,
    )
    state_dependent_std: bool = setting("whether the actor outputs the deviations", False)

    def policy_outputs(self, actions: Actions) -> int:
        """What the actor gives of the policy; with a shared network, V comes behind it."""
        if isinstance(actions, Continuous):
            return actions.size * (1 + self.state_dependent_std)
        return actions.choices

    def has_own_std(self, actions: Actions) -> bool:
        """Whether the standard deviations are parameters of their own."""
        return isinstance(actions, Continuous) and not self.state_dependent_std


class A2C(Agent):
    """Learns a stochastic policy, the actor, and the values of its states, the critic.

    All lanes act for a horizon of T steps; then, with V the critic and A the generalized
    advantages of what happened,

        actor:  ascend along the gradient of A log pi(a|s) + entropy_weight H(pi(.|s))
        critic: descend along the gradient of 1/2 (V(s) - (A + V_old(s)))^2

    once, averaged over all steps (Mnih et al. 2016, algorithm S3, with lanes for threads).

    Args:
        networks: "actor", from observations [B, n] to what the distribution takes; "critic", V,
            to [B, 1], which a shared network has as the actor's last output instead; and, where a
            Gaussian's standard deviations do not depend on the state, "deviation", the ln of
            them: a network that sees a zero, [1, 1], so that its biases are all it has.
        optimizers: of each network, by the same names.
        actions: that are chosen among.
        rollout: holds the steps of a horizon.
        rng: draws the actions.
        settings: of the class's own `Settings`.

    Raises:
        SettingError: more minibatches than steps.
        ValueError: the networks are others than the settings ask for.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(PolicySettings):
        """Those of `A2C`."""

        lam: float = setting(
            "lambda of the advantages: 0 trusts the critic, 1 the rewards", 0.95, least=0, most=1
        )
        value_weight: float = setting(
            "weight of the critic's cost in a shared network", 0.5, least=0
        )
        shared: bool = setting("whether actor and critic share one network with two heads", False)
        normalize_advantages: bool = setting(
            "whether each update scales them to mean 0 and standard deviation 1", False
        )
        epochs: int = setting("passes over a rollout", 1, least=1, most=_MOST_EPOCHS)
        minibatches: int = setting("gradient steps per pass", 1, least=1)

        def roles(self, actions: Actions) -> dict[str, str]:
            """The networks, and whose settings each takes."""
            critic = {} if self.shared else {"critic": "critic"}
            deviation = {LOG_STD: "actor"} if self.has_own_std(actions) else {}
            return {"actor": "actor", **critic, **deviation}

    kinds = (Discrete, MultiDiscrete, Continuous)
    roles: tuple[str, ...] = ("actor", "critic")
    kin = "stochastic actor and critic"
    sees_pictures = True
    carried: tuple[str, ...] = ("shared", "squash", "state_dependent_std")
    waits_for = "memory.horizon times train.lanes"
    metric_names: tuple[str, ...] = (
        "loss", "policy_loss", "mean_value", "entropy", "gradient_norm",
    )  # fmt: skip
    settings: Settings

    def __init__(
        self,
        networks: dict[str, Network],
        optimizers: dict[str, Optimizer],
        actions: Actions,
        rollout: Rollout,
        rng: np.random.Generator,
        settings: Settings | None = None,
    ) -> None:
        settings, steps = settings or self.Settings(), rollout.horizon * rollout.lanes
        if settings.minibatches > steps:
            complaint = f"must be at most the {steps} steps of a rollout"
            raise SettingError("minibatches", f"{complaint}, not {settings.minibatches}")
        outputs = settings.policy_outputs(actions) + settings.shared
        if [*networks] != [*settings.roles(actions)] or networks["actor"].sizes[-1] != outputs:
            raise ValueError(f"needs {', '.join(settings.roles(actions))}: {outputs} outputs")
        self.networks, self.optimizers = networks, optimizers
        self.rollout, self.settings, self._rng = rollout, settings, rng
        self.distribution: Distribution = Categorical()
        if isinstance(actions, MultiDiscrete):
            self.distribution = Product(actions.counts)
        if isinstance(actions, Continuous):
            self.distribution = Gaussian(settings.squash)
            self._set_log_std(actions.size)
        self._sampled: Array = np.zeros(0)
        self._metrics = dict.fromkeys(self.metric_names, math.nan)

    def _set_log_std(self, size: int) -> None:
        """Gives k = `size` standard deviations their first value."""
        if self.settings.state_dependent_std:
            self.networks["actor"].biases[-1][size : 2 * size] = self.settings.log_std
        else:
            self.networks[LOG_STD].parameters[:] = 0.0
            self.networks[LOG_STD].biases[0][:] = self.settings.log_std

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> A2C:
        inputs, actions = parts.spaces.observation_size, parts.spaces.actions
        outputs = settings.policy_outputs(actions) + settings.shared
        roles = settings.roles(actions)
        networks = {"actor": parts.network(inputs, outputs, "actor")}
        if "critic" in roles:
            networks["critic"] = parts.network(inputs, 1, "critic")
        if LOG_STD in roles:
            assert isinstance(actions, Continuous)
            networks[LOG_STD] = Network((1, actions.size))
        optimizers = {name: parts.optimizer(each, roles[name]) for name, each in networks.items()}
        return cls(networks, optimizers, actions, parts.rollout(), parts.generator(), settings)

    @property
    def learns_after(self) -> int:
        return self.rollout.horizon * self.rollout.lanes

    def gradient_steps(self, steps: int) -> int:
        return steps // self.learns_after * self.settings.epochs * self.settings.minibatches

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        return self.distribution.greedy(self._outputs(observations, masks))

    @property
    def greedy_policy(self) -> GreedyPolicy:
        # The first outputs are preferences or means; standard deviations and V stand behind them.
        network, distribution = self.networks["actor"], self.distribution
        outputs = network.sizes[-1] - self.settings.shared
        if not isinstance(distribution, Gaussian):
            return GreedyPolicy(network, count=outputs)
        size = outputs // (1 + self.settings.state_dependent_std)
        return GreedyPolicy(network, count=size, bound="tanh" if distribution.squash else "clip")

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        thoughts = self.distribution.thoughts(self._outputs(observations, masks))
        return replace(thoughts, value=float(self._values(observations)[0]))

    def explore(self, observations: Array, masks: Array | None = None) -> Array:
        self._sampled = self.distribution.sample(self._outputs(observations, masks), self._rng)
        return self.distribution.action(self._sampled)

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        self.rollout.add(
            t.observations, self._sampled, t.rewards, t.next_observations, t.terminated,
            t.truncated, t.masks,
        )  # fmt: skip
        self.steps += self.rollout.lanes

    def abandon(self, lane: int) -> None:
        self.rollout.cut(lane)

    def learn(self) -> None:
        if self.rollout.full:
            try:
                self.update(self.rollout.steps)
            except Diverged as error:
                raise with_history(error, self._metrics) from None
            self.rollout.clear()

    def update(self, rollout: Steps) -> None:
        """Learns from a rollout; counts it in `updates`."""
        observations, sampled = _flat(rollout.observations), _flat(rollout.actions)
        masks = None if rollout.masks is None else _flat(rollout.masks)
        next_values = self._values(_flat(rollout.next_observations)).copy()
        outputs, values = self._outputs(observations, masks), self._values(observations).copy()
        old_log_probs = self.distribution.at(outputs).log_prob(sampled)
        a = self._advantages(rollout, values, next_values)
        returns = a + values
        if self.settings.normalize_advantages:
            a = (a - a.mean()) / (a.std() + 1e-8)
        for rows in self._minibatches(len(a)):
            policy, values = self._step(
                observations[rows], sampled[rows], a[rows], returns[rows], old_log_probs[rows],
                None if masks is None else masks[rows],
            )  # fmt: skip
        self._metrics["mean_value"] = float(values.mean())
        self._metrics["entropy"] = float(policy.entropy().mean())
        self.updates += 1

    def _advantages(self, rollout: Steps, values: Array, next_values: Array) -> Array:
        """The generalized advantages of a rollout [T N], of the critic's values [T N]."""
        shape = rollout.rewards.shape
        return advantages(
            rollout.rewards,
            self.settings.gamma * (1.0 - rollout.terminated),
            np.stack([values.reshape(shape), next_values.reshape(shape)]),
            rollout.cuts,
            self.settings.lam,
        ).ravel()

    def _minibatches(self, steps: int) -> Iterator[Any]:
        """The rows of each gradient step: all at once, or several shuffled parts several times."""
        epochs, minibatches = self.settings.epochs, min(self.settings.minibatches, steps)
        if epochs == minibatches == 1:
            yield slice(None)
            return
        size, longer = divmod(steps, minibatches)
        ends = [part * size + min(part, longer) for part in range(minibatches + 1)]
        for _ in range(epochs):
            shuffled = self._rng.permutation(steps)
            for start, end in pairwise(ends):
                yield shuffled[start:end]

    def _step(
        self, observations: Array, sampled: Array, a: Array, returns: Array, old_log_probs: Array,
        masks: Array | None = None,
    ) -> tuple[Conditional, Array]:  # fmt: skip
        """One gradient step for B steps of the rollout.

        Args:
            observations: s [B, n].
            sampled: what was drawn in them [B] or [B, k].
            a: their advantages A [B].
            returns: what V(s) should be [B].
            old_log_probs: ln pi(a|s) when they were drawn [B].
            masks: the actions that were allowed then [B, A]; None for all.

        Returns:
            The policy in these states and V(s) [B], as they were before.
        """
        policy = self.distribution.at(self._outputs(observations, masks))
        values, log_probs = self._values(observations), policy.log_prob(sampled)
        errors, steps = values - returns, len(values)
        loss = 0.5 * float(errors.dot(errors)) / steps
        policy_loss = -float(a.dot(log_probs)) / steps
        require_finite_loss(loss + policy_loss, self.updates)
        weights = self.policy_weights(log_probs, a, old_log_probs)
        self._backward(
            policy.gradient(sampled, weights, self.settings.entropy_weight),
            errors[:, None] / steps,
        )
        limit = self.settings.max_gradient_norm
        norms = clip_and_step(self.networks, self.optimizers, limit, self.updates)
        latest = {"loss": loss, "policy_loss": policy_loss, "gradient_norm": norms["actor"]}
        self._metrics |= latest
        return policy, values

    def policy_weights(self, log_probs: Array, a: Array, old_log_probs: Array) -> Array:
        """What the gradient of ln pi(a|s) is multiplied by [B]: here the advantages.

        Args:
            log_probs: ln pi(a|s) [B].
            a: the advantages [B].
            old_log_probs: ln pi(a|s) when the actions were drawn [B].
        """
        return a

    def _outputs(self, observations: Array, masks: Array | None = None) -> Array:
        """What the distribution takes [B, m]."""
        outputs = self.networks["actor"].forward(observations)
        if self.settings.shared:
            outputs = outputs[:, :-1]
        if LOG_STD in self.networks:
            means, k = outputs, outputs.shape[1]
            outputs = np.empty((len(means), 2 * k), means.dtype)
            outputs[:, :k], outputs[:, k:] = means, self.networks[LOG_STD].biases[0]
        return masked(outputs, masks)

    def _values(self, observations: Array) -> Array:
        """V(s) [B]."""
        network = self.networks["actor" if self.settings.shared else "critic"]
        return network.forward(observations)[:, -1]

    def _backward(self, of_outputs: Array, of_values: Array) -> None:
        """Leaves each network's gradients, given those of its outputs [B, m] and values [B, 1]."""
        if LOG_STD in self.networks:
            k = of_outputs.shape[1] // 2
            self.networks[LOG_STD].forward(_NOTHING)
            self.networks[LOG_STD].backward(of_outputs[:, k:].sum(axis=0, keepdims=True))
            of_outputs = of_outputs[:, :k]
        if self.settings.shared:
            of_outputs = np.hstack([of_outputs, self.settings.value_weight * of_values])
        elif "critic" in self.networks:
            self.networks["critic"].backward(of_values)
        self.networks["actor"].backward(of_outputs)

    def metrics(self) -> dict[str, float]:
        return dict(self._metrics)

    def policy_state(self) -> State:
        require_finite_weights(self.networks, self.updates)
        return {name: network.state() for name, network in self.networks.items()}

    def restore_policy(self, state: State) -> None:
        for name, network in self.networks.items():
            network.restore(state[name])

    def state(self) -> State:
        return {
            "networks": {name: each.state() for name, each in self.networks.items()},
            "optimizers": {name: each.state() for name, each in self.optimizers.items()},
            "rollout": self.rollout.state(),
            "rng": self._rng.bit_generator.state,
            "steps": self.steps,
            "updates": self.updates,
            "metrics": self.metrics(),
        }

    def restore(self, state: State) -> None:
        for name, network in self.networks.items():
            network.restore(state["networks"][name])
            self.optimizers[name].restore(state["optimizers"][name])
        self.rollout.restore(state["rollout"])
        self._rng.bit_generator.state = state["rng"]
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
        self._metrics.update(state["metrics"])


_NOTHING = np.zeros((1, 1), np.float32)


def _flat(array: Array) -> Array:
    """[T, N, ...] as [T N, ...]."""
    return array.reshape(-1, *array.shape[2:])
