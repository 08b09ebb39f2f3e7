"""The command line: runs a verb, and turns what goes wrong into one line and a status.

What takes a while to be imported is imported once Ctrl-C is known to leave no traceback.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The verbs whose result is what they print: if that is lost, they have failed.
TELLING = ("list", "note", "spec", "import", "analyze", "compare", "evaluate", "verify", "doctor")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status.

    Args:
        arguments: what is typed behind `rl`; by default this program's own, which then ends.
    """
    ends = arguments is None
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        from rl.console.ending import abrupt_end_told, end_without_threads
        from rl.console.output import lenient
        from rl.console.place import in_place
        from rl.console.signals import program

        with program(ends), abrupt_end_told(ends), in_place(), lenient() as lost:
            status = _told(given, _run(given), lost)
        if ends:
            end_without_threads(status)
        return status
    except KeyboardInterrupt:  # before it was heeded
        print("rl: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        from rl.console.hidden import explained

        if not (complaint := explained(error)):
            raise
        print(f"rl: {complaint}", file=sys.stderr)
        return 2


def _run(given: Sequence[str]) -> int:
    """The exit status of a verb."""
    from rl.console.output import warn
    from rl.console.signals import status_of_interrupt
    from rl.errors import Diverged, UserError, on_disk

    try:
        from rl.verbs.arguments import INTERRUPTED
        from rl.verbs.parser import parse

        options = parse(given)
        with on_disk("a file"):
            status: int = options.call(options)
        return status_of_interrupt() if status == INTERRUPTED else status
    except (UserError, Diverged) as error:
        warn(error)
        return error.exit_status
    except KeyboardInterrupt as error:
        warn("; ".join(("interrupted", *map(str, error.args))))
        return status_of_interrupt()


def _told(given: Sequence[str], status: int, lost: Callable[[], OSError | None]) -> int:
    """The exit status, once all is printed; a reader that went away has seen what it wanted."""
    error = lost()
    if error is None or isinstance(error, BrokenPipeError):
        return status
    from rl.console.output import warn
    from rl.errors import UserError

    warn(f"the output cannot be written: {error.strerror}")
    return status or (UserError.exit_status if given[:1] and given[0] in TELLING else 0)
