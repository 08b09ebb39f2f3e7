"""The left-tailed memory of OpenAI Lab."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import SettingError, setting
from rl.memory import Replay

_WIDTH = 0.8  # of the half normal distribution, as a share of the older transitions


class LeftTail2017(Replay):
    """A sample ends with the latest transitions; the others' ages are half normal.

    Of n transitions, numbered from 0, the oldest, the k latest are in each sample. The number of
    any other is o - floor(|x|), at least 0, with o = n - k - 1 and x normal of standard deviation
    0.8 o. As long as n is at most B, or k, all are drawn uniformly.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Replay.Settings):
        """Those of `LeftTail2017`."""

        newest: int = setting("k, the latest transitions, which are in each sample", 1, least=1)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.newest > self.batch_size:
                complaint = f"must be at most the batch_size, {self.batch_size}"
                raise SettingError("newest", f"{complaint}, not {self.newest}")

    settings: Settings

    def _choose(self) -> None:
        n, k = self.size, self.settings.newest
        if n <= max(self.batch_size, k):
            super()._choose()
            return
        oldest = n - k - 1
        ages = np.abs(self._rng.standard_normal(self.batch_size - k)) * _WIDTH * oldest
        numbers = np.concatenate([oldest - ages.astype(np.int64), np.arange(n - k, n)]).clip(0)
        np.remainder(self.added - n + numbers, self.capacity, out=self._indices)
