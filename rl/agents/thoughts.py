"""What an agent makes of a state, as numbers to be shown."""

from __future__ import annotations

from dataclasses import dataclass

from nn.typing import Array


@dataclass(frozen=True)
class Thoughts:
    """What an agent makes of one state.

    Args:
        title: what the bars are.
        bars: a number for each discrete action, or each entry of a continuous one [k].
        span: the least and the greatest that a bar can be; None if nothing bounds them.
        chosen: the bar of the greedy action; None where the bars are that action.
        value: the return that a critic expects from here; None without a critic.
    """

    title: str
    bars: Array
    span: tuple[float, float] | None = None
    chosen: int | None = None
    value: float | None = None


def of_values(values: Array) -> Thoughts:
    """Of an agent that goes by the values of its actions [A]."""
    return Thoughts("Q(s, a)", values.copy(), chosen=int(values.argmax()))


def of_probabilities(probabilities: Array) -> Thoughts:
    """Of a stochastic policy among discrete actions [A]."""
    return Thoughts("\u03c0(a|s)", probabilities, (0.0, 1.0), int(probabilities.argmax()))


def of_action(action: Array) -> Thoughts:
    """Of a policy of continuous actions [k], with entries from -1 to 1."""
    return Thoughts("action", action.copy(), (-1.0, 1.0))
