"""Pictures of run folders. Matplotlib takes half a second to import, so only functions do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array
from rl.analysis.statistics import running_mean, sample_efficiency
from rl.run_folder import SessionFolder
from rl.tables import Columns, read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RUNNING_MEAN_EPISODES = 100


def draw_curve(folder: SessionFolder, title: str, threshold: float | None) -> None:
    """Draws `curve.png`: returns and evaluations, exploration, loss and values, over the steps.

    Args:
        folder: with the session's CSV files.
        title: above the picture.
        threshold: the return that counts as solved, or None.
    """
    figure = empty_figure(9, 8)
    returns, exploration, loss = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1, 1.5]}
    )
    returns.set_title(title)
    _draw_returns(returns, folder, threshold)
    updates = read_table(folder.updates)
    amount = next(name for name in ("exploration", "entropy") if name in updates)
    exploration.plot(updates["step"], updates[amount], color="tab:purple")
    exploration.set_ylabel(amount)
    if amount == "exploration":
        exploration.set_ylim(bottom=0)
    _draw_losses(loss, updates)
    loss.set_xlabel("environment steps")
    for axes in (returns, exploration, loss):
        axes.grid(alpha=0.25)
    figure.savefig(folder.curve, dpi=110)


def draw_learning_curve(
    file: Path, curves: Sequence[tuple[Array, Array]], title: str, threshold: float | None
) -> None:
    """Draws the IQM over sessions of the greedy evaluations, with its band, over the steps.

    Args:
        file: where the picture goes.
        curves: steps [t] and mean returns [t] of each session.
        title: above the picture.
        threshold: the return that counts as solved, or None.
    """
    figure = empty_figure(9, 5)
    axes = figure.subplots()
    steps, middle, low, high = sample_efficiency(curves)
    for its_steps, returns in curves:
        axes.plot(its_steps, returns, color="0.8", linewidth=0.8)
    axes.plot([], [], color="0.8", linewidth=0.8, label="a session")
    axes.plot(steps, middle, color="tab:blue", label=f"IQM of {len(curves)} sessions")
    axes.fill_between(steps, low, high, color="tab:blue", alpha=0.2,
                      label="its 95% bootstrap interval")  # fmt: skip
    _mark_threshold(axes, threshold)
    axes.set_title(title)
    axes.set_xlabel(
        "environment steps\n(not smoothed; a session that has stopped keeps its last value)"
    )
    axes.set_ylabel("return of the greedy evaluations")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", fontsize="small")
    figure.savefig(file, dpi=110)


def empty_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that can be written without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _mark_threshold(axes: Axes, threshold: float | None) -> None:
    if threshold is not None:
        axes.axhline(threshold, color="tab:green", linestyle="--", label=f"solved: {threshold:g}")


def _draw_returns(axes: Axes, folder: SessionFolder, threshold: float | None) -> None:
    episodes, evaluations = read_table(folder.episodes), read_table(folder.evaluations)
    axes.plot(episodes["step"], episodes["return"], ".", color="0.75", markersize=3,
              label="training episode")  # fmt: skip
    axes.plot(episodes["step"], running_mean(episodes["return"], RUNNING_MEAN_EPISODES),
              color="tab:blue", label=f"mean of the last {RUNNING_MEAN_EPISODES}")  # fmt: skip
    error = 1.96 * _over(evaluations["std_return"], np.sqrt(evaluations["episodes"]))
    axes.errorbar(evaluations["step"], evaluations["mean_return"], yerr=error, fmt="o-",
                  color="tab:orange", markersize=4, capsize=2,
                  label="greedy evaluation, 95% interval")  # fmt: skip
    _mark_threshold(axes, threshold)
    axes.set_ylabel("return")
    axes.legend(loc="lower right", fontsize="small")


def _draw_losses(axes: Axes, updates: Columns) -> None:
    (loss,) = axes.plot(updates["step"], updates["loss"], color="tab:red", linewidth=0.8)
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    values = axes.twinx()
    column, name = ("mean_q", "mean Q") if "mean_q" in updates else ("mean_value", "mean value")
    (mean,) = values.plot(updates["step"], updates[column], color="tab:brown")
    values.set_ylabel(name)
    axes.legend([loss, mean], ["loss", name], loc="upper left", fontsize="small")


def _over(one: Any, other: Any) -> Any:
    return np.asarray(one, np.float64) / np.asarray(other, np.float64)
