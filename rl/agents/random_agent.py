"""The agent that learns nothing, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn.typing import Array, BoolArray, State
from rl.agents.base import Agent, GreedyPolicy, Parts
from rl.agents.thoughts import Thoughts, of_action, of_probabilities
from rl.environments import Transitions
from rl.environments.spaces import Actions, Continuous, Discrete, MultiDiscrete
from rl.errors import UserError


class Random(Agent):
    """Acts uniformly at random among what is allowed, in training and in evaluation.

    An evaluation repeats itself: what is done in a moment of it follows from the session's seed,
    the episode's seed and the step (`act_at`).

    Args:
        actions: that are chosen among.
        rng: draws them in training.
        lanes: environments stepped together.
    """

    kinds = (Discrete, MultiDiscrete, Continuous)
    kin = "nothing learned"

    def __init__(self, actions: Actions, rng: np.random.Generator, lanes: int = 1) -> None:
        self.actions, self.lanes, self._rng = actions, lanes, rng
        self._set_key(int(rng.integers(2**31)))

    def _set_key(self, key: int) -> None:
        self._key, self._acting = key, np.random.default_rng(key)

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> Random:
        return cls(parts.spaces.actions, parts.generator(), parts.lanes)

    @property
    def learns_after(self) -> int:
        return 0

    def gradient_steps(self, steps: int) -> int:
        return 0

    def act(self, observations: Array, masks: BoolArray | None = None) -> Array:
        return self._drawn(len(observations), masks, self._acting)

    def act_at(
        self,
        moments: Sequence[tuple[int, int]],
        observations: Array,
        masks: BoolArray | None = None,
    ) -> Array:
        """The actions at these moments, each an episode's seed and its steps so far."""
        drawn = [
            self._drawn(
                1,
                None if masks is None else masks[lane : lane + 1],
                np.random.default_rng((self._key, *moment)),
            )
            for lane, moment in enumerate(moments)
        ]
        return np.concatenate(drawn)

    def explore(self, observations: Array, masks: BoolArray | None = None) -> Array:
        return self._drawn(len(observations), masks, self._rng)

    def _drawn(self, count: int, masks: BoolArray | None, rng: np.random.Generator) -> Array:
        """So many uniform actions of those that are allowed [count] or [count, k]."""
        if isinstance(self.actions, Continuous):
            return rng.uniform(-1.0, 1.0, (count, self.actions.size)).astype(np.float32)
        # The greatest of independent numbers is uniform among those that are allowed.
        numbers = rng.random((count, self.actions.choices))
        numbers = numbers if masks is None else np.where(masks, numbers, -1.0)
        parts = np.split(numbers, self.actions.firsts[1:], axis=1)
        drawn: Array = np.stack([part.argmax(axis=1) for part in parts], axis=1)
        return drawn if isinstance(self.actions, MultiDiscrete) else drawn[:, 0]

    @property
    def greedy_policy(self) -> GreedyPolicy:
        raise UserError("Random cannot be exported: it has no greedy policy, it acts at random")

    def thoughts(self, observations: Array, masks: BoolArray | None = None) -> Thoughts:
        actions = self.actions
        if isinstance(actions, Continuous):
            return of_action(np.zeros(actions.size))
        is_allowed = np.ones(actions.choices) if masks is None else masks[0].astype(float)
        counts = np.add.reduceat(is_allowed, actions.firsts)
        sizes = np.diff(np.append(actions.firsts, actions.choices))
        thoughts = of_probabilities(is_allowed / np.repeat(counts, sizes))
        return replace(thoughts, chosen=None)

    def observe(self, transitions: Transitions) -> None:
        self.steps += self.lanes

    def learn(self) -> None:
        """Learns nothing."""

    def abandon(self, lane: int) -> None:
        """Remembers no episode."""

    def metrics(self) -> dict[str, float]:
        return {}

    def policy_state(self) -> State:
        return {"key": self._key}

    def restore_policy(self, state: State) -> None:
        self._set_key(int(state["key"]))

    def state(self) -> State:
        return {**self.policy_state(), "rng": self._rng.bit_generator.state, "steps": self.steps}

    def restore(self, state: State) -> None:
        self.restore_policy(state)
        self._rng.bit_generator.state = state["rng"]
        self.steps = int(state["steps"])
