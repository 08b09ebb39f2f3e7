"""What is left on a terminal by a run that somebody watches."""

from __future__ import annotations

import os
import re
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal"),
]

COMMAND = ("run", "cartpole_dqn", "--no-report", "--output", "r", "--set",
           "agent.learn_start=64", "train.evaluate_every=1000", "--steps")  # fmt: skip
CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Screen:
    """A terminal as far as displays use it: rows of text, and whether the cursor is seen."""

    def __init__(self) -> None:
        self.rows, self.row, self.shows_cursor = [""], 0, True
        self.seen: list[str] = []  # every text that stood in a row

    def feed(self, text: str) -> None:
        for found in CONTROL.finditer(text):
            argument, kind = found.groups()
            if kind == "A":
                self.row -= int(argument or 1)
            elif kind == "K":
                self.rows[self.row] = ""
            elif kind in ("l", "h") and argument == "?25":
                self.shows_cursor = kind == "h"
            elif found[0] == "\n":
                self.row += 1
                self.rows += [""] * (self.row == len(self.rows))
            elif kind is None and found[0] != "\r":
                self.rows[self.row] += found[0]
                self.seen.append(self.rows[self.row])


def watch(
    folder: Path,
    *arguments: str,
    columns: int = 80,
    act: Callable[[Screen, int], None] | None = None,
) -> tuple[Screen, int]:
    """Runs `rl` in a terminal; returns the screen and the exit status.

    Args:
        folder: to run in.
        arguments: of `rl`.
        columns: of the terminal.
        act: called with the screen and the process after each piece of output.
    """
    import fcntl
    import pty
    import termios

    settings = {name: value for name, value in os.environ.items()
                if name not in ("NO_COLOR", "CI", "COLUMNS", "LINES")}  # fmt: skip
    process, terminal = pty.fork()
    if not process:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.chdir(folder)
        command = [sys.executable, "-m", "rl", *arguments]
        os.execve(sys.executable, command, {**settings, "TERM": "xterm"})
    screen = Screen()
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # it has ended
            piece = b""
        if not piece:
            break
        screen.feed(piece.decode(errors="replace"))
        if act:
            act(screen, process)
    os.close(terminal)
    return screen, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("columns", [80, 40])
def test_a_run_shows_one_line_and_leaves_the_result_alone(columns: int, tmp_path: Path) -> None:
    screen, status = watch(tmp_path, *COMMAND, "3000", columns=columns)
    assert status == 0
    shown = [row for row in screen.seen if row.startswith("cartpole_dqn") and "/475" in row]
    phases = {word for row in shown for word in re.findall("learning|eval", row)}
    assert phases  # which of them is drawn depends on the machine's speed
    assert phases <= {"learning", "eval"}
    assert max(map(len, shown)) < columns
    left = "\n".join(screen.rows)
    assert "/475" not in left
    assert "mean return" in left
    assert screen.shows_cursor


def test_a_trial_shows_a_line_for_each_session(tmp_path: Path) -> None:
    screen, status = watch(tmp_path, *COMMAND, "1500", "--sessions", "2", "--jobs", "2")
    assert status == 0
    for session in ("session 0", "session 1"):
        assert any(row.startswith(f"{session} learning") for row in screen.seen)
    assert any(row.startswith("cartpole_dqn on CartPole-v1: 0 of 2") for row in screen.seen)
    left = "\n".join(screen.rows)
    assert "sessions ended" not in left
    assert "session 1 (seed 1): finished after 1,500 steps" in left


def test_ctrl_c_restores_the_terminal(tmp_path: Path) -> None:
    asked: list[int] = []

    def interrupt(screen: Screen, process: int) -> None:
        if not asked and any(" learning" in row for row in screen.seen):
            asked.append(process)
            os.kill(process, signal.SIGINT)

    screen, status = watch(tmp_path, *COMMAND, "500000", act=interrupt)
    assert status == 130
    left = "\n".join(screen.rows)
    assert "\ninterrupted at step " in left
    assert "/475" not in left
    assert screen.shows_cursor
