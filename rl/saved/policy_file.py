"""A saved agent: one file, with the specification in it, or a session of a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nn.typing import State
from rl.environments.problems import Problem
from rl.environments.registered import offered
from rl.errors import UserError
from rl.saved.opened import Opened
from rl.saved.run import Run
from rl.session.player import Player
from rl.session.saved import player_from, specification_in
from rl.specification.environment import problem_of
from rl.specification.specification import Specification
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import load_policy


class PolicyFile(Opened):
    """A checkpoint by itself, such as `best.npz`, wherever it is.

    Args:
        path: of the file.

    Raises:
        UserError: it is missing or damaged, or an earlier version wrote it and its run folder is
            not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = load_policy(path)
        self.specification = specification_of(path, self.state)
        self.problem: Problem = problem_of(self.specification)

    def player(self, checkpoint: str | None = None) -> Player:
        if checkpoint is not None:
            raise UserError(f"--checkpoint: {self.path} is a checkpoint; name its run folder")
        return player_from(self.state, self.specification, self.path)


def specification_of(path: Path, state: State) -> Specification:
    """The specification that a checkpoint's agent was trained with.

    Raises:
        UserError: it is damaged, or an earlier version wrote it and its run folder is not there.
    """
    return specification_in(state, path) or _run_around(path).specification


def _run_around(path: Path) -> Run:
    """The session that a checkpoint is in.

    Raises:
        UserError: it is in none.
    """
    for session in path.absolute().parents[1:3]:
        trial, run = session.parent, session.parents[1]
        if (run / "manifest.json").exists() and session.name.startswith("session_"):
            return Run(RunFolder(run), _number(trial), _number(session))
    raise UserError(
        f"{path}: has no specification, since an earlier version wrote it: use it in its run "
        "folder, where it needs none"
    )


def _number(path: Path) -> int:
    return int(path.name.rpartition("_")[2])


def open_saved(path: str | os.PathLike[str], trial: int | None = None, session: int = 0) -> Opened:
    """The saved agent at `path`: a file, a run folder, or an experiment's name for its latest run.

    Args:
        path: where it is.
        trial: of a search; the best one by default.
        session: the number of the session.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = user_path(path)
    if file.is_dir() or not (file.suffix == ".npz" or file.is_file()):
        return Run.open(path, trial, session)
    if trial is not None or session:
        raise UserError(f"--trial and --session: {file} is a single agent; name its run folder")
    return PolicyFile(file)


def load(
    path: str | os.PathLike[str], session: int = 0, env: Callable[..., Any] | None = None
) -> Player:
    """The trained agent of a run: `load("runs/cartpole_dqn").act(observation)`.

    Args:
        path: a run folder, an experiment's name for its latest run, or a file such as `best.npz`.
        session: the number of the session.
        env: makes the environment, if only the program that trained could.

    Raises:
        UserError: there is no run, or its best checkpoint is damaged.
    """
    with offered(env):
        found = open_saved(path, session=session)
    return found.player()
