"""Heat maps of tables: what each state is worth, and what is done there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nn.typing import Array
from rl.agents.thoughts import Heat
from rl.watching.letters import CHOSEN, TEXT, TRACK, font

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

COLD, WARM = (35, 40, 50), (200, 90, 60)  # of the least and of the greatest value
LARGEST = 64  # pixels of a cell
LEGIBLE = 12  # pixels of a cell that has room for its action
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def draw_heat(heat: Heat, width: int, height: int) -> Picture:
    """A heat map within so many pixels; its cells are squares if they can be.

    Where there is room, each has an arrow for an action that is called left, right, up or down,
    and the first letter of the name or the number of any other. The state that the agent is in has
    a frame.
    """
    from PIL import Image, ImageDraw

    rows, columns = heat.values.shape
    side = min(width / columns, height / rows, LARGEST)
    size = math.ceil(side * columns), math.ceil(side * rows)
    picture = Image.fromarray(_colours(heat.values)).resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    if side >= LEGIBLE:
        for row, column in np.argwhere(~np.isnan(heat.values)).tolist():
            centre = (side * (column + 0.5), side * (row + 0.5))
            _draw_action(pen, centre, side / 4, int(heat.actions[row, column]), heat.names)
    if heat.at:
        top, left = (side * place for place in heat.at)
        pen.rectangle((left, top, left + side - 1, top + side - 1), outline=CHOSEN, width=2)
    return picture


def _colours(values: Array) -> Array:
    """Red, green and blue of each state [h, w, 3], from COLD at the least to WARM, in bytes."""
    from PIL import ImageColor

    low, high = np.nanmin(values), np.nanmax(values)
    shares = (values - low) / (high - low) if high > low else values - low
    cold, warm = np.array(COLD), np.array(WARM)
    colours = cold + shares[..., None] * (warm - cold)
    none = np.isnan(values)[..., None]
    colours = np.where(none, ImageColor.getrgb(TRACK)[:3], np.rint(np.nan_to_num(colours)))
    return colours.astype(np.uint8)


def _draw_action(
    pen: ImageDraw, centre: tuple[float, float], size: float, action: int, names: tuple[str, ...]
) -> None:
    x, y = centre
    name = names[action] if names else str(action)
    if name not in _WAYS:
        pen.text((x, y), name[0], TEXT, font(max(8, int(2 * size))), "mm")
        return
    dx, dy = (size * each for each in _WAYS[name])
    pen.polygon([(x + dx, y + dy), (x - dx - dy, y - dy - dx), (x - dx + dy, y - dy + dx)], TEXT)
