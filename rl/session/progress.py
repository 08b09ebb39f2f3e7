"""How far a session has come."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field

from nn.typing import State
from rl.session.evaluation import Evaluation

RECENT_EPISODES = 100


@dataclass
class Progress:
    """How far a session has come; what a callback is told."""

    total_steps: int | None
    step: int = 0
    episodes: int = 0
    seconds: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_EPISODES))
    evaluation: Evaluation | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    total_episodes: int | None = None

    def state(self) -> State:
        """What `restore` needs."""
        evaluation = self.evaluation and asdict(self.evaluation)
        return {**vars(self), "recent": list(self.recent), "evaluation": evaluation}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.step, self.episodes, self.seconds = state["step"], state["episodes"], state["seconds"]
        self.recent.extend(state["recent"])
        self.evaluation = Evaluation(**state["evaluation"]) if state["evaluation"] else None
        self.metrics = state["metrics"]
