"""Pictures of run folders. Matplotlib takes half a second to import, so only functions do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rl.analysis.statistics import running_mean
from rl.run_folder import SessionFolder, read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RUNNING_MEAN_EPISODES = 100


def draw_curve(folder: SessionFolder, title: str, threshold: float | None) -> None:
    """Draws `curve.png`: returns and evaluations, exploration, loss and values, over the steps.

    Args:
        folder: with the session's CSV files.
        title: above the picture.
        threshold: the return that counts as solved, or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout="constrained")
    FigureCanvasAgg(figure)
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
    if threshold is not None:
        axes.axhline(threshold, color="tab:green", linestyle="--", label=f"solved: {threshold:g}")
    axes.set_ylabel("return")
    axes.legend(loc="lower right", fontsize="small")


def _draw_losses(axes: Axes, updates: dict[str, list[float]]) -> None:
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
