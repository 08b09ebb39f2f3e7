"""Masks of actions: which of them an environment allows in a state, as its `info` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nn.typing import Array, BoolArray
from rl.environments import rules

KEY = "action_mask"  # in `info`
_NAME = f"info[{KEY!r}]"
_NESTED = (tuple, list, np.ndarray)


def mask_of(given: Any, counts: Sequence[int]) -> BoolArray:
    """A mask of its own [sum(counts)], one component of actions behind the other.

    Args:
        given: by the environment.
        counts: actions of each component; plain discrete actions are a single one.

    Raises:
        Breach: it has another form, or allows no action of a component.
    """
    array = rules.array_of(given)
    size = sum(counts)
    if array.dtype.kind not in rules.NUMBERS:
        raise rules.Breach(f"{_NAME} must be made of 0 and 1, but is {rules.kind_of(given)}")
    if array.shape != (size,):
        raise rules.Breach(f"{_NAME} must have {size} entries, not the shape {list(array.shape)}")
    mask = array == 1
    if not (mask | (array == 0)).all():
        raise rules.Breach(f"{_NAME} must be made of 0 and 1, but is {rules.brief_of(array)}")
    if not mask.any() or not _each_has_one(mask, counts):
        raise rules.Breach(
            f"{_NAME} must allow an action, and allows none: {rules.brief_of(array)}"
        )
    return mask


def _each_has_one(mask: BoolArray, counts: Sequence[int]) -> bool:
    firsts = np.cumsum([0, *counts[:-1]])
    return bool(np.logical_or.reduceat(mask, firsts).all())


def joined(given: Any, counts: Sequence[int]) -> Any:
    """Masks of components, perhaps nested, one behind the other; what is flat stays as it is.

    Raises:
        Breach: their lengths are not `counts`.
    """
    parts = list(_parts(given))
    if len(parts) == 1:
        return parts[0]
    lengths = [len(part) for part in parts]
    if lengths != list(counts):
        raise rules.Breach(f"{_NAME} must have masks of {list(counts)} entries, not {lengths}")
    return np.concatenate(parts)


def _parts(given: Any) -> Iterator[Array]:
    if isinstance(given, _NESTED) and any(isinstance(each, _NESTED) for each in given):
        for each in given:
            yield from _parts(each)
    else:
        yield np.atleast_1d(rules.array_of(given))


def of_two(given: Array) -> Array:
    """Gymnasium's mask of yes and no as two entries each: 0 allows no, 1 allows yes, 2 both.

    Raises:
        Breach: an entry is another.
    """
    values = given.ravel()
    if not np.isin(values, (0, 1, 2)).all():
        raise rules.Breach(f"{_NAME} must be made of 0, 1 and 2, but is {rules.brief_of(values)}")
    return np.stack([values != 1, values != 0], axis=1).ravel()


def sometimes(given: bool) -> str:
    """The complaint of a mask that is given in some states and not in others."""
    now, before = ("is given", "was not") if given else ("is not given", "was")
    return f"{_NAME} must come with reset and each step, or never: it {now}, and before it {before}"
