"""What proposes the trials of a search: the interface of its methods, and their table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Parameters = dict[str, Any]  # a value for each dotted path
Claim = Callable[[int], bool]  # claims a trial by its number: `Claims.claim`


class Method(ABC):
    """Proposes trials."""

    learns = False  # whether its proposals depend on results, which it is told in a fixed order
    size = 0  # the number of trials, at most; 0 if it is unknown

    @abstractmethod
    def propose(self) -> tuple[int, Parameters] | None:
        """The number and parameters of the next trial to run, or None."""

    @abstractmethod
    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        """Receives the result of a trial: its `state`, `score` and `curve`."""

    def told(self) -> Iterator[tuple[int, Parameters]]:
        """The trials of this run folder whose results the method has received for good."""
        return iter(())

    def results(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The results of trials that were run in other run folders."""
        return iter(())

    def awaits(self) -> bool:
        """Returns True while other machines may be dead, so that their trials are to be run."""
        return False

    def elsewhere(self) -> list[int]:
        """The trials that other run folders are running."""
        return []

    def sharing(self) -> AbstractContextManager[object]:
        """Within, other machines know that this one lives."""
        return nullcontext()


class Listed(Method):
    """Trials whose parameters follow from their numbers.

    Args:
        claim: claims a trial for this process.
        trials: the maximum number.
    """

    def __init__(self, claim: Claim, trials: int) -> None:
        self._claim, self.size = claim, trials
        self._left = list(range(trials))

    @abstractmethod
    def parameters(self, number: int) -> Parameters:
        """The parameters of a trial."""

    def propose(self) -> tuple[int, Parameters] | None:
        for number in self._left:  # another process may have been killed meanwhile
            if self._claim(number):
                self._left.remove(number)
                return number, self.parameters(number)
        return None

    def tell(self, number: int, result: Mapping[str, Any]) -> None:
        """Changes nothing."""


# Each is made of the space by dotted path, a `Claim`, the maximum number of trials, and a seed.
METHODS: dict[str, type[Any]] = {}
