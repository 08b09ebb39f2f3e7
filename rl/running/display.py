"""The display of a run on the terminal: a live table, or occasional lines."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from rl.console.output import say
from rl.console.place import shown
from rl.errors import printable
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.session.progress import Progress

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.table import Table

SECONDS_BETWEEN_LINES = 5.0


def describe(progress: Progress) -> dict[str, str]:
    """The figures of one session to show, by label."""
    rate = progress.step / progress.seconds if progress.seconds else 0.0
    left = _seconds_left(progress)
    of_steps, of_episodes = (
        "" if total is None else f" of {total:,}"
        for total in (progress.total_steps, progress.total_episodes)
    )
    metrics, evaluation = progress.metrics, progress.evaluation
    recent = f"{np.mean(progress.recent):.1f}" if progress.recent else "-"
    return {
        "steps": f"{progress.step:,}{of_steps}",
        "steps/s": f"{rate:,.0f}",
        "episodes": f"{progress.episodes:,}{of_episodes}",
        "return (last 100)": recent,
        "greedy": f"{evaluation.mean:.1f} ({evaluation.episodes} episodes)" if evaluation else "-",
        **_latest(metrics),
        "time left": f"at most {_duration(left)}" if left else "evaluating" if left == 0 else "-",
    }


def _latest(metrics: Mapping[str, float]) -> dict[str, str]:
    """How much is explored and how large the loss was; of an agent without them, what it has."""
    if not metrics:
        return {"exploration": "-", "loss": "-"}
    amount = "entropy" if "entropy" in metrics else "exploration"
    if not {amount, "loss"} & {*metrics}:
        return {name: f"{value:.3g}" for name, value in metrics.items()}
    forms = {amount: ".3f", "loss": ".3g"}
    return {name: f"{metrics[name]:{form}}" for name, form in forms.items() if name in metrics}


def _seconds_left(progress: Progress) -> float | None:
    """How long a session goes on at most, at its pace so far; None if it has none yet."""
    left = [
        (total - done) * progress.seconds / done
        for done, total in (
            (progress.step, progress.total_steps),
            (progress.episodes, progress.total_episodes),
        )
        if done and total is not None
    ]
    return max(0.0, min(left)) if left and progress.seconds else None


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


class Display(Callback):
    """Keeps the progress of each job; a subclass shows it.

    Args:
        total: the number of jobs, 0 if unknown; 1 shows a session in detail.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: dict[str, Progress] = {}  # by the label of the job
        self.outcomes: list[Outcome] = []

    def progressed(self, job: Job, progress: Progress) -> None:
        self.running[_label(job)] = progress
        self.show()

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.running.pop(_label(job), None)
        self.outcomes.append(outcome)
        if self.total != 1:
            self.noted(describe_end(job, outcome))
            self.show()

    def show(self) -> None:
        """Shows the progress."""

    def summary(self) -> str:
        """The number of jobs that have ended, by status."""
        statuses = Counter(str(outcome["status"]) for outcome in self.outcomes)
        counts = ", ".join(f"{number} {status}" for status, number in statuses.items())
        of_all = f" of {self.total}" if self.total else ""
        ended = f"{len(self.outcomes)}{of_all} sessions ended"
        return f"{ended} ({counts})" if counts else ended


def _label(job: Job) -> str:
    trial = "" if job.trial is None else f"trial {job.trial}, "
    return f"{trial}session {job.session} (seed {job.seed})"


def describe_end(job: Job, outcome: Outcome) -> str:
    """One line on how a job ended."""
    text = f"{_label(job)}: {outcome['status']}"
    if outcome.get("steps"):
        text += f" after {outcome['steps']:,} steps and {outcome['seconds']:.1f} s"
    evaluation = outcome.get("evaluation")
    if isinstance(evaluation, dict):
        text += f", mean return {evaluation['mean_return']:.1f}"
    return text + (f": {outcome['reason']}" if "reason" in outcome else "")


