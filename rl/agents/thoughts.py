"""What an agent thinks of a state, in numbers to show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.typing import Array, IntArray


@dataclass(frozen=True)
class Heat:
    """What an agent thinks of all states of a plane, as a heat map.

    Args:
        values: what each state is worth [h, w]; nan where there is none.
        actions: the greedy action in each [h, w].
        at: row and column of the state that the agent is in; None if it is in none.
        names: of the actions; empty if they are only numbered.
    """

    values: Array
    actions: IntArray
    at: tuple[int, int] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thoughts:
    """What an agent thinks of one state.

    Args:
        title: what the bars are.
        bars: a number for each discrete action, of several at once one behind the other, or for
            each entry of a continuous one [k]; nan of an action that is not allowed.
        span: the least and the greatest that a bar can be; None if nothing bounds them.
        chosen: the bar of the greedy action, or of several at once those; None where the bars are
            that action.
        value: the return that a critic expects from here; None without a critic.
        names: of the bars; empty if they are only numbered.
        heat: what it thinks of the other states, if there are few enough to show.
    """

    title: str
    bars: Array
    span: tuple[float, float] | None = None
    chosen: int | tuple[int, ...] | None = None
    value: float | None = None
    names: tuple[str, ...] = ()
    heat: Heat | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What stands before each bar: its name or its number."""
        return self.names or tuple(map(str, range(len(self.bars))))

    def is_chosen(self, bar: int) -> bool:
        """Whether a bar is of the greedy action."""
        return bar in self.chosen if isinstance(self.chosen, tuple) else bar == self.chosen


def of_values(values: Array) -> Thoughts:
    """Of an agent that takes the action of the greatest value, given the values [A]."""
    bars = np.where(values == -np.inf, np.nan, values)
    return Thoughts("Q(s, a)", bars, chosen=int(values.argmax()))


def of_probabilities(probabilities: Array, chosen: tuple[int, ...] | None = None) -> Thoughts:
    """Of a stochastic policy among discrete actions [A]; of several at once, with those chosen."""
    best = int(probabilities.argmax()) if chosen is None else chosen
    return Thoughts("\u03c0(a|s)", probabilities, (0.0, 1.0), best)


def of_action(action: Array) -> Thoughts:
    """Of a policy of continuous actions [k], with entries from -1 to 1."""
    return Thoughts("action", action.copy(), (-1.0, 1.0))
