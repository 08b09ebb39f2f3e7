"""What agents that learn from a replay memory have in common."""

from __future__ import annotations

from nn.typing import State
from rl.agents.base import Agent
from rl.agents.learning import (
    require_counts,
    require_not_negative,
    require_shares,
    with_history,
)
from rl.environments import Transitions
from rl.errors import Diverged
from rl.exploration import Explorer
from rl.memory import Batch, NStep, Replay


class ReplayingAgent(Agent):
    """Stores what happens in a memory, and learns from samples of it at a steady pace.

    Args:
        memory: the replay memory.
        exploration: chooses actions.
        lanes: environments stepped together.
        gamma: discount of one step, in [0, 1].
        n_step: steps between a state and the one it bootstraps from.
        learn_start: environment steps before the first update.
        learn_every: environment steps an update, over all lanes.
    """

    def __init__(
        self,
        memory: Replay,
        exploration: Explorer,
        lanes: int,
        *,
        gamma: float,
        n_step: int,
        learn_start: int,
        learn_every: int,
    ) -> None:
        require_shares(gamma=gamma)
        require_not_negative(learn_start=learn_start)
        require_counts(learn_every=learn_every)
        self.memory, self.exploration, self.gamma = memory, exploration, gamma
        self.learn_start, self.learn_every = learn_start, learn_every
        self._n_step = [NStep(memory.add, n_step, gamma) for _ in range(lanes)]

    @property
    def learns_after(self) -> int:
        return self.learn_start

    @property
    def replay(self) -> Replay:
        return self.memory

    def abandon(self, lane: int) -> None:
        self._n_step[lane].clear()
        self.exploration.ended(lane, None)

    def observe(self, transitions: Transitions) -> None:
        t = transitions
        for lane, n_step in enumerate(self._n_step):
            terminated, truncated = bool(t.terminated[lane]), bool(t.truncated[lane])
            n_step.add(
                t.observations[lane],
                t.actions[lane],
                float(t.rewards[lane]),
                t.next_observations[lane],
                terminated,
                truncated,
            )
            if terminated or truncated:
                self.exploration.ended(lane, float(t.returns[lane]))
        self.steps += len(self._n_step)

    def learn(self) -> None:
        due = (self.steps - self.learn_start) // self.learn_every
        while self.updates < due and self.memory.size:
            try:
                self._update(self.memory.sample())
            except Diverged as error:
                raise with_history(error, self.metrics()) from None

    def _update(self, batch: Batch) -> None:
        """Learns from a sample; counts it in `updates`."""
        raise NotImplementedError

    def state(self) -> State:
        return {
            "memory": self.memory.state(),
            "exploration": self.exploration.state(),
            "n_step": {str(lane): each.state() for lane, each in enumerate(self._n_step)},
            "steps": self.steps,
            "updates": self.updates,
        }

    def restore(self, state: State) -> None:
        self.memory.restore(state["memory"])
        self.exploration.restore(state["exploration"])
        for lane, each in enumerate(self._n_step):
            each.restore(state["n_step"][str(lane)])
        self.steps, self.updates = int(state["steps"]), int(state["updates"])
