"""Exploration among continuous actions: noise on top of them."""

from __future__ import annotations

import numpy as np

from nn.typing import Array, State
from rl.exploration.base import Explorer


class NoNoise(Explorer):
    """The agent's own action, always."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng, 0.0, 0.0, 1, "linear")

    def choose(self, greedy: Array, step: int) -> Array:
        return greedy


class Gaussian(Explorer):
    """a + sigma xi, with xi standard normal, independent in each step; cut to [-1, 1].

    Args:
        start: sigma at first, where actions reach from -1 to 1.
        end: sigma at last.
        steps: environment steps from the one to the other.
        schedule: "linear", "exponential" or "cosine".
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        start: float = 0.1,
        end: float = 0.1,
        steps: int = 1,
        schedule: str = "linear",
    ) -> None:
        for name, value in (("start", start), ("end", end)):
            if not value >= 0:
                raise ValueError(f"{name} is a standard deviation, at least 0, not {value}")
        super().__init__(rng, start, end, steps, schedule)

    def choose(self, greedy: Array, step: int) -> Array:
        noise = self.amount(step) * self._noise(greedy)
        return np.clip(greedy + noise, -1.0, 1.0).astype(greedy.dtype)

    def _noise(self, greedy: Array) -> Array:
        """Of standard deviation 1 [N, k]."""
        return self._rng.standard_normal(greedy.shape)


class OrnsteinUhlenbeck(Gaussian):
    """Noise that is correlated in time: x <- (1 - theta) x + sqrt(1 - (1 - theta)^2) xi.

    The process of Uhlenbeck and Ornstein (1930) in steps of one, which Lillicrap et al. (2016)
    explore with; scaled to a standard deviation of sigma whatever theta is, so that the two can be
    chosen apart. It starts afresh with each episode.

    Args:
        start: sigma at first, where actions reach from -1 to 1.
        end: sigma at last.
        steps: environment steps from the one to the other.
        schedule: "linear", "exponential" or "cosine".
        theta: how fast it forgets, in (0, 1]; 1 is uncorrelated.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        start: float = 0.3,
        end: float = 0.3,
        steps: int = 1,
        schedule: str = "linear",
        theta: float = 0.15,
    ) -> None:
        super().__init__(rng, start=start, end=end, steps=steps, schedule=schedule)
        if not 0 < theta <= 1:
            raise ValueError(f"theta must lie in (0, 1], not {theta}")
        self._theta = theta
        self._process: Array | None = None  # [N, k]
        self._starting: set[int] = set()  # lanes whose episode has just begun

    def _noise(self, greedy: Array) -> Array:
        xi = self._rng.standard_normal(greedy.shape)
        if self._process is None:
            self._process = xi
            return xi
        kept = 1.0 - self._theta
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
