"""Extending a run beyond its end: `rl resume RUN --steps N`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nn import checkpoint
from nn.typing import State
from rl.errors import UserError, brief, on_disk
from rl.saved.run import Run
from rl.specification.environment import problem_of
from rl.specification.specification import BUDGET
from rl.storage.files import is_there, write_json, write_specification
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder

# What an outcome says of an end, and no more once the session goes on.
GONE = ("evaluation", "final", "weights", "kept", "reason", "unfinished")


def extend(
    folder: RunFolder, steps: int | None, episodes: int | None, past_solved: bool = False
) -> list[str]:
    """Gives a run a larger budget; its sessions are then unfinished.

    If that is cut off, `rl resume` comes to the result of the one budget or of the other.

    Returns:
        Notes for the user: which sessions stay as they are, and why.

    Raises:
        UserError: the run cannot be extended so; nothing was changed.
    """
    manifest = folder.read_manifest()
    if manifest.get("kind") == "search":
        if steps is not None or episodes is not None or past_solved:
            raise UserError(
                f"{folder.path}: is a search, whose trials stay as long as they are; to train its "
                f"best setting for longer: rl run {manifest['experiment']} --spec "
                f"{folder.path / 'best_spec.json'} --steps N"
            )
        return []
    problem_of(Run(folder).specification)  # which must be here
    with folder.lock(), on_disk(folder.path):
        _settle(folder, manifest)
        if steps is None and episodes is None and not past_solved:
            return []
        return _extend(folder, manifest, {"steps": steps, "episodes": episodes}, past_solved)


def _extend(
    folder: RunFolder, manifest: Mapping[str, Any], asked: Mapping[str, int | None], past: bool
) -> list[str]:
    run = Run(folder)
    sessions = [run.trial.session(number) for number in range(len(manifest["seeds"]))]
    values = run.specification.values
    before, train = values["train"], dict(values["train"])
    train |= _raised(folder, before, asked)
    if past:
        train["stop_when_solved"] = False
    if train == before:
        return []
    for each in sessions:
        if each.path.is_dir():
            with each.lock():
                pass  # no process is at work on it
    solved = not past and before.get("stop_when_solved", True)
    notes = [note for each in sessions if (note := _prepare(each, folder, solved))]
    if len(notes) == len(sessions) and all("diverged" in each for each in notes):
        raise UserError(f"{folder.path}: {notes[0]}; more steps do not help")
    for each in sessions:
        _reopen(each)
    more = {"before": before, "command": sys.argv, "at": datetime.now().astimezone().isoformat()}
    specification = {**values, "train": train}
    write_json(
        folder.manifest,
        {
            **manifest,
            "specification": specification,
            "extended": [*manifest.get("extended", []), more],
        },
    )
    write_specification(folder.spec, manifest["experiment"], specification)
    return notes


def _raised(
    folder: RunFolder, train: Mapping[str, Any], asked: Mapping[str, int | None]
) -> dict[str, int]:
    """The settings of a larger budget.

    Raises:
        UserError: it is smaller, or the run does not end by it.
    """
    for name, count in asked.items():
        planned = train.get(name)
        if count is None:
            continue
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UserError(f"--{name}: must be a whole number of at least 1, not {brief(count)}")
        if planned is None:
            other = "episodes" if name == "steps" else "steps"
            raise UserError(
                f"--{name}: {folder.path} ends after a number of {other} alone; extend it by "
                f"--{other}"
            )
        if count < planned:
            raise UserError(
                f"--{name}: {count:,} are fewer than the {planned:,} of {folder.path}, which can "
                "only be given more"
            )
    return {name: count for name, count in asked.items() if count is not None}


def _prepare(session: SessionFolder, folder: RunFolder, stops: bool) -> str | None:
    """Refuses a session that cannot go on; returns a note if it stays as it is.

    Args:
        session: the session.
        folder: of the run.
        stops: whether it stays as it is because it was solved.
    """
    outcome = session.read_outcome()
    status, number = outcome.get("status"), session.number
    if status == "diverged":
        return f"session {number} diverged at step {outcome.get('steps', 0):,}, and stays as it is"
    latest = session.resume / "latest.npz"
    if not is_there(latest):
        if "evaluation" in outcome:
            raise _not_kept(session, folder, outcome.get("kept") is False)
        return None  # it begins anew
    try:
        state = checkpoint.load(latest)
    except checkpoint.CheckpointError:
        return None  # likewise
    if not _is_whole(state):
        raise _not_kept(session, folder, False)
    if status == "solved" and stops and not state.get("end"):
        return (
            f"session {number} was solved at step {outcome['steps']:,} and stays as it is, since a "
            "longer run stops there too; --past-solved makes it go on"
        )
    return None


def _is_whole(state: State) -> bool:
    """Returns True if a complete checkpoint has all that a longer session needs."""
    try:
        return bool(state["due"]["history"]["whole"])
    except (KeyError, TypeError):
        return False


def _not_kept(session: SessionFolder, folder: RunFolder, is_large: bool) -> UserError:
    why = "it was larger than train.keep_state" if is_large else "an earlier version ran it"
    return UserError(
        f"{session.path}: what it needs to go on was not kept, since {why}; run it again, or start "
        f"from its agent: rl run NAME --from {folder.path}@last"
    )


def _reopen(session: SessionFolder) -> None:
    """Makes a session that has ended an interrupted one."""
    outcome = session.read_outcome()
    if "evaluation" in outcome:
        kept = {key: each for key, each in outcome.items() if key not in GONE}
        session.write_outcome({**kept, "status": "interrupted"})


def _settle(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    """Writes the specification that belongs to a manifest, if an extension was cut off between.

    Raises:
        UserError: the budget was changed in the specification alone.
    """
    known, run = manifest.get("specification"), Run(folder)
    now = run.specification.block("train")
    if known is None or all(known["train"].get(name) == now.get(name) for name in BUDGET):
        return
    before = [each["before"] for each in manifest.get("extended", [])[-1:]]
    if before != [now]:
        raise UserError(
            f"{folder.spec}: ends training at another point than the manifest; undo the change, "
            f"and use: rl resume {folder.path} --steps N"
        )
    write_specification(folder.spec, manifest["experiment"], known)
