"""Heat maps of tables: what each state is worth, and what is done there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rl.agents.thoughts import Heat
from rl.watching.letters import CHOSEN, TEXT, TRACK, font

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

COLD, WARM = (35, 40, 50), (200, 90, 60)  # of the least and of the greatest value
LARGEST = 64  # pixels of a cell
LEGIBLE = 12  # pixels of a cell that has room for its action
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}

Box = tuple[float, float, float, float]


def draw_heat(heat: Heat, width: int, height: int) -> Picture:
    """A heat map within so many pixels; its cells are squares if they can be.

    Where there is room, each has an arrow for an action that is called left, right, up or down,
    and the first letter of the name or the number of any other. The state that the agent is in has
    a frame.
    """
    from PIL import Image, ImageDraw

    rows, columns = heat.values.shape
    side = min(width / columns, height / rows, LARGEST)
    picture = Image.new("RGB", (math.ceil(side * columns), math.ceil(side * rows)), TRACK)
    pen = ImageDraw.Draw(picture)
    for (row, column), share in np.ndenumerate(_shares(heat.values)):
        if math.isnan(share):
            continue
        left, top = column * side, row * side
        box = (left, top, left + side - (side >= LEGIBLE), top + side - (side >= LEGIBLE))
        colours = zip(COLD, WARM, strict=True)
        pen.rectangle(box, tuple(round(a + share * (b - a)) for a, b in colours))
        if side >= LEGIBLE:
            _draw_action(pen, box, int(heat.actions[row, column]), heat.names)
    if heat.at:
        top, left = (side * place for place in heat.at)
        pen.rectangle((left, top, left + side - 1, top + side - 1), outline=CHOSEN, width=2)
    return picture


def _shares(values: np.ndarray) -> np.ndarray:
    """How far each value lies between the least and the greatest [h, w], from 0 to 1."""
    low, high = np.nanmin(values), np.nanmax(values)
    return (values - low) / (high - low) if high > low else values - low


def _draw_action(pen: ImageDraw, box: Box, action: int, names: tuple[str, ...]) -> None:
    left, top, right, bottom = box
    x, y, size = (left + right) / 2, (top + bottom) / 2, (right - left) / 4
    name = names[action] if names else str(action)
    if name not in _WAYS:
        pen.text((x, y), name[0], TEXT, font(max(8, int(2 * size))), "mm")
        return
    dx, dy = (size * each for each in _WAYS[name])
    pen.polygon([(x + dx, y + dy), (x - dx - dy, y - dy - dx), (x - dx + dy, y - dy + dx)], TEXT)
