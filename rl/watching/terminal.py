"""Moments in the terminal, where a character is two pixels, one above the other."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

import numpy as np

from nn.typing import Array
from rl.agents.thoughts import Thoughts
from rl.watching.frames import Moment, describe, written

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
HOME, CLEAR, PLAIN, REST = "\x1b[H", "\x1b[2J", "\x1b[0m", "\x1b[K"
LINES_BELOW = 2  # for the figures, and for the line that the cursor is in


class Terminal:
    """Shows moments in place, with the cursor hidden.

    Args:
        frames_a_second: the speed.
        plain: whether to leave the agent's thoughts out.
        out: the terminal.
    """

    def __init__(
        self, frames_a_second: float, plain: bool = False, out: TextIO | None = None
    ) -> None:
        self._seconds, self._plain = 1.0 / frames_a_second, plain
        self._out = out or sys.stdout
        self._next = time.perf_counter()
        self._out.write(HIDE + CLEAR)

    def show(self, moment: Moment) -> bool:
        """Shows a moment for its time; returns True, as there is nothing to close."""
        columns, lines = shutil.get_terminal_size()
        picture = half_blocks(fit(moment.picture, columns, 2 * (lines - LINES_BELOW)))
        figures = status(moment, self._plain)[:columns]
        self._out.write(f"{HOME}{picture}\n{figures}{REST}")
        self._out.flush()
        now = time.perf_counter()
        self._next = max(self._next + self._seconds, now)
        time.sleep(self._next - now)
        return True

    def close(self) -> None:
        """Shows the cursor again."""
        self._out.write(f"{PLAIN}{SHOW}\n")
        self._out.flush()


def fit(picture: Array, width: int, height: int) -> Array:
    """A picture [h, w, 3] scaled to fit into so many pixels, with an even height."""
    from PIL import Image

    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns = max(1, int(scale * picture.shape[1]))
    lines = max(1, int(scale * picture.shape[0] / 2))
    return np.asarray(Image.fromarray(picture).resize((columns, 2 * lines)))


def half_blocks(picture: Array) -> str:
    """The lines of a picture [2 lines, columns, 3]: the upper pixel's colour on the lower's."""
    lines = []
    for upper, lower in zip(picture[::2].tolist(), picture[1::2].tolist(), strict=True):
        cells = [_cell(*pair) for pair in zip(upper, lower, strict=True)]
        # The colours are most of what is sent, and are not repeated.
        kept = [
            "\u2580" if number and cell == cells[number - 1] else f"{cell}\u2580"
            for number, cell in enumerate(cells)
        ]
        lines.append("".join(kept) + PLAIN + REST)
    return "\n".join(lines)


def _cell(upper: list[int], lower: list[int]) -> str:
    """Sets the colours of the upper and the lower half."""
    ink, paper = (";".join(map(str, colour)) for colour in (upper, lower))
    return f"\x1b[38;2;{ink};48;2;{paper}m"


def status(moment: Moment, plain: bool = False) -> str:
    """The figures of a moment and the agent's thoughts in one line."""
    parts = [f"{label} {figure}" for label, figure in describe(moment).items()]
    thoughts = moment.thoughts
    if not plain:
        bars = [_bar(thoughts, number) for number in range(len(thoughts.bars))]
        parts.append(f"{thoughts.title} {' '.join(bars)}")
        if thoughts.value is not None:
            parts.append(f"V {written(thoughts.value)}")
    return "   ".join(parts)


def _bar(thoughts: Thoughts, number: int) -> str:
    """The name of a bar, if it has one, and its figure, in brackets if the bar is chosen."""
    figure = written(float(thoughts.bars[number]))
    figure = f"[{figure}]" if thoughts.is_chosen(number) else figure
    return f"{thoughts.names[number]} {figure}" if thoughts.names else figure
