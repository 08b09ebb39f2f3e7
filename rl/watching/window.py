"""A window that shows moments."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from rl.errors import UserError
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.player import Player
from rl.session.progress import Progress
from rl.watching.frames import Moment, Scene
from rl.watching.panel import Panel

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NO_DISPLAY = (
    "there is no display to open a window on; make a file instead: rl watch RUN --gif FILE; or "
    "look in the terminal: rl watch RUN --terminal"
)


def has_display() -> bool:
    """Whether this machine claims to have a display."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))


def draw_off_screen() -> None:
    """Keeps SDL from looking for a display that is not there, and from complaining on stderr."""
    if not has_display():
        os.environ["SDL_VIDEODRIVER"] = "dummy"


def require_display() -> None:
    """Raises a UserError with a remedy if no window can be opened."""
    if not has_display():
        raise UserError(NO_DISPLAY)
    import pygame

    try:
        pygame.display.init()
    except pygame.error:  # such as a named display that does not exist
        raise UserError(NO_DISPLAY) from None


class Window:
    """Shows moments until the viewer closes it or presses Escape.

    Args:
        title: of the window.
        frames_a_second: the speed.
        plain: whether to leave the agent's thoughts out.

    Raises:
        UserError: there is no display.
    """

    def __init__(self, title: str, frames_a_second: float, plain: bool = False) -> None:
        import pygame

        require_display()
        pygame.display.set_caption(title)
        self._rate, self._panel = frames_a_second, Panel(plain)
        self._clock = pygame.time.Clock()
        self._surface: Any = None

    def show(self, moment: Moment) -> bool:
        """Shows a moment for its time; returns False if the window was closed."""
        import pygame

        picture = self._panel.draw(moment)
        if self._surface is None:
            self._surface = pygame.display.set_mode(picture.size)
        self._surface.blit(_surface(picture), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._rate)
        return not self.is_closed()

    def is_closed(self) -> bool:
        """Whether the viewer has closed it; call it regularly, so that the window responds."""
        import pygame

        events = pygame.event.get()
        return any(
            event.type == pygame.QUIT
            or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE)
            for event in events
        )

    def close(self) -> None:
        """Closes the window."""
        import pygame

        pygame.display.quit()


def _surface(picture: Picture) -> Any:
    import pygame

    return pygame.image.frombuffer(picture.tobytes(), picture.size, "RGB")


class WindowCallback(Callback):
    """Shows a greedy episode in a window after each evaluation, until the window is closed.

    Args:
        id: of the environment.
        seed: of each episode.

    Raises:
        UserError: there is no display.
    """

    def __init__(self, id: str, seed: int) -> None:
        require_display()
        self._id, self._seed = id, seed
        self._shown: tuple[Scene, Window] | None = None
        self._is_wanted = True

    def progressed(self, job: Job, progress: Progress) -> None:
        if self._shown and self._shown[1].is_closed():
            self._close()

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        if player is None or not self._is_wanted:
            return
        if self._shown is None:
            # The player's agent is the one that learns, so that it serves every later evaluation.
            scene = Scene(self._id, player)
            self._shown = scene, Window(self._id, scene.frames_a_second)
        scene, window = self._shown
        if not all(map(window.show, scene.moments(self._seed))):
            self._close()

    def _close(self) -> None:
        self._is_wanted = False
        for each in self._shown or ():
            each.close()
        self._shown = None
