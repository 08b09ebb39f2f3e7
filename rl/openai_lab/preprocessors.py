"""Preprocessors before whose first observation all is zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.preprocessors import Difference, Stack


class Stack2017(Stack):
    """The observation behind the one before, which is zero at first."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Stack.Settings):
        """Those of `Stack2017`."""

        length: int = setting("number of observations to stack", 2, least=1, most=1_000)

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        return super().bounds(np.minimum(low, 0.0), np.maximum(high, 0.0))

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._latest[lane] = 0.0
        self.follow(lane, raw, out)


class Difference2017(Difference):
    """How far the observation has moved since the one before, which is zero at first."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Difference.Settings):
        """Those of `Difference2017`."""

        keep: bool = setting("whether the observation itself precedes the difference", False)

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        return super().bounds(np.minimum(low, 0.0), np.maximum(high, 0.0))

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._before[lane] = 0.0
        self.follow(lane, raw, out)
