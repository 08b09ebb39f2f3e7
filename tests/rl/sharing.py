"""A process that shares a search. A server forks it with everything imported: it begins at once."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rl.cli import main
from rl.running.executors import Inline
from rl.session.job import Job, Outcome

for _late in ("optuna.samplers._tpe.sampler", "optuna.storages._rdb.models", "rl.analysis.figures",
              "rl.search.opening", "rl.verbs.search"):  # fmt: skip
    import_module(_late)  # what a search imports late, once for all

HOLD = False  # whether the first session never ends


class Noted(Inline):
    """Writes a line to a file for each session that has run to its end."""

    def wait(self) -> list[tuple[Job, Outcome]]:
        while HOLD:
            Path("held.txt").touch()
            time.sleep(0.1)
        found = super().wait()
        for job, outcome in found:
            if outcome["status"] != "interrupted":
                line = f"{job.trial} {job.session} {outcome['status']}\n"
                with open("sessions.txt", "a", encoding="ascii") as file:
                    file.write(line)
        return found


def nothing(*_: object, **__: object) -> None:
    """In place of what draws pictures, which would take most of the time."""


PATCHES: dict[str, Any] = {
    "rl.search.conclusion.draw_trial": nothing,
    "rl.analysis.search_figures.draw": nothing,
    "rl.verbs.search.processes": lambda options, callback, *_: Noted(callback),
}


def share(folder: Path, arguments: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Runs `rl search` in a folder, with sessions in this process and without pictures."""
    os.chdir(folder)
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.fsync = lambda file: None  # type: ignore[assignment]
    for name, value in {**PATCHES, **settings}.items():
        module, _, key = name.rpartition(".")
        setattr(import_module(module), key, value)
    sys.exit(main(["search", *arguments, "--quiet", "--no-report"]))


def begin(folder: Path, *arguments: str, **settings: Any) -> BaseProcess:
    """Begins such a process.

    Args:
        folder: to work in.
        arguments: behind `rl search`.
        settings: constants to change, by their dotted names.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.rl.sharing"])
    process = context.Process(target=share, args=(folder, arguments, settings))
    process.start()
    return process
