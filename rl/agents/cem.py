"""The noisy cross-entropy method (Szita and Lorincz 2006)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn import Network
from nn.limits import require_memory
from nn.settings import setting
from nn.typing import Array, BoolArray, IntArray, State
from rl.agents.base import Agent, GreedyPolicy, Parts
from rl.agents.distributions import masked
from rl.agents.thoughts import Thoughts, of_action
from rl.environments import Transitions
from rl.environments.spaces import Actions, Continuous, Discrete, MultiDiscrete
from rl.errors import Diverged


class CEM(Agent):
    """Searches the parameters of a policy, without gradients and without values.

    Each parameter has a normal distribution of its own. In generation t (Szita and Lorincz 2006,
    eq. 2.3 and 2.5, with its decreasing noise):

        draw w_1, ..., w_n from N(mu, sigma^2); play an episode with each
        elite: the share rho of them that had the greatest returns
        mu <- mean of the elite,  sigma^2 <- variance of the elite + Z_t
        Z_t = noise max(1 - t / noise_generations, 0)

    The greedy policy has the parameters mu, which start as the network's first weights. Each lane
    plays a member of its own; as soon as n episodes have ended a generation is over, and episodes
    under way count in the next one. With one lane that is the algorithm of the paper.

    Args:
        network: from observations [B, n] to the preferences of discrete actions [B, m], of which
            the greatest is taken, or to continuous actions, which are clipped to [-1, 1].
        actions: that are chosen among.
        rng: draws the members.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.

    Raises:
        SettingError: the population does not fit the machine's memory.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Agent.Settings):
        """Those of `CEM`."""

        population: int = setting("n, episodes per generation", 50, least=2)
        elite: float = setting("rho, the share of a generation that is kept", 0.1, above=0, most=1)
        std: float = setting("initial sigma", 1.0, above=0)
        noise: float = setting("variance added to that of the first elite", 0.1, least=0)
        noise_generations: int = setting("generations until nothing is added", 20, least=1)

    kinds = (Discrete, MultiDiscrete, Continuous)
    kin = "searched network"
    sees_pictures = True
    waits_for = "agent.population episodes of a step, at least"
    metric_names = ("mean_return", "elite_return", "std")
    settings: Settings

    def __init__(
        self,
        network: Network,
        actions: Actions,
        rng: np.random.Generator,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        self.settings = settings = settings or self.Settings()
        size = network.parameters.nbytes
        require_memory("population", settings.population, (settings.population + lanes) * size)
        self.network, self.actions, self._rng = network, actions, rng
        self.mean = network.parameters.astype(float)
        self.std = np.full(len(self.mean), settings.std)
        self.members = [network.copy() for _ in range(lanes)]
        self._waiting = [*range(lanes)]  # lanes that a new member is drawn for
        self._tried: list[Array] = []  # the parameters of this generation's members,
        self._returns: list[float] = []  # and what they brought
        self._metrics = dict.fromkeys(self.metric_names, math.nan)
        self._draw_members()

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> CEM:
        actions = parts.spaces.actions
        outputs = actions.size if isinstance(actions, Continuous) else actions.choices
        network = parts.network(parts.spaces.observation_size, outputs)
        return cls(network, actions, parts.generator(), settings, parts.lanes)

    @property
    def learns_after(self) -> int:
        return self.settings.population

    def gradient_steps(self, steps: int) -> int:
        return 0

    def act(self, observations: Array, masks: BoolArray | None = None) -> Array:
        return self._greedy(self.network.forward(observations), masks)

    def explore(self, observations: Array, masks: BoolArray | None = None) -> Array:
        rows = zip(self.members, observations, strict=True)
        outputs = [member.forward(row[None])[0] for member, row in rows]
        return self._greedy(np.stack(outputs), masks)

    def _greedy(self, outputs: Array, masks: BoolArray | None) -> Array:
        """The actions [N] or [N, k] of outputs [N, m]."""
        if isinstance(self.actions, Continuous):
            return np.clip(outputs, -1.0, 1.0)
        parts = np.split(masked(outputs, masks), self.actions.firsts[1:], axis=1)
        best: IntArray = np.stack([part.argmax(axis=1) for part in parts], axis=1)
        return best if isinstance(self.actions, MultiDiscrete) else best[:, 0]

    @property
    def greedy_policy(self) -> GreedyPolicy:
        bound = "clip" if isinstance(self.actions, Continuous) else ""
        return GreedyPolicy(self.network, bound=bound)

    def thoughts(self, observations: Array, masks: BoolArray | None = None) -> Thoughts:
        action = self.act(observations, masks)[0]
        if isinstance(self.actions, Continuous):
            return of_action(action)
        bars = self.network.forward(observations)[0].copy()
        if masks is not None:
            bars[~masks[0]] = np.nan
        chosen = tuple((self.actions.firsts + action).tolist())
        several = isinstance(self.actions, MultiDiscrete)
        return Thoughts("preference", bars, chosen=chosen if several else chosen[0])

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        for lane in np.flatnonzero(t.terminated | t.truncated).tolist():
            self._tried.append(self.members[lane].parameters.copy())
            self._returns.append(float(t.returns[lane]))
            self._waiting.append(lane)
        self.steps += len(self.members)

    def learn(self) -> None:
        if len(self._returns) >= self.settings.population:
            self.update(np.array(self._tried, float), np.array(self._returns))
            self._tried, self._returns = [], []
        self._draw_members()

    def update(self, members: Array, returns: Array) -> None:
        """Fits the distribution to the elite of members [n, P]; counts it in `updates`.

        Raises:
            Diverged: a return is not finite.
        """
        if not np.isfinite(returns).all():
            raise Diverged("return of a member", f"not finite at update {self.updates}")
        settings, count = self.settings, max(1, round(self.settings.elite * len(returns)))
        elite = np.argsort(-returns, kind="stable")[:count]
        noise = settings.noise * max(1.0 - self.updates / settings.noise_generations, 0.0)
        self.mean = members[elite].mean(axis=0)
        self.std = np.sqrt(members[elite].var(axis=0) + noise)
        self.network.parameters[:] = self.mean
        figures = returns.mean(), returns[elite].mean(), self.std.mean()
        self._metrics = dict(zip(self.metric_names, map(float, figures), strict=True))
        self.updates += 1

    def _draw_members(self) -> None:
        """Gives each lane whose episode has ended a member of the present distribution."""
        for lane in self._waiting:
            drawn = self.mean + self.std * self._rng.standard_normal(len(self.mean))
            self.members[lane].parameters[:] = drawn
        self._waiting = []

    def abandon(self, lane: int) -> None:
        """The lane's member plays another episode."""

    def metrics(self) -> dict[str, float]:
        return dict(self._metrics)

    def policy_state(self) -> State:
        return {"network": self.network.state()}

    def restore_policy(self, state: State) -> None:
        self.network.restore(state["network"])
        self.mean = self.network.parameters.astype(float)

    def take_over(self, policy: State, learned: State) -> None:
        super().take_over(policy, learned)
        self._waiting = [*range(len(self.members))]
        self._draw_members()

    def state(self) -> State:
        return {
            "mean": self.mean.copy(),
            "std": self.std.copy(),
            "members": np.array([each.parameters for each in self.members]),
            "tried": np.array(self._tried, np.float32).reshape(-1, len(self.mean)),
            "returns": list(self._returns),
            "rng": self._rng.bit_generator.state,
            "steps": self.steps,
            "updates": self.updates,
            "metrics": self.metrics(),
        }

    def restore(self, state: State) -> None:
        self.mean, self.std = np.array(state["mean"]), np.array(state["std"])
        self.network.parameters[:] = self.mean
        for member, parameters in zip(self.members, state["members"], strict=True):
            member.parameters[:] = parameters
        self._tried, self._returns = [*np.array(state["tried"])], [*map(float, state["returns"])]
        self._rng.bit_generator.state = state["rng"]
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
        self._metrics.update(state["metrics"])
