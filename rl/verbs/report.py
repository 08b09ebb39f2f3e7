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
    file = _write(options.run, options.trial)
    say(f"report: {file}")
    if options.open:
        _open(file)
    return 0


def _write(path: str | Path, trial: int | None = None) -> Path:
    from rl.report import write_report
    from rl.watching.window import draw_off_screen

    draw_off_screen()
    return write_report(path, trial)


def _open(file: Path) -> None:
    import webbrowser

    if not webbrowser.open(file.absolute().as_uri()):
        raise UserError(f"{file}: there is no browser to open it here; open it in one elsewhere")


def conclude(path: Path, options: argparse.Namespace) -> None:
    """The report at the end of what made a folder, unless `--no-report` leaves it out.

    The result is there and told by then, so that a report which fails only says so.
    """
    if options.report:
        with optional("report.html", f"`rl report {shlex.quote(str(path))}` tries again"):
            file = _write(path)
            if not options.quiet:
                say(f"report: {file}")


def add_option(verb: argparse.ArgumentParser) -> None:
    """The option that leaves the report out."""
    verb.add_argument("--no-report", dest="report", action="store_false",
                      help="write no report.html at the end")  # fmt: skip


def add(verbs: Verbs) -> None:
    """Adds `rl report` to the command line."""
    verb = add_verb(
        verbs, "report", report,
        "write a run, a trial, a search or a comparison as one page for the browser",
        "rl report lunarlander_dqn --open",
    )  # fmt: skip
    verb.add_argument("run", metavar="RUN",
                      help="a run folder, an experiment's name for its latest run, or the folder "
                      "of a comparison")  # fmt: skip
    verb.add_argument("--trial", type=natural, help="of a search, a report of that trial alone")
    verb.add_argument("--open", action="store_true", help="open it in the browser")
