"""Tabular Q-learning (Watkins 1989; Watkins and Dayan 1992)."""

from __future__ import annotations

from nn.typing import Array
from rl.agents.tabular import Tabular


class QTable(Tabular):
    """Q-learning with a table: the next state is worth its best action, whatever is done there.

    Q(s, a) <- Q(s, a) + alpha (r + gamma max_a' Q(s', a') - Q(s, a)) (Watkins and Dayan
    1992; Sutton and Barto 2018, section 6.5).
    """

    def next_values(self, values: Array) -> Array:
        """max_a' Q(s', a') [N]."""
        best: Array = values.max(axis=1)
        return best
