"""The actor-critic of OpenAI Lab, which learns from a replay memory by regression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nn import ACTIVATIONS, Network, Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.learning import require_finite_loss, require_finite_weights
from rl.agents.thoughts import Thoughts, of_action, of_values
from rl.agents.values import allowed
from rl.environments.spaces import Continuous, Discrete
from rl.errors import UserError
from rl.exploration import Explorer
from rl.memory import Batch, Replay
from rl.openai_lab.counting import Counting, bounded, mean_square, tenth


class ActorCritic2017(Counting):
    """A critic V(s) of TD(0), and an actor whose outputs are regressed on differences of values:

        critic: descend along the gradient of the mean of (V(s) - (r + gamma V(s')))^2
        actor:  descend along that of the mean over B and all outputs of (f(s) - target)^2.

    The actor's target is V(s') - V(s), by the critic before its step, for the action taken and
    f(s) itself for the others; of continuous actions, for each entry. This is no policy gradient.

    Args:
        networks: the actor, and the critic.
        optimizers: of both.
        memory: the replay memory.
        exploration: chooses by the actor's outputs.
        settings: of the class's own `Settings`.
        lanes: 1.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Counting.Settings):
        """Those of `ActorCritic2017`."""

        epi_change_lr: int | None = setting(
            "episode at whose start new optimizers take over, with a tenth of the learning rate",
            None,
            least=0,
        )
        output: str = setting("activation of the last layers", "identity", names=ACTIVATIONS)
        squash: bool = setting("whether continuous actions are tanh of the outputs", False)
        unit: float = setting("half the range of the environment's actions", 1.0, above=0)
        tau: float = setting("not used", 1.0, least=1, most=1)
        cost: str = setting("the mean square, and no other", "quadratic", names=("quadratic",))

    kinds = (Discrete, Continuous)
    roles = ("actor", "critic")
    kin = "regressed actor and critic"
    settings: Settings

    def __init__(
        self,
        networks: tuple[Network, Network],
        optimizers: list[Optimizer],
        memory: Replay,
        exploration: Explorer,
        settings: Settings | None = None,
        lanes: int = 1,
        is_discrete: bool = True,
    ) -> None:
        super().__init__(memory, exploration, settings, lanes)
        self.actor, self.critic = networks
        self.optimizers, self._is_discrete, self._lowered = optimizers, is_discrete, False
        self.rows = np.arange(memory.batch_size)

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> ActorCritic2017:
        n, actions = parts.spaces.observation_size, parts.spaces.actions
        assert isinstance(actions, (Discrete, Continuous))
        is_discrete = isinstance(actions, Discrete)
        outputs = actions.count if isinstance(actions, Discrete) else actions.size
        networks = (
            parts.network(n, outputs, "actor", output=settings.output),
            parts.network(n, 1, "critic", output=settings.output),
        )
        optimizers = [
            parts.optimizer(each, role) for each, role in zip(networks, cls.roles, strict=True)
        ]
        memory, exploration = parts.memory(), parts.exploration()
        return cls(networks, optimizers, memory, exploration, settings, parts.lanes, is_discrete)

    def outputs(self, observations: Array, masks: Array | None = None) -> Array:
        """Scores of discrete actions, or continuous actions that may be out of bounds."""
        outputs = self.actor.forward(observations)
        if self._is_discrete:
            return allowed(outputs, masks)
        return np.tanh(outputs) if self.settings.squash else outputs / self.settings.unit

    def act(self, observations: Array, masks: Array | None = None) -> Array:
        outputs = self.outputs(observations, masks)
        return outputs.argmax(axis=1) if self._is_discrete else np.clip(outputs, -1.0, 1.0)

    def explore(self, observations: Array, masks: Array | None = None) -> Array:
        chosen: Array = self.exploration.choose(self.outputs(observations, masks), self.steps)
        return chosen if self._is_discrete else np.clip(chosen, -1.0, 1.0)

    @property
    def greedy_policy(self) -> GreedyPolicy:
        if not self._is_discrete and not self.settings.squash and self.settings.unit != 1.0:
            raise UserError("a policy of ActorCritic_2017 with agent.unit cannot be exported")
        bound = "" if self._is_discrete else "tanh" if self.settings.squash else "clip"
        return GreedyPolicy(self.actor, bound=bound)

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        if self._is_discrete:
            return of_values(self.outputs(observations, masks)[0])
        value = float(self.critic.forward(observations)[0, 0])
        return replace(of_action(self.act(observations)[0]), value=value)

    def prepare(self, t: int, is_over: bool) -> None:
        if t == 0 and self._episode == self.settings.epi_change_lr:
            self._lower()

    def _lower(self) -> None:
        self.optimizers, self._lowered = [tenth(each) for each in self.optimizers], True

    def update(self, batch: Batch) -> None:
        v_next = bounded(self.critic.forward(batch.next_observations)[:, 0].copy())
        y = batch.rewards + batch.discounts * v_next
        v = self.critic.forward(batch.observations, training=True)[:, 0].copy()
        delta = v_next - bounded(v)
        loss, gradient = mean_square((v - y).astype(np.float32))
        require_finite_loss(loss, self.updates)
        self.critic.backward(gradient[:, None])
        norm = self._step(1)
        self.update_actor(batch, delta)
        self.conclude(batch, loss, bounded(v), y, norm)

    def update_actor(self, batch: Batch, delta: Array) -> None:
        """Moves the outputs towards `delta` [B]."""
        f = self.actor.forward(batch.observations, training=True)
        if self._is_discrete:
            error, taken = np.zeros_like(f), (self.rows, batch.actions)
            error[taken] = f[taken] - delta
        else:
            error = f - delta[:, None]
        _, gradient = mean_square(error.astype(np.float32))
        self.actor.backward(gradient)
        self._step(0)

    def _step(self, role: int) -> float:
        """Steps along the gradient of one network; the optimizers share the count of their steps.

        So the moments of Adam are corrected, and the rate decays, by the steps of both.
        """
        network = (self.actor, self.critic)[role]
        norm = self.clip_and_step(self.roles[role], network, self.optimizers[role])
        self.optimizers[1 - role].steps += 1
        return norm

    def policy_state(self) -> State:
        require_finite_weights({"actor": self.actor, "critic": self.critic}, self.updates)
        return {"actor": self.actor.state(), "critic": self.critic.state()}

    def restore_policy(self, state: State) -> None:
        self.actor.restore(state["actor"])
        self.critic.restore(state["critic"])

    def state(self) -> State:
        optimizers = {str(i): each.state() for i, each in enumerate(self.optimizers)}
        networks = {"actor": self.actor.state(), "critic": self.critic.state()}
        own = {**networks, "optimizers": optimizers, "lowered": self._lowered}
        return {**super().state(), **own}

    def restore(self, state: State) -> None:
        if state["lowered"]:
            self._lower()
        super().restore(state)
        self.restore_policy(state)
        for i, each in enumerate(self.optimizers):
            each.restore(state["optimizers"][str(i)])
