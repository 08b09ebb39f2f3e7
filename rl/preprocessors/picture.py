"""The form of observations that are pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGEST_PICTURE = 4_096  # numbers of a picture that dense layers still take


@dataclass(frozen=True)
class Picture:
    """The form of observations that are pictures.

    Args:
        shape: height, width and channels.
        channels_first: whether the channels come before the rows.
        is_bytes: whether its numbers are bytes.
    """

    shape: tuple[int, int, int]
    channels_first: bool
    is_bytes: bool = False

    @property
    def is_large(self) -> bool:
        """Whether only convolutions can take it."""
        return self.is_bytes and math.prod(self.shape) > LARGEST_PICTURE

    @property
    def complaint(self) -> str:
        """What is wrong with one that is large, where there are no convolutions."""
        said = " x ".join(map(str, self.shape))
        numbers = f"pictures of {math.prod(self.shape):,} numbers, {said}"
        return f"observations are {numbers}, and dense layers take at most {LARGEST_PICTURE:,}"
