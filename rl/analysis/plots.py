"""Pictures of run folders. Matplotlib takes half a second to import, so only functions do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.charts import drawable, drawable_curve, is_drawable
from rl.analysis.figures import drawing, literal
from rl.analysis.statistics import running_mean, sample_efficiency
from rl.storage.run_folder import SessionFolder
from rl.storage.tables import read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

RUNNING_MEAN_EPISODES = 100


def draw_curve(folder: SessionFolder, title: str, threshold: float | None) -> None:
    """Draws `curve.png`: returns and evaluations, exploration, loss and values, over the steps.

    Args:
        folder: with the session's CSV files.
        title: above the picture.
        threshold: the return that counts as solved, or None.

    Raises:
        UserError: a file is damaged.
        OSError: the picture cannot be written.
    """
    with drawing(folder.curve, 9, 8, dpi=110) as figure:
        returns, exploration, loss = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1, 1.5]}
        )
        returns.set_title(literal(title))
        _draw_returns(returns, folder, threshold)
        updates = _table(folder.updates)
        amount = "entropy" if "entropy" in updates else "exploration"
        _plot(exploration, updates, amount, color="tab:purple")
        exploration.set_ylabel(amount)
        if amount == "exploration":
            exploration.set_ylim(bottom=0)
        _draw_losses(loss, updates)
        loss.set_xlabel("environment steps")
        for axes in (returns, exploration, loss):
            axes.grid(alpha=0.25)


def draw_learning_curve(
    file: Path, curves: Sequence[tuple[Array, Array]], title: str, threshold: float | None
) -> None:
    """Draws the IQM over sessions of the greedy evaluations, with its band, over the steps.

    Args:
        file: where the picture goes.
        curves: steps [t] and mean returns [t] of each session.
        title: above the picture.
        threshold: the return that counts as solved, or None.

    Raises:
        OSError: it cannot be written.
    """
    with drawing(file, 9, 5, dpi=110) as figure:
        axes = figure.subplots()
        steps, middle, low, high = sample_efficiency(curves)
        for its_steps, returns in curves:
            axes.plot(its_steps, returns, color="0.8", linewidth=0.8)
        axes.plot([], [], color="0.8", linewidth=0.8, label="a session")
        axes.plot(steps, middle, color="tab:blue", label=f"IQM of {len(curves)} sessions")
        axes.fill_between(steps, low, high, color="tab:blue", alpha=0.2,
                          label="its 95% bootstrap interval")  # fmt: skip
        _mark_threshold(axes, threshold)
        axes.set_title(literal(title))
        axes.set_xlabel(
            "environment steps\n(not smoothed; a session that has stopped keeps its last value)"
        )
        axes.set_ylabel("return of the greedy evaluations")
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right", fontsize="small")


def _table(file: Path) -> dict[str, Array]:
    """The columns of a table as far as a chart can show them."""
    return {name: drawable(column) for name, column in read_table(file).items()}


def _mark_threshold(axes: Axes, threshold: float | None) -> None:
    if is_drawable(threshold):
        axes.axhline(threshold, color="tab:green", linestyle="--", label=f"solved: {threshold:g}")


def _draw_returns(axes: Axes, folder: SessionFolder, threshold: float | None) -> None:
    episodes, evaluations = read_table(folder.episodes), _table(folder.evaluations)
    steps, returns = drawable_curve(episodes["step"], episodes["return"])
    axes.plot(steps, returns, ".", color="0.75", markersize=3,
              label="training episode")  # fmt: skip
    axes.plot(steps, running_mean(returns, RUNNING_MEAN_EPISODES),
              color="tab:blue", label=f"mean of the last {RUNNING_MEAN_EPISODES}")  # fmt: skip
    error = 1.96 * evaluations["std_return"] / np.sqrt(evaluations["episodes"])
    axes.errorbar(evaluations["step"], evaluations["mean_return"], yerr=error, fmt="o-",
                  color="tab:orange", markersize=4, capsize=2,
                  label="greedy evaluation, 95% interval")  # fmt: skip
    _mark_threshold(axes, threshold)
    axes.set_ylabel("return")
    axes.legend(loc="lower right", fontsize="small")


def _draw_losses(axes: Axes, updates: dict[str, Array]) -> None:
    loss = _plot(axes, updates, "loss", color="tab:red", linewidth=0.8)
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    values = axes.twinx()
    column, name = ("mean_q", "mean Q") if "mean_q" in updates else ("mean_value", "mean value")
    mean = _plot(values, updates, column, color="tab:brown")
    values.set_ylabel(name)
    axes.legend([loss, mean], ["loss", name], loc="upper left", fontsize="small")


def _plot(axes: Axes, updates: dict[str, Array], column: str, **look: Any) -> Line2D:
    """A column over the steps; one that an agent has not is empty."""
    steps = updates["step"]
    (line,) = axes.plot(steps, updates.get(column, np.full(len(steps), np.nan)), **look)
    return line
