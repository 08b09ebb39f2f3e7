"""Advantage actor-critic (Mnih et al. 2016) with generalized advantages (Schulman et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from nn import NeuralNet, Optimizer
from nn.typing import Array, State
from rl.agents.base import Agent, Parts
from rl.agents.distributions import Categorical, Distribution, Gaussian
from rl.agents.learning import (
    descend,
    require_counts,
    require_finite_loss,
    require_finite_weights,
    require_not_negative,
    require_positive,
    require_shares,
    with_history,
)
from rl.agents.thoughts import Thoughts
from rl.environments import Transitions
from rl.errors import Diverged
from rl.memory import Rollout
from rl.spaces import Continuous, Discrete
from rl.targets import advantages

_MOST_EPOCHS = 1_000  # an update cannot be interrupted


class ActorCritic(Agent):
    """Learns a stochastic policy, the actor, and the values of its states, the critic.

    All lanes act for a horizon of T steps; then, with V the critic and A the generalized
    advantages of what happened,

        actor:  ascend along the gradient of A log pi(a|s) + entropy_weight H(pi(.|s))
        critic: descend along the gradient of 1/2 (V(s) - (A + V_before(s)))^2

    once, averaged over all steps (Mnih et al. 2016, algorithm S3, with lanes for threads). With
    `clip`, `epochs` and `minibatches` it is proximal policy optimization (Schulman et al. 2017):
    several gradient steps on the same rollout, each on a part of it, in which a policy is no longer
    drawn towards what it has already made likelier by more than `clip`.

    Args:
        networks: "actor", from observations [B, n] to what the distribution takes; "critic", V,
            to [B, 1], which a shared network has as the actor's last output instead; "deviation",
            the ln of a Gaussian's deviations where these do not depend on the state: a network
            that sees a zero, [1, 1], so that its biases are all it has.
        optimizers: of each network, by the same names.
        distribution: of the actions.
        rollout: holds the steps of a horizon.
        rng: draws the actions.
        gamma: discount of one step, in [0, 1].
        lam: how far the advantages trust the rewards rather than the critic, in [0, 1].
        entropy_weight: how much a policy is worth for being undecided.
        value_weight: of the critic's cost, where it shares the network.
        shared: whether actor and critic are one network with two heads.
        normalize_advantages: whether they are brought to mean 0 and deviation 1 in each update.
        max_gradient_norm: longer gradients are scaled down to it, each network's by itself.
        epochs: passes over a rollout.
        minibatches: gradient steps a pass.
        clip: epsilon of eq. 7 of Schulman et al. (2017); 0 is none.
        squash: whether continuous actions are tanh of what is drawn, rather than cut to bounds.
        log_std: the ln of a continuous policy's deviations at first, where actions reach from -1
            to 1.
        state_dependent_std: whether these are outputs of the actor.
    """

    kinds = (Discrete, Continuous)
    roles = ("actor", "critic")
    waits_for = "memory.horizon times train.lanes"
    metric_names = ("loss", "policy_loss", "mean_value", "entropy", "gradient_norm")

    def __init__(
        self,
        networks: dict[str, NeuralNet],
        optimizers: dict[str, Optimizer],
        distribution: Distribution,
        rollout: Rollout,
        rng: np.random.Generator,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        entropy_weight: float = 0.0,
        value_weight: float = 0.5,
        shared: bool = False,
        normalize_advantages: bool = False,
        max_gradient_norm: float = 0.5,
        epochs: int = 1,
        minibatches: int = 1,
        clip: float = 0.0,
        squash: bool = False,
        log_std: float = 0.0,
        state_dependent_std: bool = False,
    ) -> None:
        require_shares(gamma=gamma, lam=lam)
        require_not_negative(entropy_weight=entropy_weight, value_weight=value_weight, clip=clip)
        require_counts(epochs=epochs, minibatches=minibatches)
        if epochs > _MOST_EPOCHS:
            raise ValueError(f"epochs must be at most {_MOST_EPOCHS}, not {epochs}")
        require_positive(max_gradient_norm=max_gradient_norm)
        if minibatches > rollout.horizon * rollout.lanes:
            raise ValueError(
                f"minibatches must be at most the {rollout.horizon * rollout.lanes} steps of a "
                f"rollout, not {minibatches}"
            )
        self.networks, self.optimizers = networks, optimizers
        self.distribution, self.rollout, self._rng = distribution, rollout, rng
        self.gamma, self.lam = gamma, lam
        self.entropy_weight, self.value_weight = entropy_weight, value_weight
        self.shared, self.normalize_advantages = shared, normalize_advantages
        self.max_gradient_norm, self.clip = max_gradient_norm, clip
        self.epochs, self.minibatches = epochs, minibatches
        self._sampled: Array = np.zeros(0)
        self._metrics = dict.fromkeys(self.metric_names, math.nan)

    @classmethod
    def assemble(cls, parts: Parts, lanes: int, **settings: Any) -> ActorCritic:
        inputs, actions = parts.spaces.observation_size, parts.spaces.actions
        distribution: Distribution = Categorical()
        if isinstance(actions, Discrete):
            outputs = actions.count
        else:
            distribution = Gaussian(settings["squash"])
            outputs = actions.size * (1 + settings["state_dependent_std"])
        shared = settings["shared"]
        networks = {"actor": parts.network(inputs, outputs + shared, "actor")}
        if not shared:
            networks["critic"] = parts.network(inputs, 1, "critic")
        if isinstance(actions, Continuous):
            log_stds = networks["actor"].biases[-1][actions.size : outputs]
            if not settings["state_dependent_std"]:
                networks["deviation"] = NeuralNet((1, actions.size))
                networks["deviation"].parameters[:] = 0.0
                log_stds = networks["deviation"].biases[0]
            log_stds[:] = settings["log_std"]
        optimizers = {
            name: parts.optimizer(network, "critic" if name == "critic" else "actor")
            for name, network in networks.items()
        }
        rollout, rng = parts.rollout(lanes), parts.generator()
        return cls(networks, optimizers, distribution, rollout, rng, **settings)

    @property
    def learns_after(self) -> int:
        return self.rollout.horizon * self.rollout.lanes

    def act(self, observations: Array) -> Array:
        return self.distribution.greedy(self._outputs(observations))

    def thoughts(self, observations: Array) -> Thoughts:
        thoughts = self.distribution.thoughts(self._outputs(observations))
        return replace(thoughts, value=float(self._values(observations)[0]))

    def explore(self, observations: Array) -> Array:
        self._sampled = self.distribution.sample(self._outputs(observations), self._rng)
        return self.distribution.action(self._sampled)

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        self.rollout.add(
            t.observations, self._sampled, t.rewards, t.next_observations, t.terminated, t.truncated
        )
        self.steps += self.rollout.lanes

    def abandon(self, lane: int) -> None:
        self.rollout.cut(lane)

    def learn(self) -> None:
        if self.rollout.full:
            try:
                self._update(self.rollout)
            except Diverged as error:
                raise with_history(error, self._metrics) from None
            self.rollout.clear()

    def _update(self, rollout: Rollout) -> None:
        observations, sampled = _flat(rollout.observations), _flat(rollout.actions)
        following = self._values(_flat(rollout.next_observations)).copy()
        outputs, values = self._outputs(observations), self._values(observations).copy()
        before, shape = self.distribution.log_prob(outputs, sampled), rollout.rewards.shape
        a = advantages(
            rollout.rewards,
            self.gamma * (1.0 - rollout.terminated),
            np.stack([values.reshape(shape), following.reshape(shape)]),
            rollout.cuts,
            self.lam,
            out=np.empty_like(rollout.rewards),
        ).ravel()
        returns = a + values
        if self.normalize_advantages:
            a = (a - a.mean()) / (a.std() + 1e-8)
        for rows in self._pieces(len(a)):
            self._learn_from(
                observations[rows], sampled[rows], a[rows], returns[rows], before[rows]
            )
        self.updates += 1

    def _pieces(self, steps: int) -> Iterator[Any]:
        """The rows of each gradient step: all at once, or several shuffled parts several times."""
        if self.epochs == self.minibatches == 1:
            yield slice(None)
            return
        for _ in range(self.epochs):
            yield from np.array_split(self._rng.permutation(steps), self.minibatches)

    def _learn_from(
        self, observations: Array, sampled: Array, a: Array, returns: Array, before: Array
    ) -> None:
        """One gradient step for B steps of the rollout.

        Args:
            observations: s [B, n].
            sampled: what was drawn in them [B] or [B, k].
            a: their advantages A [B].
            returns: what V(s) should be [B].
            before: ln pi(a|s) when they were drawn [B].
        """
        outputs, values = self._outputs(observations), self._values(observations)
        weights = a
        if self.clip:
            # d min(r A, clip(r) A) = r A d ln pi, or 0 where r has left the interval with A's sign.
            r = np.exp(self.distribution.log_prob(outputs, sampled) - before)
            left = np.where(a > 0, r > 1.0 + self.clip, r < 1.0 - self.clip)
            weights = np.where(left, 0.0, r * a).astype(a.dtype)
        errors = values - returns
        metrics = self._judge(outputs, sampled, a, values, errors)
        require_finite_loss(metrics["loss"] + metrics["policy_loss"], self.updates)
        self._backward(
            self.distribution.gradient(outputs, sampled, weights, self.entropy_weight),
            errors[:, None] / len(errors),
        )
        norms = descend(self.networks, self.optimizers, self.max_gradient_norm, self.updates)
        self._metrics = {**metrics, "gradient_norm": norms["actor"]}

    def _outputs(self, observations: Array) -> Array:
        """What the distribution takes [B, m]."""
        outputs = self.networks["actor"].forward(observations)
        if self.shared:
            outputs = outputs[:, :-1]
        if "deviation" in self.networks:
            log_stds = self.networks["deviation"].forward(_NOTHING)
            outputs = np.hstack([outputs, np.broadcast_to(log_stds, outputs.shape)])
        return outputs

    def _values(self, observations: Array) -> Array:
        """V(s) [B]."""
        network = self.networks["actor" if self.shared else "critic"]
        return network.forward(observations)[:, -1]

    def _backward(self, of_outputs: Array, of_values: Array) -> None:
        """Leaves each network's gradients, given those of its outputs [B, m] and values [B, 1]."""
        if "deviation" in self.networks:
            of_outputs, of_logs = np.split(of_outputs, 2, axis=1)
            self.networks["deviation"].backward(of_logs.sum(axis=0, keepdims=True))
        if self.shared:
            of_outputs = np.hstack([of_outputs, self.value_weight * of_values])
        else:
            self.networks["critic"].backward(of_values)
        self.networks["actor"].backward(of_outputs)

    def _judge(
        self, outputs: Array, sampled: Array, a: Array, values: Array, errors: Array
    ) -> dict[str, float]:
        """What `metrics` gives, apart from the norm of the gradient."""
        return {
            "loss": 0.5 * float(np.mean(errors**2)),
            "policy_loss": -float(np.mean(a * self.distribution.log_prob(outputs, sampled))),
            "mean_value": float(values.mean()),
            "entropy": float(self.distribution.entropy(outputs).mean()),
        }

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
