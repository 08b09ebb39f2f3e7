"""What an agent sees of a picture, for people: its frames, and which of their pixels matter."""

from __future__ import annotations

import math

import numpy as np

from nn.typing import Array
from rl.preprocessors import Picture

GAP = 4  # pixels
NO_PICTURE = np.zeros((240, 0, 3), np.uint8)  # for people: the frames alone are so high


def frames_of(seen: Array, form: Picture, count: int) -> Array:
    """What an agent sees [n] as frames [count, height, width, 3], from 0 to 255.

    Of other than three channels the greatest is shown, in grey.
    """
    height, width, channels = form.shape
    planes = seen.astype(np.float32)
    if form.channels_first:
        planes = planes.reshape(count, channels // count, height, width).transpose(0, 2, 3, 1)
    else:
        planes = planes.reshape(1, height, width, channels)
    if planes.shape[3] != 3:
        planes = planes.max(axis=3, keepdims=True).repeat(3, axis=3)
    low, high = (0.0, 255.0) if form.is_bytes else (float(planes.min()), float(planes.max()))
    return (planes - low) * (255.0 / ((high - low) or 1.0))


def beside(world: Array, frames: Array, saliency: Array | None) -> Array:
    """The picture for people [h, w, 3], and beside it the frames, the newest last; bytes.

    Args:
        world: that picture.
        frames: [count, height, width, 3].
        saliency: how much each pixel matters [count, height, width], shown in red.
    """
    if saliency is not None:
        share = (saliency / (saliency.max() or 1.0))[..., None]
        frames = (1.0 - share) * frames * 0.7 + share * np.array([255.0, 40.0, 40.0])
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    height = max(world.shape[0], rows * (frames.shape[1] + GAP))
    side = height // rows - GAP
    wide = max(1, round(side * frames.shape[2] / frames.shape[1]))
    left = world.shape[1] + GAP if world.size else 0
    whole = np.zeros((height, left + columns * (wide + GAP) - GAP, 3), np.uint8)
    top = (height - world.shape[0]) // 2
    whole[top : top + world.shape[0], : world.shape[1]] = world
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        y, x = row * (side + GAP), left + column * (wide + GAP)
        whole[y : y + side, x : x + wide] = _scaled(frame, side, wide)
    return whole


def _scaled(frame: Array, height: int, width: int) -> Array:
    """A frame of another size, each of whose pixels is one of its own."""
    rows = np.arange(height) * frame.shape[0] // height
    columns = np.arange(width) * frame.shape[1] // width
    return frame[rows][:, columns].astype(np.uint8)
