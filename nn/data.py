"""Checking what a person passes in: examples are the rows of a 2D array."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.typing import Array


def examples(values: Any, width: int, dtype: Any, name: str) -> Array:
    """`values` as an array [B, width] of the network's dtype; integers are converted.

    Raises:
        ValueError: another number of dimensions or columns, no rows, or a number that is not
            finite; the message names the argument.
    """
    array = np.asarray(values, dtype)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(
            f"{name} must be examples x features, [B, {width}], not {list(array.shape)}"
        )
    if not len(array):
        raise ValueError(f"{name} has no examples: its shape is {list(array.shape)}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}] is {array[row, column]}; it must be finite")
    return array


def pairs(x: Any, y: Any, sizes: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
    """x [B, n_in] and y [B, n_out], checked and of one length.

    Raises:
        ValueError: as `examples`, or x and y differ in length.
    """
    inputs, targets = examples(x, sizes[0], dtype, "x"), examples(y, sizes[-1], dtype, "y")
    if len(inputs) != len(targets):
        raise ValueError(
            f"x and y must be of one length, but x has {len(inputs)} examples and y {len(targets)}"
        )
    return inputs, targets
