"""How long a session will still go on: learning, its evaluations, and those at its end."""

from __future__ import annotations

import math
from collections import deque

from rl.environments.problems import EXTENDED_EPISODES
from rl.session.evaluation import LANES
from rl.session.progress import EVALUATING, LEARNING, Progress

MARKS = 100  # of the latest reports, some 20 seconds of learning
KEPT = 2  # policies that are evaluated at the end: the best and the last


class Forecast:
    """Keeps the phase and the time left of a session's progress.

    Learning takes what the rest of the budget takes at the latest pace, which changes once an agent
    begins to learn, and with the length of episodes. An evaluation takes what the latest one took.

    Args:
        progress: of the session, which is updated.
        every: environment steps from one evaluation to the next; None if there are none.
        lanes: of an evaluation.
    """

    def __init__(self, progress: Progress, every: int | None, lanes: int = LANES) -> None:
        self._progress, self._every, self._lanes = progress, every, lanes
        self._marks = deque[tuple[float, float]](maxlen=MARKS)  # seconds of learning, fraction
        self._paused = 0.0  # seconds of evaluations
        self._began: float | None = None  # the evaluation under way
        self._evaluation = 0.0  # seconds of the latest
        self._round = 0.0  # seconds of an episode in each of its lanes

    def plays(self, played: int, to_play: int, now: float) -> None:
        """Takes in how far an evaluation has come; times are in seconds."""
        progress = self._progress
        progress.phase, progress.played, progress.to_play = EVALUATING, played, to_play
        if self._began is None:
            self._began = now

    def learns(self, now: float) -> None:
        """Takes in that the evaluation under way has ended."""
        progress = self._progress
        if self._began is not None:
            self._evaluation = now - self._began
            self._paused += self._evaluation
            self._round = self._evaluation / max(1, self._rounds(progress.played))
        progress.phase, progress.played, progress.to_play = LEARNING, 0, 0
        self._began = None

    def update(self, now: float, is_last: bool = False) -> None:
        """Estimates the time left.

        Args:
            now: in seconds.
            is_last: whether nothing follows the evaluation under way.
        """
        progress = self._progress
        if self._began is None:
            self._marks.append((now - self._paused, progress.fraction))
        parts = [self._left_to_play(now)]
        if not is_last:
            report = KEPT * self._rounds(EXTENDED_EPISODES) * self._round
            parts += [self._left_to_learn(), self._evaluations_left() * self._evaluation, report]
        known = [part for part in parts if part is not None]
        progress.seconds_left = sum(known) if len(known) == len(parts) else None

    def _left_to_play(self, now: float) -> float | None:
        """Seconds of the evaluation under way."""
        progress = self._progress
        under_way = 0.0 if self._began is None else now - self._began
        left = progress.to_play - progress.played
        if progress.played >= self._lanes or (progress.played and not self._round):
            return left * under_way / progress.played
        if left and not self._round:
            return None
        return max(0.0, self._rounds(left) * self._round - under_way)

    def _left_to_learn(self) -> float | None:
        """Seconds of learning alone."""
        fraction = self._progress.fraction
        if fraction >= 1.0:
            return 0.0
        if not self._marks:
            return None
        (since, before), (now, here) = self._marks[0], self._marks[-1]
        return (1.0 - fraction) * (now - since) / (here - before) if here > before else None

    def _evaluations_left(self) -> int:
        """The number of those that learning has still before it."""
        step, fraction = self._progress.step, self._progress.fraction
        if not self._every or not 0.0 < fraction < 1.0:
            return 0
        return math.ceil(step / fraction / self._every) - step // self._every

    def _rounds(self, episodes: int) -> int:
        return math.ceil(episodes / self._lanes)
