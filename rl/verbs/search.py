"""`rl search`: trials of different settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rl.console.output import say
from rl.errors import UserError
from rl.verbs import report
from rl.verbs.arguments import (
    FAILED,
    INTERRUPTED,
    TRAINING,
    Verbs,
    add_verb,
    check_executor,
    natural,
    positive,
    processes,
    specification_in,
)
from rl.verbs.part import check_part, run_part

if TYPE_CHECKING:
    from rl.running.executors import Executor
    from rl.search.driver import Search
    from rl.specification.specification import Specification

SEARCH_OPTIONS = ("method", "trials", "sessions", "seed", "pruner", "statistic")


def search(options: argparse.Namespace) -> int:
    """`rl search`: trials of different settings."""
    from rl.search.opening import start_search
    from rl.storage.notes import write_note

    check_executor(options)
    is_part = check_part(options)
    if (options.name is None) == (options.resume is None):
        raise UserError("give the NAME of an experiment, or --resume RUN to resume a search")
    if options.resume is not None:
        _refuse_changes(options)
        return go_on(options, options.resume, options.trials, options.storage)
    settings = {name: getattr(options, name) for name in SEARCH_OPTIONS}
    given = [f"search.{name}={value}" for name, value in settings.items() if value is not None]
    specification = specification_in(options, given)
    if is_part:
        return run_part(options, specification)

    def start(executor: Executor) -> Search:
        found = start_search(
            specification, options.output, options.storage, executor, options.study
        )
        if options.tag:
            write_note(found.folder.path, tags=options.tag)
        return found

    return _run(options, specification, start)


def go_on(
    options: argparse.Namespace,
    run: str | Path,
    trials: int | None = None,
    storage: str | None = None,
) -> int:
    """Resumes the search in a run folder."""
    from rl.saved.run import Run
    from rl.search.opening import resume_search
    from rl.storage.run_folder import RunFolder

    specification = Run(RunFolder.open(run)).specification if options.ray_install else None
    return _run(
        options,
        specification,
        lambda executor: resume_search(run, executor, trials, storage),
    )


def _run(
    options: argparse.Namespace,
    specification: Specification | None,
    find: Callable[[Executor], Search],
) -> int:
    from rl.running.display import Display, showing

    with showing(options.quiet, total=0) as callback:
        executor = processes(options, callback, specification)
        found = find(executor)
        if isinstance(callback, Display):
            callback.total = found.sessions_left
        found.run()
    status = _conclude_search(found, executor.interrupted, options.quiet)
    if not executor.interrupted:
        report.conclude(found.folder.path, options)
    return status


def _refuse_changes(options: argparse.Namespace) -> None:
    """Refuses options that have no effect on a resumed search."""
    fixed = ("set", "steps", "episodes", "spec", "agent", "env_kwargs", "output", "study", "tag")
    for name in (*fixed, *SEARCH_OPTIONS):
        if name != "trials" and getattr(options, name) not in (None, []):
            option = name.replace("_", "-")
            raise UserError(
                f"--{option}: a search is resumed as it began; only --trials may change, "
                "and --storage if that was moved"
            )


def _conclude_search(search: Search, interrupted: bool, quiet: bool) -> int:
    from rl.analysis.search_figures import describe_search
    from rl.storage.files import read_json

    folder = search.folder
    summary = read_json(folder.path / "search.json")
    if not quiet:
        say(*describe_search(folder, summary))
        files = ("trials.csv", "search_metrics.png", "search_pairs.png")
        made = ", ".join(each for each in files if (folder.path / each).exists())
        say(f"run folder: {folder.path}  ({made})")
        if summary["best_trial"] is not None:
            name = folder.read_manifest()["experiment"]
            say(f"best trial: rl run {name} --spec {folder.path / 'best_spec.json'}")
    if interrupted:
        say(f"interrupted; to resume: rl resume {folder.path}")
        return INTERRUPTED
    if search.unfinished:
        say(
            f"unfinished, processes were lost: trial {_listed(search.unfinished)} (why: "
            f"{folder.path / 'trials.csv'}); to resume: rl resume {folder.path}"
        )
        return FAILED
    if search.elsewhere and not quiet:
        say(f"trial {_listed(search.elsewhere)}: another process is running it")
    return 0 if summary["best_trial"] is not None or search.elsewhere else FAILED


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def add(verbs: Verbs) -> None:
    """Adds `rl search` to the command line."""
    verb = add_verb(
        verbs, "search", search,
        "try settings over several seeds, and rank them",
        "rl search cartpole_dqn --method tpe --trials 30 --sessions 3",
        *TRAINING, "--tag",
    )  # fmt: skip
    verb.add_argument("name", metavar="NAME", nargs="?",
                      help="an experiment whose specification has a search block")  # fmt: skip
    verb.add_argument("--resume", metavar="RUN", help="resume the search in this run folder")
    verb.add_argument("--method", help="search method: grid, line, random, tpe or cmaes")
    verb.add_argument("--trials", type=positive, help="maximum number of trials")
    verb.add_argument("--sessions", type=positive, help="sessions per trial (default 1)")
    verb.add_argument("--only-trial", type=natural, metavar="T",
                      help="run trial T alone, in a folder that processes share")  # fmt: skip
    verb.add_argument("--only-session", type=natural, metavar="K",
                      help="run session K of that trial alone")  # fmt: skip
    verb.add_argument("--pruner", help="end hopeless trials early: none, median or asha")
    verb.add_argument("--statistic", help="score to rank trials by (default mean_return)")
    verb.add_argument("--storage", metavar="FILE|URL",
                      help="share the search by a file, postgresql://... or redis://")  # fmt: skip
    verb.add_argument("--study", metavar="NAME",
                      help="the search's name on that server (default: NAME)")  # fmt: skip
    verb.add_argument("--seed", type=natural, help="random seed of the method and of the sessions")
