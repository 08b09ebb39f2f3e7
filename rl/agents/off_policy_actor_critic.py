"""What agents of continuous actions with a replay memory have in common: an actor and critics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from nn import COSTS, Network, Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import Parts
from rl.agents.learning import require_finite_weights
from rl.agents.replay_agent import ReplayAgent
from rl.agents.thoughts import Thoughts, of_action
from rl.environments.spaces import Continuous
from rl.exploration import Explorer
from rl.memory import Batch, Replay


class OffPolicyActorCritic(ReplayAgent):
    """Learns Q(s, a) of continuous actions, the critics, and an actor that climbs their slope.

    Until the first update, actions are uniformly random.

    Args:
        actor: the policy, from observations [B, n].
        critics: Q_i, each from observations beside actions [B, n + k] to values [B, outputs]. Of
            pictures the convolutional layers are a network's own, and the action joins what they
            give.
        optimizers: of the actor, and then of each critic.
        memory: the replay memory.
        exploration: adds noise to actions.
        rng: draws what is random in the policy, and the actions before learning starts.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.

    Raises:
        ValueError: another number of critics than the settings ask for.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(ReplayAgent.Settings):
        """Those of an actor with critics."""

        learn_every: int = setting("environment steps per update, over all lanes", 1, least=1)
        tau: float = setting(
            "weight of a network in each update of its target", 0.005, above=0, most=1
        )
        cost: str = setting('cost of the critic, "quadratic" or "huber"', "quadratic", names=COSTS)

        @property
        def count(self) -> int:
            """How many critics there are."""
            return 1

        @property
        def outputs(self) -> int:
            """How many values each of them gives an action."""
            return 1

    kinds = (Continuous,)
    sees_pictures = True
    roles: tuple[str, ...] = ("actor", "critic")
    settings: Settings

    def __init__(
        self,
        actor: Network,
        critics: list[Network],
        optimizers: list[Optimizer],
        memory: Replay,
        exploration: Explorer,
        rng: np.random.Generator,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        super().__init__(memory, exploration, settings, lanes)
        if len(critics) != self.settings.count:
            raise ValueError(f"needs {self.settings.count} critics, not {len(critics)}")
        self.actor, self.critics, self.optimizers = actor, critics, optimizers
        self.make_targets()
        self._rng, self._lanes = rng, lanes
        self.action_size = critics[0].sizes[0] - actor.sizes[0]

    def make_targets(self) -> None:
        """Makes the target networks, as copies."""
        self.target_critics = [critic.copy() for critic in self.critics]

    @staticmethod
    def bounded(parts: Parts) -> Continuous:
        """The problem's actions.

        Raises:
            ValueError: they are not bounded on both sides.
        """
        actions = parts.spaces.actions
        assert isinstance(actions, Continuous)
        if not actions.bounded:
            raise ValueError("needs actions that are bounded on both sides, and these are not")
        return actions

    @staticmethod
    def critics_of(parts: Parts, settings: Settings, actions: int) -> list[Network]:
        """The critics, of what is seen and of `actions` entries of an action."""
        n, outputs = parts.spaces.observation_size, settings.outputs
        return [parts.network(n, outputs, "critic", joined=actions) for _ in range(settings.count)]

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        actions = self.act(observations)
        value = value_of(self.critics[0], pairs(observations, actions))
        return replace(of_action(actions[0]), value=float(value[0].mean()))

    def explore(self, observations: Array, masks: Array | None = None) -> Array:
        if self.steps < self.settings.learn_start:
            shape = (self._lanes, self.action_size)
            return self._rng.uniform(-1.0, 1.0, shape).astype(np.float32)
        return self.try_out(observations)

    def try_out(self, observations: Array) -> Array:
        """The actions [N, k] by which the policy explores."""
        raise NotImplementedError

    def update_critics(self, batch: Batch) -> None:
        """Moves each critic along the gradient of cost(Q_i(s, a) - y); counts the update."""
        y, taken = self.targets(batch), pairs(batch.observations, batch.actions)
        for critic, optimizer in zip(self.critics, self.optimizers[1:], strict=False):
            q = value_of(critic, taken, training=True)
            loss, gradient = self.weighted_loss(batch, q, y)
            critic.backward(gradient.reshape(len(gradient), -1))
            norm = self.clip_and_step("critic", critic, optimizer)
        self.conclude(batch, loss, q, y, norm)

    def least_target_value(self, observations: Array, actions: Array) -> Array:
        """min_i Q_target_i(s, a) [B] (Fujimoto et al. 2018, section 4.2)."""
        following = pairs(observations, actions)
        return reduce(np.minimum, [value_of(each, following) for each in self.target_critics])

    def update_target_critics(self) -> None:
        """Lets the target critics follow."""
        for target, critic in zip(self.target_critics, self.critics, strict=True):
            target.polyak_update(critic, self.settings.tau)

    def policy_state(self) -> State:
        require_finite_weights(self._networks(), self.updates)
        return {"actor": self.actor.state(), "critic": self.critics[0].state()}

    def restore_policy(self, state: State) -> None:
        self.actor.restore(state["actor"])
        for network in (*self.critics, *self.target_critics):
            network.restore(state["critic"])

    def learned_state(self) -> State:
        further = enumerate(self.critics[1:], 1)
        return {f"critic_{number}": critic.state() for number, critic in further}

    def take_over(self, policy: State, learned: State) -> None:
        # Equal critics would stay equal, so one that is not there keeps its random parameters.
        known = {**self.learned_state(), **learned}
        self.restore_policy(policy)
        for number in range(1, len(self.critics)):
            for each in (*self.critics[number:][:1], *self.target_critics[number:][:1]):
                each.restore(known[f"critic_{number}"])

    def _networks(self) -> dict[str, Network]:
        """All networks, by their names in a saved state."""
        named = {"actor": self.actor}
        named |= {f"critic_{number}": each for number, each in enumerate(self.critics)}
        named |= {f"target_critic_{i}": each for i, each in enumerate(self.target_critics)}
        return named

    def state(self) -> State:
        return {
            **super().state(),
            "networks": {name: each.state() for name, each in self._networks().items()},
            "optimizers": {str(i): each.state() for i, each in enumerate(self.optimizers)},
            "rng": self._rng.bit_generator.state,
        }

    def restore(self, state: State) -> None:
        super().restore(state)
        for name, network in self._networks().items():
            network.restore(state["networks"][name])
        for i, optimizer in enumerate(self.optimizers):
            optimizer.restore(state["optimizers"][str(i)])
        self._rng.bit_generator.state = state["rng"]


def pairs(observations: Array, actions: Array) -> Array:
    """Observations [B, n] beside actions [B, k], as a critic takes them."""
    return np.concatenate([observations, actions], axis=1)


def value_of(critic: Network, pairs: Array, training: bool = False) -> Array:
    """Q(s, a) [B] of pairs [B, n + k], or all of several outputs [B, outputs]."""
    values = critic.forward(pairs, training)
    return (values[:, 0] if values.shape[1] == 1 else values).copy()


def slope_of(critic: Network, weights: Array, size: int) -> Array:
    """The gradient of sum(w Q(s, a)) with respect to the last `size` inputs, the actions [B, k].

    Args:
        critic: Q; its latest forward pass was of these states and actions.
        weights: w [B], or [B, outputs].
        size: k.
    """
    return critic.input_gradient(weights.reshape(len(weights), -1))[:, -size:]
