"""Is one agent better than another? Figures, and a sentence that says what they support.

The rule: a difference of mean returns is shown if its interval excludes 0. The interval is that of
`paired_difference_interval`; with several pairs each interval is widened, so that the chance of any
error stays at 5% (Bonferroni). Holm's correction would find a little more, but its limits are not
those of the intervals that the reader sees.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nn.typing import Array
from rl.analysis.names import FEWEST_QUARTERS, FEWEST_SESSIONS
from rl.analysis.statistics import (
    AVERAGES,
    Statistic,
    bootstrap_interval,
    improvement_interval,
    paired_difference_interval,
    probability_of_improvement,
    sessions_needed,
)

LEVEL = 0.95
SUMMARY_HEAD = ("run", "sessions", "mean", "median", "IQM", "solved")  # or without the IQM
PAIR_HEAD = ("first - second", "difference of means", "P(first > second)")
FEW = f"The interval of a run with fewer than {FEWEST_SESSIONS} sessions is about their range."


@dataclass(frozen=True)
class Group:
    """The sessions of one setting on one problem."""

    name: str  # of the run
    problem: str  # its id
    scores: Array  # [n] mean return of each session's best checkpoint on the report episodes
    returns: Array  # [n, E] of each episode; column e has the same seed in all groups
    curves: list[tuple[Array, Array]]  # of each session: evaluated steps [t], mean returns [t]
    threshold: float | None  # the return that counts as solved, if there is one

    def to_dict(self) -> dict[str, Any]:
        """The group for JSON; `group_of` is the inverse."""
        curves = [{"steps": x.tolist(), "returns": y.tolist()} for x, y in self.curves]
        arrays = {"scores": self.scores.tolist(), "returns": self.returns.tolist()}
        return {**asdict(self), **arrays, "curves": curves}


def group_of(values: Mapping[str, Any]) -> Group:
    """The group of a `to_dict`."""
    curves = [(np.array(each["steps"]), np.array(each["returns"])) for each in values["curves"]]
    arrays = {name: np.array(values[name]) for name in ("scores", "returns")}
    return Group(**{**values, **arrays, "curves": curves})


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval."""

    value: float
    interval: tuple[float, float] | None  # unknown with a single session

    def turned(self, whole: float) -> Estimate:
        """The estimate of `whole` minus the figure."""
        ends = self.interval and (whole - self.interval[1], whole - self.interval[0])
        return Estimate(whole - self.value, ends)

    def numbers(self, decimals: int | None = None) -> list[str]:
        """The value and the ends of its interval, by default to about three digits."""
        numbers = [self.value, *(self.interval or ())]
        if decimals is None:
            largest = max(map(abs, numbers))
            decimals = max(1, 2 - math.floor(math.log10(largest))) if largest > 1e-9 else 1
        return [f"{round(each, decimals) + 0.0:.{decimals}f}" for each in numbers]  # never -0.0


@dataclass(frozen=True)
class Summary:
    """The performance of a group, with 95% bootstrap intervals."""

    name: str
    sessions: int
    mean: Estimate
    median: Estimate
    iqm: Estimate
    threshold: float | None  # the return that counts as solved, if there is one
    solved: float | None  # the share of sessions at or above it

    @property
    def has_iqm(self) -> bool:
        """Whether its IQM is another figure than its mean."""
        return self.sessions >= FEWEST_QUARTERS


