"""Bootstrapped DQN with prior functions (Osband et al. 2016; Osband et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import Ensemble, Optimizer
from nn.settings import setting
from nn.typing import Array, BoolArray, IntArray, State
from rl.agents.base import GreedyPolicy, Parts
from rl.agents.dqn import DQN
from rl.agents.values import EnsembleValues, allowed
from rl.environments import Transitions
from rl.environments.spaces import Discrete
from rl.exploration import Explorer
from rl.memory import Batch, Replay


class BootstrappedDQN(DQN):
    """An ensemble of K value functions, of which one acts for a whole episode.

    What the members do not know, they disagree about, so that one which hopes for a reward far away
    goes there, and does not turn back after a few steps, as epsilon-greedy would. Each is the sum
    of a network and of a fixed random one, its prior function (Osband et al. 2018):

        Q_k(s, a) = f_k(s, a) + beta p_k(s, a)
        at the start of an episode, draw k; act by argmax_a Q_k(s, a)
        y_k = r + gamma Q_target_k(s', argmax_a' Q_k(s', a'))
        descend along the gradient of sum_k m_k cost(Q_k(s, a) - y_k)

    The bootstrap mask m_k of a transition is 1 with probability p, else 0, and stays the same
    (2016, algorithm 1). It follows from the transition's number and a key, so that no memory has
    to keep it. The greedy policy takes the action of the greatest mean over the members.

    Of pictures the members share their convolutional layers, as in Osband et al. (2016), and so do
    the priors, which have fixed random ones of their own.

    Args:
        network: f, whose members' outputs follow one another.
        prior: p, likewise.
        optimizer: of f.
        memory: the replay memory.
        exploration: chooses actions from values; with none of its own, by the member alone.
        rng: draws the members that act, and the key of the masks.
        settings: of the class's own `Settings`.
        lanes: environments stepped together; each has a member of its own.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(DQN.Settings):
        """Those of `BootstrappedDQN`."""

        members: int = setting("K, number of value functions", 10, least=1, most=1_000)
        prior_scale: float = setting("beta, weight of the prior functions", 3.0, least=0)
        mask_probability: float = setting(
            "p, probability that a member learns from a transition", 0.5, above=0, most=1
        )

    kin = "members of an ensemble"
    carried = ("dueling", "members", "prior_scale")
    network_options = ()
    explores_itself = True
    settings: Settings
    q: EnsembleValues
    target: EnsembleValues
    policy: EnsembleValues

    def __init__(
        self,
        network: Ensemble,
        prior: Ensemble,
        optimizer: Optimizer,
        memory: Replay,
        exploration: Explorer,
        rng: np.random.Generator,
        settings: Settings | None = None,
        lanes: int = 1,
    ) -> None:
        self._prior, self._rng = prior, rng
        super().__init__(network, optimizer, memory, exploration, settings, lanes)
        self._key = int(rng.integers(2**63))
        self._acting = rng.integers(self.settings.members, size=lanes)  # of each lane

    def make_values(self, network: Any) -> EnsembleValues:
        return EnsembleValues(network, self.settings.head, self._prior, self.settings.prior_scale)

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> BootstrappedDQN:
        actions = parts.spaces.actions
        assert isinstance(actions, Discrete)
        sizes = parts.spaces.observation_size, settings.head.outputs(actions.count)
        network, prior = (parts.network(*sizes, members=settings.members) for _ in range(2))
        assert isinstance(network, Ensemble)
        assert isinstance(prior, Ensemble)
        return cls(network, prior, parts.optimizer(network), parts.memory(), parts.exploration(),
                   parts.generator(), settings, parts.lanes)  # fmt: skip

    def explore(self, observations: Array, masks: BoolArray | None = None) -> IntArray:
        lanes = np.arange(len(observations))
        values = self.q.predict(observations)[lanes, :, self._acting]  # [N, A]
        return self.exploration.choose(allowed(values, masks), self.steps)

    def observe(self, transitions: Transitions) -> None:
        super().observe(transitions)
        for lane in np.flatnonzero(transitions.terminated | transitions.truncated):
            self._acting[lane] = self._rng.integers(self.settings.members)

    def abandon(self, lane: int) -> None:
        super().abandon(lane)
        self._acting[lane] = self._rng.integers(self.settings.members)

    def next_values(self, batch: Batch) -> Array:
        """Q_target_k(s', argmax_a' Q_k(s', a')) [B, K]."""
        masks = None if batch.next_masks is None else batch.next_masks[:, :, None]
        best = allowed(self.q.predict(batch.next_observations), masks).argmax(axis=1)
        values = self.target.predict(batch.next_observations)
        return np.take_along_axis(values, best[:, None], axis=1)[:, 0]

    def weighted_loss(self, batch: Batch, q: Array, y: Array) -> tuple[float, Array]:
        # What a member does not learn from has no error.
        return super().weighted_loss(batch, q, np.where(self.mask(self.memory.latest), y, q))

    def mask(self, numbers: IntArray) -> BoolArray:
        """m [B, K] of the transitions that were added with these numbers [B]."""
        members = np.arange(self.settings.members, dtype=np.uint64)
        each = numbers[:, None].astype(np.uint64) * np.uint64(len(members)) + members
        is_learned: BoolArray = uniform(each, self._key) < self.settings.mask_probability
        return is_learned

    @property
    def greedy_policy(self) -> GreedyPolicy:
        network = self.policy.network.beside(self._prior)
        first, members = int(self.settings.dueling), self.settings.members
        outputs = network.sizes[-1] // network.members
        one = np.eye(outputs, dtype=np.float32)[:, first:] / members  # of dueling heads, not V
        mix = np.vstack([one] * members + [self.settings.prior_scale * one] * members)
        return GreedyPolicy(network, mix=mix.astype(np.float32))

    def policy_state(self) -> State:
        return {**super().policy_state(), "prior": self._prior.state()}

    def restore_policy(self, state: State) -> None:
        super().restore_policy(state)
        self._prior.restore(state["prior"])

    def state(self) -> State:
        ours = {"acting": self._acting.copy(), "key": self._key}
        rng = self._rng.bit_generator.state
        return {**super().state(), "prior": self._prior.state(), "ensemble": {**ours, "rng": rng}}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._prior.restore(state["prior"])
        ours = state["ensemble"]
        self._acting, self._key = np.array(ours["acting"]), int(ours["key"])
        self._rng.bit_generator.state = ours["rng"]


def uniform(numbers: Array, key: int) -> Array:
    """A random number in [0, 1) for each of uint64 `numbers`, the same each time.

    The output function of SplitMix64 (Steele, Lea and Flood 2014) of a counter.
    """
    z = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) * 2.0**-53
