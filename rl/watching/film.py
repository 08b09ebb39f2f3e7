"""The film of a session's learning: the same episode, played at several stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nn.typing import State
from rl.environments import evaluation_seeds
from rl.environments.problems import Problem
from rl.formatting import figure_of
from rl.saved.opened import Opened
from rl.saved.policy_file import PolicyFile
from rl.saved.run import Run
from rl.session.player import Player
from rl.storage.session_folder import SessionFolder
from rl.watching.animation import animation, pace
from rl.watching.frames import Moment, Scene
from rl.watching.letters import BACKGROUND, CHOSEN, DIM, TEXT, font
from rl.watching.rendering import NothingToSee

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

STAGES = 6  # at most
FRAMES = 140  # at most: more would take most of the memory that a run needs
SECONDS_A_FRAME = 0.1  # at most: slower episodes are sped up
SECONDS_AT_THE_END = 2.0
BYTES = 5_000_000  # at most
WIDTHS = (240, 160, 100)  # pixels of a pane; the first that makes the film small enough
TALLEST = 4  # the greatest ratio of a pane's height to its width
GAP, CAPTION = 12, 46  # pixels


@dataclass(frozen=True)
class Take:
    """A stage in front of an environment of its own."""

    step: int  # of the session, when the policy was saved
    seconds: float | None  # of learning until then; None if an earlier version saved it
    scene: Scene


def make_film(run: Opened, file: Path, seed: int = 0, saliency: bool = False) -> list[Take]:
    """Writes the film of a session or of a single saved agent; returns the stages that it shows.

    Args:
        run: whose session it is, or the agent.
        file: to write, with an ending that `check_file` accepts.
        seed: of the episode.
        saliency: whether to show which pixels matter, as for `Scene`.

    Raises:
        NothingToSee: there are no stages, or the environment draws no pictures.
        UserError: a stage is damaged, the environment fails, or the file cannot be written.
    """
    (episode_seed,) = evaluation_seeds("report", seed, 1)
    with ExitStack() as stack:
        takes = list(_takes(run, saliency))
        for take in takes:
            stack.enter_context(closing(take.scene))
        longest = max(take.scene.play(episode_seed).length for take in takes)
        for width in WIDTHS:
            panes = [Pane(take, width) for take in takes]
            _write(panes, episode_seed, longest, file)
            if file.stat().st_size <= BYTES:
                break
    return takes


def choose_stages(folder: SessionFolder, most: int = STAGES) -> list[str]:
    """The checkpoints that the film shows, the best one last.

    Raises:
        NothingToSee: there are no stages.
    """
    end = folder.default_checkpoint
    step = int(folder.load_checkpoint(end)["step"])
    before = [stage for stage in folder.stages() if stage < step]
    if not before:
        raise NothingToSee(f"{folder.path}: has no stages of its learning; a new run saves them")
    picked = np.linspace(0, len(before) - 1, min(most - 1, len(before))).round().astype(int)
    return [*(str(before[place]) for place in picked), end]


def _takes(run: Opened, saliency: bool) -> Iterator[Take]:
    if isinstance(run, Run):
        for name in choose_stages(run.session):
            yield _take(run.session.load_checkpoint(name), run.problem, run.player(name), saliency)
    elif isinstance(run, PolicyFile):
        yield _take(run.state, run.problem, run.player(), saliency)


def _take(saved: State, problem: Problem, player: Player, saliency: bool) -> Take:
    return Take(int(saved["step"]), saved.get("seconds"), Scene(problem.id, player, saliency))


def _write(panes: list[Pane], seed: int, longest: int, file: Path) -> None:
    """Plays an episode in every pane, the longest of so many steps."""
    scenes = [pane.take.scene for pane in panes]
    every, seconds = pace(scenes[0].frames_a_second, longest, FRAMES)
    seconds = min(seconds, SECONDS_A_FRAME)
    with animation(file, seconds) as add:
        for moments in side_by_side([scene.moments(seed, every) for scene in scenes]):
            picture = _arrange([*map(Pane.draw, panes, moments)])
            add(picture)
        for _ in range(round(SECONDS_AT_THE_END / seconds)):
            add(picture)


def side_by_side(episodes: list[Iterator[Moment]]) -> Iterator[list[Moment]]:
    """The moments of several episodes at the same time; one that has ended stays at its last."""
    latest = [next(episode) for episode in episodes]
    while True:
        yield latest
        following = [next(episode, None) for episode in episodes]
        if not any(following):
            return
        latest = [new or old for new, old in zip(following, latest, strict=True)]


def _arrange(panes: list[Picture]) -> Picture:
    """The panes in two rows, or in one if they are few."""
    columns = len(panes) if len(panes) < 4 else -(-len(panes) // 2)
    return sheet(panes, columns, GAP, BACKGROUND)


def sheet(
    pictures: Sequence[Picture], columns: int, gap: int = 0, background: str = "black"
) -> Picture:
    """Pictures of one width, row by row, with gaps around them."""
    from PIL import Image

    rows = -(-len(pictures) // columns)
    across, down = pictures[0].width + gap, max(each.height for each in pictures) + gap
    whole = Image.new("RGB", (columns * across + gap, rows * down + gap), background)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        whole.paste(picture, (gap + column * across, gap + row * down))
    return whole


class Pane:
    """A stage in the film, `width` pixels wide: its picture, and below it the time and return."""

    def __init__(self, take: Take, width: int) -> None:
        self.take, self._width = take, width
        self._latest: tuple[Moment, Picture] | None = None

    def draw(self, moment: Moment) -> Picture:
        """The picture of a moment; the latest one is not drawn again."""
        if not self._latest or self._latest[0] is not moment:
            self._latest = moment, self._draw(moment)
        return self._latest[1]

    def _draw(self, moment: Moment) -> Picture:
        from PIL import Image, ImageDraw

        world, width = Image.fromarray(moment.picture), self._width
        height = min(max(1, round(width * world.height / world.width)), TALLEST * width)
        pane = Image.new("RGB", (width, height + CAPTION), BACKGROUND)
        pane.paste(world.resize((width, height), Image.Resampling.BOX))
        pen = ImageDraw.Draw(pane)
        pen.text((0, height + 6), f"step {self.take.step:,}", TEXT, font(15))
        pen.text((0, height + 26), _when(self.take), DIM, font(13))
        colour = CHOSEN if moment.ended else DIM  # the final return stands out
        pen.text((width, height + 6), figure_of(moment.total), colour, font(18), "ra")
        pen.text((width, height + 26), "return", DIM, font(13), "ra")
        return pane


def _when(take: Take) -> str:
    if take.step == 0:
        return "untrained"
    return "" if take.seconds is None else f"after {duration(take.seconds)}"


def duration(seconds: float) -> str:
    """A time of learning in a caption."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes <= 60 else f"{minutes // 60} h {minutes % 60:02d} min"
