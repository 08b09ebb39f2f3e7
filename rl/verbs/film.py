"""`rl film`: shows how an agent learned, with several stages side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from rl.console.output import say
from rl.storage.paths import user_path
from rl.verbs.arguments import Verbs, add_seed, add_session, add_verb


def film(options: argparse.Namespace) -> int:
    """`rl film`: films the same episode at several stages of training, side by side."""
    from rl.running.opened_run import Run
    from rl.running.policy_file import open_saved
    from rl.watching.animation import check_file
    from rl.watching.film import make_film
    from rl.watching.window import draw_off_screen

    if options.output:
        check_file(options.output)
    draw_off_screen()
    run = open_saved(options.run, options.trial, options.session)
    alone = Path(f"{run.specification.name}.gif")  # a file may be where nobody may write
    file = options.output or (run.session.film if isinstance(run, Run) else alone)
    takes = make_film(run, file, options.seed)
    say(f"stages: {', '.join(f'{take.step:,}' for take in takes)} steps")
    say(f"written: {file}")
    return 0


def add(verbs: Verbs) -> None:
    """Adds `rl film` to the command line."""
    verb = add_verb(
        verbs, "film", film,
        "show the same episode at several stages of training, side by side, as a GIF or MP4",
        "rl film lunarlander_dqn --output learning.gif",
    )  # fmt: skip
    add_session(verb)
    add_seed(verb)
    verb.add_argument("--output", metavar="FILE", type=user_path,
                      help="a .gif or .mp4 file (default: film.gif of the session; of a "
                      "single file, EXPERIMENT.gif)")  # fmt: skip
