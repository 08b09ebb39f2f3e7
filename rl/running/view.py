"""What a display shows of sessions, as lines that fit a width: functions of their progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rl.console.terminal import Glyphs
from rl.formatting import figure_of
from rl.session.progress import EVALUATING, Progress

Line = list[tuple[str, str]]  # pieces of a line, each with its style as rich names it

MOST_POINTS = 64  # of a curve
LEAST_POINTS = 3  # that are worth drawing
FIRST_WIDE = "\u1100"  # of the characters that take two cells


class Curve:
    """The returns of a session so far: means over ever more episodes, in order."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._size, self._part = 1, list[float]()
        self._episodes = 0

    @property
    def points(self) -> list[float]:
        """The means."""
        return [*self._means, *([float(np.mean(self._part))] if self._part else [])]

    def follow(self, progress: Progress) -> None:
        """Takes in the episodes that have ended since the last call."""
        new, self._episodes = progress.episodes - self._episodes, progress.episodes
        for value in list(progress.recent)[-new:] if new > 0 else ():
            self._part.append(value)
            if len(self._part) == self._size:
                self._means.append(float(np.mean(self._part)))
                self._part = []
        while len(self._means) >= MOST_POINTS:
            pairs = zip(self._means[::2], self._means[1::2], strict=False)
            self._part = []  # of the last pair, if it is not whole, little is lost
            self._means = [first / 2 + second / 2 for first, second in pairs]
            self._size *= 2


@dataclass
class Seen:
    """A session that is shown.

    Args:
        labels: what it is called, from the longest name to the shortest.
        progress: how far it is.
        curve: of its returns.
    """

    labels: Sequence[str]
    progress: Progress
    curve: Curve = field(default_factory=Curve)


def cells(text: str) -> int:
    """The cells that a text takes on a terminal: two for each wide character."""
    if max(text, default="") < FIRST_WIDE:
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut at its end if it is wider."""
    from rich.cells import set_cell_size

    if cells(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + glyphs.cut[:width]


def bar(fraction: float, width: int, glyphs: Glyphs) -> str:
    """A bar of which a part is done; it is full once everything is."""
    done = int(fraction * width)
    return glyphs.done * done + glyphs.rest * (width - done)


def sparkline(points: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """A curve in one line, between its own least and largest value; gaps where it is not finite."""
    parts = np.array_split(np.asarray(points, float), min(width, len(points)) or 1)
    with np.errstate(all="ignore"):
        means = np.array([part.mean() if len(part) else math.nan for part in parts])
        finite = means[np.isfinite(means)]
        if not len(finite):
            return ""
        low, high = finite.min() / 2, finite.max() / 2
        heights = (means / 2 - low) / (high - low) if high > low else means * 0 + 0.5
    top = len(glyphs.levels) - 1
    return "".join(
        glyphs.levels[round(float(each) * top)] if math.isfinite(each) else " " for each in heights
    )


def duration(seconds: float | None) -> str:
    """A time that is an estimate, in few characters; empty if it is unknown."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{max(1, math.ceil(seconds))} s"
    hours = seconds / 3600
    if seconds < 100 * 60:
        return f"{round(seconds / 60)} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def phase(progress: Progress, shortness: int = 0) -> str:
    """What a session does now: "evaluating 37 of 100 episodes", from the longest form on."""
    if progress.phase != EVALUATING:
        return progress.phase
    played, to_play = progress.played, progress.to_play
    return (
        f"evaluating {played} of {to_play} episodes",
        f"evaluating {played} of {to_play}",
        f"evaluating {played}/{to_play}",
        f"eval {played}/{to_play}",
    )[shortness]


def budget(progress: Progress) -> str:
    """The steps or the episodes so far, whichever end the session sooner, of all."""
    steps, episodes = progress.total_steps, progress.total_episodes
    by_episodes = episodes and (not steps or progress.episodes / episodes > progress.step / steps)
    done, total, name = (
        (progress.episodes, episodes, "episodes") if by_episodes
        else (progress.step, steps, "steps")
    )  # fmt: skip
    return f"{done:,} of {total:,} {name}" if total else f"{done:,} {name}"


def latest(metrics: Mapping[str, float]) -> dict[str, str]:
    """How much is explored and how large the loss was; of an agent without them, what it has."""
    amount = "entropy" if "entropy" in metrics else "exploration"
    if not {amount, "loss"} & {*metrics}:
        return {name: f"{value:.3g}" for name, value in metrics.items()}
    forms = {amount: ".3f", "loss": ".3g"}
    return {name: f"{metrics[name]:{form}}" for name, form in forms.items() if name in metrics}


Cell = Callable[[Seen, Glyphs], str]


def _label(number: int) -> Cell:
    return lambda seen, glyphs: seen.labels[min(number, len(seen.labels) - 1)]


def _cut_label(width: int) -> Cell:
    return lambda seen, glyphs: fit(seen.labels[-1], width, glyphs)


def _doing(width: int, shortness: int) -> Cell:
    """The phase, and the curve in the room that it leaves."""

    def cell(seen: Seen, glyphs: Glyphs) -> str:
        text = phase(seen.progress, shortness)
        room = width - cells(text) - 1
        curve = sparkline(seen.curve.points, room, glyphs) if room >= LEAST_POINTS else ""
        return f"{text} {curve}".ljust(width)

    return cell


def _bar(width: int) -> Cell:
    return lambda seen, glyphs: bar(seen.progress.fraction, width, glyphs)


