"""A session that starts from a trained agent instead of from random weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nn.checkpoint import open_regular
from nn.typing import State
from rl.errors import MISFIT, UserError, on_disk
from rl.specification.build import Experiment
from rl.storage.session_folder import load_policy


@dataclass(frozen=True)
class Start:
    """The policy's file that a session starts from.

    Args:
        file: the copy in the run folder.
        sha256: of its bytes.
        is_fresh: whether the preprocessor's statistics begin anew.
    """

    file: Path
    sha256: str
    is_fresh: bool = False

    def check(self) -> None:
        """Checks that the file is the one that the run began with.

        Raises:
            UserError: it is missing or changed, or cannot be read.
        """
        if not self.file.is_file() or digest(self.file) != self.sha256:
            raise UserError(
                f"{self.file}: is missing or damaged, and holds the agent that the run started "
                "from; put a good copy in its place"
            )

    def apply(self, experiment: Experiment) -> None:
        """Gives an experiment's agent the networks of the file; its optimizers begin anew.

        Raises:
            UserError: the file is missing or changed, or does not fit.
        """
        self.check()
        take_over(experiment, load_policy(self.file), self.file, self.is_fresh)


def take_over(experiment: Experiment, state: State, file: Path, is_fresh: bool = False) -> None:
    """Gives an experiment's agent the networks of a saved policy, and what it has seen so far.

    Args:
        experiment: whose agent it is.
        state: of the policy.
        file: that holds it.
        is_fresh: whether the preprocessor's statistics begin anew.

    Raises:
        UserError: it does not fit.
    """
    try:
        experiment.agent.take_over(state["policy"], state.get("learned", {}))
        if not is_fresh:
            experiment.preprocessor.restore(state["preprocessor"])
    except MISFIT as error:
        source = experiment.specification.source
        raise UserError(f"{file}: does not fit {source}: {error}") from None


def digest(file: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        DiskError: it cannot be read.
    """
    found = hashlib.sha256()
    with on_disk(file, "read"), open_regular(file) as opened:
        while piece := opened.read(1 << 20):
            found.update(piece)
    return found.hexdigest()
