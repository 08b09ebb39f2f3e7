"""Masks of actions: which of them an environment allows in a state, as its `info` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array, BoolArray, IntArray
from rl.environments import rules
from rl.formatting import count_of

if TYPE_CHECKING:
    from rl.environments.actions import Discrete, MultiDiscrete

KEY = "action_mask"  # in `info`
_NAME = f"info[{KEY!r}]"


class LaneMasks:
    """Masks of N lanes, from an environment that gives them in each state or in none.

    Args:
        actions: that they are of.
        lanes: N.
        given: whether the environment gives masks; None if its first episode shows that.
    """

    def __init__(self, actions: Discrete | MultiDiscrete, lanes: int, given: bool | None) -> None:
        self._actions, self._lanes = actions, lanes
        self.allowed: BoolArray | None = None  # [N, A], the actions allowed next
        self._expect(given)

    def _expect(self, given: bool | None) -> None:
        self.given = given
        if given:
            self.allowed = np.ones((self._lanes, self._actions.choices), np.bool_)

    def see(self, lane: int, info: Mapping[str, Any], terminated: bool = False) -> None:
        """Keeps the actions of a lane that are allowed from now on.

        Where an episode has terminated nothing follows, so a mask does not matter.

        Raises:
            Breach: it is no mask, or there is one in some states only.
        """
        mask = info.get(KEY)
        if self.given is None:
            self._expect(mask is not None)
        if terminated:
            return
        if (mask is not None) != self.given:
            now, before = ("is not given", "was") if self.given else ("is given", "was not")
            wanted = "must come with reset and each step, or never"
            raise rules.Breach(f"{_NAME} {wanted}: it {now}, and before it {before}")
        if self.allowed is not None:
            self.allowed[lane] = self._actions.mask(mask)


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
        wanted = count_of(size, "entry", "entries")
        raise rules.Breach(f"{_NAME} must have {wanted}, not the shape {list(array.shape)}")
    mask = array == 1
    if not (mask | (array == 0)).all():
        raise rules.Breach(f"{_NAME} must be made of 0 and 1, but is {rules.brief_of(array)}")
    if not np.logical_or.reduceat(mask, firsts(counts)).all():
        raise rules.Breach(
            f"{_NAME} must allow an action, and allows none: {rules.brief_of(array)}"
        )
    return mask


def firsts(counts: Sequence[int]) -> IntArray:
    """Where the entries of each component begin in a mask, or in the outputs of a policy [k]."""
    return np.cumsum([0, *counts[:-1]])


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
    if _is_nested(given) and any(map(_is_nested, given)):
        for each in given:
            yield from _parts(each)
    else:
        yield np.atleast_1d(rules.array_of(given))


def _is_nested(given: Any) -> bool:
    return isinstance(given, (tuple, list)) or (isinstance(given, np.ndarray) and given.ndim > 0)


def of_two(given: Array) -> Array:
    """Gymnasium's mask of yes and no as two entries each: 0 allows no, 1 allows yes, 2 both.

    Raises:
        Breach: an entry is another.
    """
    values = given.ravel()
    if not np.isin(values, (0, 1, 2)).all():
        raise rules.Breach(f"{_NAME} must be made of 0, 1 and 2, but is {rules.brief_of(values)}")
    return np.stack([values != 1, values != 0], axis=1).ravel()
