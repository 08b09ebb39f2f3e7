"""The picture of a moment, with the agent's thoughts beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.agents.thoughts import Thoughts
from rl.watching.frames import Moment, behind, describe, written
from rl.watching.heat import draw_heat
from rl.watching.letters import BACKGROUND, BAR, CHOSEN, DIM, TEXT, TRACK, font

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

WIDTH = 260  # pixels
LEAST_HEIGHT = 360
MARGIN = 22
HEAD = 112  # where the bars begin
FOOT = 66  # for the value
NUMBER, GAP = 58, 48  # for a bar's figure, and for how far it is below the greatest
SCALE = 18  # for the ends of the bars' scale, below them
HEAT = 240  # for a heat map, in place of that
LONGEST = 96  # pixels of a bar's name, at most
ROW = 34  # for a bar, at most


class Panel:
    """Draws moments, without the agent's thoughts if `plain`.

    The values of a state's actions are similar, so that a bar shows how far one is above the least
    of them. The scale grows with the widest difference seen, and never shrinks, so that bars do not
    jump.
    """

    def __init__(self, plain: bool = False) -> None:
        self._plain = plain
        self._widest = 0.0

    def draw(self, moment: Moment) -> Picture:
        """The picture of a moment; all of an episode have one size."""
        from PIL import Image, ImageDraw

        world = Image.fromarray(moment.picture)
        if self._plain:
            return world
        heat = moment.thoughts.heat
        height = max(world.height, LEAST_HEIGHT + (HEAT if heat else 0))
        picture = Image.new("RGB", (world.width + WIDTH, height), BACKGROUND)
        picture.paste(world, (0, (height - world.height) // 2))
        left, right = world.width + MARGIN, world.width + WIDTH - MARGIN
        pen = ImageDraw.Draw(picture)
        _draw_figures(pen, left, describe(moment))
        foot = HEAT if heat else FOOT
        self._draw_bars(pen, (left, HEAD, right, height - foot), moment.thoughts)
        if heat:
            top = height - HEAT
            pen.text((left, top), "max Q(s, a)", DIM, font(14))
            drawn = draw_heat(heat, right - left, HEAT - 2 * MARGIN)
            picture.paste(drawn, (left, top + MARGIN))
        if moment.thoughts.value is not None:
            pen.text((left, height - 46), "V", DIM, font(14))
            pen.text((right, height - 52), written(moment.thoughts.value), TEXT, font(22), "ra")
        return picture

    def _draw_bars(
        self, pen: ImageDraw, box: tuple[int, int, int, int], thoughts: Thoughts
    ) -> None:
        """Draws a row for each bar below their title."""
        left, top, right, bottom = box
        title = thoughts.title.replace("\u03c0", "pi")  # which the font does not have
        pen.text((left, top - 26), title, DIM, font(14))
        low, high = thoughts.span or self._span(thoughts.bars)
        zero = share(0.0, low, high) if thoughts.span else 0.0
        row = min(ROW, (bottom - top - SCALE) / len(thoughts.bars))
        letters = font(max(6, min(14, int(0.6 * row))))
        labels = [_fitting(label, letters) for label in thoughts.labels]
        start = left + max(20, 8 + max(int(letters.getlength(label)) for label in labels))
        gaps = [""] * len(labels) if thoughts.span else behind(thoughts.bars)
        end = right - NUMBER - (0 if thoughts.span else GAP)
        for number, bar in enumerate(thoughts.bars.tolist()):
            is_chosen = thoughts.is_chosen(number)
            y = top + number * row
            track = (start, y + 0.2 * row, end, y + 0.8 * row)
            _draw_bar(pen, track, share(bar, low, high), zero, CHOSEN if is_chosen else BAR)
            look = TEXT if is_chosen else DIM, letters
            pen.text((left, y + row / 2), labels[number], *look, "lm")
            pen.text((end + NUMBER, y + row / 2), written(bar), *look, "rm")
            pen.text((right, y + row / 2), gaps[number], DIM, letters, "rm")
        y = top + len(labels) * row + 2
        for x, value, side in ((start, low, "la"), (end, high, "ra")):
            pen.text((x, y), written(value), DIM, font(11), side)

    def _span(self, bars: Array) -> tuple[float, float]:
        """From the least bar to the widest difference above it so far."""
        low = float(np.nanmin(bars))
        self._widest = max(self._widest, float(np.nanmax(bars)) - low)
        return low, low + self._widest


def _fitting(label: str, letters: Any) -> str:
    """The label, shortened if it would leave no room for a bar."""
    while letters.getlength(label) > LONGEST:
        label = label[:-3] + ".."
    return label


def share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, clipped to 0 to 1."""
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0


def _draw_figures(pen: ImageDraw, left: int, figures: dict[str, str]) -> None:
    for number, (label, figure) in enumerate(figures.items()):
        x = left + 118 * number
        pen.text((x, 20), label, DIM, font(14))
        pen.text((x, 38), figure, TEXT, font(24))


def _draw_bar(
    pen: ImageDraw, track: tuple[float, float, float, float], end: float, zero: float, colour: str
) -> None:
    """Draws a visible bar from `zero` to `end`, both shares of the track's width."""
    left, top, right, bottom = track
    pen.rounded_rectangle(track, 3, TRACK)
    start, stop = sorted(left + (right - left) * at for at in (zero, end))
    pen.rounded_rectangle((start, top, max(stop, start + 3), bottom), 3, colour)
