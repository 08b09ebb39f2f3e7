"""What an agent sees instead of the raw observation, and what it is rewarded with."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np

from nn.settings import BaseSettings, setting
from nn.typing import Array, State


def _within(value: float, limit: float) -> float:
    """The number from -limit to limit that is nearest; what is no number stays so."""
    return min(max(value, -limit), limit)


class Preprocessor:
    """Passes observations on as they are, and rewards times a constant, within bounds if wanted.

    A preprocessor works on lanes: `start` is given the first observation of an episode, `follow`
    each further one. What it remembers of an episode belongs to a lane; what it learns about the
    problem is shared by all that `for_lanes` makes, and is its `state`.

    Args:
        raw_size: entries of the environment's observation.
        settings: of the class's own `Settings`.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those that every preprocessor has."""

        reward_scale: float = setting(
            "what the agent's rewards are multiplied by; reported returns are not", 1.0, above=0
        )
        reward_clip: float | None = setting(
            "their largest magnitude after that (Mnih et al. 2015, who have 1), null for no bound; "
            "reported returns are not clipped",
            None,
            above=0,
        )

    settings: Settings

    def __init__(self, raw_size: int, settings: Settings) -> None:
        self.raw_size, self.settings = raw_size, settings
        self.learning = False
        self._prepare(1)

    @property
    def size(self) -> int:
        """Entries of what the agent sees."""
        return self.raw_size

    def for_lanes(self, lanes: int, learning: bool) -> Preprocessor:
        """One like this for lanes of its own; it learns about the problem only if `learning`."""
        twin = copy.copy(self)
        twin.learning = learning
        twin._prepare(lanes)
        return twin

    def _prepare(self, lanes: int) -> None:
        """Makes what each lane's episode needs."""

    def start(self, lane: int, raw: Array, out: Array) -> None:
        """Writes into `out` [size] what the agent sees of an episode's first observation."""
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        """Writes into `out` [size] what the agent sees of a further observation `raw`."""
        out[:] = raw

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        """The agent's reward."""
        reward, limit = reward * self.settings.reward_scale, self.settings.reward_clip
        return reward if limit is None else _within(reward, limit)

    def state(self) -> State:
        """What `restore` needs."""
        return {}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""


class Stack(Preprocessor):
    """The last observations one after the other, the newest last (Mnih et al. 2015, for frames).

    At first all of them are the first one.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of `Stack`."""

        length: int = setting("how many are stacked", 4, least=1, most=1_000)

    settings: Settings

    @property
    def size(self) -> int:
        return self.settings.length * self.raw_size

    def _prepare(self, lanes: int) -> None:
        self._latest = np.zeros((lanes, self.settings.length, self.raw_size), np.float32)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._latest[lane] = raw
        out[:] = self._latest[lane].ravel()

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        latest = self._latest[lane]
        latest[:-1] = latest[1:]
        latest[-1] = raw
        out[:] = latest.ravel()


class Difference(Preprocessor):
    """How far the observation has moved since the one before; at first, not at all."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of `Difference`."""

        keep: bool = setting("whether the observation itself stands in front of it", True)

    settings: Settings

    @property
    def size(self) -> int:
        return (1 + self.settings.keep) * self.raw_size

    def _prepare(self, lanes: int) -> None:
        self._before = np.zeros((lanes, self.raw_size), np.float32)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._before[lane] = raw
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        out[-self.raw_size :] = raw - self._before[lane]
        if self.settings.keep:
            out[: self.raw_size] = raw
        self._before[lane] = raw


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

        observations: bool = setting("whether these are normalized", True)
        rewards: bool = setting("whether these are", False)
        gamma: float = setting(
            "discount of the return by whose deviation rewards are divided", 0.99, least=0, most=1
        )
        clip: float = setting("the largest magnitude of anything normalized", 10.0, above=0)

    settings: Settings
    _EPSILON = 1e-8

    def __init__(self, raw_size: int, settings: Settings) -> None:
        self.seen, self._returned = Moments(raw_size), Moments(1)
        super().__init__(raw_size, settings)

    def _prepare(self, lanes: int) -> None:
        self._returns = [0.0] * lanes

    @property
    def deviation(self) -> Array:
        """What observations less their mean are divided by [raw_size]."""
        return np.sqrt(self.seen.variance + self._EPSILON)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._returns[lane] = 0.0
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        if not self.settings.observations:
            out[:] = raw
            return
        if self.learning:
            self.seen.add(np.asarray(raw, float))
        limit = self.settings.clip
        out[:] = np.clip((raw - self.seen.mean) / self.deviation, -limit, limit)

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        reward = super().reward(lane, reward, ended)
        if not self.settings.rewards:
            return reward
        self._returns[lane] = self.settings.gamma * self._returns[lane] + reward
        if self.learning:
            self._returned.add(np.array([self._returns[lane]]))
        if ended:
            self._returns[lane] = 0.0
        deviation = math.sqrt(float(self._returned.variance[0]) + self._EPSILON)
        return _within(reward / deviation, self.settings.clip)

    def state(self) -> State:
        return {"observations": self.seen.state(), "returns": self._returned.state()}

    def restore(self, state: State) -> None:
        self.seen.restore(state["observations"])
        self._returned.restore(state["returns"])


PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "Identity": Preprocessor,
    "Stack": Stack,
    "Difference": Difference,
    "Normalize": Normalize,
}
