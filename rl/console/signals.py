"""Signals that ask a process to end, distinguished from what foreign code raises."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from rl.console.output import warn
from rl.console.place import shown

# Those that a terminal or a scheduler sends: Ctrl-C, `kill`, and a terminal that is closed.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
SIGNALLED = 128  # plus the signal's number: the status of a process that a signal has ended
SECONDS_TO_HEED = 1.0  # in which the main thread should react to a signal
SECONDS_TO_END = 30.0  # after the second, at most
WAITING = "waiting for the environment's step; press Ctrl-C again to end without saving"
_HANGUP = getattr(signal, "SIGHUP", None)

Handler = Any  # what `signal.signal` takes


class _Noting:
    """A handler that records the signal and then calls another one."""

    arrived: int | None = None  # the latest signal
    contexts = 0  # the number of active `noticed`

    def __init__(self, act: Callable[[int, Any], Any]) -> None:
        self.act = act

    def __call__(self, number: int, frame: Any) -> None:
        _Noting.arrived = number
        self.act(number, frame)


def arrived() -> int | None:
    """The signal that has arrived since the outermost `noticed` began, or None."""
    return _Noting.arrived


def is_asked(error: BaseException) -> bool:
    """Returns True if an exception comes from a signal that asks the process to end.

    A KeyboardInterrupt counts as one if foreign handlers are in place, which record nothing.
    """
    if not isinstance(error, (KeyboardInterrupt, SystemExit)) or not _is_main_thread():
        return False
    if _Noting.arrived is not None:
        return True
    handler = signal.getsignal(signal.SIGINT)
    known = isinstance(handler, _Noting) or not callable(handler)
    return isinstance(error, KeyboardInterrupt) and not known


@contextmanager
def noticed() -> Iterator[None]:
    """Within, signals that end a process are recorded before their handlers act."""
    if not _Noting.contexts:
        _Noting.arrived = None
    _Noting.contexts += 1
    try:
        with handled({number: _noting(handler) for number, handler in _handlers().items()}):
            yield
    finally:
        _Noting.contexts -= 1


@contextmanager
def kept() -> Iterator[None]:
    """Restores the handlers of signals afterwards, which foreign code may change.

    Simulators and window libraries do, and then Ctrl-C would no longer let a session save.
    """
    before, latest = _handlers(), _Noting.arrived
    try:
        yield
    finally:
        if _Noting.contexts and _is_main_thread() and _Noting.arrived is latest:
            for number, handler in before.items():
                signal.signal(number, handler)


def status_of_interrupt() -> int:
    """The exit status of a process that a signal has ended: 130 after Ctrl-C."""
    return SIGNALLED + (_Noting.arrived or signal.SIGINT)


@contextmanager
def program(ends: bool) -> Iterator[None]:
    """`noticed` for the command line: Ctrl-C leaves no traceback, and ends it when repeated.

    Args:
        ends: whether the process ends afterwards.
    """
    ours = {signal.SIGINT: _interrupt} if _interrupts() else {}
    with handled(ours), noticed():
        yield
    if ours and ends:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python shuts down


def _interrupts() -> bool:
    """Returns True if Ctrl-C raises a KeyboardInterrupt here, which is Python's default."""
    return _is_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises a KeyboardInterrupt, or ends the process if that would break an import off."""
    signal.signal(number, signal.SIG_DFL)  # repeated, it ends the process
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            warn("interrupted")
            os._exit(SIGNALLED + number)
        frame = frame.f_back
    raise KeyboardInterrupt


def act_as_asked(message: str) -> None:
    """Acts on the signal that has arrived, if any, once everything is saved.

    Args:
        message: of the KeyboardInterrupt; for another signal it is printed.
    """
    number = _Noting.arrived
    if number is None:
        return
    handler = signal.getsignal(number)
    handler = handler.act if isinstance(handler, _Noting) else handler
    if callable(handler) and handler is not signal.default_int_handler:
        handler(number, None)  # the program's own, which may raise
    if number == signal.SIGINT:
        raise KeyboardInterrupt(shown(message))
    warn(message)
    raise SystemExit(SIGNALLED + number)


@contextmanager
def stopped_by_signals(
    stop: Callable[[], None], lags: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Within, the first signal of each kind that would end the process calls `stop`.

    The next of the same kind acts as before; schedulers send SIGTERM and SIGHUP at once. A SIGHUP
    that is ignored, as under `nohup`, stays ignored.

    Args:
        stop: ends what is running soon.
        lags: returns True if the user should be told that the first signal still waits.
    """
    before = {
        number: handler for number, handler in _handlers().items()
        if (number, handler) != (_HANGUP, signal.SIG_IGN)
    }  # fmt: skip

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(number, _noting(before[signal.Signals(number)]))
        stop()

    with noticed(), _watched(lags), handled(dict.fromkeys(before, _Noting(first))):
        yield


@contextmanager
def _watched(lags: Callable[[], bool]) -> Iterator[None]:
    """Within, a thread receives the signals too, in case native code blocks this one.

    It prints what the first signal waits for, and ends the process if the second does not.
    """
    if not _is_main_thread():
        yield
        return
    heard, telling = socket.socketpair()
    telling.setblocking(False)
    before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(heard, lags, before), name="signals", daemon=True).start()
    try:
        yield
    finally:
        with suppress(ValueError, OSError):  # whoever had it is gone
            signal.set_wakeup_fd(before)
        telling.close()


def _watch(heard: socket.socket, lags: Callable[[], bool], others: int) -> None:
    """The thread, until the other end is closed; it passes signals on to the earlier file."""
    signals, limit, waited = 0, None, 0.0
    ends = not hasattr(sys, "ps1")  # not in an interactive Python
    with heard:
        while True:
            if select.select((heard,), (), (), limit)[0]:
                if not (byte := heard.recv(1)):
                    return
                if others != -1:
                    with suppress(OSError):
                        os.write(others, byte)
                if byte[0] in ENDING:
                    signals, limit = signals + 1, SECONDS_TO_HEED
                continue
            waited += SECONDS_TO_HEED
            if signals == 1 and lags():
                warn(WAITING)
                limit = None
            elif signals > 1 and ends and (lags() or waited > SECONDS_TO_END):
                os._exit(SIGNALLED + byte[0])


@contextmanager
def handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Within, signals have other handlers; outside of the main thread nothing changes."""
    if not _is_main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handlers() -> dict[signal.Signals, Handler]:
    """The handlers by signal, without those that were not set in Python and cannot be restored."""
    found = {number: signal.getsignal(number) for number in ENDING}
    return {number: handler for number, handler in found.items() if handler is not None}


def _noting(handler: Handler) -> Handler:
    return _Noting(handler) if callable(handler) else handler


def _is_main_thread() -> bool:
    """Returns True in the only thread to which Python delivers signals."""
    return threading.current_thread() is threading.main_thread()
