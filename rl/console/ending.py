"""The end of this process: what other people's code makes of it is said, and the status is true."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rl.console.output import warn

SECONDS_FOR_THREADS = 10.0  # in which threads that are left may end by themselves


@contextmanager
def abrupt_end_told(is_ours: bool) -> Iterator[None]:
    """Within, a crash of native code prints where it was, and `os._exit` who has called it.

    That call never makes a success of what was not finished.

    Args:
        is_ours: whether this process is the command's own; nothing changes in another.
    """
    if not is_ours:
        yield
        return
    leave, process = os._exit, os.getpid()

    def tell(code: int) -> None:
        caller = sys._getframe(1)
        is_lab = str(caller.f_globals.get("__name__")).startswith("rl.")
        if os.getpid() == process and not is_lab:  # a child of an environment's may do that
            place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
            warn(f"{place}: has ended this process (os._exit); what was saved before is whole")
            code = code or 1
        leave(code)

    with suppress(OSError, ValueError, AttributeError, RuntimeError):  # of no file, or no stream
        faulthandler.enable(sys.stderr)
    os._exit = tell  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


def leave_broken(then: Callable[[], object]) -> None:
    """Lets the command end without Python's own end, which a broken library would crash in.

    Args:
        then: is called last.
    """
    _BROKEN.append(then)


_BROKEN: list[Callable[[], object]] = []


def end_without_threads(status: int) -> None:
    """Sees to it that threads which an environment has left do not keep this process for ever.

    Args:
        status: with which the process ends then.
    """
    if _BROKEN:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for then in _BROKEN:
            then()
        os._exit(status)
    left = [each for each in threading.enumerate() if not each.daemon]
    left.remove(threading.main_thread())
    if left:
        threading.Thread(target=_end, args=(left, status), daemon=True).start()


def _end(threads: list[threading.Thread], status: int) -> None:
    time.sleep(SECONDS_FOR_THREADS)
    names = [each.name for each in threads if each.is_alive()] or ["?"]
    warn(f"ended beside {len(names)} threads that go on, such as {names[0]}: the environment's?")
    os._exit(status)
