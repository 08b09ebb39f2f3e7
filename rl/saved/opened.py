"""What was saved of a trained agent, wherever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rl.environments.problems import EXTENDED_EPISODES, Problem
from rl.session.evaluation import Evaluation
from rl.session.player import Player
from rl.session.saved import evaluate_player, report, title_of
from rl.specification.specification import Specification


class Opened:
    """A saved agent."""

    path: Path
    specification: Specification
    problem: Problem

    def __fspath__(self) -> str:
        """Its folder or its file: it serves wherever a path does."""
        return str(self.path)

    @property
    def title(self) -> str:
        """What was learned: the experiment on its environment."""
        return title_of(self.specification, self.problem)

    def player(self, checkpoint: str | None = None) -> Player:
        """The agent of a checkpoint: "best", "last" or a stage's step; by default the best.

        Raises:
            UserError: the checkpoint is missing, damaged, or does not fit the specification.
        """
        raise NotImplementedError

    def evaluate(
        self,
        episodes: int = EXTENDED_EPISODES,
        seed: int = 0,
        checkpoint: str | None = None,
    ) -> Evaluation:
        """Greedy episodes on seeds that neither training nor the choice of a checkpoint has used.

        Args:
            episodes: number of episodes.
            seed: of the episodes.
            checkpoint: as for `player`.

        Raises:
            UserError: as for `player`.
        """
        return evaluate_player(self.player(checkpoint), self.problem, episodes, seed)

    def report(self, result: Evaluation) -> dict[str, Any]:
        """The figures of an evaluation with what was evaluated."""
        return {
            "run": str(self.path),
            "experiment": self.specification.name,
            **report(result, self.problem),
        }
