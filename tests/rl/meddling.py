"""An environment that changes its process: MEDDLING names the method in which, and how."""

from __future__ import annotations

import ctypes
import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from tests.rl.worlds import Counter


class Mute:
    """A stream that refuses whatever it is given."""

    def write(self, _: str) -> int:
        raise RuntimeError("no output here")

    flush = write


def go_elsewhere() -> None:
    if Path.cwd().name != "elsewhere":
        Path("elsewhere").mkdir(exist_ok=True)
        os.chdir("elsewhere")


def take_output() -> None:
    sys.stdout = sys.stderr = Mute()


def drop_output() -> None:
    sys.stdout = sys.stderr = None


def take_wakeups() -> None:
    """As event loops do, but the descriptor is closed while it is in use."""
    one, other = socket.socketpair()
    other.setblocking(False)
    signal.set_wakeup_fd(other.fileno())
    one.close()
    other.close()


def forget_locale() -> None:
    locale.setlocale(locale.LC_ALL, "C")


def fork_and_leave() -> None:
    if os.fork() == 0:
        sys.exit(0)
    with suppress(ChildProcessError):
        os.wait()


def fork_and_fail() -> None:
    if os.fork() == 0:
        raise ValueError("in a child")
    with suppress(ChildProcessError):
        os.wait()


def leave_a_thread() -> None:
    threading.Thread(target=lambda: time.sleep(1000.0), name="render loop").start()


WAYS: dict[str, Callable[[], object]] = {  # what costs a run nothing
    "chdir": go_elsewhere,
    "streams": take_output,
    "no streams": drop_output,
    "fork": fork_and_leave,
    "failing fork": fork_and_fail,
    "wakeups": take_wakeups,
    "seeds": lambda: (random.seed(0), np.random.seed(0)),  # noqa: NPY002
    "errors": lambda: np.seterr(all="raise"),
    "printing": lambda: np.set_printoptions(precision=1, threshold=3),
    "warnings": lambda: warnings.simplefilter("error"),
    "locale": forget_locale,
    "logging": lambda: logging.disable(),
    "garbage": gc.disable,
    "umask": lambda: os.umask(0o777),
    "signals": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "digits": lambda: sys.set_int_max_str_digits(640),
    "recursion": lambda: sys.setrecursionlimit(200),
    "variables": os.environ.clear,
}
ENDS: dict[str, Callable[[], object]] = {  # what ends a process, or keeps it
    "exit": lambda: os._exit(0),
    "crash": lambda: ctypes.string_at(0),
    "thread": leave_a_thread,
}


class Meddling(Counter):
    """As Counter, until it meddles, once an instance and method."""

    def __init__(self) -> None:
        super().__init__(length=9)
        self._has_meddled = False
        self._meddle("constructor")

    def _meddle(self, method: str) -> None:
        where, _, way = os.environ.get("MEDDLING", "").partition(" ")
        if where == method and not self._has_meddled:
            self._has_meddled = True
            {**WAYS, **ENDS}[way]()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self._meddle("reset")
        return super().reset(seed=seed)

    def step(self, action: int) -> Any:
        self._meddle("step")
        return super().step(action)


gymnasium.register("Meddling-v0", "tests.rl.meddling:Meddling")
