"""How far a session or a search has come."""

from __future__ import annotations

from collections.abc import Sequence

from rl.analysis.search_figures import Result, ranked, read_results
from rl.errors import UserError
from rl.storage.run_folder import RunFolder, SessionFolder
from rl.storage.tables import last_row


def read_trials(folder: RunFolder) -> list[Result]:
    """What the trials of a search were worth, the best first.

    Raises:
        UserError: a file is damaged.
    """
    return ranked(read_results(folder))


def count_ended(results: Sequence[Result]) -> int:
    """How many trials of a search are done with."""
    return sum(each["state"] != "unfinished" for each in results)


def steps_of(folder: SessionFolder) -> int:
    """The environment steps that a session has written of."""
    tables = (folder.episodes, folder.updates, folder.evaluations)
    return max(int(last_row(table).get("step", 0)) for table in tables)


def evaluation_of(folder: SessionFolder) -> dict[str, float]:
    """The latest evaluation of a session; empty if there is none.

    Raises:
        UserError: the table is damaged.
    """
    row = last_row(folder.evaluations)
    if row and "mean_return" not in row:
        raise UserError(f"{folder.evaluations}: is damaged: it lacks a column of mean_return")
    return row
