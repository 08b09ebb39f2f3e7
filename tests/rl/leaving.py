"""An environment that ends the program: LEAVING names the method in which, and how."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from tests.rl.worlds import Steady


class Cancelled(BaseException):
    """As asynchronous libraries and test runners have them."""


def interrupt() -> None:
    raise KeyboardInterrupt


def close_generator() -> None:
    raise GeneratorExit


def cancel() -> None:
    raise Cancelled("by a library")


WAYS: dict[str, tuple[Callable[[], object], str]] = {  # and what is said of each
    "exit": (sys.exit, "SystemExit"),
    "exit-0": (lambda: sys.exit(0), "SystemExit: 0"),
    "exit-1": (lambda: sys.exit(1), "SystemExit: 1"),
    "exit-text": (lambda: sys.exit("no licence"), "SystemExit: no licence"),
    "interrupt": (interrupt, "KeyboardInterrupt"),
    "generator": (close_generator, "GeneratorExit"),
    "cancel": (cancel, "Cancelled: by a library"),
}


def leave(method: str) -> None:
    """Ends the program if this is the method to do so."""
    where, _, way = os.environ.get("LEAVING", "").partition(" ")
    if where == method:
        WAYS[way][0]()


class Leaving(Steady):
    """As Steady, until it leaves."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        leave("constructor")

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        leave("reset")
        return super().reset(seed=seed)

    def step(self, action: int) -> Any:
        leave("step")
        return super().step(action)

    def render(self) -> Any:
        leave("render")
        return np.full((40, 60, 3), 30, np.uint8)

    def close(self) -> None:
        leave("close")


gymnasium.register("Leaving-v0", "tests.rl.leaving:Leaving", max_episode_steps=5)
leave("import")
