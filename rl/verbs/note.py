"""`rl note`: a text and tags for a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from rl.console.output import say
from rl.errors import UserError
from rl.verbs.arguments import A_RUN, Verbs, add_verb, natural, tags_in


def note(options: argparse.Namespace) -> int:
    """`rl note`: changes or prints what is noted about a run."""
    from rl.storage.notes import read_note, write_note

    folder = _folder(options.run, options.trial)
    text = " ".join(options.text) if options.text else None
    if text is None and not (options.tag or options.untag):
        found = read_note(folder)
        say(*([f"tags: {', '.join(found.tags)}"] if found.tags else []), *found.text.splitlines())
        return 0
    found = write_note(folder, text, options.tag, options.untag)
    say(f"{folder}: {found.brief or 'nothing is noted'}")
    return 0


def _folder(run: str, trial: int | None) -> Path:
    """The folder of a run, of a trial of a search or of a comparison."""
    from rl.report.comparison_page import FILE
    from rl.storage.paths import user_path
    from rl.storage.run_folder import RunFolder

    if (place := user_path(run)).joinpath(FILE).exists():
        return place
    folder = RunFolder.open(run)
    if trial is None:
        return folder.path
    for each in folder.trials():
        if each.number == trial:
            return each.path
    raise UserError(f"{folder.path}: has no trial {trial}")


def add(verbs: Verbs) -> None:
    """Adds `rl note` to the command line."""
    verb = add_verb(
        verbs, "note", note,
        "write a note and tags for a run, or print them",
        'rl note lunarlander_dqn "the first with n_step 3" --tag keep',
        "--tag",
    )  # fmt: skip
    verb.add_argument("run", metavar="RUN", help=f"{A_RUN}; or the folder of a comparison")
    verb.add_argument("text", metavar="TEXT", nargs="*",
                      help='the note; "" removes it (default: print it)')  # fmt: skip
    verb.add_argument("--untag", metavar="TAG", type=tags_in, action="extend", default=[],
                      help="remove a tag; may be repeated")  # fmt: skip
    verb.add_argument("--trial", type=natural, help="note it about this trial of a search")
