"""Q-learning with a table, as OpenAI Lab has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rl.agents.base import Parts
from rl.agents.q_table import QTable
from rl.environments import Transitions


class QTable2017(QTable):
    """A table of values that start at random in [-1, 1], and in which no state is terminal:

    Q(s, a) <- Q(s, a) + alpha (r + gamma max_a' Q(s', a') - Q(s, a)), also at an episode's end.
    """

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> QTable2017:
        made = super().assemble(parts, settings)
        assert isinstance(made, QTable2017)
        made.table[:] = parts.generator().uniform(-1.0, 1.0, made.table.shape)
        return made

    def update(self, t: Transitions) -> None:
        super().update(replace(t, terminated=np.zeros_like(t.terminated)))
