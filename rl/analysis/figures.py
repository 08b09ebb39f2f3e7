"""Matplotlib's figures: always on Agg, in Matplotlib's own style, whatever the machine's says."""

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
    """Within, Matplotlib can be imported, and with it what imports it, such as Optuna.

    It reads MPLBACKEND then, and refuses a backend that is not there: a Jupyter kernel leaves its
    own to each process that it starts. Afterwards the variable holds for whoever uses Matplotlib
    in this process, as it would have.
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
def drawing(file: Path, width: float, height: float, dpi: int = 100) -> Iterator[Figure]:
    """Within, an empty figure is drawn on; afterwards it is in the file.

    Args:
        file: of the PNG.
        width: inches.
        height: inches.
        dpi: pixels an inch.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    with any_backend():
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    with style.context("default"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of a letter that the font has not
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(file) as whole:
            figure.savefig(whole, format="png", dpi=dpi)


def literal(text: str) -> str:
    """A name as a text of a figure, in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")
