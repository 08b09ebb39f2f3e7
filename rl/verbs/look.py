"""`rl list`, `rl analyze` and `rl compare`: list experiments, analyze and compare runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rl.console.optional import optional
from rl.console.output import say, warn
from rl.console.place import shown
from rl.errors import UserError, printable
from rl.formatting import count_of, figure_of
from rl.storage.paths import user_path
from rl.verbs import report
from rl.verbs.arguments import A_RUN, Verbs, add_verb

if TYPE_CHECKING:
    from rl.saved.run import Run


def list_experiments(options: argparse.Namespace) -> int:
    """`rl list`: prints every experiment and every problem, or every part."""
    from rl.environments.problems import known_problems
    from rl.specification.specification import all_specifications

    if options.parts:
        return _list_parts(options.spec)
    if options.spec:
        raise UserError("--spec: shows the parts of its modules; add --parts")
    rows = [("experiment", "problem", "agent", "comes trained", "description")]
    for name, each in all_specifications().items():
        values = each.values
        rows.append((name, each.environment_id, values["agent"]["name"], _comes_trained(name),
                     values.get("description", "")))  # fmt: skip
    _print_columns(rows)
    say(
        "",
        "comes trained: the mean return of an agent that comes with the lab, which `rl watch NAME` "
        "shows as long as you have no run of it; it is no run, so that `rl resume` and `rl verify` "
        "need one of yours",
        "",
    )
    thresholds = [("problem", "solved at", "horizon")]
    for problem in known_problems().values():
        thresholds.append((problem.id, f"{problem.solved:g}", f"{problem.horizon} steps"))
    _print_columns(thresholds)
    return 0


def _comes_trained(name: str) -> str:
    """The mean return of the agent that comes with the lab; empty without one."""
    from rl.saved.policy_file import Shipped
    from rl.storage.shipped import shipped_file

    file = shipped_file(name)
    try:
        return figure_of(Shipped(file).figures["mean_return"]) if file else ""
    except UserError:
        return "damaged"


def _list_parts(file: Path | None) -> int:
    """Prints every part by its kind, with where it comes from; and what is wrong with some."""
    from rl.specification.environment import import_modules
    from rl.specification.packages import all_parts, complaints
    from rl.specification.specification import read_specifications

    importlib.import_module("rl.search.settings")  # registers the search methods
    for each in read_specifications(file).values() if file else ():
        if not each.refusal:
            import_modules(each)
    _print_columns([("kind", "name", "from"), *all_parts()])
    for complaint in complaints():
        warn(complaint)
    return 0


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def analyze(options: argparse.Namespace) -> int:
    """`rl analyze`: recomputes figures and pictures from the files alone."""
    from rl.analysis.analyze import describe_trial
    from rl.analysis.records import read_records
    from rl.analysis.search_figures import analyze_search, describe_search
    from rl.saved.run import Run
    from rl.storage.notes import read_note
    from rl.storage.run_folder import RunFolder, runs_in

    place = user_path(options.run)
    if len(within := runs_in(place)) > 1:
        _say_what_is_in(place, within)
        return 0
    folder = RunFolder.open(options.run)
    sessions = [each for trial in folder.trials() for each in trial.sessions()]
    finished = any("evaluation" in each.read_outcome() for each in sessions)
    if noted := read_note(folder.path).brief:
        say(f"note: {noted}")
    is_search = folder.read_manifest().get("kind") == "search"
    records = [] if finished or is_search else read_records(folder.trial())
    if not finished and not any(each.outcome and len(each.steps) for each in records):
        raise UserError(
            f"{folder.path}: has no session that finished or was evaluated; there is nothing to "
            "analyze"
        )
    if is_search:
        say(*describe_search(folder, analyze_search(folder)))
        return 0
    run = Run(folder)
    figures = run.analyze(every=True)
    say(*describe_trial(figures))
    say(f"figures: {run.trial.result}")
    return 0


def _say_what_is_in(place: Path, within: Sequence[Path]) -> None:
    """Says which runs a folder holds, and which of them are one trial."""
    from rl.running.merging import command_for, mergeable
    from rl.saved.run import Run
    from rl.storage.run_folder import RunFolder

    say(f"{shown(place)}: holds {len(within)} run folders; `rl analyze` takes one of them:")
    runs = []
    for path in within:
        try:
            run = Run(RunFolder(path))
            say(f"  {shown(path)}: {_briefly(run)}")
        except UserError as error:
            say(f"  {shown(path)}: cannot be read: {error}")
            continue
        if run.manifest.get("kind") != "search":
            runs.append(run)
    for group in mergeable(runs):
        say(f"{len(group)} hold one session each of the same setting; one trial of them is made by",
            f"  {command_for(group)}")  # fmt: skip


def _briefly(run: Run) -> str:
    """What a run is, how many of its sessions have ended, and what is noted about it."""
    from rl.storage.notes import read_note

    noted = read_note(run.path).brief
    return _kind(run) + (f"; {noted}" if noted else "")


def _kind(run: Run) -> str:
    manifest, seeds = run.manifest, run.manifest["seeds"]
    if manifest.get("kind") == "search":
        trials = count_of(len(run.folder.trials()), "trial")
        return f"a search of {manifest['experiment']} with {trials}"
    ended = sum(each.has_ended for each in run.trial.sessions())
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{manifest['experiment']}, {which}: {ended} of {len(seeds)} sessions have ended"


def compare(options: argparse.Namespace) -> int:
    """`rl compare`: tests whether one setting is better than another."""
    from rl.analysis.comparison import compare as compare_groups
    from rl.analysis.comparison_charts import comparison_charts
    from rl.analysis.drawer import draw
    from rl.saved.run import Run
    from rl.storage.files import write_json
    from rl.storage.run_folder import default_path

    runs = [Run.open(path) for path in options.runs]
    _offer_to_merge(runs)
    names = [run.specification.name for run in runs]
    if len(set(names)) < len(names):  # the same experiment twice: told apart by their folders
        names = [printable(shown(run.path)) for run in runs]
    try:
        groups = [run.group(name) for run, name in zip(runs, names, strict=True)]
        comparison = compare_groups(groups)
    except ValueError as error:
        raise UserError(str(error)) from None
    say(*comparison.text().splitlines(), "")
    folder = user_path(options.output or default_path("comparisons"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = {**comparison.to_dict(), "command": sys.argv}
        write_json(folder / "comparison.json", found)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
    with optional("comparison.png", "`rl compare` tries again"):
        title = f"{comparison.problem}: best checkpoints, all on the same episodes"
        draw(comparison_charts(comparison), folder / "comparison.png", title, columns=3)
        say(f"picture: {folder / 'comparison.png'}")
    report.conclude(folder, options)
    return 0


def _offer_to_merge(runs: Sequence[Run]) -> None:
    """Refuses several runs that hold one session each of one setting.

    Raises:
        UserError: the message has the command that makes one trial of them.
    """
    from rl.running.merging import command_for, mergeable

    if groups := mergeable(runs):
        commands = "; ".join(map(command_for, groups))
        raise UserError(
            f"{shown(groups[0][0].path)}, {shown(groups[0][1].path)}: hold one session each of the "
            f"same setting, and single seeds give no verdict; make one trial of them: {commands}"
        )


def add(verbs: Verbs) -> None:
    """Adds `rl list`, `rl analyze`, `rl compare` to the command line."""
    verb = add_verb(
        verbs, "list", list_experiments,
        "show every experiment and every problem, or every part of which they are made",
        "rl list --parts",
    )  # fmt: skip
    verb.add_argument("--parts", action="store_true",
                      help="show agents, memories and so on, and where they come from")  # fmt: skip
    verb.add_argument("--spec", metavar="FILE", type=user_path,
                      help="with --parts: a file whose experiments import modules")  # fmt: skip

    add_verb(
        verbs, "analyze", analyze,
        "recompute a run's figures and pictures from its files",
        "rl analyze lunarlander_dqn",
        "run",
    )  # fmt: skip

    verb = add_verb(
        verbs, "compare", compare,
        "compare several runs: which is better, and how certain that is",
        "rl compare runs/a runs/b",
        "--no-report",
    )  # fmt: skip
    verb.add_argument("runs", metavar="RUN", nargs="+", help=A_RUN)
    verb.add_argument("--output", metavar="DIR", type=user_path,
                      help="output folder (default runs/comparisons/TIMESTAMP)")  # fmt: skip
    verb.set_defaults(quiet=False)