def _greedy(form: str, unsolvable: str = "{}") -> Cell:
    """The latest evaluation beside the threshold."""

    def cell(seen: Seen, glyphs: Glyphs) -> str:
        evaluation, threshold = seen.progress.evaluation, seen.progress.threshold
        mean = figure_of(evaluation.mean) if evaluation else "-"
        return unsolvable.format(mean) if threshold is None else form.format(mean, threshold)

    return cell


def _left(form: str, width: int) -> Cell:
    def cell(seen: Seen, glyphs: Glyphs) -> str:
        time = duration(seen.progress.seconds_left)
        return (form.format(time) if time else "").rjust(width)

    return cell


def _return(seen: Seen, glyphs: Glyphs) -> str:
    recent = seen.progress.recent
    return f"return {figure_of(float(np.mean(recent)))}" if recent else ""


def _rate(seen: Seen, glyphs: Glyphs) -> str:
    progress = seen.progress
    return f"{progress.step / progress.seconds:,.0f} steps/s" if progress.seconds else ""


def _metrics(seen: Seen, glyphs: Glyphs) -> str:
    return "  ".join(f"{name} {value}" for name, value in latest(seen.progress.metrics).items())


# The columns in their order: a style, and the forms from the widest to the narrowest; a column
# whose forms are used up is left out.
COLUMNS: dict[str, tuple[str, Sequence[Cell]]] = {
    "name": ("bold", (_label(0), _label(1), _label(2), *map(_cut_label, (24, 16, 12, 8)))),
    "doing": ("", (_doing(30, 0), _doing(21, 1), _doing(17, 2), _doing(11, 3))),
    "bar": ("green", tuple(map(_bar, (24, 16, 10, 8, 5)))),
    "percent": ("", (lambda seen, _: f"{int(100 * seen.progress.fraction)}%",)),
    "greedy": ("cyan", (_greedy("greedy {}, threshold {:g}", "greedy {}"),
                        _greedy("greedy {}/{:g}", "greedy {}"), _greedy("{}/{:g}"))),
    "left": ("dim", (_left("{} left", 11), _left("{}", 4))),
    "budget": ("dim", (lambda seen, _: budget(seen.progress),)),
    "rate": ("dim", (_rate,)),
    "return": ("dim", (_return,)),
    "metrics": ("dim", (_metrics,)),
}  # fmt: skip
RIGHT = ("percent", "greedy", "left")

# Which column takes its next form, one after the other, until the line fits.
NARROWING = (
    "metrics", "return", "rate", "budget", "greedy", "bar", "doing", "bar", "name", "percent",
    "greedy", "bar", "bar", "left", "name", "doing", "name", "name", "bar", "doing", "name", "name",
    "greedy", "left",
)  # fmt: skip


def table(sessions: Sequence[Seen], width: int, glyphs: Glyphs) -> list[Line]:
    """A line for each session, none wider than `width`."""
    chosen = dict.fromkeys(COLUMNS, 0)
    texts = {name: _texts(name, 0, sessions, glyphs) for name in COLUMNS}
    widths = {name: _width(column) for name, column in texts.items()}
    for name in NARROWING:
        if sum(widths.values()) + len(widths) - 1 <= width:
            break
        chosen[name] += 1
        texts[name] = _texts(name, chosen[name], sessions, glyphs)
        widths[name] = _width(texts[name])
    shown = {name: column for name, column in texts.items() if widths[name] > 0}
    return [_line(shown, row, width, glyphs) for row in range(len(sessions))]


def _texts(name: str, form: int, sessions: Sequence[Seen], glyphs: Glyphs) -> list[str]:
    """A column in one of its forms, each cell of the same width; empty without that form."""
    _, forms = COLUMNS[name]
    if form >= len(forms):
        return []
    column = [forms[form](seen, glyphs) for seen in sessions]
    widest = max(map(cells, column), default=0)
    pads = [" " * (widest - cells(text)) for text in column]
    return [pad + text if name in RIGHT else text + pad
            for pad, text in zip(pads, column, strict=True)]  # fmt: skip


def _width(column: Sequence[str]) -> int:
    return cells(column[0]) if column else -1  # with the space before the next


def _line(columns: Mapping[str, Sequence[str]], row: int, width: int, glyphs: Glyphs) -> Line:
    line: Line = []
    for name, column in columns.items():
        text = " " + column[row] if line else column[row]
        room = width - sum(cells(before) for before, _ in line)
        line.append((fit(text, room, glyphs), COLUMNS[name][0]))
    return line


def screen(
    title: str, sessions: Sequence[Seen], width: int, height: int, glyphs: Glyphs
) -> list[Line]:
    """A title and a line for each session, as many as the terminal has room for."""
    room = max(1, height - 3)
    shown = sessions if len(sessions) <= room else sessions[: room - 1]
    lines = [[(fit(title, width, glyphs), "")], *table(shown, width, glyphs)]
    if more := len(sessions) - len(shown):
        lines.append([(fit(f"and {more} more", width, glyphs), "dim")])
    return lines


def time_left(running: Sequence[Progress], waiting: int) -> float | None:
    """How long all sessions will go on; None if it is not known yet.

    Args:
        running: those that run.
        waiting: how many have not begun; they are taken to last as long as the others.
    """
    lefts = [each.seconds_left for each in running if each.seconds_left is not None]
    if not running or len(lefts) < len(running):
        return None
    mean = sum(each.seconds for each in running) / len(running) + sum(lefts) / len(running)
    return max(max(lefts), (sum(lefts) + waiting * mean) / len(running))
