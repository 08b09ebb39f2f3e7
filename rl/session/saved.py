"""A saved agent: loading it from its checkpoint, and evaluating it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from nn.typing import Array, State
from rl.console.place import in_place
from rl.console.signals import noticed
from rl.environments import evaluation_seeds
from rl.environments.problems import EXTENDED_EPISODES, Problem
from rl.errors import MISFIT, UserError
from rl.session.evaluation import Evaluation, Evaluator, Heed, unheeded
from rl.session.player import Player, player_of
from rl.specification.build import build
from rl.specification.specification import IMPORT_FOLDER, Specification, check_form
from rl.storage.paths import as_name
from rl.storage.session_folder import SessionFolder
from rl.storage.texts import parse_json


def load_player(
    specification: Specification, folder: SessionFolder, checkpoint: str | None = None
) -> Player:
    """The agent of a checkpoint: "best", "last" or a stage's step; by default the best.

    Raises:
        UserError: the checkpoint is missing, damaged, or does not fit the specification.
    """
    checkpoint = checkpoint or folder.default_checkpoint
    state = folder.load_checkpoint(checkpoint)
    return player_from(state, specification, folder.checkpoint(checkpoint))


def player_from(state: State, specification: Specification, file: Path) -> Player:
    """The agent of a saved policy.

    Args:
        state: of the policy.
        specification: that it was learned with.
        file: that holds it.

    Raises:
        UserError: it does not fit the specification.
    """
    experiment = build(specification, seed=0)
    try:
        experiment.agent.restore_policy(state["policy"])
        experiment.preprocessor.restore(state["preprocessor"])
        check_finite(state)
    except MISFIT as error:
        raise UserError(f"{file}: does not fit {specification.source}: {error}") from None
    return player_of(experiment)


def origin_of(specification: Specification) -> State:
    """The origin that a policy's file states, so that it can be used on its own."""
    found = {"experiment": specification.name, "specification": json.dumps(specification.values)}
    if specification.names_modules and specification.folders:
        found[IMPORT_FOLDER] = "\n".join(specification.folders)
    return found


def specification_in(state: State, file: Path) -> Specification | None:
    """The specification that a policy's file holds; None if an earlier version wrote it.

    Raises:
        UserError: it holds something else.
    """
    if not {"experiment", "specification"} <= state.keys():
        return None
    name = state["experiment"]
    folders = map(Path, state.get(IMPORT_FOLDER, "").split("\n"))
    try:
        values = parse_json(state["specification"])
    except ValueError as error:
        raise UserError(f"{file}: its specification is damaged: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{file}: its specification is damaged: it is no object")
    there = [str(each) for each in folders if each.is_absolute() and each.is_dir()]
    home = tuple(there) or (str(file.absolute().parent),)
    specification = Specification(name, str(file), values, folders=home)
    check_form(specification)
    return specification


def check_finite(state: State) -> None:
    """Raises a `ValueError` if a policy has a number that is not finite."""
    for path, array in _arrays(state):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{path[1:]} has a number that is not finite")


def evaluate_player(
    player: Player,
    problem: Problem,
    episodes: int = EXTENDED_EPISODES,
    seed: int = 0,
    heed: Heed = unheeded,
) -> Evaluation:
    """Greedy episodes on seeds that neither training nor the choice of a checkpoint has used.

    Args:
        player: who plays.
        problem: what is played.
        episodes: how many.
        seed: another number gives other episodes.
        heed: as for `Evaluator`.
    """
    evaluator = Evaluator.of(problem, player.preprocessor, player.spaces.actions, heed)
    with noticed(), in_place(), closing(evaluator):
        return evaluator.play(player.agent, evaluation_seeds("report", seed, episodes))


def weights_digest(folder: SessionFolder) -> str:
    """The SHA-256 of the last checkpoint's arrays, equal if they are equal to the bit.

    Raises:
        UserError: the checkpoint is missing or damaged.
    """
    digest = hashlib.sha256()
    state = folder.load_checkpoint("last")
    state.pop("learned", None)  # of learning, not of the policy
    for path, array in _arrays(state):
        digest.update(f"{path} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _arrays(state: State, path: str = "") -> Iterator[tuple[str, Array]]:
    """The arrays of a nested state with their paths, in order."""
    for name in sorted(state):
        value, at = state[name], f"{path}/{name}"
        if isinstance(value, np.ndarray):
            yield at, value
        elif isinstance(value, dict):
            yield from _arrays(value, at)


def title_of(specification: Specification, problem: Problem) -> str:
    """What is learned: the experiment, or the agent where that is called as its environment."""
    name = specification.name
    who = specification.values["agent"]["name"] if name == as_name(problem.id) else name
    return f"{who} on {problem.label}"


def report(result: Evaluation, problem: Problem) -> dict[str, Any]:
    """The figures of an evaluation, with the problem and whether it is solved."""
    return {
        "problem": problem.id,
        "threshold": problem.solved,
        "solved": result.solves(problem.solved),
        **result.summary(),
    }
