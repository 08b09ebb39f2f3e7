"""Preprocessors that remember the latest observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.preprocessors.base import Preprocessor


class Stack(Preprocessor):
    """The last observations one after the other, the newest last (Mnih et al. 2015, for frames).

    At first all of them are the first one.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of `Stack`."""

        length: int = setting("number of observations to stack", 4, least=1, most=1_000)

    settings: Settings

    @property
    def size(self) -> int:
        return self.settings.length * self.raw_size

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        return np.tile(low, self.settings.length), np.tile(high, self.settings.length)

    @property
    def remembers(self) -> bool:
        return self.settings.length > 1

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

        keep: bool = setting("whether the observation itself precedes the difference", True)

    settings: Settings

    @property
    def size(self) -> int:
        return (1 + self.settings.keep) * self.raw_size

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        least, most = low - high, high - low
        if not self.settings.keep:
            return least, most
        return np.concatenate([low, least]), np.concatenate([high, most])

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
