"""What a run shows on the terminal: a live table, or occasional lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from rl.experiment.session import Progress, Watcher

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SECONDS_BETWEEN_LINES = 5.0


def describe(progress: Progress) -> dict[str, str]:
    """The figures to show, by their label."""
    rate = progress.step / progress.seconds if progress.seconds else 0.0
    left = (progress.total_steps - progress.step) / rate if rate else None
    metrics, evaluation = progress.metrics, progress.evaluation
    amount = "entropy" if "entropy" in metrics else "exploration"
    recent = f"{np.mean(progress.recent):.1f}" if progress.recent else "-"
    return {
        "steps": f"{progress.step:,} of {progress.total_steps:,}",
        "steps/s": f"{rate:,.0f}",
        "episodes": f"{progress.episodes:,}",
        "return (last 100)": recent,
        "greedy": f"{evaluation.mean:.1f} ({evaluation.episodes} episodes)" if evaluation else "-",
        amount: f"{metrics[amount]:.3f}" if metrics else "-",
        "loss": f"{metrics['loss']:.3g}" if metrics else "-",
        "time left": f"at most {_duration(left)}" if left is not None else "-",
    }


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


class LineWatcher(Watcher):
    """Prints a line every few seconds, for a log file or a pipe."""

    def __init__(self) -> None:
        self._next = SECONDS_BETWEEN_LINES

    def progressed(self, progress: Progress) -> None:
        if progress.seconds >= self._next:
            self._next = progress.seconds + SECONDS_BETWEEN_LINES
            print(
                "  ".join(f"{label} {value}" for label, value in describe(progress).items()),
                flush=True,
            )


class LiveWatcher(Watcher):
    """Redraws a table in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def progressed(self, progress: Progress) -> None:
        self._live.update(_table(describe(progress)), refresh=True)


def _table(figures: dict[str, str]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(min_width=28)
    table.add_column(style="dim")
    table.add_column()
    items = list(figures.items())
    for left, right in zip(items[::2], items[1::2], strict=True):
        table.add_row(*left, *right)
    return table


@contextmanager
def watching(quiet: bool) -> Iterator[Watcher]:
    """A watcher that suits the terminal, or a silent one."""
    if quiet:
        yield Watcher()
    elif not sys.stdout.isatty():
        yield LineWatcher()
    else:
        from rich.live import Live

        with Live(auto_refresh=False) as live:
            yield LiveWatcher(live)
