"""`rl evaluate` and `rl watch`: a saved agent plays."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rl.verbs.arguments import Verbs, add_run, add_verb, positive


def evaluate(options: argparse.Namespace) -> int:
    """`rl evaluate`: what a saved agent is worth."""
    from rl.experiment.run import Run

    run = Run.open(options.run, options.trial, options.session)
    report = run.report(run.evaluate(options.episodes, options.seed, options.checkpoint))
    if options.json:
        print(json.dumps(report))
    else:
        print_evaluation(report)
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


def print_evaluation(report: dict[str, Any]) -> None:
    """Prints the figures of an evaluation."""
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


def add(verbs: Verbs) -> None:
    """Adds `rl evaluate` and `rl watch` to the command line."""
    verb = add_verb(
        verbs, "evaluate", evaluate,
        "play greedy episodes with a saved agent, on unseen seeds",
        "rl evaluate lunarlander_dqn --episodes 200 --json",
    )  # fmt: skip
    add_run(verb)
    verb.add_argument("--episodes", type=positive, default=100, help="how many (default 100)")
    verb.add_argument("--json", action="store_true", help="print one JSON object")

    verb = add_verb(
        verbs, "watch", watch,
        "see a saved agent act, in a window or in a GIF",
        "rl watch lunarlander_dqn --gif lander.gif",
    )  # fmt: skip
    add_run(verb)
    verb.add_argument("--episodes", type=positive, default=1, help="how many (default 1)")
    verb.add_argument("--gif", metavar="FILE", type=Path, help="write an animated GIF instead")
