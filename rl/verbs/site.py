"""`rl site`: the reports of a folder of runs, with an index, for a web server."""

from __future__ import annotations

import argparse
import shlex

from rl.console.output import say
from rl.errors import UserError
from rl.formatting import count_of
from rl.storage.paths import user_path
from rl.storage.run_folder import RUNS
from rl.verbs.arguments import Verbs, add_verb

MOST_NAMED = 5


def site(options: argparse.Namespace) -> int:
    """`rl site`: writes the pages, and says what was left out."""
    from rl.dashboard.site import write_site
    from rl.watching.window import draw_off_screen

    folder = user_path(options.folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name the one that your runs are in")
    draw_off_screen()
    found = write_site(folder.resolve(), options.output, options.reports)
    runs, written = count_of(found.runs, "run"), count_of(found.written, "file")
    say(
        f"site: {found.index}: {runs}; {written} written, {found.unchanged} unchanged, "
        f"{found.removed} removed"
    )
    if found.missing:
        again = shlex.join(["rl", "site", str(options.folder), "--output", str(options.output)])
        remedy = "" if options.reports else f"; to write them: {again} --reports"
        say(f"without a report: {_listed(found.missing)}{remedy}")
    if found.damaged:
        say(f"cannot be read: {_listed(found.damaged)}; the index says why")
    return 0


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def add(verbs: Verbs) -> None:
    """Adds `rl site` to the command line."""
    verb = add_verb(
        verbs, "site", site,
        "write the reports of a folder of runs, with an index, for a web server",
        "rl site runs --output public",
    )  # fmt: skip
    verb.add_argument("folder", metavar="FOLDER", type=user_path, nargs="?", default=RUNS,
                      help=f"the folder of the runs (default {RUNS})")  # fmt: skip
    verb.add_argument("--output", metavar="DIR", type=user_path, required=True,
                      help="the folder to write: new, empty or of an earlier call")  # fmt: skip
    verb.add_argument("--reports", action="store_true",
                      help="first write the reports that are missing")  # fmt: skip
