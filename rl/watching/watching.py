"""Watching an agent in a window, in the terminal, or in an animated file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from rl.watching.animation import animation, pace
from rl.watching.frames import Moment, Scene
from rl.watching.panel import Panel
from rl.watching.terminal import Terminal
from rl.watching.window import Window

Show = Callable[[Moment], bool]  # returns False once the viewer has closed it


def watch(scene: Scene, seeds: Sequence[int], show: Show) -> list[Moment]:
    """Shows an episode for each seed; returns the last moments of those shown to the end."""
    ends: list[Moment] = []
    for seed in seeds:
        for moment in scene.moments(seed):
            if not show(moment):
                return ends
        ends.append(moment)
    return ends


@contextmanager
def in_window(scene: Scene, title: str, slow: float, plain: bool) -> Iterator[Show]:
    """Gives a function that shows moments in a window.

    Raises:
        UserError: there is no display.
    """
    with closing(Window(title, scene.frames_a_second / slow, plain)) as window:
        yield window.show


@contextmanager
def in_terminal(scene: Scene, slow: float, plain: bool) -> Iterator[Show]:
    """Gives a function that draws moments in the terminal."""
    with closing(Terminal(scene.frames_a_second / slow, plain)) as terminal:
        yield terminal.show


@contextmanager
def in_file(scene: Scene, file: Path, slow: float, plain: bool) -> Iterator[Show]:
    """Gives a function that adds moments to an animated file.

    Raises:
        UserError: the file cannot be written.
    """
    every, seconds = pace(scene.frames_a_second / slow)
    panel = Panel(plain)
    with animation(file, seconds) as add:

        def show(moment: Moment) -> bool:
            if moment.step % every == 0 or moment.ended:
                add(panel.draw(moment))
            return True

        yield show
