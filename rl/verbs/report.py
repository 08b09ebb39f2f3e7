"""`rl report`: a run, a trial, a search or a comparison as one page for the browser."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from rl.console.optional import optional
from rl.console.output import say
from rl.errors import UserError
from rl.verbs.arguments import Verbs, add_verb, natural


def report(options: argparse.Namespace) -> int:
    """`rl report`: writes the page, and opens it if asked."""
    file = _write(options.run, options.trial, options.saliency)
    say(f"report: {file}")
    if options.open:
        _open(file)
    return 0


def _write(
    path: str | Path, trial: int | None = None, saliency: bool = False, quiet: bool = False
) -> Path:
    from rl.report import write_report
    from rl.running.display import working
    from rl.watching.window import draw_off_screen

    draw_off_screen()
    with working(quiet, "writing the report"):
        return write_report(path, trial, saliency)


def _open(file: Path) -> None:
    import webbrowser

    if not webbrowser.open(file.absolute().as_uri()):
        raise UserError(f"{file}: no browser can be opened here; open the file on another machine")


def conclude(path: Path, options: argparse.Namespace) -> None:
    """Writes the report at the end of a run, search or comparison, unless `--no-report` is set.

    By then the result is saved and printed, so a report that fails only prints a message.
    """
    if options.report:
        with optional("report.html", f"`rl report {shlex.quote(str(path))}` tries again"):
            file = _write(path, quiet=options.quiet)
            if not options.quiet:
                say(f"report: {file}")


def add(verbs: Verbs) -> None:
    """Adds `rl report` to the command line."""
    verb = add_verb(
        verbs, "report", report,
        "write a report of a run, trial, search or comparison: one page for the browser",
        "rl report lunarlander_dqn --open",
        "--saliency",
    )  # fmt: skip
    verb.add_argument("run", metavar="RUN",
                      help="a run folder, the name of an experiment for its latest run, or the "
                      "folder of a comparison")  # fmt: skip
    verb.add_argument("--trial", type=natural, help="report on this trial of a search only")
    verb.add_argument("--open", action="store_true", help="open it in the browser")
