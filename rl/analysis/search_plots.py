"""Pictures of a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn.typing import Array
from rl.analysis.charts import drawable, places
from rl.analysis.figures import drawing, literal
from rl.analysis.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Result = dict[str, Any]

LONGEST_LABEL = 18


def draw_metrics(
    file: Path, results: Sequence[Result], paths: Sequence[str], logs: Collection[str],
    statistic: str,
) -> None:  # fmt: skip
    """Draws each metric against each parameter, a dot a trial.

    Args:
        file: where the picture goes.
        results: of the trials that have a score.
        paths: of the parameters, a column each.
        logs: those on a logarithmic scale.
        statistic: what the score is.
    """
    rows = [(statistic, "score"), *((name, name) for name in METRICS if name != statistic)]
    with drawing(file, 1.5 + 2.7 * len(paths), 0.8 + 2.1 * len(rows)) as figure:
        grid = figure.subplots(len(rows), len(paths), squeeze=False, sharex="col", sharey="row")
        for (name, key), line in zip(rows, grid, strict=True):
            line[0].set_ylabel(name)
            for path, axes in zip(paths, line, strict=True):
                there = [result for result in results if path in result["parameters"]]
                at = _places(axes, [each["parameters"][path] for each in there], path in logs)
                heights = drawable([each[key] for each in there])
                axes.plot(at, heights, "o", color="tab:blue", alpha=0.6, markersize=5)
                axes.grid(alpha=0.25)
        for path, axes in zip(paths, grid[-1], strict=True):
            axes.set_xlabel(path)
        figure.suptitle(f"{len(results)} trials: each metric against each parameter")


def draw_pairs(
    file: Path, results: Sequence[Result], paths: Sequence[str], logs: Collection[str]
) -> None:
    """Draws each pair of parameters, a dot a trial, coloured by fitness.

    Args:
        file: where the picture goes.
        results: of the trials that have a score.
        paths: of the parameters.
        logs: those on a logarithmic scale.
    """
    last = len(paths) - 1
    whole = [each for each in results if all(path in each["parameters"] for path in paths)]
    colours = drawable([each["fitness"] for each in whole])
    with drawing(file, 2.2 + 2.9 * last, 1.4 + 2.5 * last) as figure:
        grid = figure.subplots(last, last, squeeze=False)
        dots = None
        for row, across in enumerate(paths[1:]):
            for column, along in enumerate(paths[:-1]):
                axes = grid[row][column]
                if column > row:
                    axes.set_visible(False)
                    continue
                x = _places(axes, [each["parameters"][along] for each in whole], along in logs)
                y = _places(
                    axes, [each["parameters"][across] for each in whole], across in logs, "y"
                )
                dots = axes.scatter(
                    x, y, c=colours, cmap="viridis", edgecolors="0.3", linewidths=0.4
                )
                axes.set_xlabel(along if row == last - 1 else "")
                axes.set_ylabel(across if column == 0 else "")
                axes.grid(alpha=0.25)
        if dots is not None and whole:
            figure.colorbar(dots, ax=grid, label="fitness")
        figure.suptitle(f"{len(whole)} trials: pairs of parameters")


def _places(axes: Axes, values: Sequence[Any], log: bool, axis: str = "x") -> Array:
    """Where values stand on an axis: numbers on its scale, anything else side by side."""
    found, names = places(values)
    if names is not None:
        short = [n if len(n) <= LONGEST_LABEL else n[: LONGEST_LABEL - 1] + "…" for n in names]
        labels = [literal(name) for name in short]
        turned = {"rotation": 20, "ha": "right"} if axis == "x" else {}
        getattr(axes, f"set_{axis}ticks")(range(len(names)), labels, **turned)
        getattr(axes, f"set_{axis}lim")(-0.5, len(names) - 0.5)
    elif log:
        from matplotlib.ticker import NullFormatter

        getattr(axes, f"set_{axis}scale")("log")
        getattr(axes, f"{axis}axis").set_minor_formatter(NullFormatter())
    return drawable(found)
