"""What agents that learn a table of values have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nn.schedules import Schedule, make_schedule
from nn.settings import SettingError, setting
from nn.typing import Array, IntArray, State
from rl.agents.base import Agent, GreedyTable, Parts
from rl.agents.cells import Cells
from rl.agents.learning import require_finite_loss, with_history
from rl.agents.thoughts import Heat, Thoughts, of_values
from rl.agents.values import allowed
from rl.environments import Transitions
from rl.environments.spaces import Discrete
from rl.errors import Diverged
from rl.exploration import Explorer
from rl.targets import td_target


class Tabular(Agent):
    """Learns a table Q(s, a) from each step as it happens (Sutton and Barto 2018, chapter 6):

        Q(s, a) <- Q(s, a) + alpha (r + gamma V(s') - Q(s, a)).

    A variant says what V(s') is. All lanes learn at once, from the table as it was before.

    Args:
        cells: number the states.
        actions: A.
        exploration: chooses actions from values.
        settings: of the class's own `Settings`.
        lanes: environments stepped together.
        masked: whether some actions are not allowed in some states.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Agent.Settings):
        """Those of every agent with a table."""

        gamma: float = setting("discount per step", 0.99, least=0, most=1)
        learning_rate: float | Schedule = setting(
            "alpha, the share of each error that is learned, or its schedule over the updates", 0.1
        )
        initial_value: float = setting(
            "Q(s, a) at first; a high one makes the agent try everything", 0.0
        )
        bins: tuple[int, ...] = setting(
            "bins of each observed number, or one count for all; choices, and whole numbers that "
            "can be at most 100 others, have a cell each",
            (10,),
        )
        reach: float = setting("stands for the bounds of a number without any", 3.0, above=0)

        def __post_init__(self) -> None:
            super().__post_init__()
            schedule = make_schedule(self.learning_rate)
            for value in (schedule(0), schedule(2**53)):
                if not 0 <= value <= 1:
                    raise SettingError("learning_rate", f"must lie in [0, 1], not {value}")

    metric_names = ("loss", "mean_q", "exploration")
    kin = "table of values"
    carried = ("bins", "reach")
    settings: Settings
    exploration: Explorer

    def __init__(
        self,
        cells: Cells,
        actions: int,
        exploration: Explorer,
        settings: Settings | None = None,
        lanes: int = 1,
        masked: bool = False,
    ) -> None:
        self.settings = settings = settings or self.Settings()
        self.cells, self.exploration, self.lanes = cells, exploration, lanes
        self.masked = masked
        self.table = np.full((cells.count, actions), settings.initial_value)
        self._alpha = make_schedule(settings.learning_rate)
        self._latest: Transitions | None = None  # to be learned from
        self._loss = self._mean_q = math.nan

    @classmethod
    def assemble(cls, parts: Parts, settings: Settings) -> Tabular:
        actions, bounds = parts.spaces.actions, parts.spaces.bounds
        assert isinstance(actions, Discrete)
        assert bounds is not None
        cells = Cells(bounds, settings.bins, settings.reach, actions.count)
        explorer = parts.exploration()
        return cls(cells, actions.count, explorer, settings, parts.lanes, actions.masked)

    @property
    def learns_after(self) -> int:
        return 0

    def gradient_steps(self, steps: int) -> int:
        return 0

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """Q(s, a) [N, A] for observations [N, n]; -inf where masks [N, A] do not allow a."""
        if observations.shape[1] != len(self.cells.low):
            raise ValueError(f"observations must have {len(self.cells.low)} entries")
        return allowed(self.table[self.cells(observations)], masks)

    def act(self, observations: Array, masks: Array | None = None) -> IntArray:
        return self.values(observations, masks).argmax(axis=1)

    @property
    def greedy_policy(self) -> GreedyTable:
        cells = self.cells
        return GreedyTable(cells.low, cells.scale, cells.most, cells.strides, self.table)

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        thoughts = of_values(self.values(observations, masks)[0])
        return replace(thoughts, heat=self.heat(int(self.cells(observations)[0])))

    def heat(self, cell: int | None = None) -> Heat:
        """max_a Q(s, a) and the greedy action over a plane of states, through `cell`.

        Where actions may be forbidden, those that were never taken in a state do not count.
        """
        plane = self.cells.plane(cell)
        rows = self.table[plane]
        if self.masked:
            is_known = rows != self.settings.initial_value
            is_known |= ~is_known.any(axis=2, keepdims=True)
            rows = np.where(is_known, rows, -np.inf)
        values = np.where(plane < 0, np.nan, rows.max(axis=2))
        at = None if cell is None else tuple(np.argwhere(plane == cell)[0].tolist())
        return Heat(values, rows.argmax(axis=2), at)

    def explore(self, observations: Array, masks: Array | None = None) -> IntArray:
        actions: IntArray = self.exploration.choose(self.values(observations, masks), self.steps)
        return actions

    def observe(self, transitions: Transitions) -> None:
        self._latest = transitions
        self.steps += self.lanes

    def learn(self) -> None:
        if self._latest is None:
            return
        try:
            self.update(self._latest)
        except Diverged as error:
            raise with_history(error, self.metrics()) from None
        for lane in np.flatnonzero(self._latest.terminated | self._latest.truncated).tolist():
            self.exploration.ended(lane, float(self._latest.returns[lane]))
        self._latest = None

    def update(self, t: Transitions) -> None:
        """Learns from a step of all lanes; counts it in `updates`.

        Raises:
            Diverged: an error is not finite; the table is as it was.
        """
        at = self.cells(t.observations), t.actions
        next_values = self.next_values(self.values(t.next_observations, t.next_masks))
        y = td_target(t.rewards, self.settings.gamma * (1.0 - t.terminated), next_values)
        errors = y - self.table[at]
        loss = 0.5 * float(np.mean(errors**2))
        require_finite_loss(loss, self.updates)
        np.add.at(self.table, at, self._alpha(self.updates) * errors)
        self._loss, self._mean_q = loss, float(self.table[at].mean())
        self.updates += 1

    def next_values(self, values: Array) -> Array:
        """V(s') [N] of the next states' action values [N, A], -inf where one is not allowed."""
        raise NotImplementedError

    def abandon(self, lane: int) -> None:
        self.exploration.ended(lane, None)

    def metrics(self) -> dict[str, float]:
        exploration = self.exploration.amount(self.steps)
        return {"loss": self._loss, "mean_q": self._mean_q, "exploration": exploration}

    def policy_state(self) -> State:
        return {"table": self.table.copy()}

    def restore_policy(self, state: State) -> None:
        if np.shape(state["table"]) != self.table.shape:
            raise ValueError(f"its table is not {' x '.join(map(str, self.table.shape))}")
        self.table[:] = state["table"]

    def state(self) -> State:
        return {
            **self.policy_state(),
            "exploration": self.exploration.state(),
            "steps": self.steps,
            "updates": self.updates,
            "latest": {"loss": self._loss, "mean_q": self._mean_q},
        }

    def restore(self, state: State) -> None:
        self.restore_policy(state)
        self.exploration.restore(state["exploration"])
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
        self._loss, self._mean_q = state["latest"]["loss"], state["latest"]["mean_q"]
