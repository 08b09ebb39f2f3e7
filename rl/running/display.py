"""The display of sessions: lines redrawn on a terminal or in a notebook, or occasional lines."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from rl.console.output import above, say
from rl.console.terminal import UNICODE, glyphs_of, is_live
from rl.formatting import count_of, figure_of
from rl.running.view import COLUMNS, Line, Seen, duration, latest, phase, screen, table, time_left
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.session.progress import REPORTING, Progress

if TYPE_CHECKING:
    from rich.live import Live

SECONDS_BETWEEN_LINES = 5.0  # at first; later a tenth of the time so far
MOST_SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_DRAWINGS = 0.1
MOST_LINES = 10  # of sessions, at once


def describe(progress: Progress) -> dict[str, str]:
    """The figures of one session to print, by label."""
    rate = progress.step / progress.seconds if progress.seconds else 0.0
    of_steps, of_episodes = (
        "" if total is None else f" of {total:,}"
        for total in (progress.total_steps, progress.total_episodes)
    )
    evaluation, threshold = progress.evaluation, progress.threshold
    level = "" if threshold is None else f"threshold {threshold:g}, "
    greedy = "-"
    if evaluation:
        played = count_of(evaluation.episodes, "episode")
        greedy = f"{figure_of(evaluation.mean)} ({level}{played})"
    recent = figure_of(float(np.mean(progress.recent))) if progress.recent else "-"
    left = duration(progress.seconds_left)
    return {
        "phase": phase(progress),
        "steps": f"{progress.step:,}{of_steps}",
        "steps/s": f"{rate:,.0f}",
        "episodes": f"{progress.episodes:,}{of_episodes}",
        "return (last 100)": recent,
        "greedy": greedy,
        **(latest(progress.metrics) or {"exploration": "-", "loss": "-"}),
        "time left": f"about {left}" if left else "-",
    }


def _in_words(progress: Progress) -> str:
    """The figures in one line."""
    figures = describe(progress)
    return "  ".join([figures.pop("phase"), *(f"{key} {value}" for key, value in figures.items())])


class Display(Callback):
    """Keeps the progress of each job; a subclass shows it.

    Args:
        total: the number of jobs, 0 if it is not known yet; 1 shows a session by its name.
    """

    def __init__(self, total: int) -> None:
        self.total, self._is_alone = total, total == 1
        self.running: dict[str, Seen] = {}  # by the label of the job
        self.outcomes: list[Outcome] = []
        self._title = ""

    def progressed(self, job: Job, progress: Progress) -> None:
        self._title = progress.title
        seen = self.running.setdefault(_label(job), Seen(self._labels(job, progress), progress))
        seen.progress = progress
        seen.curve.follow(progress)
        self.show()

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        seen = self.running.pop(_label(job), None)
        if not self._is_alone:
            self.noted(describe_end(job, outcome))
        elif seen and outcome.get("status") != "interrupted":  # its curves are drawn now
            seen.progress = replace(seen.progress, phase=REPORTING, seconds_left=None)
            self.running[_label(job)] = seen
        self.show(now=True)

    def show(self, now: bool = False) -> None:
        """Shows the progress, if it is time to, or `now`."""

    def _labels(self, job: Job, progress: Progress) -> list[str]:
        """What a session is called, from the longest name to the shortest."""
        if self._is_alone:
            title = progress.title or _label(job)
            return [title, title.replace(" on ", " ", 1), title.partition(" on ")[0]]
        trial = "" if job.trial is None else f"trial {job.trial}, "
        short = f"{job.session}" if job.trial is None else f"{job.trial}, {job.session}"
        return [_label(job), f"{trial}session {job.session}", short]

    def title(self) -> str:
        """What runs, how much of it has ended, and the time left."""
        waiting = max(0, self.total - len(self.outcomes) - len(self.running))
        left = time_left([seen.progress for seen in self.running.values()], waiting)
        time = f", about {duration(left)} left" if left is not None and self.total else ""
        if self.total and len(self.outcomes) >= self.total:
            time = "; report"  # what is drawn of them all
        return f"{self._title}: {self.summary()}{time}".removeprefix(": ")

    def summary(self) -> str:
        """The number of jobs that have ended, by status."""
        statuses = Counter(str(outcome["status"]) for outcome in self.outcomes)
        counts = ", ".join(f"{number} {status}" for status, number in statuses.items())
        of_all = f"{len(self.outcomes)} of " if self.total else ""
        ended = f"{of_all}{count_of(self.total or len(self.outcomes), 'session')} ended"
        return f"{ended} ({counts})" if counts else ended


def _label(job: Job) -> str:
    trial = "" if job.trial is None else f"trial {job.trial}, "
    return f"{trial}session {job.session} (seed {job.seed})"


def describe_end(job: Job, outcome: Outcome) -> str:
    """One line on how a job ended."""
    text = f"{_label(job)}: {outcome['status']}"
    if outcome.get("steps"):
        text += f" after {count_of(outcome['steps'], 'step')} and {outcome['seconds']:.1f} s"
    evaluation = outcome.get("evaluation")
    if isinstance(evaluation, dict):
        text += f", mean return {figure_of(evaluation['mean_return'])}"
    return text + (f": {outcome['reason']}" if "reason" in outcome else "")


class Lines(Display):
    """Prints lines now and then, for a log file or a pipe."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(total)
        self._clock, self._began = clock, clock()
        self._next = self._began + SECONDS_BETWEEN_LINES

    def noted(self, text: str) -> None:
        say(text)

    def show(self, now: bool = False) -> None:
        time = self._clock()
        if time < self._next:
            return
        pause = max(SECONDS_BETWEEN_LINES, (time - self._began) / 10)
        self._next = time + min(MOST_SECONDS_BETWEEN_LINES, pause)
        shown = list(self.running.items())[:MOST_LINES]
        for label, seen in shown:
            name = self._title or label if self._is_alone else label
            say(f"{name}: {_in_words(seen.progress)}")
        if more := len(self.running) - len(shown):
            say(f"and {more} more; {self.title()}")


