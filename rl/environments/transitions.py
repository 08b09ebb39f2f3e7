"""What a step of all lanes gives, and what is left of an episode."""

from __future__ import annotations

from dataclasses import dataclass

from nn.typing import Array, BoolArray


@dataclass(frozen=True)
class Episode:
    """An episode that has ended."""

    seed: int
    total: float  # the return: the undiscounted sum of its rewards
    length: int  # steps
    terminated: bool  # False where a time limit cut it
    cut: bool = False  # whether that limit was the lab's own


@dataclass
class Transitions:
    """One step of N lanes. The arrays are overwritten by the next step."""

    observations: Array  # [N, n]
    actions: Array  # [N] integers, or [N, k]
    rewards: Array  # [N]
    next_observations: Array  # [N, n], the true one where an episode ended
    terminated: BoolArray  # [N] bool: no value follows
    truncated: BoolArray  # [N] bool: cut by a time limit; the value goes on
    returns: Array  # [N]: the undiscounted sums of the episodes' raw rewards so far
    masks: BoolArray | None = None  # [N, A]: the actions that were allowed, if there are masks
    next_masks: BoolArray | None = None  # [N, A]: those allowed next, if a value follows
