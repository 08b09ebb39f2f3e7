"""Exploration among discrete actions: from action values to actions."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from nn.schedules import RAMPS
from nn.settings import setting
from nn.typing import Array, IntArray, State
from rl.exploration.base import Explorer, Scheduled


class EpsilonGreedy(Scheduled):
    """A uniformly random action with probability epsilon, else the best one.

    Sutton and Barto (2018), section 2.2.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Scheduled.Settings):
        """Those of `EpsilonGreedy`."""

        start: float = setting("initial epsilon", 1.0, least=0, most=1)
        end: float = setting("final epsilon", 0.05, least=0, most=1)

    def choose(self, greedy: Array, step: int) -> IntArray:
        actions = greedy.argmax(axis=1)
        epsilon = self.amount(step)
        for lane, drawn in enumerate(self._rng.random(len(greedy)).tolist()):
            if drawn < epsilon:
                actions[lane] = self._uniform(greedy[lane])
        return actions

    def probabilities(self, values: Array, step: int) -> Array:
        epsilon, is_allowed = self.amount(step), values > -np.inf
        uniform = is_allowed / is_allowed.sum(axis=1, keepdims=True)
        return (1.0 - epsilon) * _of_the_best(values) + epsilon * uniform

    def _uniform(self, values: Array) -> int:
        """A random action of those that are allowed, given the values of all [A]."""
        action = int(self._rng.integers(len(values)))
        if values[action] == -np.inf:  # drawing once more among the others is as uniform
            others = np.flatnonzero(values > -np.inf)
            return int(self._rng.choice(others)) if len(others) else action
        return action


class PeriodicEpsilonGreedy(EpsilonGreedy):
    """Epsilon swings between its ramp and `end`: end + (ramp - end) (1 + cos(2 pi t / period)) / 2.

    So that an agent looks around again after it has settled.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(EpsilonGreedy.Settings):
        """Those of `PeriodicEpsilonGreedy`."""

        period: int = setting("environment steps per oscillation", 2_000, least=1)

    settings: Settings

    def amount(self, step: int) -> float:
        swing = 0.5 * (1.0 + math.cos(2.0 * math.pi * step / self.settings.period))
        end = self.settings.end
        return end + (super().amount(step) - end) * swing


class TargetEpsilonGreedy(EpsilonGreedy):
    """Epsilon falls as the mean return of the latest episodes nears a target.

    From `start` at the mean of the first `episodes` episodes to `end` at the target, linearly in
    between; so it falls as fast as the agent learns.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Explorer.Settings):
        """Those of `TargetEpsilonGreedy`."""

        target: float = setting("the mean return at which epsilon is `end`")
        start: float = setting("initial epsilon", 1.0, least=0, most=1)
        end: float = setting("epsilon at the target", 0.05, least=0, most=1)
        episodes: int = setting("number of latest episodes to average", 20, least=1)

    settings: Settings  # type: ignore[assignment]
    follows_returns = True

    def _prepare(self) -> None:
        self._returns: deque[float] = deque(maxlen=self.settings.episodes)
        self._first: float | None = None  # the mean of the first ones

    def ended(self, lane: int, total: float | None) -> None:
        if total is None:
            return
        self._returns.append(total)
        if self._first is None and len(self._returns) == self._returns.maxlen:
            self._first = float(np.mean(self._returns))

    def amount(self, step: int) -> float:
        start, end = self.settings.start, self.settings.end
        if self._first is None:
            return start
        way = self.settings.target - self._first
        covered = float(np.mean(self._returns)) - self._first
        share = min(max(covered / way, 0.0), 1.0) if way > 0 else 1.0
        return start + (end - start) * share

    def state(self) -> State:
        return {**super().state(), "returns": list(self._returns), "first": self._first}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._returns.clear()
        self._returns.extend(state["returns"])
        self._first = state["first"]


class Greedy(Explorer):
    """The best action, always."""

    def choose(self, greedy: Array, step: int) -> IntArray:
        return greedy.argmax(axis=1)

    def probabilities(self, values: Array, step: int) -> Array:
        return _of_the_best(values)


class Boltzmann(Scheduled):
    """Action a with probability proportional to exp(Q(a) / temperature).

    Sutton and Barto (2018), eq. 2.11. Sampled by the Gumbel trick: the largest of
    Q(a) / temperature + G(a), with G standard Gumbel noise, has that distribution, and no
    exponential can overflow.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Scheduled.Settings):
        """Those of `Boltzmann`."""

        start: float = setting("initial temperature, in units of the values", 1.0, above=0)
        end: float = setting("final temperature", 0.05, above=0)
        schedule: str = setting('"linear", "exponential" or "cosine"', "exponential", names=RAMPS)

    def choose(self, greedy: Array, step: int) -> IntArray:
        return (greedy / self.amount(step) + self._rng.gumbel(size=greedy.shape)).argmax(axis=1)

    def probabilities(self, values: Array, step: int) -> Array:
        z = values / self.amount(step)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)


def _of_the_best(values: Array) -> Array:
    """1 for the action that is taken greedily, else 0 [N, A]."""
    best = np.zeros(values.shape)
    best[np.arange(len(values)), values.argmax(axis=1)] = 1.0
    return best
