"""An environment that holds up what waits for it: HOLDING says how, BEGUN names a file."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium

from tests.rl.worlds import Steady


def sleep() -> None:
    time.sleep(1000.0)


def loop() -> None:
    while True:
        pass


def swallow() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(1000.0)


def close() -> None:
    sys.stdout.close()
    sys.stderr.close()


def judge() -> None:
    """Holds up an evaluation once the session has learned all, until a file `gate` is there."""
    if Path("r/trial_000/session_000/session.json").exists():
        Path(os.environ["BEGUN"]).touch()
        while not Path("gate").exists():
            time.sleep(0.01)


WAYS = {each.__name__: each for each in (sleep, loop, swallow, close)}


class Holding(Steady):
    """As Steady, until the third step, which says that it has begun."""

    steps = 0

    def __init__(self) -> None:
        if os.environ["HOLDING"] == "deaf":  # as simulators make a process
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))

    def step(self, action: int) -> Any:
        self.steps += 1
        way = os.environ["HOLDING"]
        if way == "print":
            print("a step \u2580 \udcff")
        if way == "judge":
            judge()
        elif self.steps == 3:
            Path(os.environ.get("BEGUN", os.devnull)).write_text("begun")
            if way in WAYS:
                WAYS[way]()
        return super().step(action)


gymnasium.register("Holding-v0", "tests.rl.holding:Holding", max_episode_steps=50)
