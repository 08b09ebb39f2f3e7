"""The colours and the font of what is drawn beside the world."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

BACKGROUND, TRACK, BAR = "#15181e", "#232832", "#5b6b84"
CHOSEN, TEXT, DIM = "#e9b44c", "#e8eaee", "#8b93a1"


@lru_cache
def font(size: int) -> Any:
    """The font that comes with Pillow."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
