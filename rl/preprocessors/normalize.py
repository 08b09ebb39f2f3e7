"""Observations and rewards of mean 0 and standard deviation 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn.settings import setting
from nn.typing import Array, State
from rl.preprocessors.base import Preprocessor, within
from rl.preprocessors.picture import Picture


class Moments:
    """The running mean and variance of vectors (Welford 1962)."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.changes = 0  # so that what follows from the moments is computed when they change
        self.mean, self._squares = np.zeros(size), np.zeros(size)

    def add(self, values: Array) -> None:
        """Takes in vectors [B, size], with one update for all of them (Chan et al. 1983)."""
        self.count += len(values)
        self.changes += 1
        differences = values - self.mean
        self.mean += differences.sum(axis=0) / self.count
        self._squares += (differences * (values - self.mean)).sum(axis=0)

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
        self.changes += 1
        np.copyto(self.mean, state["mean"])
        np.copyto(self._squares, state["squares"])


class Spread:
    """The running variance of a number, as `Moments` has it of a vector of one.

    Python's own numbers are several times as fast for a single one as an array is.
    """

    def __init__(self) -> None:
        self.count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        """Takes in a number."""
        self.count += 1
        difference = value - self._mean
        self._mean += difference / self.count
        self._squares += difference * (value - self._mean)

    @property
    def variance(self) -> float:
        """Of the numbers so far; 1 until there are two."""
        return self._squares / self.count if self.count > 1 else 1.0

    def state(self) -> State:
        """What `restore` needs."""
        squares = np.array([self._squares])
        return {"count": self.count, "mean": np.array([self._mean]), "squares": squares}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.count = int(state["count"])
        self._mean, self._squares = float(state["mean"][0]), float(state["squares"][0])


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
        self.seen, self._returned = Moments(raw_size), Spread()
        super().__init__(raw_size, settings)

    def _prepare(self, lanes: int) -> None:
        self._returns = [0.0] * lanes
        self._changes = -1  # of the moments that `mean` and `std` are of

    remembers = False  # except for rewards

    @property
    def mean(self) -> Array:
        """What is subtracted from observations [raw_size]."""
        return self._affine()[0]

    @property
    def std(self) -> Array:
        """What they are divided by then [raw_size]; 1 where it would be 0."""
        return self._affine()[1]

    def _affine(self) -> tuple[Array, Array]:
        """`mean` and `std`, which stay the same for as long as nothing is learned."""
        if self._changes != self.seen.changes:
            self._changes, variance = self.seen.changes, self.seen.variance
            mean, kept, epsilon = self.seen.mean, self.settings.center_beyond, self.settings.epsilon
            if kept:
                most = kept * np.sqrt(variance)
                mean = mean - np.minimum(np.maximum(mean, -most), most)
            std = np.sqrt(variance + epsilon)
            self._mean, self._std = mean, std if epsilon else np.where(std > 0.0, std, 1.0)
        return self._mean, self._std

    def picture(self, raw: Picture | None) -> Picture | None:
        if raw is None:
            return None
        return replace(raw, is_bytes=raw.is_bytes and not self.settings.observations)

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """None where observations are normalized: they then lie within a few units of 0."""
        if not self.settings.observations:
            return low, high
        return np.full(self.size, -np.inf), np.full(self.size, np.inf)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._returns[lane] = 0.0
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        self.follow_lanes((0,), (raw,), out[None])

    def follow_lanes(self, lanes: Sequence[int], raws: Sequence[Array], out: Array) -> None:
        settings = self.settings
        values = np.array([raws[lane] for lane in lanes], float)
        if settings.observations:
            if self.learning and self.seen.count < (settings.warmup or math.inf):
                self.seen.add(values)
            mean, std = self._affine()
            values = (values - mean) / std
            np.minimum(np.maximum(values, -settings.clip, out=values), settings.clip, out=values)
        if len(lanes) == len(out):
            out[:] = values
        else:
            out[list(lanes)] = values

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        reward = super().reward(lane, reward, ended)
        if not self.settings.rewards:
            return reward
        self._returns[lane] = self.settings.gamma * self._returns[lane] + reward
        if self.learning:
            self._returned.add(self._returns[lane])
        if ended:
            self._returns[lane] = 0.0
        deviation = math.sqrt(self._returned.variance + self.settings.epsilon)
        return within(reward / (deviation or 1.0), self.settings.clip)

    def state(self) -> State:
        return {"observations": self.seen.state(), "returns": self._returned.state()}

    def restore(self, state: State) -> None:
        self.seen.restore(state["observations"])
        self._returned.restore(state["returns"])
