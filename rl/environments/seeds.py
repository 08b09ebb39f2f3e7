"""The seeds of episodes: a range for each purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nn.typing import State

# Gymnasium accepts seeds below 2^31 everywhere. Each purpose has a range of its own, so that
# no evaluation ever plays an episode that the agent was trained or selected on.
_RANGE = 2**29
_PURPOSES = ("training", "selection", "report")


def seed_range(purpose: str) -> range:
    """The environment seeds that serve "training", "selection" or "report"."""
    start = _RANGE * _PURPOSES.index(purpose)
    return range(start, start + _RANGE)


class TrainingSeeds:
    """An endless iterator of environment seeds from the training range."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return seed_range("training")[int(self._rng.integers(_RANGE))]

    def state(self) -> State:
        """What `restore` needs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._rng.bit_generator.state = state["rng"]


def evaluation_seeds(purpose: str, seed: int, episodes: int) -> Sequence[int]:
    """The environment seeds of `episodes` episodes.

    Args:
        purpose: "selection" (choosing a checkpoint) or "report" (saying what it is worth).
        seed: another number gives other episodes.
        episodes: how many.
    """
    seeds = seed_range(purpose)
    first = int(np.random.SeedSequence(seed).generate_state(1)[0]) % (_RANGE - episodes)
    return seeds[first : first + episodes]
