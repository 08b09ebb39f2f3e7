"""A line for a command that is ended without one: Ray does that where its own process here dies."""

from __future__ import annotations

import atexit
import subprocess
from contextlib import suppress

ENDED = b"ended\n"
SCRIPT = 'read -r word; [ "$word" = ended ] || printf "%s\\n" "$1" >&2'


class Watch:
    """A shell that outlives this process, and prints a line if that is ended before `dismiss`.

    A process that comes to its own end dismisses it.

    Args:
        line: to print.
    """

    def __init__(self, line: str) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # there is no shell
            self._shell = subprocess.Popen(
                ["sh", "-c", SCRIPT, "sh", line],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            atexit.register(self.dismiss)

    def dismiss(self) -> None:
        """Ends the shell; nothing is printed."""
        atexit.unregister(self.dismiss)
        if self._shell:
            self._shell.communicate(ENDED)
            self._shell = None
