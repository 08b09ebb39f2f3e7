"""How far a session has come."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field

from nn.typing import State
from rl.session.evaluation import Evaluation

RECENT_EPISODES = 100
LEARNING, EVALUATING, REPORTING = "learning", "evaluating", "report"  # phases
_PASSING = ("title", "threshold", "phase", "played", "to_play", "seconds_left")  # not saved


@dataclass
class Progress:
    """How far a session has come; what a callback is told.

    Args:
        total_steps: at which learning ends; None if episodes alone end it.
        step: environment steps so far.
        episodes: training episodes so far.
        seconds: of learning, with its evaluations.
        recent: returns of the latest training episodes.
        evaluation: the latest.
        metrics: the latest of the agent.
        total_episodes: at which learning ends; None if steps alone end it.
        title: what is learned: "cartpole_dqn on CartPole-v1".
        threshold: the mean return that solves the problem; None if there is none.
        phase: what the session does now.
        played: episodes of the evaluation under way that have ended.
        to_play: all of its episodes, as far as is known.
        seconds_left: how long the session will go on; None if that is not known yet.
    """

    total_steps: int | None
    step: int = 0
    episodes: int = 0
    seconds: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_EPISODES))
    evaluation: Evaluation | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    total_episodes: int | None = None
    title: str = ""
    threshold: float | None = None
    phase: str = LEARNING
    played: int = 0
    to_play: int = 0
    seconds_left: float | None = None

    @property
    def fraction(self) -> float:
        """The part of the budget that is spent, from 0 to 1."""
        budgets = ((self.step, self.total_steps), (self.episodes, self.total_episodes))
        return min(1.0, max((done / total for done, total in budgets if total), default=0.0))

    def state(self) -> State:
        """What `restore` needs."""
        evaluation = self.evaluation and asdict(self.evaluation)
        saved = {name: value for name, value in vars(self).items() if name not in _PASSING}
        return {**saved, "recent": list(self.recent), "evaluation": evaluation}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.step, self.episodes, self.seconds = state["step"], state["episodes"], state["seconds"]
        self.recent.extend(state["recent"])
        self.evaluation = Evaluation(**state["evaluation"]) if state["evaluation"] else None
        self.metrics = state["metrics"]
