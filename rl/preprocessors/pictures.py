"""Preprocessors of pictures: cut, grey, of another size, and several frames at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.settings import SettingError, setting
from nn.typing import Array
from rl.preprocessors.base import Preprocessor
from rl.preprocessors.picture import Picture

GREY = np.array(
    [0.299, 0.587, 0.114], np.float32
)  # red, green and blue in the luminance (ITU-R BT.601)
_CROP = "pixels cut off at the top, the bottom, the left and the right; empty for none"
_GREY = "whether a picture of red, green and blue becomes one of its luminance"
_HEIGHT, _WIDTH = (f"{side} after scaling, by the mean of the area; null keeps it"
                   for side in ("height", "width"))  # fmt: skip
_FRAMES = "number of latest pictures that the agent sees at once; at first all are the first one"


class Pictures(Preprocessor):
    """Pictures cut, grey and scaled, in this order; and the latest ones, as channels of one.

    What the agent sees has the axes channels, height, width, the newest picture's channels last.
    Bytes are rounded, and stay bytes. `cut` has the rows and columns that are left, `is_grey` says
    whether colours become one, and `rows` and `columns` scale (`area_weights`).

    Args:
        raw_size: entries of the environment's observation.
        settings: of the class's own `Settings`.
        raw: the form of that observation.

    Raises:
        SettingError: it is no picture, or the settings do not fit its size or its channels.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Preprocessor.Settings):
        """Those of every preprocessor of pictures."""

        crop: tuple[int, ...] = setting(_CROP, ())
        grayscale: bool = setting(_GREY, False)
        height: int | None = setting(_HEIGHT, None, least=1, most=1_000)
        width: int | None = setting(_WIDTH, None, least=1, most=1_000)
        frames: int = setting(_FRAMES, 1, least=1, most=100)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.crop and (len(self.crop) != 4 or min(self.crop) < 0):
                wanted = "must be four numbers of pixels, [top, bottom, left, right]"
                raise SettingError("crop", f"{wanted}, not {list(self.crop)}")

    of_pictures = True
    settings: Settings

    def __init__(
        self, raw_size: int, settings: Settings | None = None, raw: Picture | None = None
    ) -> None:
        if raw is None:
            complaint = f"is {type(self).__name__}, which needs pictures, and observations are none"
            raise SettingError("name", complaint)
        self.raw, settings = raw, settings or self.Settings()
        height, width, channels = raw.shape
        top, bottom, left, right = settings.crop or (0, 0, 0, 0)
        rows, columns = height - top - bottom, width - left - right
        if min(rows, columns) < 1:
            complaint = f"leaves nothing of pictures of {height} x {width}"
            raise SettingError("crop", f"{list(settings.crop)} {complaint}")
        if settings.grayscale and channels not in (1, 3):
            complaint = f"needs 1 or 3 channels, and these pictures have {channels}; leave it out"
            raise SettingError("grayscale", complaint)
        self.cut = slice(top, top + rows), slice(left, left + columns)
        self.is_grey = settings.grayscale and channels == 3
        self.rows = area_weights(rows, settings.height or rows)
        self.columns = area_weights(columns, settings.width or columns)
        self._frame = (1 if settings.grayscale else channels,
                       settings.height or rows, settings.width or columns)  # fmt: skip
        super().__init__(raw_size, settings)

    @property
    def size(self) -> int:
        return self.frames * math.prod(self._frame)

    @property
    def frames(self) -> int:
        return self.settings.frames

    @property
    def remembers(self) -> bool:
        return self.frames > 1

    def picture(self, raw: Picture | None) -> Picture:
        channels, height, width = self._frame
        return Picture((height, width, self.frames * channels), True, self.raw.is_bytes)

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        return np.full(self.size, low.min()), np.full(self.size, high.max())

    def _prepare(self, lanes: int) -> None:
        kind = np.uint8 if self.raw.is_bytes else np.float32
        self._latest = np.zeros((lanes, self.frames, math.prod(self._frame)), kind)

    def start(self, lane: int, raw: Array, out: Array) -> None:
        self._latest[lane] = self._seen(raw)
        out[:] = self._latest[lane].ravel()

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        latest = self._latest[lane]
        latest[:-1] = latest[1:]
        latest[-1] = self._seen(raw)
        out[:] = latest.ravel()

    def _seen(self, raw: Array) -> Array:
        """A picture as the agent sees it [channels * height * width], of a raw one [n]."""
        height, width, channels = self.raw.shape
        rows, columns = self.cut
        if self.raw.channels_first:
            seen = raw.reshape(channels, height, width)[:, rows, columns]
        else:
            seen = raw.reshape(height, width, channels)[rows, columns].transpose(2, 0, 1)
        if not self.is_grey and self.rows is None and self.columns is None:
            return seen.ravel()
        seen = seen.astype(np.float32)
        if self.is_grey:
            red, green, blue = GREY[:, None, None] * seen
            seen = self._toned((red + green + blue)[None])
        if self.columns is not None:
            seen = seen @ self.columns.T
        if self.rows is not None:
            seen = self.rows @ seen
        return (np.rint(seen) if self.raw.is_bytes else seen).ravel()

    def _toned(self, grey: Array) -> Array:
        """The luminance [1, height, width] in other tones, before it is scaled; here the same."""
        return grey


