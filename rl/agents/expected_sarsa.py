"""Expected Sarsa with a table (van Seijen, van Hasselt, Whiteson and Wiering 2009)."""

from __future__ import annotations

from nn.typing import Array
from rl.agents.tabular import Tabular
from rl.exploration import expected


class ExpectedSarsa(Tabular):
    """Sarsa without the chance in a': the next state is worth the mean of the exploring policy.

    Q(s, a) <- Q(s, a) + alpha (r + gamma sum_a' pi(a'|s') Q(s', a') - Q(s, a)) (van Seijen et al.
    2009; Sutton and Barto 2018, section 6.6).
    """

    needs_probabilities = True

    def next_values(self, values: Array) -> Array:
        """sum_a' pi(a'|s') Q(s', a') [N], pi being the exploring policy."""
        return expected(self.exploration, values, self.steps)
