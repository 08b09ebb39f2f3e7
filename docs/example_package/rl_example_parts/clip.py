"""Observations within bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.preprocessors import Preprocessor


class Clip(Preprocessor):
    """Each entry of the observation within [-limit, limit]."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of every preprocessor, and the limit."""

        limit: float = setting("maximum magnitude of an entry", 5.0, above=0)

    settings: Settings

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        np.clip(raw, -self.settings.limit, self.settings.limit, out=out)
