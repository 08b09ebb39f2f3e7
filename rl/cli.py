"""The verbs: parse, call, print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rl.errors import Diverged, UserError

if TYPE_CHECKING:
    from rl.experiment.executors import Executor, Listener
    from rl.experiment.run import Run
    from rl.experiment.specification import Specification
    from rl.run_folder import RunFolder

FAILED = 1
INTERRUPTED = 130
A_RUN = "a run folder, or an experiment's name for its latest run"
SEARCH_OPTIONS = ("method", "trials", "sessions", "seed", "pruner", "statistic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_verb(given)
        options = _parser().parse_args(given)
        status: int = options.call(options)
    except UserError as error:
        print(f"rl: {error}", file=sys.stderr)
        return UserError.exit_status
    except Diverged as error:
        print(f"rl: {error}", file=sys.stderr)
        return Diverged.exit_status
    except KeyboardInterrupt:
        print("rl: interrupted", file=sys.stderr)
        return INTERRUPTED
    return status


def run(options: argparse.Namespace) -> int:
    """`rl run`: trains, evaluates, and says where everything is."""
    from rl.experiment.specification import load_specification
    from rl.experiment.trial import run_trial

    specification = load_specification(options.name, options.spec, _overrides(options))
    seeds = range(options.seed, options.seed + options.sessions)
    with _executor(options, specification) as executor:
        finished = run_trial(specification, seeds, options.output, executor)
    if options.sessions > 1 or options.executor == "ray":
        return _conclude_trial(finished, options.quiet)
    outcome = finished.outcome
    if outcome["status"] == "interrupted":
        print(f"interrupted at step {outcome['steps']:,}; curve: {finished.session.curve}")
        print(f"to see the agent so far: rl watch {finished.path}")
        return INTERRUPTED
    if not options.quiet:
        _print_summary(finished, outcome)
    return 0


def _overrides(options: argparse.Namespace) -> list[str]:
    return [*options.set, *([f"train.steps={options.steps}"] if options.steps else [])]


@contextmanager
def _executor(options: argparse.Namespace, specification: Specification) -> Iterator[Executor]:
    """Where `rl run` runs its sessions, with a display of them."""
    from rl.display import showing

    _check_executor(options)
    if options.render and (options.sessions > 1 or options.executor == "ray"):
        raise UserError("--render shows a single session; leave out --sessions and --executor")
    with showing(options.quiet, options.sessions) as listener:
        if options.sessions > 1 or options.executor == "ray":
            yield _of_processes(options, listener)
        else:
            yield _inline(options, specification, listener)


def _check_executor(options: argparse.Namespace) -> None:
    if options.ray_address and options.executor != "ray":
        raise UserError("--ray-address is of a Ray cluster; add --executor ray")


def _inline(
    options: argparse.Namespace, specification: Specification, listener: Listener
) -> Executor:
    from rl.experiment.executors import Inline

    if not options.render:
        return Inline(listener)
    from rl.environments import evaluation_seeds
    from rl.experiment.watching import WindowWatcher

    (seed,) = evaluation_seeds("selection", options.seed, 1)
    return Inline(listener, WindowWatcher(specification.values["problem"], seed))


def _of_processes(options: argparse.Namespace, listener: Listener) -> Executor:
    """Processes of this machine, or of a Ray cluster."""
    if options.executor == "ray":
        from rl.experiment.ray_executor import RayExecutor

        return RayExecutor(options.jobs, listener, options.ray_address)
    from rl.experiment.executors import Processes

    return Processes(options.jobs or _cores(), listener)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _conclude_trial(run: Run, quiet: bool) -> int:
    """Prints what the sessions are worth; the exit status tells whether all of them counted."""
    from rl.analysis.analyze import describe_trial

    figures = run.result
    statuses = [each["status"] for each in figures["outcomes"]]
    if not quiet:
        print("\n".join(describe_trial(figures)))
        print(f"run folder: {run.path}  (curves: {run.trial.path})")
    if figures["counted"] == figures["planned"]:
        return 0
    if len(statuses) < figures["planned"] or "interrupted" in statuses:
        print(f"interrupted: {figures['counted']} of {figures['planned']} sessions had finished")
        return INTERRUPTED
    if quiet:
        print("\n".join(line for line in describe_trial(figures) if "did not count" in line))
    return Diverged.exit_status if "diverged" in statuses else FAILED


def _print_summary(run: Run, outcome: dict[str, Any]) -> None:
    print(
        f"{run.specification.name}: {outcome['status']} after {outcome['steps']:,} steps, "
        f"{outcome['episodes']:,} episodes and {outcome['seconds']:.1f} s"
    )
    _print_evaluation(outcome["evaluation"])
    print(f"best checkpoint: of step {outcome['best_step']:,}")
    print(f"run folder: {run.path}  (curve: {run.session.curve})")
    print(f"to see it: rl watch {run.path}")


def _print_evaluation(report: dict[str, Any]) -> None:
    low, high = report["ci95"]
    print(
        f"{report['problem']}: mean return {report['mean_return']:.1f} "
        f"(95% interval {low:.1f} to {high:.1f}) over {report['episodes']} greedy episodes, "
        f"std {report['std_return']:.1f}, median {report['median_return']:.1f}, "
        f"min {report['min_return']:.1f}, max {report['max_return']:.1f}"
    )
    print(
        f"episode length: mean {report['mean_length']:.0f}, "
        f"{report['min_length']} to {report['max_length']}"
    )
    verdict = {True: "solved", False: "not solved", None: "undecided"}[report["solved"]]
    if report["threshold"] is not None:
        print(f"{verdict} (solved is a mean of {report['threshold']:g} over 100 episodes or more)")


def list_experiments(options: argparse.Namespace) -> int:
    """`rl list`: every experiment and every problem."""
    from rl.experiment.specification import all_specifications
    from rl.problems import known_problems

    del options
    rows = [("experiment", "problem", "agent", "description")]
    for name, each in all_specifications().items():
        values = each.values
        rows.append(
            (name, values["problem"], values["agent"]["name"], values.get("description", ""))
        )
    _print_columns(rows)
    print()
    thresholds = [("problem", "solved at", "horizon")]
    for problem in known_problems().values():
        thresholds.append((problem.id, f"{problem.solved:g}", f"{problem.horizon} steps"))
    _print_columns(thresholds)
    return 0


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def evaluate(options: argparse.Namespace) -> int:
    """`rl evaluate`: what a saved agent is worth."""
    from rl.experiment.run import Run

    run = Run.open(options.run, options.trial, options.session)
    report = run.report(run.evaluate(options.episodes, options.seed, options.checkpoint))
    if options.json:
        print(json.dumps(report))
    else:
        _print_evaluation(report)
    return 0


def watch(options: argparse.Namespace) -> int:
    """`rl watch`: a saved agent in a window or in a file."""
    from rl.environments import evaluation_seeds
    from rl.experiment.run import Run
    from rl.experiment.watching import require_display, watch_in_file, watch_in_window

    if not options.gif:
        require_display()
    run = Run.open(options.run, options.trial, options.session)
    player = run.player(options.checkpoint)
    seeds = evaluation_seeds("report", options.seed, options.episodes)
    if options.gif:
        episodes = watch_in_file(run.problem.id, player, seeds, options.gif)
    else:
        episodes = watch_in_window(run.problem.id, player, seeds)
    for number, episode in enumerate(episodes, 1):
        print(f"episode {number}: return {episode.total:.1f} in {episode.length} steps")
    if options.gif:
        print(f"written: {options.gif}")
    return 0


def search(options: argparse.Namespace) -> int:
    """`rl search`: trials of different settings."""
    from rl.display import showing
    from rl.experiment.search import resume_search, start_search
    from rl.experiment.specification import load_specification

    _check_executor(options)
    if (options.name is None) == (options.resume is None):
        raise UserError("give the NAME of an experiment, or --resume RUN to go on with a search")
    if options.resume:
        _refuse_changes(options)
    with showing(options.quiet, total=0) as listener:
        executor = _of_processes(options, listener)
        if options.resume:
            found = resume_search(options.resume, executor, options.trials)
        else:
            settings = {name: getattr(options, name) for name in SEARCH_OPTIONS}
            given = [
                f"search.{name}={value}" for name, value in settings.items() if value is not None
            ]
            overrides = [*_overrides(options), *given]
            specification = load_specification(options.name, options.spec, overrides)
            found = start_search(specification, options.output, options.storage, executor)
        found.run()
    return _conclude_search(found.folder, executor.interrupted, options.quiet)


def _refuse_changes(options: argparse.Namespace) -> None:
    """Refuses options that a search which goes on would not heed."""
    for name in ("set", "steps", "spec", "output", "storage", *SEARCH_OPTIONS):
        if name != "trials" and getattr(options, name) not in (None, []):
            raise UserError(f"--{name}: a search goes on as it began; only --trials can be another")


def _conclude_search(folder: RunFolder, interrupted: bool, quiet: bool) -> int:
    from rl.analysis.search import describe_search
    from rl.files import read_json

    summary = read_json(folder.path / "search.json")
    if not quiet:
        print("\n".join(describe_search(folder, summary)))
        print(f"run folder: {folder.path}  (trials.csv, search_metrics.png, search_pairs.png)")
        if summary["best_trial"] is not None:
            name = folder.read_manifest()["experiment"]
            print(f"the best: rl run {name} --spec {folder.path / 'best_spec.json'}")
    if interrupted:
        print(f"interrupted; to go on: rl search --resume {folder.path}")
        return INTERRUPTED
    return 0 if summary["best_trial"] is not None else FAILED


def analyze(options: argparse.Namespace) -> int:
    """`rl analyze`: figures and pictures again, from the files alone."""
    from rl.analysis.analyze import describe_trial
    from rl.analysis.search import analyze_search, describe_search
    from rl.experiment.run import Run
    from rl.run_folder import RunFolder

    folder = RunFolder.open(options.run)
    sessions = [each for trial in folder.trials() for each in trial.sessions()]
    if not any("evaluation" in each.read_outcome() for each in sessions):
        raise UserError(f"{folder.path}: has no session that finished; nothing can be said of it")
    if folder.read_manifest().get("kind") == "search":
        print("\n".join(describe_search(folder, analyze_search(folder))))
        return 0
    run = Run(folder)
    figures = run.analyze()
    print("\n".join(describe_trial(figures)))
    print(f"figures: {run.trial.result}")
    return 0


def compare(options: argparse.Namespace) -> int:
    """`rl compare`: is one setting better than another?"""
    from rl.analysis.comparison import compare as compare_groups
    from rl.analysis.comparison_plots import draw_comparison
    from rl.experiment.run import Run
    from rl.files import write_json
    from rl.run_folder import default_path

    runs = [Run.open(path) for path in options.runs]
    names = [run.specification.name for run in runs]
    if len(set(names)) < len(names):  # the same experiment twice: told apart by their folders
        names = [str(run.path) for run in runs]
    try:
        groups = [run.group(name) for run, name in zip(runs, names, strict=True)]
        comparison = compare_groups(groups)
    except ValueError as error:
        raise UserError(str(error)) from None
    print(comparison.text())
    folder = options.output or default_path("comparisons")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "comparison.json", comparison.to_dict())
        draw_comparison(comparison, folder / "comparison.png")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
    print(f"\npicture: {folder / 'comparison.png'}")
    return 0


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "search": search,
    "list": list_experiments,
    "evaluate": evaluate,
    "watch": watch,
    "analyze": analyze,
    "compare": compare,
}


def _check_verb(arguments: Sequence[str]) -> None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in VERBS:
        from nn.names import suggestion

        raise UserError(f"unknown verb {arguments[0]!r}{suggestion(arguments[0], VERBS)}")


class _Parser(argparse.ArgumentParser):
    """Answers a mistake with one line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rl", description="A reinforcement-learning lab. Each verb has its own --help."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    verb = _verb(verbs, "run", "train an agent, evaluate it, keep everything in a run folder",
                 "rl run lunarlander_dqn --seed 1 --set agent.gamma=0.98")  # fmt: skip
    verb.add_argument("name", metavar="NAME", help="an experiment; `rl list` shows them")
    verb.add_argument("--seed", type=_natural, default=0,
                      help="of everything random (default 0); of the first session")  # fmt: skip
    verb.add_argument("--sessions", type=_positive, default=1,
                      help="how many, with a seed each that follow --seed (default 1)")  # fmt: skip
    _add_experiment(verb)
    verb.add_argument("--render", action="store_true",
                      help="show an episode in a window at each evaluation")  # fmt: skip

    verb = _verb(verbs, "search", "try settings over several seeds, and rank them",
                 "rl search cartpole_dqn --method tpe --trials 30 --sessions 3")  # fmt: skip
    verb.add_argument("name", metavar="NAME", nargs="?",
                      help="an experiment whose specification has a search block")  # fmt: skip
    verb.add_argument("--resume", metavar="RUN", help="go on with a search, from its run folder")
    verb.add_argument("--method", help="grid, line, random, tpe or cmaes")
    verb.add_argument("--trials", type=_positive, help="how many at most")
    verb.add_argument("--sessions", type=_positive, help="of each trial (default 1)")
    verb.add_argument("--pruner", help="ends hopeless trials early: none, median or asha")
    verb.add_argument("--statistic", help="what trials are ranked by (default mean_return)")
    verb.add_argument("--storage", metavar="FILE", type=Path,
                      help="the study of tpe or cmaes, which processes can share")  # fmt: skip
    verb.add_argument("--seed", type=_natural, help="of the method and of each first session")
    _add_experiment(verb)

    _verb(verbs, "list", "show every experiment and every problem", "rl list")

    verb = _verb(verbs, "analyze", "work out a run's figures and pictures again from its files",
                 "rl analyze lunarlander_dqn")  # fmt: skip
    verb.add_argument("run", metavar="RUN", help=A_RUN)

    verb = _verb(verbs, "compare", "say which of several runs is better, and how sure that is",
                 "rl compare runs/a runs/b")  # fmt: skip
    verb.add_argument("runs", metavar="RUN", nargs="+", help=A_RUN)
    verb.add_argument("--output", metavar="DIR", type=Path,
                      help="for the picture (default runs/comparisons/TIMESTAMP)")  # fmt: skip

    verb = _verb(verbs, "evaluate", "play greedy episodes with a saved agent, on unseen seeds",
                 "rl evaluate lunarlander_dqn --episodes 200 --json")  # fmt: skip
    _add_run(verb)
    verb.add_argument("--episodes", type=_positive, default=100, help="how many (default 100)")
    verb.add_argument("--json", action="store_true", help="print one JSON object")

    verb = _verb(verbs, "watch", "see a saved agent act, in a window or in a GIF",
                 "rl watch lunarlander_dqn --gif lander.gif")  # fmt: skip
    _add_run(verb)
    verb.add_argument("--episodes", type=_positive, default=1, help="how many (default 1)")
    verb.add_argument("--gif", metavar="FILE", type=Path, help="write an animated GIF instead")
    return parser