def area_weights(length: int, wanted: int) -> Array | None:
    """What each of `wanted` equal parts of a side covers of its pixels [wanted, length].

    Each row sums up to 1; None if the length is the wanted one.
    """
    if length == wanted:
        return None
    ends = np.linspace(0.0, length, wanted + 1)
    pixels = np.arange(length)
    covered = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return (np.maximum(covered, 0.0) * wanted / length).astype(np.float32)


class Grayscale(Pictures):
    """The luminance of pictures of red, green and blue."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Pictures.Settings):
        """Those of `Grayscale`."""

        grayscale: bool = setting(_GREY, True)


class Resize(Pictures):
    """Pictures of another size, by default that of Mnih et al. (2015)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Pictures.Settings):
        """Those of `Resize`."""

        height: int | None = setting(_HEIGHT, 84, least=1, most=1_000)
        width: int | None = setting(_WIDTH, 84, least=1, most=1_000)


class Crop(Pictures):
    """Pictures without their margins."""


class FrameStack(Pictures):
    """The latest pictures at once, so that movement is seen."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(Pictures.Settings):
        """Those of `FrameStack`."""

        frames: int = setting(_FRAMES, 4, least=1, most=100)


class Atari(Pictures):
    """What Mnih et al. (2015) let an agent see of Atari games, and how it plays them.

    Four frames of 84 x 84, grey; rewards within 1. An action is done several times, and each pixel
    is the greater one of the last two screens, as some games draw things on every other only. An
    episode begins with a random number of actions that do nothing. To what is learned the loss of a
    life is an end; the episode goes on, and evaluations do not know of it.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Pictures.Settings):
        """Those of `Atari`."""

        reward_clip: float | None = setting(
            "maximum magnitude of the scaled rewards, null for no bound; reported returns are not "
            "clipped", 1.0, above=0,
        )  # fmt: skip
        grayscale: bool = setting(_GREY, True)
        height: int | None = setting(_HEIGHT, 84, least=1, most=1_000)
        width: int | None = setting(_WIDTH, 84, least=1, most=1_000)
        frames: int = setting(_FRAMES, 4, least=1, most=100)
        skip: int = setting("screens for each action", 4, least=1, most=1_000)
        no_ops: int = setting("actions that do nothing at first, at most", 30, least=0, most=1_000)
        life_loss: bool = setting("whether the loss of a life ends what is learned from", True)
        fire: bool = setting(
            "whether an episode and each further life begin with FIRE, for games that wait for it "
            "(not in Mnih et al. 2015); evaluations do so too", False,
        )  # fmt: skip

    brings = True
    settings: Settings

    @classmethod
    def environment(cls, id: str, settings: Any) -> dict[str, Any]:
        kwargs: dict[str, Any] = {}
        if id.rpartition(":")[2].startswith("ALE/"):
            kwargs = {"frameskip": 1, **({"obs_type": "grayscale"} if settings.grayscale else {})}
        given = {"skip": settings.skip, "no_ops": settings.no_ops, "life_loss": settings.life_loss}
        given |= {"fire": True} if settings.fire else {}
        return {"kwargs": kwargs, "wrappers": [{"name": "Atari", **given}]}
