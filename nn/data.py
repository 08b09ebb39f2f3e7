"""Checks and conversions of a user's data; examples are the rows of a 2D array."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.typing import Array

_PIECE = 1024  # examples per pass of a method that takes any number of them


def examples(values: Any, width: int, dtype: Any, name: str) -> Array:
    """`values` as an array [B, width] of the network's dtype; integers are converted.

    Raises:
        ValueError: the shape is wrong, there are no rows, or a number is not finite; the message
            names the argument.
    """
    array = np.asarray(values, dtype)
    if array.ndim != 2 or array.shape[1] != width:
        hint = "; class labels become such rows by nn.one_hot" if name == "y" else ""
        raise ValueError(
            f"{name} must be examples x features, [B, {width}], not {list(array.shape)}{hint}"
        )
    if not len(array):
        raise ValueError(f"{name} has no examples: its shape is {list(array.shape)}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}] is {array[row, column]}; it must be finite")
    return array


def pairs(x: Any, y: Any, sizes: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
    """x [B, n_in] and y [B, n_out], checked.

    Raises:
        ValueError: as for `examples`, or x and y differ in length.
    """
    inputs, targets = examples(x, sizes[0], dtype, "x"), examples(y, sizes[-1], dtype, "y")
    if len(inputs) != len(targets):
        raise ValueError(
            f"x and y must be equally long, but x has {len(inputs)} examples and y {len(targets)}"
        )
    return inputs, targets


def pieces(examples: int) -> list[slice]:
    """Slices of examples, small enough for the workspaces to stay in the cache."""
    return [slice(start, start + _PIECE) for start in range(0, examples, _PIECE)]


def one_hot(labels: Any, classes: int) -> Array:
    """Labels [n] as rows [n, classes] of zeros with a one in the column of the label.

    Raises:
        ValueError: the labels are not one-dimensional, or one is not a whole number from
            0 to classes - 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, [n], not {list(labels.shape)}")
    wrong = ~np.isin(labels, np.arange(classes))
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"labels[{first}] is {labels[first]}; it must be a whole number from 0 to {classes - 1}"
        )
    return np.eye(classes, dtype=np.float32)[labels.astype(np.int64)]


def to_classes(outputs: Array) -> Array:
    """The classes of outputs [B, n]: one-hot, or 0 and 1 for a single output."""
    if outputs.shape[1] == 1:
        return (outputs >= 0.5).astype(outputs.dtype)
    return np.eye(outputs.shape[1], dtype=outputs.dtype)[outputs.argmax(axis=1)]


def are_classes(y: Array) -> bool:
    """Returns True if the rows of y [B, n] are one-hot, or 0 and 1 for a single output."""
    return bool(np.array_equal(to_classes(y), y))


def require_classes(y: Array) -> None:
    """Refuses targets [B, n] that are not classes.

    Raises:
        ValueError: the message names the first wrong row.
    """
    if not are_classes(y):
        row = int((to_classes(y) != y).any(axis=1).argmax())
        wanted = "0 or 1" if y.shape[1] == 1 else "one-hot"
        raise ValueError(f"y[{row}] is {y[row].tolist()}; to be a class it must be {wanted}")
