"""A process that forks one process after the other, each for one session.

To start Python and to import everything takes seconds; to fork a process that has done so does not.
Each session still has a process of its own, so that nothing that an environment does to its process
reaches another session.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle

from rl.running.worker import work

SECONDS_TO_LEAVE = 8.0  # in which an idle process must end


class Home:
    """The process, from which sessions come.

    Args:
        name: of the process.
    """

    def __init__(self, name: str) -> None:
        context = get_context("spawn")
        self._control, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs,), name=name)
        self.process.start()
        theirs.close()
        self._code: int | None = None
        self._is_alone = True  # no process that came from it is alive

    def begin(self, line: Connection) -> None:
        """Begins a process that receives a job by the pipe `line`, which is closed here."""
        self._code, self._is_alone = None, False
        with suppress(OSError), line:
            assert self.process.pid is not None
            send_handle(self._control, line.fileno(), self.process.pid)

    @property
    def code(self) -> int | None:
        """The exit code of the latest process, negative for a signal; None while it is alive."""
        if self._code is None:
            is_alive = self.process.is_alive()  # asked first, so that its last message is read
            try:
                if self._control.poll():
                    self._code, self._is_alone = self._control.recv(), True
            except (EOFError, OSError):
                self.process.join(SECONDS_TO_LEAVE)
                is_alive = self.process.is_alive()
            if self._code is None and not is_alive:
                self._code = self.process.exitcode
        return self._code

    @property
    def can_begin(self) -> bool:
        """Returns True if it is alive, and its latest process is not."""
        return self._code is not None and self.process.is_alive()

    def kill(self, worker: int = 0) -> None:
        """Kills it, and the process that came from it last.

        Args:
            worker: the number of that process, if it is known.
        """
        if worker not in (0, self.process.pid) and not self._is_alone:
            with suppress(OSError):
                os.kill(worker, signal.SIGKILL)
        self.process.kill()
        self.process.join()

    def leave(self) -> None:
        """Lets it end, as it has nothing left to do."""
        self._control.close()

    def join(self) -> None:
        """Waits until it has ended."""
        self.process.join(SECONDS_TO_LEAVE)
        self.kill()