def _verb(verbs, name: str, summary: str, example: str):  # type: ignore[no-untyped-def]
    verb = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: {example}",
    )
    verb.set_defaults(call=VERBS[name])
    return verb


def _add_experiment(verb: argparse.ArgumentParser) -> None:
    """The options of every verb that trains."""
    verb.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[],
                      help="override a value of the specification by its dotted path")  # fmt: skip
    verb.add_argument("--steps", type=_positive, help="environment steps: train.steps")
    verb.add_argument("--spec", metavar="FILE", type=Path,
                      help="your own JSON or YAML file of experiments")  # fmt: skip
    verb.add_argument("--output", metavar="DIR", type=Path,
                      help="the run folder (default runs/NAME/TIMESTAMP)")  # fmt: skip
    verb.add_argument("--jobs", type=_positive, help="sessions at once (default: the cores)")
    verb.add_argument("--executor", choices=("local", "ray"), default="local",
                      help="where sessions run: processes of this machine, or Ray")  # fmt: skip
    verb.add_argument("--ray-address", metavar="HOST:PORT",
                      help="of a Ray cluster (default: one is started here)")  # fmt: skip
    verb.add_argument("--quiet", action="store_true", help="print nothing unless it fails")


def _add_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", metavar="RUN", help=A_RUN)
    verb.add_argument("--seed", type=_natural, default=0, help="of the episodes (default 0)")
    verb.add_argument("--session", type=_natural, default=0, help="its number (default 0)")
    verb.add_argument("--trial", type=_natural,
                      help="its number in a search (default: the best)")  # fmt: skip
    verb.add_argument("--checkpoint", metavar="NAME",
                      help="best or last (default: the best there is)")  # fmt: skip


def _positive(text: str) -> int:
    if (number := _whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _natural(text: str) -> int:
    if (number := _whole(text)) < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, but is {number}")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
