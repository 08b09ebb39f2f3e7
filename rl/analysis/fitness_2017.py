"""The fitness score of OpenAI Lab (2017), from the returns of training episodes alone.

A session is looked at up to the episode in which it solved the problem: the first at which the mean
return of the latest 100 episodes, or of all if there are fewer, is at least the threshold. The
original ended there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nn.typing import Array

_LATEST = 100  # episodes, whose mean return is that of a session
_NEAR = 0.1  # of the range of returns: what lies within it of the best counts, without a threshold


def fitness_2017(
    sessions: Sequence[Array], threshold: float | None, planned: int | None = None
) -> float | None:
    """power ((1 + stability) (1 + consistency)^2)^sign(power), each a mean over the sessions.

    Args:
        sessions: the returns [e] of the training episodes of each; those without any are left out.
        threshold: the return that solves the problem, if there is one.
        planned: sessions in all, if more than these; the others have not solved it.

    Returns:
        The score; None if no session has a training episode.
    """
    ended = [parts_2017(each, threshold) for each in sessions if len(each)]
    return combined_2017(ended, planned)


class Parts(NamedTuple):
    """What a session contributes to the score."""

    power: float
    stability: float
    solved: bool


def parts_2017(returns: Array, threshold: float | None) -> Parts:
    """The parts of a session, by the returns [e] of its training episodes; e is at least 1."""
    ended, solved = until_solved(returns, threshold)
    power = float(ended[-_LATEST:].mean() / len(ended))
    return Parts(power, stability_2017(ended, threshold), solved)


def combined_2017(sessions: Sequence[Parts], planned: int | None = None) -> float | None:
    """The score of sessions by their parts; as for `fitness_2017`."""
    if not sessions:
        return None
    power, stable = (float(np.mean([each[part] for each in sessions])) for part in (0, 1))
    consistency = sum(each.solved for each in sessions) / max(planned or 0, len(sessions))
    return float(power * ((1 + stable) * (1 + consistency) ** 2) ** np.sign(power))


def until_solved(returns: Array, threshold: float | None) -> tuple[Array, bool]:
    """The returns up to the episode that solved the problem, and whether one did."""
    if threshold is None:
        return returns, False
    sums = np.concatenate([[0.0], returns.cumsum()])
    ends = np.arange(1, len(returns) + 1)
    starts = np.maximum(ends - _LATEST, 0)
    solved = np.flatnonzero((sums[ends] - sums[starts]) / (ends - starts) >= threshold)
    return (returns[: solved[0] + 1], True) if len(solved) else (returns, False)


def stability_2017(returns: Array, threshold: float | None) -> float:
    """Episodes above the threshold, divided by the last episode's number less the first such one's.

    0 if there is none, or only the last one. Without a threshold, the best return less a tenth of
    the range of all takes its place.
    """
    if threshold is None:
        threshold = float(returns.max() - _NEAR * (returns.max() - returns.min()))
    above = np.flatnonzero(returns > threshold)
    gap = len(returns) - 1 - above[0] if len(above) else 0
    return float(len(above) / gap) if gap else 0.0
