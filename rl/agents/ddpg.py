"""Deep deterministic policy gradients (Lillicrap et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nn import COSTS, Network, Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.learning import require_finite_weights
from rl.agents.replay_agent import ReplayAgent
from rl.agents.thoughts import Thoughts, of_action
from rl.environments.spaces import Continuous
from rl.exploration import Explorer
from rl.memory import Batch, Replay


class DDPG(ReplayAgent):
    """Learns a deterministic policy mu(s), the actor, along the slope of its values, the critic.

    Act by mu(s) plus noise; store the transition; then for a minibatch (Lillicrap et al. 2016,
    algorithm 1):

        y = r + gamma Q_target(s', mu_target(s'))
        critic: descend along the gradient of cost(Q(s, a) - y)
        actor:  ascend along the gradient of Q(s, mu(s)), through the critic
        let both target networks follow.

    Until the first update, actions are uniformly random.

    Args:
        actor: mu, from observations [B, n] to actions [B, k] with entries from -1 to 1.
        critics: Q, each from observations beside actions [B, n + k] to values [B, 1]; here one.
        optimizers: of the actor, and then of each critic.
        memory: the replay memory.
        exploration: adds noise to actions.
        rng: draws the actions before learning starts.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.

    Raises:
        ValueError: another number of critics than the settings ask for.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(ReplayAgent.Settings):
        """Those of `DDPG`."""

        learn_every: int = setting("environment steps per update, over all lanes", 1, least=1)
        tau: float = setting(
            "weight of a network in each update of its target", 0.005, above=0, most=1
        )
        cost: str = setting('cost of the critic, "quadratic" or "huber"', "quadratic", names=COSTS)

        @property
        def count(self) -> int:
            """How many critics there are."""
            return 1

    kinds = (Continuous,)
    roles = ("actor", "critic")
    kin = "deterministic actor and critics"
    network_options = ("batch_norm",)
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
        self.target_actor = actor.copy()
        self.target_critics = [critic.copy() for critic in critics]
        self._rng, self._lanes = rng, lanes

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> DDPG:
        n, actions = parts.spaces.observation_size, parts.spaces.actions
        assert isinstance(actions, Continuous)
        if not actions.bounded:
            raise ValueError("needs actions that are bounded on both sides, and these are not")
        actor = parts.network(n, actions.size, "actor", output="tanh")
        critics = [parts.network(n + actions.size, 1, "critic") for _ in range(settings.count)]
        optimizers = [parts.optimizer(actor, "actor")]
        optimizers += [parts.optimizer(critic, "critic") for critic in critics]
        return cls(actor, critics, optimizers, parts.memory(), parts.exploration(),
                   parts.generator(), settings, parts.lanes)  # fmt: skip

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        return self.actor.forward(observations)

    @property
    def greedy_policy(self) -> GreedyPolicy:
        return GreedyPolicy(self.actor)

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        actions = self.act(observations)
        value = value_of(self.critics[0], observations, actions)
        return replace(of_action(actions[0]), value=float(value[0]))

    def explore(self, observations: Array, masks: Array | None = None) -> Array:
        if self.steps < self.settings.learn_start:
            shape = (self._lanes, self.actor.sizes[-1])
            return self._rng.uniform(-1.0, 1.0, shape).astype(np.float32)
        return self.exploration.choose(self.actor.forward(observations), self.steps)

    def update(self, batch: Batch) -> None:
        y = self.targets(batch)
        for critic, optimizer in zip(self.critics, self.optimizers[1:], strict=True):
            q = value_of(critic, batch.observations, batch.actions, training=True)
            loss, gradient = self.weighted_loss(batch, q, y)
            critic.backward(gradient[:, None])
            norm = self.clip_and_step("critic", critic, optimizer)
        self.conclude(batch, loss, q, y, norm)
        if self.updates_policy:
            self.update_actor(batch.observations)
            self.update_targets()

    def next_values(self, batch: Batch) -> Array:
        """Q_target(s', mu_target(s')) [B]; of several critics the least."""
        actions = self.next_actions(batch.next_observations)
        values = [value_of(each, batch.next_observations, actions) for each in self.target_critics]
        return np.minimum.reduce(values)

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
        value_of(self.critics[0], observations, actions)
        descent = np.full((len(actions), 1), -1.0 / len(actions), np.float32)  # of -Q, averaged
        slope = self.critics[0].input_gradient(descent)
        self.actor.backward(slope[:, observations.shape[1] :])
        self.clip_and_step("actor", self.actor, self.optimizers[0])

    def update_targets(self) -> None:
        """Lets the target networks follow."""
        self.target_actor.polyak_update(self.actor, self.settings.tau)
        for target, critic in zip(self.target_critics, self.critics, strict=True):
            target.polyak_update(critic, self.settings.tau)

    def policy_state(self) -> State:
        require_finite_weights(self._networks(), self.updates)
        return {"actor": self.actor.state(), "critic": self.critics[0].state()}

    def restore_policy(self, state: State) -> None:
        for network in (self.actor, self.target_actor):
            network.restore(state["actor"])
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
            for each in (self.critics[number], self.target_critics[number]):
                each.restore(known[f"critic_{number}"])

    def _networks(self) -> dict[str, Network]:
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
        }

    def restore(self, state: State) -> None:
        super().restore(state)
        for name, network in self._networks().items():
            network.restore(state["networks"][name])
        for i, optimizer in enumerate(self.optimizers):
            optimizer.restore(state["optimizers"][str(i)])
        self._rng.bit_generator.state = state["rng"]


def value_of(critic: Network, observations: Array, actions: Array, training: bool = False) -> Array:
    """Q(s, a) [B] of observations [B, n] and actions [B, k]."""
    return critic.forward(np.hstack([observations, actions]), training)[:, 0].copy()
