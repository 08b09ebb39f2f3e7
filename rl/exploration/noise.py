"""Exploration among continuous actions: noise on top of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array, State
from rl.exploration.base import Explorer, Scheduled


class NoNoise(Explorer):
    """The agent's own action, always."""

    def choose(self, greedy: Array, step: int) -> Array:
        return greedy


class Gaussian(Scheduled):
    """a + sigma xi, with xi standard normal, independent in each step; cut to [-1, 1]."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Scheduled.Settings):
        """Those of `Gaussian`."""

        start: float = setting("initial sigma, for actions from -1 to 1", 0.1, least=0)
        end: float = setting("final sigma", 0.1, least=0)
        steps: int = setting("environment steps from `start` to `end`", 1, least=1)

    settings: Settings

    def choose(self, greedy: Array, step: int) -> Array:
        noise = self.amount(step) * self.noise(greedy.shape)
        return np.clip(greedy + noise, -1.0, 1.0).astype(greedy.dtype)

    def noise(self, shape: tuple[int, ...]) -> Array:
        """Noise of standard deviation 1 [N, k], for the next step of N lanes."""
        return self._rng.standard_normal(shape)


class OrnsteinUhlenbeck(Gaussian):
    """Noise that is correlated in time: x <- (1 - theta) x + sqrt(1 - (1 - theta)^2) xi.

    The process of Uhlenbeck and Ornstein (1930) in steps of one, which Lillicrap et al. (2016)
    explore with; scaled to a standard deviation of sigma whatever theta is, so that the two can be
    chosen apart. It starts afresh with each episode.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Gaussian.Settings):
        """Those of `OrnsteinUhlenbeck`."""

        start: float = setting("initial sigma, for actions from -1 to 1", 0.3, least=0)
        end: float = setting("final sigma", 0.3, least=0)
        theta: float = setting("share forgotten per step; 1 is uncorrelated", 0.15, above=0, most=1)

    settings: Settings

    def _prepare(self) -> None:
        super()._prepare()
        self._process: Array | None = None  # [N, k]
        self._starting: set[int] = set()  # lanes whose episode has just begun

    def noise(self, shape: tuple[int, ...]) -> Array:
        xi = self._rng.standard_normal(shape)
        if self._process is None:
            self._process = xi
            return xi
        kept = 1.0 - self.settings.theta
        self._process = kept * self._process + np.sqrt(1.0 - kept * kept) * xi
        for lane in self._starting:
            self._process[lane] = xi[lane]
        self._starting.clear()
        return self._process

    def ended(self, lane: int, total: float | None) -> None:
        self._starting.add(lane)

    def state(self) -> State:
        process = None if self._process is None else self._process.copy()
        return {**super().state(), "process": process, "starting": sorted(self._starting)}

    def restore(self, state: State) -> None:
        super().restore(state)
        self._process = state["process"]
        self._starting = set(state["starting"])
