"""A finished or interrupted run: its agents and their results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rl.analysis.analyze import draw_session, draw_trial, trial_figures
from rl.analysis.comparison import Group
from rl.analysis.records import read_records
from rl.console.optional import optional
from rl.environments.problems import Problem
from rl.errors import UserError, on_disk
from rl.saved.shown_run import ShownRun
from rl.session.player import Player
from rl.session.saved import load_player
from rl.session.start import Start
from rl.specification.environment import environment_in, problem_of
from rl.specification.packages import require_packages
from rl.specification.specification import Specification, read_specifications
from rl.storage.files import is_there, read_json, write_json
from rl.storage.run_folder import RunFolder, TrialFolder
from rl.storage.session_folder import SessionFolder, is_over

MOST_DRAWN = 5  # sessions of a run whose own curves are drawn at its end: each takes half a second


class Run(ShownRun):
    """A session of a run folder.

    Args:
        folder: the folder.
        trial: the number of the trial.
        session: the number of the session in it.

    Raises:
        UserError: there is no such session, or the manifest or the specification is damaged.
    """

    def __init__(self, folder: RunFolder, trial: int = 0, session: int = 0) -> None:
        self.folder, self.path = folder, folder.path
        self.manifest = folder.read_manifest()
        self.notes: list[str] = []  # for the user, as it begins
        self.trial: TrialFolder = folder.trial(trial)
        self.session: SessionFolder = self.trial.session(session)
        if not self.session.path.is_dir() and (made := self.trial.made_elsewhere):
            raise UserError(f"{folder.path}: trial {trial} was run {made}, where its files are")
        if (trial or session) and not self.session.path.is_dir():
            raise UserError(f"{folder.path}: has no {self.session.path.relative_to(folder.path)}")
        with on_disk(self.trial.spec, "read"):
            has_own = is_there(self.trial.spec)
        self.spec: Path = self.trial.spec if has_own else folder.spec
        self.specification = _specification(self.spec, self.manifest["experiment"])
        self.problem = self._problem()

    def _problem(self) -> Problem:
        """Its problem; if the environment cannot be found here, what the run itself says of it.

        That is enough for a report; whoever plays makes the environment, and is told.
        """
        try:
            return problem_of(self.specification)
        except UserError:
            block = environment_in(self.specification)
            solved = self.outcome.get("evaluation", {}).get("threshold", block.solved)
            return Problem(block.id, solved, block.max_episode_steps, block=block)

    @classmethod
    def open(cls, path: str | os.PathLike[str], trial: int | None = None, session: int = 0) -> Run:
        """A session of the run at `path`, or of the latest run of the experiment of this name.

        Of a search it is one of the best trial, or of `trial`.

        Raises:
            UserError: there is none, or it is damaged.
        """
        folder = RunFolder.open(path)
        return cls(folder, folder.best_trial() if trial is None else trial, session)

    @property
    def start(self) -> Start | None:
        """The trained agent that it started from; None if it did from random weights."""
        known = self.manifest.get("start")
        return Start(self.folder.start, known["sha256"], known["fresh"]) if known else None

    @property
    def outcome(self) -> dict[str, Any]:
        """The outcome: status, steps, episodes, seconds, best_step, and evaluation.

        `evaluation` holds the figures of the best checkpoint on unseen episodes and `final` those
        of the last; a run that was interrupted has neither.
        """
        return self.session.read_outcome()

    @property
    def result(self) -> dict[str, Any]:
        """The figures of this trial's sessions together; empty until they are analyzed."""
        return read_json(self.trial.result)

    def figures(self) -> dict[str, Any]:
        """The figures of this trial's sessions together, from their files.

        Raises:
            UserError: a file is damaged.
        """
        planned, problem = len(self.manifest["seeds"]), self.problem
        return trial_figures(
            self.trial, planned, self.specification.name, problem.label, problem.solved
        )

    def analyze(self, draw: bool = True, every: bool = False) -> dict[str, Any]:
        """Writes `figures` as `result`, and draws the curves.

        Args:
            draw: whether to draw them.
            every: whether each session gets its own curve, however many there are.

        Raises:
            UserError: a file is damaged.
        """
        figures = self.figures()
        self.trial.path.mkdir(parents=True, exist_ok=True)  # of sessions that never began
        write_json(self.trial.result, figures)
        if draw:
            self._draw(figures, every)
        return figures

    def _draw(self, figures: dict[str, Any], every: bool) -> None:
        """Draws the curves; a failure only prints a line."""
        if every or self.draws_each:
            self.draw_sessions(self.trial.sessions())
        with optional(self.trial.curve.name, self._remedy):
            draw_trial(self.trial, figures)

    @property
    def draws_each(self) -> bool:
        """Returns True if its sessions are few enough to draw the curve of each at the end."""
        return len(self.manifest["seeds"]) <= MOST_DRAWN

    def draw_sessions(self, sessions: Iterable[SessionFolder]) -> None:
        """Draws the curves of sessions; a failure only prints a line."""
        for session in sessions:
            with optional(session.curve.name, self._remedy):
                draw_session(session, self.title, self.problem.solved)

    @property
    def _remedy(self) -> str:
        return f"`rl analyze {shlex.quote(str(self.path))}` tries again"

    @property
    def is_over(self) -> bool:
        """Returns True if every session of this trial has ended or failed."""
        planned = range(len(self.manifest["seeds"]))
        return all(is_over(self.trial.session(number).read_outcome()) for number in planned)

    @property
    def is_analyzed(self) -> bool:
        """Returns True if `result` is that of the sessions as they are now."""
        known = [(each["session"], each["status"]) for each in self.result.get("outcomes", ())]
        return known == [
            (each.number, each.read_outcome().get("status")) for each in self.trial.sessions()
        ]

    def group(self, name: str) -> Group:
        """The sessions of this trial that count, for a comparison under this name.

        Raises:
            UserError: there is none, or it is from before returns of episodes were kept.
        """
        counted = [record for record in read_records(self.trial) if record.counted]
        if not counted:
            raise UserError(f"{self.path}: has no session that finished; it cannot be compared")
        evaluations = [record.outcome["evaluation"] for record in counted]
        if not all("returns" in evaluation for evaluation in evaluations):
            raise UserError(
                f"{self.path}: was made before the returns of single episodes were kept, and "
                "cannot be compared; run it again"
            )
        return Group(
            name,
            self.problem.label,
            np.array([record.best for record in counted]),
            np.array([evaluation["returns"] for evaluation in evaluations]),
            [(record.steps, record.returns) for record in counted],
            self.problem.solved,
        )

    @property
    def is_reported(self) -> bool:
        """Returns True if the report is newer than `result`."""
        page, result = self.path / "report.html", self.trial.result
        return page.exists() and page.stat().st_mtime >= result.stat().st_mtime

    def player(self, checkpoint: str | None = None) -> Player:
        require_packages(self.manifest, self.path)
        return load_player(self.specification, self.session, checkpoint)


def _specification(file: Path, name: str) -> Specification:
    found = read_specifications(file)
    if name not in found:
        raise UserError(f"{file}: has no experiment {name!r}, which the manifest names")
    return found[name]
