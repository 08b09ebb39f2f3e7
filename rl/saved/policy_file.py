"""A saved agent: one file, with the specification in it, or a session of a run folder.

The file may be one of those that come with the lab.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nn.typing import State
from rl.console.output import warn
from rl.environments.problems import Problem
from rl.environments.registered import offered
from rl.errors import UserError
from rl.formatting import figure_of
from rl.saved.opened import Opened
from rl.saved.run import Run
from rl.session.player import Player
from rl.session.saved import player_from, specification_in
from rl.specification.environment import problem_of
from rl.specification.specification import Specification
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, latest_run
from rl.storage.session_folder import load_policy
from rl.storage.shipped import shipped_file


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


class Shipped(PolicyFile):
    """The best checkpoint of seed 0 of an experiment.

    Args:
        path: of its file.

    Raises:
        UserError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(path)
            self.figures: dict[str, Any] = self.state["shipped"]
        except (UserError, KeyError):
            raise UserError(
                f"{path}: the agent that comes with the lab is damaged; install the lab again, or "
                f"train one: rl run {path.stem}"
            ) from None

    @property
    def about(self) -> str:
        """Which agent it is, for messages."""
        seed, mean = self.figures["seed"], figure_of(self.figures["mean_return"])
        return f"the agent that comes with the lab (seed {seed}, mean return {mean})"

    def player(self, checkpoint: str | None = None) -> Player:
        refuse_other(self.path.stem, checkpoint)
        return super().player()


def refuse_other(name: str, checkpoint: str | None) -> None:
    """Refuses a checkpoint that a shipped agent has not.

    Raises:
        UserError: it is not the best one.
    """
    if checkpoint not in (None, "best"):
        raise UserError(
            f"{name}: no run of it here, and the agent that comes with the lab is a best "
            f"checkpoint, without {checkpoint!r}; `rl run {name}` trains one with all of them"
        )


def find_shipped(name: str | os.PathLike[str]) -> Shipped | None:
    """The agent that comes with the lab, if that is what a name stands for; a line says so.

    A run of the user's own comes first, and a line says which one.

    Raises:
        UserError: the agent is damaged.
    """
    file = shipped_file(name)
    if file is None:
        return None
    if own := latest_run(name):
        warn(f"{file.stem}: your run {own}, not the agent that comes with the lab")
        return None
    found = Shipped(file)
    warn(f"no run of {file.stem} here: {found.about}")
    return found


def open_saved(path: str | os.PathLike[str], trial: int | None = None, session: int = 0) -> Opened:
    """The saved agent at `path`: a file, a run folder, or an experiment's name for its latest run.

    Without a run of an experiment, its name stands for the agent that comes with the lab.

    Args:
        path: where it is.
        trial: of a search; the best one by default.
        session: the number of the session.

    Raises:
        UserError: there is none, or it is damaged.
    """
    file = user_path(path)
    shipped: Shipped | None = None
    if file.is_dir() or not (file.suffix == ".npz" or file.is_file()):
        shipped = find_shipped(path)
        if shipped is None:
            return Run.open(path, trial, session)
    if trial is not None or session:
        remedy = f"`rl run {path}` makes a run" if shipped else "name its run folder"
        raise UserError(f"--trial and --session: {path} is a single agent; {remedy}")
    return shipped or PolicyFile(file)


def load(
    path: str | os.PathLike[str], session: int = 0, env: Callable[..., Any] | None = None
) -> Player:
    """The trained agent of a run: `load("runs/cartpole_dqn").act(observation)`.

    Args:
        path: a run, its folder, an experiment's name for its latest run or else the agent that
            comes with the lab, or a file such as `best.npz`.
        session: the number of the session; a `Run` is of one already.
        env: makes the environment, if only the program that trained could.

    Raises:
        UserError: there is no run, or its best checkpoint is damaged.
    """
    with offered(env):
        if isinstance(path, Opened):
            return path.player()
        return open_saved(path, session=session).player()
