"""A finished or interrupted run, opened again: its agent, and what the agent is worth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nn.typing import State
from rl.environments import evaluation_seeds, make_env
from rl.errors import UserError
from rl.experiment.build import build, import_package
from rl.experiment.evaluation import EXTENDED_EPISODES, Evaluation, Evaluator
from rl.experiment.player import Player
from rl.experiment.specification import Specification, read_specifications
from rl.problems import Problem, find_problem
from rl.run_folder import RunFolder


class Run:
    """What a run folder holds.

    Args:
        folder: the folder.

    Raises:
        UserError: its manifest or its specification is damaged.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.manifest = folder.read_manifest()
        self.specification = _specification(folder, self.manifest["experiment"])
        import_package(self.specification)
        self.problem: Problem = find_problem(self.specification.values["problem"])

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """The run at `path`, or the latest run of the experiment called so.

        Raises:
            UserError: there is none, or it is damaged.
        """
        return cls(RunFolder.open(path))

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def outcome(self) -> dict[str, Any]:
        """How the session ended: status, steps, episodes, seconds, best_step, and evaluation.

        `evaluation` holds the figures of the best checkpoint on unseen episodes; a run that was
        interrupted has none.
        """
        return self.folder.session().read_outcome()

    def player(self, checkpoint: str | None = None) -> Player:
        """The agent of a checkpoint, "best" or "last"; by default the best there is.

        Raises:
            UserError: the checkpoint is missing, damaged, or does not fit the specification.
        """
        session = self.folder.session()
        if checkpoint is None:
            checkpoint = "best" if session.checkpoint("best").exists() else "last"
        return self._restored(session.load_checkpoint(checkpoint), session.checkpoint(checkpoint))

    def _restored(self, state: State, file: Path) -> Player:
        experiment = build(self.specification, seed=0)
        try:
            experiment.agent.restore_policy(state["policy"])
            experiment.preprocessor.restore(state["preprocessor"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file}: does not fit {self.folder.spec}: {error}") from None
        return experiment.player()

    def evaluate(
        self,
        episodes: int = EXTENDED_EPISODES,
        seed: int = 0,
        checkpoint: str | None = None,
    ) -> Evaluation:
        """Greedy episodes on seeds that neither training nor the choice of a checkpoint has used.

        Args:
            episodes: how many.
            seed: another number gives other episodes.
            checkpoint: "best" or "last"; by default the best there is.

        Raises:
            UserError: as for `player`.
        """
        player = self.player(checkpoint)
        evaluator = Evaluator(lambda: make_env(self.problem.id), player.preprocessor)
        try:
            return evaluator.play(player.agent, evaluation_seeds("report", seed, episodes))
        finally:
            evaluator.close()

    def report(self, result: Evaluation) -> dict[str, Any]:
        """The figures of an evaluation with what was evaluated."""
        return {
            "run": str(self.path),
            "experiment": self.specification.name,
            "problem": self.problem.id,
            "threshold": self.problem.solved,
            "solved": result.solves(self.problem.solved),
            **result.summary(),
        }


def load(path: str | os.PathLike[str]) -> Player:
    """The trained agent of a run: `load("runs/cartpole_dqn").act(observation)`.

    Args:
        path: a run folder, or an experiment's name for its latest run.

    Raises:
        UserError: there is no run, or its best checkpoint is damaged.
    """
    return Run.open(path).player()


def _specification(folder: RunFolder, name: str) -> Specification:
    found = read_specifications(folder.spec)
    if name not in found:
        raise UserError(f"{folder.spec}: has no experiment {name!r}, which the manifest names")
    return found[name]
