"""Observations and rewards of mean 0 and standard deviation 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array, State
from rl.preprocessors.base import Preprocessor, within


class Moments:
    """The running mean and variance of vectors, by Welford (1962)."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean, self._squares = np.zeros(size), np.zeros(size)

    def add(self, value: Array) -> None:
        """Takes in one vector [size]."""
        self.count += 1
        difference = value - self.mean
        self.mean += difference / self.count
        self._squares += difference * (value - self.mean)

    @property
    def variance(self) -> Array:
        """Of the values so far [size]; 1 until there are two."""
        return self._squares / self.count if self.count > 1 else np.ones_like(self.mean)

    def state(self) -> State:
        """What `restore` needs."""
        return {"count": self.count, "mean": self.mean.copy(), "squares": self._squares.copy()}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.count = int(state["count"])
        np.copyto(self.mean, state["mean"])
        np.copyto(self._squares, state["squares"])


class Normalize(Preprocessor):
    """Observations less their running mean, over their running standard deviation.

    Rewards, if wanted, over the running standard deviation of the discounted return, which makes
    one learning rate serve problems of any scale. Both are learned while the agent learns, and
    kept as they are in evaluation.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of `Normalize`, which come after the reward's scale and clip."""

        observations: bool = setting("whether to normalize observations", True)
        center_beyond: float = setting(
            "standard deviations that a mean may lie from 0 before it is subtracted, and then only "
            "what exceeds them: an origin often means something, such as upright or landed. 0 "
            "subtracts the whole mean",
            0.0,
            least=0,
        )
        rewards: bool = setting("whether to normalize rewards", False)
        return_std: float = setting(
            "standard deviation of the discounted return after scaling: the larger, the smaller "
            "are an optimizer's steps beside the values that are learned",
            1.0,
            above=0,
        )
        gamma: float = setting(
            "discount of the return whose deviation scales the rewards", 0.99, least=0, most=1
        )
        clip: float = setting("maximum magnitude of normalized values", 10.0, above=0)
        warmup: int | None = setting(
            "observations that their mean and deviation are learned from, and then stay as they "
            "are: a replay memory holds what was normalized earlier. Null learns from all of them",
            None,
            least=2,
        )
        epsilon: float = setting(
            "added to each variance. Less makes what is normalized independent of the scale",
            1e-8,
            least=0,
        )

    settings: Settings

    def __init__(self, raw_size: int, settings: Settings | None = None) -> None:
        self.seen, self._returned = Moments(raw_size), Moments(1)
        super().__init__(raw_size, settings)

    def _prepare(self, lanes: int) -> None:
        self._returns = [0.0] * lanes

    remembers = False  # except for rewards

    @property
    def mean(self) -> Array:
        """What is subtracted from observations [raw_size]."""
        mean, kept = self.seen.mean, self.settings.center_beyond
        if not kept:
            return mean
        most = kept * np.sqrt(self.seen.variance)
        return mean - np.clip(mean, -most, most)

    @property
    def std(self) -> Array:
        """What they are divided by then [raw_size]; 1 where it would be 0."""
        std = np.sqrt(self.seen.variance + self.settings.epsilon)
        return std if self.settings.epsilon else np.where(std > 0.0, std, 1.0)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._returns[lane] = 0.0
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        if not self.settings.observations:
            out[:] = raw
            return
        if self.learning and self.seen.count < (self.settings.warmup or math.inf):
            self.seen.add(np.asarray(raw, float))
        limit = self.settings.clip
        out[:] = np.clip((raw - self.mean) / self.std, -limit, limit)

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        reward = super().reward(lane, reward, ended)
        if not self.settings.rewards:
            return reward
        self._returns[lane] = self.settings.gamma * self._returns[lane] + reward
        if self.learning:
            self._returned.add(np.array([self._returns[lane]]))
        if ended:
            self._returns[lane] = 0.0
        deviation = math.sqrt(float(self._returned.variance[0]) + self.settings.epsilon)
        scaled = within(reward / (deviation or 1.0), self.settings.clip)
        return self.settings.return_std * scaled

    def state(self) -> State:
        return {"observations": self.seen.state(), "returns": self._returned.state()}

    def restore(self, state: State) -> None:
        self.seen.restore(state["observations"])
        self._returned.restore(state["returns"])
