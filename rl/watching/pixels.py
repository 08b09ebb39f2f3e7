"""The pictures of environments, in the one form that the lab shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.typing import Array
from rl.environments import rules

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
LARGEST = 4096  # pixels of a side; of a larger picture each second, third, ... is taken
_KINDS = "buif"  # the kinds of dtypes that can be shown


def pixels(given: Any) -> Array:
    """What `render` gave as bytes [height, width, 3].

    It may be anything that NumPy makes an array of bytes, integers, bools or floats (from 0 to 1 if
    none is greater than 2, else from 0 to 255): grey [h, w] or [h, w, 1], RGB, RGBA, whose alpha is
    ignored, or with the channels first; an image of Pillow; or a list of pictures, of which the
    last is taken. What is not finite is black.

    Raises:
        ValueError: it is no picture; the message continues "the picture".
    """
    if given is None:
        raise ValueError("is None")
    if isinstance(given, (str, bytes, dict)):
        raise ValueError(f"is of the type {type(given).__name__}")
    array = _latest(given)
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"is of the type {type(given).__name__}, and not an array of real numbers")
    if 0 in array.shape:
        raise ValueError(f"is empty: its shape is {list(array.shape)}")
    shaped = _channels_last(array)
    step = -(-max(shaped.shape[:2]) // LARGEST)
    return np.ascontiguousarray(_bytes(shaped[::step, ::step]))


def _latest(given: Any) -> Array:
    """The last of several pictures, or the only one."""
    if isinstance(given, (list, tuple)):
        if not given:
            raise ValueError("is an empty list")
        last = given[-1]
        if not isinstance(last, (list, tuple)) and _array(last).ndim >= 2:
            return _latest(last)
    array = _array(given)
    return array[-1] if array.ndim == 4 and len(array) else array


def _array(given: Any) -> Array:
    try:
        with rules.guarded("its conversion"):
            if callable(getattr(given, "convert", None)):  # an image of Pillow, whatever its mode
                given = given.convert("RGB")
            array = np.asarray(given)
            return np.array(array.tolist()) if array.dtype == object else array
    except rules.Breach:  # such as of ragged rows, or in other people's conversions
        return np.asarray(None)


def _channels_last(array: Array) -> Array:
    """A picture [h, w, 3]."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim == 3 and array.shape[2] not in CHANNELS and array.shape[0] in CHANNELS:
        array = np.moveaxis(array, 0, 2)
    if array.ndim != 3 or array.shape[2] not in CHANNELS:
        raise ValueError(f"has the shape {list(array.shape)}, and not [height, width, 3]")
    return array[:, :, :3] if array.shape[2] > 1 else np.repeat(array, 3, axis=2)


def _bytes(array: Array) -> Array:
    """The picture from 0 to 255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    values = array.astype(np.float64)
    if not np.isfinite(values).any():
        raise ValueError("has no number that is finite")
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if array.dtype.kind == "f" and values.max() <= 2.0:  # rounding may exceed 1
        values *= 255.0
    elif array.dtype == np.uint16 and values.max() > 255.0:
        values /= 257.0
    return np.clip(values.round(), 0.0, 255.0).astype(np.uint8)
