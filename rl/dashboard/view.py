"""A run or a search as it stands now, for a page that follows it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rl.analysis.charts import Chart
from rl.dashboard.plan import Plan
from rl.dashboard.states import State
from rl.report.blocks import Figure, Section, Verdict

GOOD = {"solved": True, "diverged": False, "failed": False}
SENTENCES = {
    "training": "It is learning, and this page follows it.",
    "evaluating": "It has learned; its checkpoints are being measured on unseen episodes.",
    "searching": "Trials are under way, and this page follows them.",
}


@dataclass(frozen=True)
class Trial:
    """A trial of a search in its table.

    Args:
        number: its place among the trials.
        state: how it stands.
        score: what it was worth, if that is known.
        sessions: how many of its sessions have ended.
        parameters: what was tried.
    """

    number: int
    state: State
    score: float | None
    sessions: str
    parameters: str


@dataclass(frozen=True)
class View:
    """What a page shows.

    Args:
        plan: what is to be done.
        state: how it stands.
        verdict: the same in words and figures.
        charts: in their order.
        sections: the logs.
        sessions: the numbers of those that were begun.
        trials: of a search, the best first.
    """

    plan: Plan
    state: State
    verdict: Verdict
    charts: Sequence[Chart]
    sections: Sequence[Section]
    sessions: Sequence[int] = field(default=())
    trials: Sequence[Trial] = field(default=())


def verdict(state: State, said: Sequence[str], figures: Sequence[Figure]) -> Verdict:
    """A state in words and figures."""
    return Verdict(state.word.capitalize(), GOOD.get(state.word), said, figures)


def sentences(state: State, path: Path) -> list[str]:
    """What can be said of a state, and what can be done about it."""
    if state.ended:
        return []
    remedy = f"It is not running on this machine. To resume: rl resume {shlex.quote(str(path))}"
    return [SENTENCES[state.word] if state.under_way else remedy]
