"""Animated files: GIF and MP4."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.checkpoint import replacing
from rl.distribution import installing
from rl.errors import UserError
from rl.storage.paths import user_path

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    Add = Callable[[Picture], None]

FRAMES_A_SECOND = 25  # at most: viewers slow a faster GIF down
LONGEST = 600_000  # milliseconds that a GIF can show a frame


def check_file(file: Path, *endings: str) -> None:
    """Refuses a file that could not be written later.

    Args:
        file: that will be written.
        endings: that are allowed, by default .gif and .mp4.

    Raises:
        UserError: it has another ending, its folder does not exist, or a package is missing.
    """
    endings = endings or (".gif", ".mp4")
    if user_path(file).suffix.lower() not in endings:
        raise UserError(f"{file}: must end in {' or '.join(endings)}")
    if not file.parent.is_dir():
        raise UserError(f"{file}: there is no folder {file.parent}")
    if file.suffix.lower() == ".mp4" and not all(map(find_spec, ("imageio", "imageio_ffmpeg"))):
        remedy = f"{installing('video')}; or name a .gif"
        raise UserError(f"{file}: an MP4 needs more packages: {remedy}")


def pace(frames_a_second: float, frames: int = 1, most: int = 1) -> tuple[int, float]:
    """How to thin out frames so that a file can show them at their speed.

    Args:
        frames_a_second: the speed of all.
        frames: the number of all.
        most: the number to keep at most.

    Returns:
        The stride n, of which each n-th frame is kept, and the seconds to show it.
    """
    every = max(1, round(frames_a_second / FRAMES_A_SECOND), -(-frames // most))
    return every, every / frames_a_second


@contextmanager
def animation(file: Path, seconds: float) -> Iterator[Add]:
    """Gives a function that adds a picture, shown for so many seconds, to a file.

    The file, whose ending `check_file` accepts, is written at the end.

    Raises:
        UserError: it cannot be written.
    """
    kind = _mp4 if file.suffix.lower() == ".mp4" else _gif
    try:
        with kind(file, seconds) as add:
            yield add
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _gif(file: Path, seconds: float) -> Iterator[Add]:
    from PIL import Image

    frames: deque[Picture] = deque()
    palettes: list[Picture] = []

    def add(picture: Picture) -> None:
        if not palettes:
            palettes.append(_palette(picture))
        frames.append(picture.quantize(palette=palettes[0], dither=Image.Dither.NONE))

    yield add
    duration = min(LONGEST, max(20, round(1000 * seconds)))
    with replacing(file) as whole:
        frames.popleft().save(whole, "GIF", save_all=True, append_images=_taken_from(frames),
                              duration=duration, loop=0)  # fmt: skip


def _taken_from(frames: deque[Picture]) -> Iterator[Picture]:
    """The frames, each released: Pillow keeps a copy of every one."""
    while frames:
        yield frames.popleft()


def _palette(picture: Picture) -> Picture:
    """The first picture's colours, and a cube of others for later ones.

    With one palette for all frames, what does not move stays the same and costs a GIF nothing.
    """
    from PIL import Image

    own = (picture.quantize(128).getpalette() or [])[: 3 * 128]
    steps = np.linspace(0, 255, 5).astype(int).tolist()
    cube = [level for r in steps for g in steps for b in steps for level in (r, g, b)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(own + cube)
    return palette


@contextmanager
def _mp4(file: Path, seconds: float) -> Iterator[Add]:
    import imageio.v2 as imageio

    beside = file.with_name(f".{file.stem}.{os.getpid()}.tmp.mp4")  # the ending tells the format
    try:
        # Sizes must be even for this pixel format, and no more than that.
        writer: Any = imageio.get_writer(
            beside, fps=1.0 / seconds, macro_block_size=2, ffmpeg_log_level="fatal"
        )
        ended = OSError(errno.EIO, "the video was not written to its end", str(file))
        try:  # on a full disk, what the encoder says depends on when it gets full
            with writer:
                yield lambda picture: writer.append_data(np.asarray(picture))
        except OSError:
            raise ended from None
        if b"moov" not in beside.read_bytes():
            raise ended
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
