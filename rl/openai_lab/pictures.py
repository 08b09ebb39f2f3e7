"""The pictures of OpenAI Lab's Atari games."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.settings import setting
from nn.typing import Array
from rl.preprocessors import Picture
from rl.preprocessors.pictures import Pictures


class Atari2017(Pictures):
    """Four frames of 84 x 84, cut from the bottom of grey ones of 110 x 84 (Mnih et al. 2013).

    As SciPy did, a frame is stretched to all tones from 0 to 255, and scaled by Pillow's bilinear
    filter. The frames before an episode's first are dark.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Pictures.Settings):
        """Those of `Atari2017`."""

        grayscale: bool = setting("whether colours become luminance", True)
        height: int | None = setting("of what is seen", 84, least=1, most=1_000)
        width: int | None = setting("of what is seen", 84, least=1, most=1_000)
        frames: int = setting("number of latest pictures, the newest last", 4, least=1, most=100)

    def __init__(
        self, raw_size: int, settings: Settings | None = None, raw: Picture | None = None
    ) -> None:
        super().__init__(raw_size, settings or self.Settings(), raw)
        _, height, width = self._frame
        rows, columns = (part.stop - part.start for part in self.cut)
        self.rows = bilinear_weights(rows, height * 110 // 84)[-height:]
        self.columns = bilinear_weights(columns, width)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._latest[lane] = 0
        self.follow(lane, raw, out)

    def _toned(self, grey: Array) -> Array:
        low, high = grey.min(), grey.max()
        return np.rint((grey - low) * (np.float32(255.0) / ((high - low) or np.float32(1.0))))


def bilinear_weights(length: int, wanted: int) -> Array:
    """What each of `wanted` pixels takes of a side's [wanted, length], as Pillow has it.

    A triangle around its centre, as wide as two pixels of the larger kind; each row sums up to 1.
    """
    scale = length / wanted
    centres = (np.arange(wanted)[:, None] + 0.5) * scale
    away = np.abs(np.arange(length) + 0.5 - centres) / max(scale, 1.0)
    weights = np.maximum(1.0 - away, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
