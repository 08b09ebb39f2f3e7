"""What an agent sees instead of the raw observation, and what it is rewarded with."""

from __future__ import annotations

import copy
import math

import numpy as np

from nn.typing import Array, State

_LONGEST_STACK = 1_000


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
        reward_scale: what the agent's rewards are multiplied by; reported returns are not.
        reward_clip: their largest magnitude after that (Mnih et al. 2015, who have 1), None for no
            bound; reported returns are not clipped.
    """

    def __init__(
        self, raw_size: int, *, reward_scale: float = 1.0, reward_clip: float | None = None
    ) -> None:
        if not reward_scale > 0:
            raise ValueError(f"reward_scale must be greater than 0, not {reward_scale}")
        if reward_clip is not None and not reward_clip > 0:
            raise ValueError(f"reward_clip must be greater than 0, not {reward_clip}")
        self.raw_size, self.reward_scale, self.reward_clip = raw_size, reward_scale, reward_clip
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
        reward *= self.reward_scale
        return reward if self.reward_clip is None else _within(reward, self.reward_clip)

    def state(self) -> State:
        """What `restore` needs."""
        return {}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""


class Stack(Preprocessor):
    """The last observations one after the other, the newest last (Mnih et al. 2015, for frames).

    At first all of them are the first one.

    Args:
        raw_size: entries of the environment's observation.
        length: how many are stacked.
        reward_scale: what the agent's rewards are multiplied by.
        reward_clip: their largest magnitude after that, None for no bound.
    """

    def __init__(
        self,
        raw_size: int,
        *,
        length: int = 4,
        reward_scale: float = 1.0,
        reward_clip: float | None = None,
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        if length > _LONGEST_STACK:
            raise ValueError(f"length must be at most {_LONGEST_STACK}, not {length}")
        self.length = length
        super().__init__(raw_size, reward_scale=reward_scale, reward_clip=reward_clip)

    @property
    def size(self) -> int:
        return self.length * self.raw_size

    def _prepare(self, lanes: int) -> None:
        self._latest = np.zeros((lanes, self.length, self.raw_size), np.float32)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._latest[lane] = raw
        out[:] = self._latest[lane].ravel()

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        latest = self._latest[lane]
        latest[:-1] = latest[1:]
        latest[-1] = raw
        out[:] = latest.ravel()


class Difference(Preprocessor):
    """How far the observation has moved since the one before; at first, not at all.

    Args:
        raw_size: entries of the environment's observation.
        keep: whether the observation itself stands in front of its difference.
        reward_scale: what the agent's rewards are multiplied by.
        reward_clip: their largest magnitude after that, None for no bound.
    """

    def __init__(
        self,
        raw_size: int,
        *,
        keep: bool = True,
        reward_scale: float = 1.0,
        reward_clip: float | None = None,
    ) -> None:
        self.keep = keep
        super().__init__(raw_size, reward_scale=reward_scale, reward_clip=reward_clip)

    @property
    def size(self) -> int:
        return (1 + self.keep) * self.raw_size

    def _prepare(self, lanes: int) -> None:
        self._before = np.zeros((lanes, self.raw_size), np.float32)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._before[lane] = raw
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        out[-self.raw_size :] = raw - self._before[lane]
        if self.keep:
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

    Args:
        raw_size: entries of the environment's observation.
        observations: whether these are normalized.
        rewards: whether these are.
        gamma: discount of the return by whose deviation rewards are divided.
        clip: the largest magnitude of anything normalized.
        reward_scale: what the agent's rewards are multiplied by before that.
        reward_clip: their largest magnitude between the two, None for no bound.
    """

    _EPSILON = 1e-8

    def __init__(
        self,
        raw_size: int,
        *,
        observations: bool = True,
        rewards: bool = False,
        gamma: float = 0.99,
        clip: float = 10.0,
        reward_scale: float = 1.0,
        reward_clip: float | None = None,
    ) -> None:
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must lie in [0, 1], not {gamma}")
        if not clip > 0:
            raise ValueError(f"clip must be greater than 0, not {clip}")
        self.of_observations, self._of_rewards, self._gamma = observations, rewards, gamma
        self.clip = clip
        self.seen, self._returned = Moments(raw_size), Moments(1)
        super().__init__(raw_size, reward_scale=reward_scale, reward_clip=reward_clip)

    def _prepare(self, lanes: int) -> None:
        self._returns = [0.0] * lanes

    @property
    def deviation(self) -> Array:
        """What observations less their mean are divided by [raw_size]."""
        return np.sqrt(self.seen.variance + self._EPSILON)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        if not self.of_observations:
            out[:] = raw
            return
        if self.learning:
            self.seen.add(np.asarray(raw, float))
        out[:] = np.clip((raw - self.seen.mean) / self.deviation, -self.clip, self.clip)

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        reward = super().reward(lane, reward, ended)
        if not self._of_rewards:
            return reward
        self._returns[lane] = self._gamma * self._returns[lane] + reward
        if self.learning:
            self._returned.add(np.array([self._returns[lane]]))
        if ended:
            self._returns[lane] = 0.0
        deviation = math.sqrt(float(self._returned.variance[0]) + self._EPSILON)
        return _within(reward / deviation, self.clip)

    def state(self) -> State:
        return {"observations": self.seen.state(), "returns": self._returned.state()}

    def restore(self, state: State) -> None:
        self.seen.restore(state["observations"])
        self._returned.restore(state["returns"])
