"""Looking at an agent: in a window, or in an animated file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.environments import Environments, Episode, make_env
from rl.errors import UserError
from rl.experiment.evaluation import Policy
from rl.experiment.player import Player
from rl.experiment.session import Progress, Watcher

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

GIF_FRAMES_A_SECOND = 25
GIF_COLOURS = 64


def require_display() -> None:
    """Refuses to go on where no window can be opened.

    Raises:
        UserError: there is no display; the message says what to do instead.
    """
    windowed = sys.platform in ("win32", "darwin")
    if not windowed and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    ):
        raise UserError(
            "there is no display to open a window on; make a file instead: rl watch RUN --gif FILE"
        )


def play_episode(
    environments: Environments, agent: Policy, seed: int, frames: list[Any] | None = None
) -> Episode:
    """One greedy episode in a single lane.

    Args:
        environments: of one lane.
        agent: who plays.
        seed: of the episode.
        frames: where a picture of each state is put, or None for no pictures.
    """
    environments.seeds = iter([seed])
    environments.reset()
    while environments.active[0]:
        if frames is not None:
            frames.append(environments.render())
        environments.step(agent.act(environments.observations))
    if frames is not None:
        frames.append(environments.render())
    (episode,) = environments.finished
    return episode


def _one_lane(id: str, player: Player, render_mode: str) -> Environments:
    view = player.preprocessor.for_lanes(1, learning=False)
    return Environments(lambda: make_env(id, render_mode=render_mode), 1, iter(()), view)


def watch_in_window(id: str, player: Player, seeds: Sequence[int]) -> list[Episode]:
    """Plays an episode a seed in the environment's own window.

    Raises:
        UserError: there is no display.
    """
    require_display()
    environments = _one_lane(id, player, "human")
    try:
        return [play_episode(environments, player.agent, seed) for seed in seeds]
    finally:
        environments.close()


def watch_in_file(id: str, player: Player, seeds: Sequence[int], file: Path) -> list[Episode]:
    """Plays an episode a seed and writes them, one after the other, as an animated GIF.

    Raises:
        UserError: the file cannot be written, or the environment draws no pictures.
    """
    if file.suffix.lower() != ".gif":
        raise UserError(f"{file}: must end in .gif")
    if not file.parent.is_dir():
        raise UserError(f"{file}: there is no folder {file.parent}")
    environments = _one_lane(id, player, "rgb_array")
    frames: list[Any] = []
    try:
        episodes = [play_episode(environments, player.agent, seed, frames) for seed in seeds]
        rate = environments.frames_a_second or GIF_FRAMES_A_SECOND
    finally:
        environments.close()
    if frames[0] is None:
        raise UserError(f"{id}: draws no pictures, so there is nothing to put into {file}")
    _write_gif(frames, rate, file)
    return episodes


def _write_gif(frames: list[Any], rate: float, file: Path) -> None:
    """Thins `frames`, shown at `rate` a second, to what a GIF can show, and writes them."""
    from PIL import Image

    every = max(1, round(rate / GIF_FRAMES_A_SECOND))
    pictures: list[Picture] = [
        Image.fromarray(frame).quantize(GIF_COLOURS) for frame in frames[::every]
    ]
    try:
        pictures[0].save(
            file,
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 * every / rate),
            loop=0,
        )
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None


class WindowWatcher(Watcher):
    """Shows the greedy agent in a window after each evaluation.

    Args:
        id: of the environment.
        seed: of the episode that is shown each time.
    """

    def __init__(self, id: str, seed: int) -> None:
        require_display()
        self._id, self._seed = id, seed
        self._environments: Environments | None = None

    def evaluated(self, progress: Progress, player: Player) -> None:
        self._environments = self._environments or _one_lane(self._id, player, "human")
        play_episode(self._environments, player.agent, self._seed)
