"""Writes the report of whatever a folder holds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from rl.errors import UserError
from rl.report.blocks import Page
from rl.report.comparison_page import FILE, comparison_page
from rl.report.page import render
from rl.report.search_page import search_page
from rl.report.trial_page import trial_page
from rl.saved.run import Run
from rl.storage.files import write_text
from rl.storage.notes import read_note
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder

NAME = "report.html"


def write_report(
    path: str | os.PathLike[str], trial: int | None = None, saliency: bool = False
) -> Path:
    """Writes `report.html` into the folder of a run, a search or a comparison.

    Args:
        path: of the folder, or an experiment's name for its latest run.
        trial: of a search, whose report goes into that trial's folder.
        saliency: whether the episodes show which pixels the value of the greedy action depends on.

    Raises:
        UserError: there is no such folder, it is damaged, or it cannot be written to; there is no
            saliency.
    """
    place, page = _page(path, trial, saliency)
    page = replace(page, note=read_note(place))
    file, text = place / NAME, render(page)
    try:
        write_text(file, text)
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None
    return file


def _page(path: str | os.PathLike[str], trial: int | None, saliency: bool) -> tuple[Path, Page]:
    """Where the report goes, and the report."""
    if ((place := user_path(path)) / FILE).exists():
        if saliency:
            raise UserError(
                f"{place}: --saliency is of episodes, and a comparison has none; leave it out"
            )
        return place, comparison_page(place)
    folder = RunFolder.open(path)
    is_search = folder.read_manifest().get("kind") == "search"
    if is_search and trial is None:
        return folder.path, search_page(folder, saliency)
    run = Run.open(folder.path, trial)
    return (run.trial.path if is_search else folder.path), trial_page(run, saliency)