class Redrawn(Display):
    """Redraws a line for each session in place, below what is printed meanwhile."""

    def __init__(self, total: int, live: Live, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(total)
        self._live, self._clock, self._next = live, clock, 0.0

    def noted(self, text: str) -> None:
        say(text)

    def show(self, now: bool = False) -> None:
        from rich.console import Group
        from rich.text import Text

        time = self._clock()
        if now or time >= self._next:
            self._next = time + SECONDS_BETWEEN_DRAWINGS
            lines = (Text.assemble(*line, no_wrap=True) for line in self.lines())
            self._live.update(Group(*lines), refresh=True)

    def lines(self) -> list[Line]:
        """What is shown, one cell narrower than the terminal: some wrap a line that fills it."""
        console, sessions = self._live.console, list(self.running.values())
        glyphs, width = glyphs_of(console.file), console.width - 1
        if self._is_alone:
            return table(sessions, width, glyphs)
        return screen(self.title(), sessions, width, console.height, glyphs)


class Notebook(Display):
    """Redraws a table in the output of a notebook's cell, and leaves none.

    Args:
        total: as for `Display`.
        show: `IPython.display.display`, or what is like it.
    """

    def __init__(self, total: int, show: Callable[..., Any]) -> None:
        super().__init__(total)
        self._handle = show(_Markup(""), display_id=True)
        self._next = 0.0

    def noted(self, text: str) -> None:
        say(text)

    def show(self, now: bool = False) -> None:
        if now or time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_DRAWINGS
            rows = map(_row, self.running.values())
            title = "" if self._is_alone else f"<p>{escape(self.title())}</p>"
            self._handle.update(_Markup(f"{title}<table>{''.join(rows)}</table>"))

    def close(self) -> None:
        """Removes the table."""
        self._handle.update(_Markup(""))


def _row(seen: Seen) -> str:
    """A row of a notebook's table: the columns of a terminal with a bar of HTML."""
    texts = {name: forms[0](seen, UNICODE).strip() for name, (_, forms) in COLUMNS.items()}
    done = {name: escape(text) for name, text in texts.items()}
    done["bar"] = f'<progress max="1" value="{seen.progress.fraction:.4f}"></progress>'
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in done.values())}</tr>"


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
    """A display of `total` jobs that suits the terminal, or a silent one; it leaves nothing."""
    if quiet:
        yield Callback()
    elif not is_live(sys.stdout):
        yield Lines(total)
    else:
        with _live() as live:
            yield Redrawn(total, live)


@contextmanager
def _live(text: Callable[[], str] | None = None) -> Iterator[Live]:
    """The lines at the end of the terminal that are redrawn; what is printed goes above them.

    The cursor stays visible, so that a process that is killed has no terminal to restore.

    Args:
        text: what they are, asked for every second; by default whatever updates them.
    """
    from rich.live import Live
    from rich.text import Text

    live = Live(
        get_renderable=(lambda: Text(text())) if text else None,
        auto_refresh=text is not None,
        refresh_per_second=1,
        transient=True,
        redirect_stderr=is_live(sys.stderr),
    )
    with live:
        live.console.show_cursor(True)
        with above(lambda line: live.console.print(Text(line), soft_wrap=True)):
            yield live


@contextmanager
def working(quiet: bool, text: str) -> Iterator[None]:
    """Within, a terminal shows what is being done, and for how long."""
    began = time.monotonic()
    so_far = f"{text} ({{:.0f}} s so far)".format
    live = _live(lambda: so_far(time.monotonic() - began))
    with nullcontext() if quiet or not is_live(sys.stdout) else live:
        yield


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
        with closing(Notebook(total, notebook)) as shown:
            yield shown
    else:
        asked = sys.stdout is not None and sys.stdout.isatty() if display is None else display
        with showing(not asked, total) as shown:
            yield shown