@dataclass(frozen=True)
class Pair:
    """Two groups compared."""

    first: str
    second: str
    sessions: tuple[int, int]  # of the first and of the second
    level: float  # of the intervals
    difference: Estimate  # mean return of the first minus that of the second
    improvement: Estimate  # the probability that a session of the first beats one of the second
    needed: int | None  # about how many sessions of each would show it; see `sessions_needed`

    @property
    def better(self) -> str | None:
        """The name of the better one; None if no difference is shown."""
        low, high = self.difference.interval or (0.0, 0.0)
        if low <= 0 <= high:
            return None
        return self.first if low > 0 else self.second

    @property
    def verdict(self) -> str:
        """What the sessions support, in a sentence."""
        if self.difference.interval is None:
            return self._single()
        if self.better == self.first:
            return self._clear(self.second, self.difference, self.improvement)
        if self.better == self.second:
            return self._clear(self.first, self.difference.turned(0), self.improvement.turned(1))
        if np.abs(self.difference.interval).max() < 1e-9:
            return (
                f"{self.first} and {self.second} have the same mean return in every session:"
                " nothing tells them apart."
            )
        return self._unclear()

    def _single(self) -> str:
        pair = zip((self.first, self.second), self.sessions, strict=True)
        single = [name for name, sessions in pair if sessions < 2]
        have = "has one session" if len(single) == 1 else "have one session each"
        return (
            f"{' and '.join(single)} {have}, which shows nothing about the spread between"
            f" sessions; run at least {FEWEST_SESSIONS} of each to compare them."
        )

    def _clear(self, other: str, difference: Estimate, improvement: Estimate) -> str:
        value, low, high = difference.numbers()
        probability, least, most = improvement.numbers(2)
        wins = f"a session of it wins with probability {probability} ({least} to {most})"
        if improvement.value == 1:  # its interval would be "1.00 to 1.00", however few they are
            wins = f"each of its sessions is above each of {other}"
        return (
            f"{self.better} is better than {other}: its mean return is {value} higher"
            f" ({_percent(self.level)} interval {low} to {high}), and {wins}."
        )

    def _unclear(self) -> str:
        value, low, high = self.difference.numbers()
        found = f"{value}, {_percent(self.level)} interval {low} to {high}"
        verdict = (
            f"These sessions do not show a difference between {self.first} and {self.second}"
            f" ({found})"
        )
        if self.needed is None:
            return f"{verdict}."
        needed = max(self.needed, min(self.sessions) + 1)  # these have not been enough
        return (
            f"{verdict}; about {needed} sessions of each would be needed to see one of that size."
        )


@dataclass(frozen=True)
class Comparison:
    """Two or more groups on one problem, and all pairs of them."""

    groups: tuple[Group, ...]
    summaries: tuple[Summary, ...]  # one for each group
    pairs: tuple[Pair, ...]
    pair_level: float  # of each pair's intervals, with which all hold together at 95%

    @property
    def problem(self) -> str:
        """The id of the problem."""
        return self.groups[0].problem

    def to_dict(self) -> dict[str, Any]:
        """The figures and verdicts for JSON, with the data that they are computed from."""
        return {
            "problem": self.problem,
            "level": LEVEL,
            "pair_level": self.pair_level,
            "groups": [asdict(each) for each in self.summaries],
            "pairs": [
                {**asdict(each), "better": each.better, "verdict": each.verdict}
                for each in self.pairs
            ],
            "data": [group.to_dict() for group in self.groups],
        }

    def lines(self) -> list[str]:
        """The tables, what their intervals mean, and the verdicts."""
        return [
            f"{self.problem}: mean returns of the best checkpoints, all on the same episodes",
            "",
            *_table(*self._summary_table()),
            "",
            *_table(PAIR_HEAD, map(_pair_row, self.pairs)),
            "",
            *self.caption(),
            "",
            *self.verdicts,
        ]

    def _summary_table(self) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
        """Its head and rows; without the column of the IQM if each would be a mean."""
        rows = [_summary_row(each) for each in self.summaries]
        if any(each.has_iqm for each in self.summaries):
            return SUMMARY_HEAD, rows
        place = SUMMARY_HEAD.index("IQM")
        head, *rows = ([*row[:place], *row[place + 1 :]] for row in (SUMMARY_HEAD, *rows))
        return head, rows

    @property
    def _has_few(self) -> bool:
        """Whether the intervals of a run say little more than the range of its sessions."""
        return any(1 < each.sessions < FEWEST_SESSIONS for each in self.summaries)

    @property
    def verdicts(self) -> list[str]:
        """What the sessions support, each sentence once."""
        return list(dict.fromkeys(pair.verdict for pair in self.pairs))

    def text(self) -> str:
        """The lines in one string."""
        return "\n".join(self.lines())

    def caption(self) -> list[str]:
        """What the intervals mean, in lines."""
        corrected = (
            f"Those of each pair are {_percent(self.pair_level)} intervals, so that all pairs hold"
            f" together at {_percent(LEVEL)} (Bonferroni)."
        )
        return [
            f"Intervals are at {_percent(LEVEL)}, from resampled sessions (bootstrap); of a"
            " difference",
            "of means, from resampled sessions and episodes, wider for few sessions (Student's t).",
            *([FEW] if self._has_few else []),
            *([corrected] if self.pair_level > LEVEL else []),
            "A difference counts as shown if its interval excludes 0.",
        ]


