"""`rl dashboard`: a folder of runs in the browser."""

from __future__ import annotations

import argparse

from rl.storage.paths import user_path
from rl.storage.run_folder import RUNS
from rl.verbs.arguments import Verbs, add_verb, natural

PORT, LAST_PORT = 8642, 65535


def dashboard(options: argparse.Namespace) -> int:
    """`rl dashboard`: serves the pages until Ctrl-C."""
    from rl.dashboard.server import serve
    from rl.watching.window import draw_off_screen

    draw_off_screen()
    serve(options.folder, options.host, options.port, options.token)
    return 0


def _port(text: str) -> int:
    if (number := natural(text)) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be at most {LAST_PORT}, not {number}")
    return number


def add(verbs: Verbs) -> None:
    """Adds `rl dashboard` to the command line."""
    verb = add_verb(
        verbs, "dashboard", dashboard,
        "show a folder of runs in the browser, live",
        "rl dashboard runs",
    )  # fmt: skip
    verb.add_argument("folder", metavar="FOLDER", type=user_path, nargs="?", default=RUNS,
                      help=f"the folder of the runs (default {RUNS})")  # fmt: skip
    verb.add_argument("--port", type=_port, default=PORT,
                      help=f"port to listen on (default {PORT}); 0 picks a free one")  # fmt: skip
    verb.add_argument("--host", metavar="ADDRESS", default="127.0.0.1",
                      help="address to listen on (default 127.0.0.1, for this machine only); "
                      "any other address requires a token")  # fmt: skip
    verb.add_argument("--token", action="store_true",
                      help="require a token on 127.0.0.1 too, which other users of this "
                      "machine can reach")  # fmt: skip
