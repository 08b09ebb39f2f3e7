"""How returns, counts and other figures are written where people read them."""

from __future__ import annotations

LONG = 1e7  # a figure that nobody reads digit by digit


def figure_of(value: float) -> str:
    """A return, a score or a value, to at least two digits whatever its scale; 0 has no sign.

    One decimal from 10 on, two below it; three significant digits below 0.1 and where it is long.
    """
    size = abs(value)
    if not 0.1 <= size < LONG:
        return f"{value + 0.0:.3g}"
    return f"{value:,.1f}" if size >= 10 else f"{value:.2f}"


def count_of(number: float, one: str, many: str | None = None) -> str:
    """A number of things in words, "1 step" or "2,000 steps"; `many` where an s is not enough."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
