"""Refusing arrays that exceed the machine's memory, before they are allocated."""

from __future__ import annotations

import functools
import math
import os

from nn.settings import SettingError

_GB = 1e9  # bytes


@functools.cache
def machine_memory() -> float:
    """Bytes of main memory; infinite where it is unknown."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return math.inf


def require_memory(setting: str, value: object, size: float) -> None:
    """Refuses a setting whose arrays would be larger than the machine's memory.

    Args:
        setting: its name.
        value: its value.
        size: bytes of the arrays.

    Raises:
        SettingError: they would; the message gives the sizes.
    """
    available = machine_memory()
    if size > available:
        raise SettingError(
            setting,
            f"of {value} would need {size / _GB:,.0f} GB of memory, and this machine has "
            f"{available / _GB:,.0f} GB; choose a smaller one",
        )
