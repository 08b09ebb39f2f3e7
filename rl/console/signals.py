"""Signals that ask a process to end, told apart from what other people's code raises."""

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

# Those that a terminal or a scheduler sends: Ctrl-C, `kill`, and a terminal that is closed.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
SIGNALLED = 128  # and the number of the signal: the status of a process that a signal has ended
SECONDS_TO_HEED = 1.0  # a signal, before it is looked at what is in the way
SECONDS_TO_END = 30.0  # after the second, at most
WAITING = "waiting for the environment's step; press Ctrl-C again to end without saving"
_HANGUP = getattr(signal, "SIGHUP", None)

Handler = Any  # what `signal.signal` takes


class _Noting:
    """A handler that notes the signal, and then does what another one does."""

    arrived: int | None = None  # the latest signal
    contexts = 0  # how many `noticed` are under way

    def __init__(self, act: Callable[[int, Any], Any]) -> None:
        self.act = act

    def __call__(self, number: int, frame: Any) -> None:
        _Noting.arrived = number
        self.act(number, frame)


def arrived() -> int | None:
    """The signal that has come since the outermost `noticed` began, or None."""
    return _Noting.arrived


def is_asked(error: BaseException) -> bool:
    """Returns True if an exception ends what is under way because a signal asked for it.

    So does a KeyboardInterrupt of which nobody can tell, since handlers of others are in place.
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
    """Within, signals that end a process are noted before they act as they did."""
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
    """Within, other people's code may change the handlers of signals, for as long as it runs.

    Simulators and libraries of windows do, and Ctrl-C would no longer let a session save.
    """
    before, latest = _handlers(), _Noting.arrived
    try:
        yield
    finally:
        if _Noting.contexts and _is_main_thread() and _Noting.arrived is latest:
            for number, handler in before.items():
                signal.signal(number, handler)


def status_of_interrupt() -> int:
    """The exit status of a process that has ended as a signal asked: 130 after Ctrl-C."""
    return SIGNALLED + (_Noting.arrived or signal.SIGINT)


@contextmanager
def program(ends: bool) -> Iterator[None]:
    """`noticed` for the command line: Ctrl-C leaves no traceback, and pressed again ends it.

    Args:
        ends: whether the process has nothing else to do afterwards.
    """
    ours = {signal.SIGINT: _interrupt} if _interrupts() else {}
    with handled(ours), noticed():
        yield
    if ours and ends:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python shuts down


def _interrupts() -> bool:
    """Returns True if Ctrl-C raises a KeyboardInterrupt here, as Python has it."""
    return _is_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises a KeyboardInterrupt; but an import that is broken off could leave and say anything."""
    signal.signal(number, signal.SIG_DFL)  # pressed again, it ends whatever this one does not
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            warn("interrupted")
            os._exit(SIGNALLED + number)
        frame = frame.f_back
    raise KeyboardInterrupt


def act_as_asked(message: str) -> None:
    """Does what the signal that has arrived asked for, now that everything is saved; or nothing.

    Args:
        message: of the KeyboardInterrupt; for another signal it is printed.
    """
    number = _Noting.arrived
    if number is None:
        return
    handler = signal.getsignal(number)
    handler = handler.act if isinstance(handler, _Noting) else handler
    if callable(handler) and handler is not signal.default_int_handler:
        handler(number, None)  # the program's own; it may raise what it likes
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    warn(message)
    raise SystemExit(SIGNALLED + number)


@contextmanager
def stopped_by_signals(
    stop: Callable[[], None], lags: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Within, the first signal that would end the process calls `stop`; the next acts as it did.

    A SIGHUP that was ignored, as `nohup` lets it be, stays so.

    Args:
        stop: lets what is under way end soon.
        lags: whether a user is to be told that the first signal is not heeded yet.
    """
    before = {
        number: handler for number, handler in _handlers().items()
        if (number, handler) != (_HANGUP, signal.SIG_IGN)
    }  # fmt: skip

    def first(*_: Any) -> None:
        for number, handler in before.items():
            signal.signal(number, _noting(handler))
        stop()

    with noticed(), _watched(lags), handled(dict.fromkeys(before, _Noting(first))):
        yield


@contextmanager
def _watched(lags: Callable[[], bool]) -> Iterator[None]:
    """Within, a thread hears of the signals too, while code that is not Python holds up this one.

    It says what is waited for after the first, and ends the process if the second does not.
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
        signal.set_wakeup_fd(before)
        telling.close()


def _watch(heard: socket.socket, lags: Callable[[], bool], others: int) -> None:
    """What that thread does until the other end is closed; it passes on what others listen to."""
    signals, limit, waited = 0, None, 0.0
    ends = not hasattr(sys, "ps1")  # where somebody types, there is more at stake
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
    """Within, signals have other handlers; in a thread that hears of none, nothing changes."""
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
    """The handlers in place, by signal; those that are not Python's cannot be put back."""
    found = {number: signal.getsignal(number) for number in ENDING}
    return {number: handler for number, handler in found.items() if handler is not None}


def _noting(handler: Handler) -> Handler:
    return _Noting(handler) if callable(handler) else handler


def _is_main_thread() -> bool:
    """Returns True in the only thread to which Python delivers signals."""
    return threading.current_thread() is threading.main_thread()