def compare(groups: Sequence[Group]) -> Comparison:
    """Compares each pair of groups, on the episodes that both have.

    Raises:
        ValueError: there are fewer than two groups, two have one name or different problems, or
            data are missing, not finite or not of each session.
    """
    _check(groups)
    pairs = list(itertools.combinations(groups, 2))
    compared = sum(min(len(x.scores), len(y.scores)) > 1 for x, y in pairs)
    level = 1 - (1 - LEVEL) / max(compared, 1)
    return Comparison(
        groups=tuple(groups),
        summaries=tuple(_summary(group) for group in groups),
        pairs=tuple(_pair(first, second, level) for first, second in pairs),
        pair_level=level,
    )


def _check(groups: Sequence[Group]) -> None:
    names = [group.name for group in groups]
    if len(groups) < 2:
        found = f"{names[0]} is the only one" if names else "none is given"
        raise ValueError(f"a comparison needs two runs or more, and {found}; name another")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"{', '.join(twice)}: named more than once; name each run once")
    if len({group.problem for group in groups}) > 1:
        found = ", ".join(f"{group.name} on {group.problem}" for group in groups)
        raise ValueError(f"runs on different problems: {found}; compare runs on the same one")
    for group in groups:
        _check_data(group)


def _check_data(group: Group) -> None:
    name, sessions = group.name, len(group.scores)
    if sessions == 0:
        raise ValueError(f"{name}: has no finished session; let one finish, or leave the run out")
    if np.ndim(group.returns) != 2 or {len(group.returns), len(group.curves)} != {sessions}:
        raise ValueError(f"{name}: scores, returns and curves must be of the same sessions")
    if np.size(group.returns) == 0 or any(len(steps) == 0 for steps, _ in group.curves):
        raise ValueError(f"{name}: a session has no evaluation; leave that session out")
    if not (np.isfinite(group.scores).all() and np.isfinite(group.returns).all()):
        raise ValueError(f"{name}: a return is not finite; leave that session out")


def _summary(group: Group) -> Summary:
    scores, threshold = group.scores, group.threshold
    return Summary(
        name=group.name,
        sessions=len(scores),
        **{name: _estimate(scores, statistic) for name, statistic in AVERAGES.items()},
        threshold=threshold,
        solved=None if threshold is None else float(np.mean(scores >= threshold)),
    )


def _estimate(scores: Array, statistic: Statistic) -> Estimate:
    interval = bootstrap_interval(scores, LEVEL, statistic=statistic) if len(scores) > 1 else None
    return Estimate(float(statistic(scores)), interval)


def _pair(first: Group, second: Group, level: float) -> Pair:
    episodes = min(first.returns.shape[1], second.returns.shape[1])
    # Only differences matter; from one session of their own, those of equal sessions are exactly 0.
    x, y = (each.returns[:, :episodes] - second.returns[0, :episodes] for each in (first, second))
    of_x, of_y = x.mean(axis=1), y.mean(axis=1)
    several = min(len(x), len(y)) > 1
    return Pair(
        first=first.name,
        second=second.name,
        sessions=(len(x), len(y)),
        level=level,
        difference=Estimate(
            float(x.mean() - y.mean()), paired_difference_interval(x, y, level) if several else None
        ),
        improvement=Estimate(
            probability_of_improvement(of_x, of_y),
            improvement_interval(of_x, of_y, level) if several else None,
        ),
        needed=sessions_needed(of_x, of_y, level=level),
    )


def _summary_row(summary: Summary) -> list[str]:
    figures = [_brackets(each.numbers()) for each in (summary.mean, summary.median, summary.iqm)]
    figures[-1] = figures[-1] if summary.has_iqm else "-"
    solved = "-" if summary.solved is None else _percent(summary.solved)
    return [summary.name, str(summary.sessions), *figures, solved]


def _pair_row(pair: Pair) -> list[str]:
    figures = (pair.difference.numbers(), pair.improvement.numbers(2))
    return [f"{pair.first} - {pair.second}", *map(_brackets, figures)]


def _brackets(numbers: Sequence[str]) -> str:
    """Such as 3.0 [2.1, 4.5]."""
    value, *ends = numbers
    return f"{value} [{', '.join(ends)}]" if ends else value


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with aligned columns, the first to the left and the others to the right."""
    cells = [header, *rows]
    first, *others = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]) for row in cells]
