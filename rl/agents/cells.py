"""States of a table: observations as numbered cells of a grid."""

from __future__ import annotations

import math

import numpy as np

from nn.settings import SettingError
from nn.typing import Array, IntArray
from rl.environments.bounds import Bounds

MOST_VALUES = 1_000_000  # of a table: its cells times its actions
WHOLE = 100  # whole numbers up to which each has a cell of its own, whatever `bins` says


class Cells:
    """Numbers observations [N, n] by the cell they lie in.

    Each part of an observation is a digit: a choice as it is; a whole number that can be at most
    `WHOLE` others likewise; any other number by one of equally wide bins between its bounds. Beyond
    them the outermost bins count. The last part's digit runs fastest.

    Args:
        bounds: of the observation's entries.
        bins: of each number, or one count for all of them.
        reach: stands for the bounds of a number that has none.
        actions: values of a cell.

    Raises:
        SettingError: as many bins as there are neither numbers nor one; or too many cells.
    """

    def __init__(self, bounds: Bounds, bins: tuple[int, ...], reach: float, actions: int) -> None:
        self.grid = bounds.grid
        numbers = bounds.groups.count(1)
        if len(bins) not in (1, numbers) or min(bins) < 1:
            complaint = f"must be 1 count, or {numbers}, one for each number that is observed"
            raise SettingError("bins", f"{complaint}, each at least 1; not {list(bins)}")
        each = iter(bins if len(bins) == numbers else bins * numbers)
        self.low = np.zeros(len(bounds.low), np.float32)
        self.scale, self.most = np.ones_like(self.low), np.ones_like(self.low)
        counts, first = [], 0
        for size in bounds.groups:
            counts.append(size)
            if size == 1:
                binned = _binned(bounds, first, next(each), reach)
                self.low[first], self.scale[first], counts[-1] = binned
                self.most[first] = counts[-1] - 1
            first += size
        self._refuse_many(counts, bins, actions)
        self._has_numbers = numbers > 0
        self.counts = tuple(counts)
        self.strides = _strides(bounds.groups, self.counts)

    @staticmethod
    def _refuse_many(counts: list[int], bins: tuple[int, ...], actions: int) -> None:
        digits = sum(map(math.log10, counts)) + math.log10(actions)
        if digits > math.log10(MOST_VALUES) + 1e-9:
            cells = f"{math.prod(counts):,}" if digits < 15 else f"about 10^{digits:.0f}"
            raise SettingError(
                "bins",
                f"of {list(bins)} make {cells} cells of {actions} values, and a table has at most "
                f"{MOST_VALUES:,} values; choose fewer bins, or an agent with a network",
            )

    @property
    def count(self) -> int:
        """How many cells there are."""
        return math.prod(self.counts)

    def plane(self, cell: int | None = None) -> IntArray:
        """The numbers of cells in rows and columns [h, w], -1 where there is none.

        They are the grid that the environment names; or else two digits, of which the first is the
        row: the two with the most values, while the others are those of `cell`, or in the middle.
        A single digit is written row by row.
        """
        digits = [digit for digit, count in enumerate(self.counts) if count > 1]
        numbers = np.arange(self.count)
        if self.grid:
            return numbers.reshape(self.grid)
        if len(digits) < 2:
            width = math.ceil(math.sqrt(self.count))
            return np.append(numbers, np.full(-self.count % width, -1)).reshape(-1, width)
        shown = sorted(sorted(digits, key=lambda digit: -self.counts[digit])[:2])
        fixed = [count // 2 for count in self.counts]
        if cell is not None:
            fixed = list(map(int, np.unravel_index(cell, self.counts)))
        place = tuple(slice(None) if digit in shown else at for digit, at in enumerate(fixed))
        return numbers.reshape(self.counts)[place]

    def __call__(self, observations: Array) -> IntArray:
        """The cells [N] of observations [N, n]."""
        digits = observations
        if self._has_numbers:
            digits = np.floor((observations - self.low) * self.scale)
            np.clip(digits, 0.0, self.most, out=digits)
        return (digits @ self.strides).astype(np.int64)  # exact: whole numbers below 2^24


def _binned(bounds: Bounds, entry: int, bins: int, reach: float) -> tuple[float, float, int]:
    """Where a number's bins begin, how many of them a unit has, and how many there are."""
    low, high = float(bounds.low[entry]), float(bounds.high[entry])
    is_bounded = math.isfinite(high - low)
    if not math.isfinite(low):
        low = min(-reach, high - reach)
    if not math.isfinite(high):
        high = max(reach, low + reach)
    width = high - low + bool(bounds.whole[entry])
    if is_bounded and bounds.whole[entry] and width <= WHOLE:
        bins = int(width)
    elif width == 0:
        bins = 1
    return low, bins / width if width else 0.0, bins


def _strides(groups: tuple[int, ...], counts: tuple[int, ...]) -> Array:
    """What each entry of an observation adds to its cell, for each unit of its digit [n]."""
    strides, stride = [], math.prod(counts)
    for size, count in zip(groups, counts, strict=True):
        stride //= count
        strides += [stride] if size == 1 else [stride * choice for choice in range(size)]
    return np.array(strides, np.float32)
