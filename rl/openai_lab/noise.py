"""Noise on continuous actions, in the environment's units and counted in episodes.

The lab's actions lie in [-1, 1]; `unit` is how far those of the environment reach to either side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import setting
from nn.typing import Array, State
from rl.exploration import Explorer
from rl.openai_lab.exploration import ByEpisode


class Noise(ByEpisode):
    """Adds `sample` to the action, and cuts it to its bounds."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Explorer.Settings):
        """Those of noise in the environment's units."""

        episodes: int = setting("episodes until the noise is at its least", 20, least=1)
        unit: float = setting("half the range of the environment's actions", 1.0, above=0)

    settings: Settings  # type: ignore[assignment]

    def _prepare(self) -> None:
        self._ended = 0
        self._amount = self.amount_of(0)

    def choose(self, greedy: Array, step: int) -> Any:
        noise = self.sample(greedy.shape) / self.settings.unit
        self._amount = self.amount_of(self._ended)
        return np.clip(greedy + noise, -1.0, 1.0).astype(greedy.dtype)

    def amount_of(self, episode: int) -> float:
        raise NotImplementedError

    def sample(self, shape: tuple[int, ...]) -> Array:
        """Noise [N, k] in the environment's units."""
        raise NotImplementedError


class LinearNoise2017(Noise):
    """1 / (1 + e) in episode e, the same for each entry of an action; 0 from `episodes` on."""

    def amount_of(self, episode: int) -> float:
        return 1.0 / (1.0 + episode) if episode < self.settings.episodes else 0.0

    def sample(self, shape: tuple[int, ...]) -> Array:
        return np.full(shape, self._amount)


class EpsilonGreedyNoise2017(Noise):
    """With probability epsilon uniform noise of half the range of the actions, else none."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Noise.Settings):
        """Those of `EpsilonGreedyNoise2017`."""

        init: float = setting("initial epsilon", 1.0, least=0, most=1)
        final: float = setting("final epsilon", 0.1, least=0, most=1)
        episodes: int = setting("episodes from `init` to `final`", 30, least=1)

    settings: Settings

    def amount_of(self, episode: int) -> float:
        return ByEpisode.amount_of(self, episode)

    def sample(self, shape: tuple[int, ...]) -> Array:
        is_random = self._rng.random((shape[0], 1)) < self._amount
        reach = 0.5 * self.settings.unit
        return np.where(is_random, self._rng.uniform(-reach, reach, shape), 0.0)


class GaussianNoise2017(Noise):
    """Normal with mean mu; sigma falls to `sigma_min` in `episodes` episodes, or stays."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Noise.Settings):
        """Those of `GaussianNoise2017`."""

        mu: float = setting("mean of the noise", 0.0)
        sigma: float = setting("initial standard deviation", 0.3, least=0)
        sigma_min: float | None = setting("final one; null keeps the initial one", None, least=0)

    settings: Settings

    def amount_of(self, episode: int) -> float:
        sigma, least, n = self.settings.sigma, self.settings.sigma_min, self.settings.episodes
        if least is None:
            return sigma
        return max(least, sigma - (sigma - least) * episode / n) if episode < n else least

    def sample(self, shape: tuple[int, ...]) -> Array:
        return self.settings.mu + self._amount * self._rng.standard_normal(shape)


class OrnsteinUhlenbeck2017(GaussianNoise2017):
    """x <- x + theta (mu - x) dt + sigma sqrt(dt) xi, which goes on over all episodes."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(GaussianNoise2017.Settings):
        """Those of `OrnsteinUhlenbeck2017`."""

        theta: float = setting("rate of the return to mu", 0.15, least=0)
        dt: float = setting("time of a step", 0.01, above=0)
        x0: float | None = setting("where x starts; null is 0", None)

    settings: Settings

    def _prepare(self) -> None:
        super()._prepare()
        self._x: Any = self.settings.x0 or 0.0

    def sample(self, shape: tuple[int, ...]) -> Array:
        s, xi = self.settings, self._rng.standard_normal(shape)
        self._x = self._x + s.theta * (s.mu - self._x) * s.dt + self._amount * math.sqrt(s.dt) * xi
        return np.asarray(self._x)

    def state(self) -> State:
        return {**super().state(), "x": np.array(self._x)}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._x = state["x"]
