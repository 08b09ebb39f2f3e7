"""Continuing a session beyond its end, as if its budget had been larger from the beginning.

The budget matters in two places. A session is evaluated where it ends, even if no evaluation is due
there; and the rows of its updates are spaced by a share of its steps. The former is undone. For the
latter, a history keeps every row that a longer session could have.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nn import checkpoint
from nn.typing import State
from rl.session.status import Status
from rl.specification.blocks import Training
from rl.specification.specification import BUDGET
from rl.storage.session_folder import SessionFolder

UPDATES_A_ROW = 100

KEPT_BEST = "best.npz"  # in the folder of the complete checkpoints

Row = Mapping[str, Any]


def budget_of(training: Training) -> State:
    """The settings that determine when a session ends."""
    return {name: getattr(training, name) for name in BUDGET}


def is_spent(budget: Mapping[str, Any], step: int, episodes: int) -> bool:
    """Returns True if a session of so many steps and episodes has spent its budget."""
    done = {"steps": step, "episodes": episodes}
    return any(budget[name] is not None and count >= budget[name] for name, count in done.items())


def extends(budget: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Returns True if a budget has the same limits as before, each at least as large."""
    for name in ("steps", "episodes"):
        was, now = before[name], budget[name]
        if (was is None) != (now is None) or (was is not None and now < was):
            return False
    return before["stop_when_solved"] or not budget["stop_when_solved"]


def is_longer(state: State, training: Training) -> bool:
    """Returns True if the session had another budget when it saved a complete checkpoint."""
    return state.get("budget", budget_of(training)) != budget_of(training)


def lengthened(state: State, training: Training) -> State:
    """A complete checkpoint at the end of a budget, as it would be within a larger one."""
    progress, end = state["progress"], state["end"]
    if is_spent(budget_of(training), progress["step"], progress["episodes"]):
        end = None  # the longer session ends here too
    stays = not end and state["status"] == Status.SOLVED.value and training.stop_when_solved
    status = Status.SOLVED.value if stays else Status.RUNNING.value
    due = {**state["due"], "stops_at": None, "reason": None}  # which no callback has stopped
    if end is None:
        return {**state, "status": status, "due": due}
    return {
        **state,
        "end": None,
        "status": status,
        "progress": {**progress, "evaluation": end["evaluation"]},
        "due": {**due, **end["due"], "unfinished": False},
        "tables": end["tables"],
    }


def lengthen_files(folder: SessionFolder, before: State, state: State, specification: str) -> None:
    """Keeps the policies that a longer session has so far, each with its specification.

    Args:
        folder: of the session.
        before: its complete checkpoint.
        state: the same, lengthened.
        specification: the text of the new one.
    """
    best, kept = folder.checkpoint("best"), _read(folder.resume / KEPT_BEST)
    if before["end"] and not state["end"]:
        folder.checkpoint(str(state["progress"]["step"])).unlink(missing_ok=True)
        if (found := _read(best)) and found["step"] != state["due"]["best_step"]:
            best.unlink()
            if kept and kept["step"] == state["due"]["best_step"]:
                checkpoint.save(best, kept)
    names = [*map(str, folder.stages()), "best", "last"]
    for path in map(folder.checkpoint, names):
        if policy := _read(path):
            checkpoint.save(path, {**policy, "specification": specification})


def keep_best(folder: SessionFolder, step: int) -> None:
    """Keeps a copy of the best policy, of this step, which is about to be replaced."""
    if (best := _read(folder.checkpoint("best"))) and best["step"] == step:
        checkpoint.save(folder.resume / KEPT_BEST, best)


def _read(path: Path) -> State | None:
    """A policy; None if it is missing, or damaged, which is reported when it is used."""
    with suppress(checkpoint.CheckpointError):
        return checkpoint.load(path)
    return None


def thinned(
    history: Sequence[Row], interval: int, lanes: int, end: int, at: Callable[[Row, int], Row]
) -> tuple[list[Row], dict[str, int]]:
    """The rows of updates that a session would have so far if they were spaced by `interval`.

    Args:
        history: every row that such a session could have.
        interval: environment steps from a row to the next, unless a hundred updates come first.
        lanes: environments stepped together.
        end: the current step of the session.
        at: returns a row as it would be at a later step, before the next one.

    Returns:
        The rows, and `row`, `row_step` and `recorded` of a recorder's state.
    """
    rows: list[Row] = []
    state = {"row": UPDATES_A_ROW, "row_step": interval, "recorded": 0}
    ends = [*(int(row["step"]) for row in history[1:]), end + 1]
    for row, until in zip(history, ends, strict=bool(history)):  # it may have had no update
        step, update = int(row["step"]), int(row["update"])
        if update < state["row"]:
            step = max(step, -(-state["row_step"] // lanes) * lanes)
            if update <= state["recorded"] or step >= until:
                continue
        rows.append(at(row, step) if step > int(row["step"]) else row)
        state = {"row": next_hundred(update), "row_step": step + interval, "recorded": update}
    return rows, state


def next_hundred(update: int) -> int:
    """The next update that has a row in any case."""
    return update - update % UPDATES_A_ROW + UPDATES_A_ROW


def read_history(content: bytes) -> list[Row]:
    """The rows of a history, with each cell as text."""
    return list(csv.DictReader(content.decode("ascii").splitlines()))
