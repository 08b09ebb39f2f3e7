"""Matplotlib figures, always on Agg and in the default style, whatever this machine's settings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nn.checkpoint import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def any_backend() -> Iterator[None]:
    """Within, Matplotlib can be imported, and what imports it, such as Optuna, on any MPLBACKEND.

    Its import refuses an MPLBACKEND that is not installed, and a Jupyter kernel hands its own down
    to each process that it starts. Afterwards the variable has its effect on other users of
    Matplotlib in this process again.
    """
    wanted = os.environ.get("MPLBACKEND")
    if not wanted or "matplotlib" in sys.modules:
        yield
        return
    os.environ["MPLBACKEND"] = "agg"
    try:
        yield
    finally:
        os.environ["MPLBACKEND"] = wanted
        if matplotlib := sys.modules.get("matplotlib"):
            with suppress(ValueError):
                matplotlib.rcParams["backend"] = wanted


@contextmanager
def drawing(file: Path, width: float, height: float) -> Iterator[Figure]:
    """Gives an empty figure of `width` by `height` inches, which is saved as a PNG at the end.

    Raises:
        OSError: the file cannot be written; the one that was there before is unchanged.
    """
    with any_backend():
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    with style.context("default"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of a letter that the font lacks
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(file) as whole:
            figure.savefig(whole, format="png", dpi=100)


def literal(text: str) -> str:
    """A text of a figure in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")
