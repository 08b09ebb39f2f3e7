"""When an agent of OpenAI Lab learns: it counts within the episode, and in episodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn import Optimizer
from nn.settings import setting
from nn.typing import Array, State
from rl.agents.replay_agent import ReplayAgent
from rl.environments import Transitions

MOST = 10_000.0  # magnitude of the values in a target
_UNCLIPPED = 1e30  # a gradient's norm


class Counting(ReplayAgent):
    """A replay agent that learns n minibatches at a time, at a pace counted within the episode.

    It learns at step t > 0 of an episode if t is a multiple of `train_per_n_new_exp`, and at the
    episode's end. In episode e, counted from 0, n is 2 + e // 2, at most `n_epoch`. An episode's
    end is terminal also where a time limit makes it: no value follows.

    With `joins_first` the first `joins` steps of a session are stored as one transition, as the
    original did behind its preprocessors: the first one's observation, and all else of the last.

    Raises:
        ValueError: there are several lanes.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(ReplayAgent.Settings):
        """Those of every agent of OpenAI Lab with a memory."""

        gamma: float = setting("discount per step", 0.95, least=0, most=1)
        train_per_n_new_exp: int = setting(
            "steps of an episode from one call of training to the next", 1, least=1
        )
        n_epoch: int = setting("minibatches per call, in the end", 5, least=1, most=1000)
        joins_first: bool = setting(
            "whether the first steps of a session are stored as one transition, from the first "
            "observation with the last action to where that led",
            False,
        )
        joins: int = setting("how many steps these are", 2, least=2)
        learn_start: int = setting("not used", 0, least=0, most=0)
        learn_every: int = setting("not used", 1, least=1, most=1)
        max_gradient_norm: float = setting(
            "maximum norm of each network's gradient; longer ones are scaled down",
            _UNCLIPPED,
            above=0,
        )

    settings: Settings
    waits_for = "agent.train_per_n_new_exp"

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        if len(self._n_step) != 1:
            raise ValueError("counts the steps of one episode: train.lanes must be 1")
        self._episode, self._t, self._is_over = 0, -1, False
        self._first: Array | None = None  # observation [1, n], until it is stored

    @property
    def learns_after(self) -> int:
        return 1

    def gradient_steps(self, steps: int) -> int:
        return 0  # nobody knows

    @property
    def minibatches(self) -> int:
        """n, the minibatches of a call in this episode."""
        return min(2 + self._episode // 2, self.settings.n_epoch)

    def observe(self, transitions: Transitions) -> None:
        over = transitions.terminated | transitions.truncated
        t = replace(transitions, terminated=over, truncated=np.zeros_like(over))
        if self.settings.joins_first and self.steps < self.settings.joins - 1 and not over[0]:
            self._first = t.observations.copy() if self._first is None else self._first
            self.steps += 1
        else:
            kept, self._first = self._first, None
            super().observe(t if kept is None else replace(t, observations=kept))
        self._t, self._is_over = self._t + 1, bool(over[0])

    def abandon(self, lane: int) -> None:
        super().abandon(lane)
        self._t, self._is_over, self._first = -1, False, None

    def learn(self) -> None:
        if self._t < 0:
            return
        self.prepare(self._t, self._is_over)
        pace = self.settings.train_per_n_new_exp
        is_due = self._t > 0 and (self._t % pace == 0 or self._is_over)
        if is_due and self.memory.size:  # with none stored yet the original failed
            for _ in range(self.minibatches):
                self.update(self.memory.sample())
        if self._is_over:
            self._episode, self._t, self._is_over = self._episode + 1, -1, False

    def prepare(self, t: int, is_over: bool) -> None:
        """Called after step `t` of an episode, which it may have ended, before what is learned."""

    def state(self) -> State:
        first = {} if self._first is None else {"first": self._first}
        return {**super().state(), "counted": [self._episode, self._t], **first}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._episode, self._t = map(int, state["counted"])
        self._first = state.get("first")


def mean_square(error: Array) -> tuple[float, Array]:
    """The mean of e^2 over examples and outputs [B, A], and its gradient, as Keras has it."""
    return float(np.square(error).mean()), error * np.float32(2.0 / error.size)


def bounded(values: Array) -> Array:
    """Values cut to a magnitude of 10,000."""
    return np.clip(values, -MOST, MOST)


def tenth(optimizer: Optimizer) -> Optimizer:
    """A new optimizer of the same parameters, whose learning rate is a tenth."""
    rate: Any = optimizer.settings.learning_rate
    is_number = isinstance(rate, float)
    lower = rate / 10.0 if is_number else replace(rate, start=rate.start / 10.0)
    settings = replace(optimizer.settings, learning_rate=lower)
    return type(optimizer)(optimizer.parameters, optimizer.gradients, settings)
