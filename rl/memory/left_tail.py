"""Replay that prefers what is new: a left-tailed distribution over the ages of transitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from rl.memory.replay import Replay


class LeftTail(Replay):
    """Samples newer transitions more often, by a distribution whose tail is on the old side.

    Of the n transitions in the memory, number i in the order in which they came (from 0, the
    oldest) is drawn with probability

        P(i) = ((i + 1) / n)^p - (i / n)^p, p being the recency.

    With p = 2 the newest of many is drawn twice as often as from a `Replay`, and the oldest hardly
    ever. (LeftTail is a memory of OpenAI Lab, 2017; the form of the distribution is this lab's.)
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Replay.Settings):
        """Those of `LeftTail`."""

        recency: float = setting(
            "p: 1 samples uniformly, 2 draws a transition in proportion to how new it is", 2.0,
            least=1,
        )  # fmt: skip

    settings: Settings

    def _choose(self) -> None:
        self._rng.random(out=self._uniform)
        # 1 - u lies in (0, 1]; its p-th root is the place in the order, as a share of n.
        order = self.size * (1.0 - self._uniform) ** (1.0 / self.settings.recency)
        newer = np.ceil(order).astype(np.int64) - 1
        np.remainder(self.added - self.size + newer, self.capacity, out=self._indices)
