"""Checks and conversions of a user's data; examples are the rows of a 2D array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn.typing import Array

PIECE = 1024  # examples per pass of a method that takes any number of them
_NUMBERS = "biuf"  # the kinds of dtype that hold real numbers
THRESHOLDS = (">= 0.5", "> 0.5")  # the outputs of a single unit that mean class 1


def examples(values: Any, shape: tuple[int, ...], dtype: Any, name: str) -> Array:
    """`values` as an array [B, width] of the network's dtype, [B] if the width is 1.

    Any array-like of real numbers is taken: lists, integers, booleans, data frames.

    Args:
        values: see above.
        shape: of an example: (width,), or a picture's, which is flattened.
        dtype: of the network.
        name: of the argument, for messages.

    Raises:
        ValueError: they are no numbers, the shape is wrong, there are no rows, or a number is not
            finite; the message names the argument.
    """
    numbers = _numbers(values, name)
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is named below
        array = numbers.astype(dtype, copy=False)
    width = math.prod(shape)
    if len(shape) > 1 and array.ndim in (3, 4) and (*array.shape[1:], 1)[:3] == shape:
        numbers, array = (each.reshape(len(array), width) for each in (numbers, array))
    if array.ndim == 1 and width == 1:
        numbers, array = numbers[:, None], array[:, None]
    if array.ndim != 2 or array.shape[1] != width:
        hint = "; class labels become such rows by nn.one_hot" if name == "y" else ""
        kind = (
            "examples x features"
            if len(shape) == 1
            else f"pictures, [B, {', '.join(map(str, shape))}], or flattened"
        )
        raise ValueError(f"{name} must be {kind}, [B, {width}], not {list(array.shape)}{hint}")
    if not len(array):
        raise ValueError(f"{name} has no examples: its shape is {list(array.shape)}")
    if not _is_finite(array):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}] is {numbers[row, column]}; it must be finite"
                         f" as {array.dtype}")  # fmt: skip
    return array


def _is_finite(array: Array) -> bool:
    """Returns True if all numbers are finite.

    The sum of their squares says so in half the time; since finite numbers may overflow it, they
    are then looked at one by one.
    """
    flat = array.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(flat.dot(flat)) or np.isfinite(flat).all())


def _numbers(values: Any, name: str) -> Array:
    """An array of real numbers, of any shape.

    Raises:
        ValueError: `values` are something else.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries; fill them or leave their examples out")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # such as None among numbers, or a frame of several dtypes
            array = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{name} must be an array of numbers: {reason}") from None
    if array.dtype.kind not in _NUMBERS:
        raise ValueError(f"{name} must be an array of numbers, not of {array.dtype}")
    return array


def pairs(
    x: Any, y: Any, shape: tuple[int, ...], outputs: int, dtype: Any, classes: bool = False
) -> tuple[Array, Array]:
    """x [B, n_in] and y [B, n_out], checked.

    Args:
        x: inputs.
        y: targets; class labels [B] become one-hot rows if the outputs are classes.
        shape: of an example, as for `examples`.
        outputs: n_out.
        dtype: of the network.
        classes: whether the outputs are classes.

    Raises:
        ValueError: as for `examples` and `one_hot`, or x and y differ in length.
    """
    inputs = examples(x, shape, dtype, "x")
    if classes and outputs > 1:
        y = _rows(y, outputs)
    targets = examples(y, (outputs,), dtype, "y")
    if len(inputs) != len(targets):
        raise ValueError(
            f"x and y must be equally long, but x has {len(inputs)} examples and y {len(targets)}"
        )
    return inputs, targets


def _rows(y: Any, classes: int) -> Any:
    """One-hot rows for labels [B] or [B, 1]; anything else as it is."""
    array = _numbers(y, "y")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return one_hot(array, classes, "y") if array.ndim == 1 and len(array) else array


def pieces(examples: int, most: int = PIECE) -> list[slice]:
    """Slices of at most so many examples: workspaces are small, and stay in the cache."""
    return [slice(start, start + most) for start in range(0, examples, most)]


def one_hot(labels: Any, classes: int, name: str = "labels") -> Array:
    """Labels [n] as rows [n, classes] of zeros with a one in the column of the label.

    Raises:
        ValueError: the labels are not one-dimensional, or one is not a whole number from
            0 to classes - 1; the message calls them `name`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, [n], not {list(labels.shape)}")
    wrong = ~np.isin(labels, np.arange(classes))
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"{name}[{first}] is {labels[first]}; it must be a whole number from 0 to {classes - 1}"
        )
    return np.eye(classes, dtype=np.float32)[labels.astype(np.int64)]


def to_classes(outputs: Array, threshold: str = THRESHOLDS[0]) -> Array:
    """The classes of outputs [B, n]: one-hot, or 0 and 1 for a single output."""
    if outputs.shape[1] == 1:
        over = outputs > 0.5 if threshold == THRESHOLDS[1] else outputs >= 0.5
        return over.astype(outputs.dtype)
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


def r_squared(predicted: Array, y: Array) -> float:
    """1 - sum (y - predicted)^2 / sum (y - mean y)^2, averaged over the outputs of [B, n].

    1 is a perfect fit and 0 that of the mean. An output that is constant in y counts as 1 if it is
    predicted exactly, else as 0.
    """
    residual = np.square(y - predicted, dtype=np.float64).sum(axis=0)
    total = np.square(y - y.mean(axis=0, dtype=np.float64), dtype=np.float64).sum(axis=0)
    constant = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), constant).mean())
