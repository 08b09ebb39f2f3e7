"""What averages and intervals are called: with few sessions they are plainer than their names."""

from __future__ import annotations

import numpy as np

from rl.analysis.statistics import Values

FEWEST_QUARTERS = 4  # sessions of which the interquartile mean leaves any out
# With five sessions of two equal agents each, all of one are above all of the other in one case of
# 126; with three sessions each, in one of 10. Of fewer, the 95% interval of the IQM is the range.
FEWEST_SESSIONS = 5
RANGE = "range"


def average_name(sessions: int) -> str:
    """What the interquartile mean of so many sessions is: of fewer than four it is their mean."""
    return "IQM" if sessions >= FEWEST_QUARTERS else "mean"


def interval_name(values: Values, interval: tuple[float, float]) -> str:
    """What a 95% bootstrap interval over some values is: of very few it is their range."""
    low, high = interval
    return RANGE if low <= np.min(values) and high >= np.max(values) else "95% interval"


def names_over(sessions: int) -> tuple[str, str]:
    """The names of the middle of so many sessions, and of the band around it."""
    if sessions == 1:
        return "one session", "its value"
    middle = f"{average_name(sessions)} of {sessions} sessions"
    few = sessions < FEWEST_SESSIONS
    return middle, f"range of {sessions} sessions" if few else "its 95% bootstrap interval"
