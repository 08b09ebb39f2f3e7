"""A run or a search as it is now, for a page that follows it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from rl.analysis.charts import Chart
from rl.dashboard.plan import Plan
from rl.dashboard.states import State
from rl.report.blocks import Figure, Section, Verdict
from rl.storage.run_folder import RunFolder

GOOD = {"solved": True, "diverged": False, "failed": False}
SENTENCES = {
    "training": "It is learning, and this page follows it.",
    "evaluating": "It has learned; its checkpoints are being measured on unseen episodes.",
    "searching": "Trials are under way, and this page follows them.",
}


@dataclass(frozen=True)
class Trial:
    """A trial of a search in the table of all."""

    number: int
    state: State
    score: float | None
    sessions: str  # how many have ended
    parameters: str


@dataclass(frozen=True)
class View:
    """What a page shows."""

    plan: Plan
    state: State
    verdict: Verdict
    charts: Sequence[Chart]
    sections: Sequence[Section]  # the logs
    sessions: Sequence[int] = ()  # the numbers of those that have begun
    trials: Sequence[Trial] = ()  # of a search, the best first
    statistic: str = ""  # by which the trials are ranked


def verdict(
    state: State, folder: RunFolder, sentences: Sequence[str], figures: Sequence[Figure]
) -> Verdict:
    """The state in a word, what it means, and more sentences and figures."""
    said = []
    if state.under_way:
        said.append(SENTENCES[state.word])
    elif not state.ended:
        path = shlex.quote(str(folder.path))
        said.append(f"It is not running on this machine. To resume: rl resume {path}")
    return Verdict(state.word.capitalize(), GOOD.get(state.word), [*said, *sentences], figures)