class Lines(Display):
    """Prints lines every few seconds, for a log file or a pipe."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(total)
        self._clock = clock
        self._next = clock() + SECONDS_BETWEEN_LINES

    def noted(self, text: str) -> None:
        say(text)

    def show(self) -> None:
        if self._clock() < self._next:
            return
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        for label, progress in self.running.items():
            figures = "  ".join(f"{name} {value}" for name, value in describe(progress).items())
            say(f"{label}: {figures}" if self.total != 1 else figures)


class Redrawn(Display):
    """Redraws a table in place."""

    def __init__(self, total: int, live: Live) -> None:
        super().__init__(total)
        self._live = live

    def noted(self, text: str) -> None:
        self._live.console.print(printable(shown(text)), highlight=False, markup=False)

    def show(self) -> None:
        if self.total != 1:
            self._live.update(self._sessions(), refresh=True)
        else:
            (progress,) = self.running.values()
            self._live.update(_session(progress), refresh=True)

    def _sessions(self) -> Table:
        """A table with one row for each running session."""
        from rich.table import Table

        table = Table(title=self.summary(), title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        columns = ("steps", "steps/s", "episodes", "return (last 100)", "greedy", "time left")
        for name in columns:
            table.add_column(name, justify="right")
        for label, progress in self.running.items():
            figures = describe(progress)
            table.add_row(label, *(figures[name] for name in columns))
        return table


def _session(progress: Progress) -> Group:
    """A bar of one session, and a table of all its figures."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(min_width=28)
    table.add_column(style="dim")
    table.add_column()
    items = list(describe(progress).items())
    for left, right in zip(items[::2], items[1::2], strict=True):
        table.add_row(*left, *right)
    return Group(ProgressBar(progress.total_steps, progress.step, width=60), table)


class Notebook(Display):
    """Redraws a table in the output of a notebook's cell.

    Args:
        total: as for `Display`.
        show: `IPython.display.display`, or what is like it.
    """

    def __init__(self, total: int, show: Callable[..., Any]) -> None:
        super().__init__(total)
        self._handle = show(_Markup(""), display_id=True)

    def noted(self, text: str) -> None:
        say(text)

    def show(self) -> None:
        rows = [_row(label, progress) for label, progress in self.running.items()]
        summary = f"<p>{escape(self.summary())}</p>" if self.total != 1 else ""
        self._handle.update(_Markup(f"{summary}<table>{''.join(rows)}</table>"))


def _row(label: str, progress: Progress) -> str:
    """A row of a notebook's table: a bar and the figures of one session."""
    bar = f'<progress max="{progress.total_steps}" value="{progress.step}"></progress>'
    figures = (f"{name} {value}" for name, value in describe(progress).items())
    cells = (escape(label), bar, *map(escape, figures))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


class _Markup:
    """HTML that a notebook shows."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def _notebook() -> Callable[..., Any] | None:
    """What shows something in the notebook that this process serves, if it does."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    return display


@contextmanager
def showing(quiet: bool, total: int) -> Iterator[Callback]:
    """A display of `total` jobs that suits the terminal, or a silent one."""
    if quiet:
        yield Callback()
    elif not sys.stdout.isatty():
        yield Lines(total)
    else:
        from rich.live import Live

        with Live(auto_refresh=False) as live:
            yield Redrawn(total, live)


@contextmanager
def showing_by_default(display: bool | None, total: int) -> Iterator[Callback]:
    """`showing` for a program.

    Args:
        display: whether to show `total` jobs; None where somebody looks: in a terminal and in a
            notebook, but neither in a pipe nor in a file.
        total: the number of jobs.
    """
    notebook = None if display is False else _notebook()
    if notebook:
        yield Notebook(total, notebook)
    else:
        asked = sys.stdout is not None and sys.stdout.isatty() if display is None else display
        with showing(not asked, total) as shown:
            yield shown
