"""Signals that ask a process to end, told apart from what other people's code raises."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rl.output import warn

# Those that a terminal or a scheduler sends: Ctrl-C, `kill`, and a terminal that is closed.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
SIGNALLED = 128  # and the number of the signal: the status of a process that a signal has ended
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
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Within, the first signal that would end the process calls `stop`; the next acts as it did.

    A SIGHUP that was ignored, as `nohup` lets it be, stays so.
    """
    before = {
        number: handler for number, handler in _handlers().items()
        if (number, handler) != (_HANGUP, signal.SIG_IGN)
    }  # fmt: skip

    def first(*_: Any) -> None:
        for number, handler in before.items():
            signal.signal(number, _noting(handler))
        stop()

    with noticed(), handled(dict.fromkeys(before, _Noting(first))):
        yield


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
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


def _handlers() -> dict[int, Handler]:
    """The handlers in place, by signal; those that are not Python's cannot be put back."""
    found = {number: signal.getsignal(number) for number in ENDING}
    return {number: handler for number, handler in found.items() if handler is not None}


def _noting(handler: Handler) -> Handler:
    return _Noting(handler) if callable(handler) else handler


def _is_main_thread() -> bool:
    """Returns True in the only thread to which Python delivers signals."""
    return threading.current_thread() is threading.main_thread()
