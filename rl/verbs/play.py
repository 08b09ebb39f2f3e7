"""`rl evaluate`, `rl watch` and `rl film`: let a saved agent play."""

from __future__ import annotations

import argparse
import json
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.console.output import say
from rl.formatting import count_of, figure_of
from rl.storage.paths import user_path
from rl.verbs.arguments import AGENT, Verbs, add_verb, factor, positive

if TYPE_CHECKING:
    from rl.watching.frames import Scene
    from rl.watching.watching import Show


def evaluate(options: argparse.Namespace) -> int:
    """`rl evaluate`: prints the returns of a saved agent."""
    from rl.saved.policy_file import open_saved

    run = open_saved(options.agent, options.trial, options.session)
    report = run.report(run.evaluate(options.episodes, options.seed, options.checkpoint))
    if options.json:
        say(json.dumps(report))
    else:
        print_evaluation(report)
    return 0


def watch(options: argparse.Namespace) -> int:
    """`rl watch`: shows a saved agent in a window, in the terminal or in a file."""
    from rl.environments import evaluation_seeds
    from rl.saved.policy_file import open_saved
    from rl.watching import watching
    from rl.watching.frames import Scene

    run = open_saved(options.agent, options.trial, options.session)
    _check_screen(options)
    seeds = evaluation_seeds("report", options.seed, options.episodes)
    with (
        closing(Scene(run.problem.id, run.player(options.checkpoint), options.saliency)) as scene,
        _screen(options, scene, run.title) as show,
    ):
        ends = watching.watch(scene, seeds, show)
    for number, end in enumerate(ends, 1):
        say(f"episode {number}: return {figure_of(end.total)} in {count_of(end.step, 'step')}")
    if file := options.gif or options.mp4:
        say(f"written: {file}")
    return 0


def _check_screen(options: argparse.Namespace) -> None:
    """Refuses what cannot be shown, before anything is played."""
    from rl.watching.animation import check_file
    from rl.watching.window import draw_off_screen, require_display

    if not (options.gif or options.mp4 or options.terminal):
        require_display()
        return
    if options.gif:
        check_file(options.gif, ".gif")
    elif options.mp4:
        check_file(options.mp4, ".mp4")
    draw_off_screen()


def _screen(options: argparse.Namespace, scene: Scene, title: str) -> AbstractContextManager[Show]:
    """Where the moments of a scene are shown."""
    from rl.watching import watching

    if file := options.gif or options.mp4:
        return watching.in_file(scene, file, options.slow, options.plain)
    if options.terminal:
        return watching.in_terminal(scene, options.slow, options.plain)
    return watching.in_window(scene, title, options.slow, options.plain)


def film(options: argparse.Namespace) -> int:
    """`rl film`: films the same episode at several stages of training, side by side."""
    from rl.running.display import working
    from rl.saved.policy_file import open_saved
    from rl.saved.run import Run
    from rl.watching.animation import check_file
    from rl.watching.film import make_film
    from rl.watching.window import draw_off_screen

    if options.output:
        check_file(options.output)
    draw_off_screen()
    run = open_saved(options.agent, options.trial, options.session)
    alone = Path(f"{run.specification.name}.gif")  # a file may be where nobody may write
    file = options.output or (run.session.film if isinstance(run, Run) else alone)
    with working(False, "making the film"):
        takes = make_film(run, file, options.seed, options.saliency)
    say(f"stages: {', '.join(f'{take.step:,}' for take in takes)} steps")
    say(f"written: {file}")
    return 0


def print_evaluation(report: dict[str, Any]) -> None:
    """Prints the figures of an evaluation."""
    low, high = map(figure_of, report["ci95"])
    mean, std, median, least, most = (
        figure_of(report[f"{name}_return"]) for name in ("mean", "std", "median", "min", "max")
    )
    played = count_of(report["episodes"], "greedy episode")
    say(
        f"{report['problem']}: mean return {mean} (95% interval {low} to {high}) over {played}, "
        f"std {std}, median {median}, min {least}, max {most}"
    )
    say(
        f"episode length: mean {report['mean_length']:.0f}, "
        f"{report['min_length']} to {report['max_length']}"
    )
    if cut := report.get("cut_episodes"):
        say(
            f"{cut} of {report['episodes']} episodes were cut at {report['max_length']:,} steps: "
            "the environment has no time limit (train.max_evaluation_steps)"
        )
    verdict = {True: "solved", False: "not solved", None: "undecided"}[report["solved"]]
    if report["threshold"] is not None:
        needed = f"mean return of {report['threshold']:g} over at least 100 episodes"
        say(f"{verdict} (threshold: {needed})")


def add(verbs: Verbs) -> None:
    """Adds `rl evaluate`, `rl watch` and `rl film` to the command line."""
    verb = add_verb(
        verbs, "evaluate", evaluate,
        "evaluate a saved agent on greedy episodes with unseen seeds",
        "rl evaluate lunarlander_dqn --episodes 200 --json",
        *AGENT, "--checkpoint", "--seed",
    )  # fmt: skip
    verb.add_argument("--episodes", type=positive, default=100, help="how many (default 100)")
    verb.add_argument("--json", action="store_true", help="print one JSON object")

    verb = add_verb(
        verbs, "watch", watch,
        "watch a saved agent act, and what it thinks, in a window, the terminal or a file",
        "rl watch lunarlander_dqn --gif lander.gif",
        *AGENT, "--checkpoint", "--seed", "--saliency",
    )  # fmt: skip
    verb.add_argument("--episodes", type=positive, default=1, help="how many (default 1)")
    verb.add_argument("--slow", metavar="FACTOR", type=factor, default=1.0,
                      help="slow down: 2 is half the speed, 0.5 twice (default 1)")  # fmt: skip
    verb.add_argument("--plain", action="store_true", help="hide what the agent thinks")
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--gif", metavar="FILE", type=user_path, help="write a GIF instead")
    where.add_argument("--mp4", metavar="FILE", type=user_path, help="write an MP4 instead")
    where.add_argument("--terminal", action="store_true", help="draw it in the terminal instead")

    verb = add_verb(
        verbs, "film", film,
        "show the same episode at several stages of training, side by side, as a GIF or MP4",
        "rl film lunarlander_dqn --output learning.gif",
        *AGENT, "--seed", "--saliency",
    )  # fmt: skip
    verb.add_argument("--output", metavar="FILE", type=user_path,
                      help="a .gif or .mp4 file (default: film.gif of the session; of a "
                      "single file, EXPERIMENT.gif)")  # fmt: skip
