"""What a trial of a search has come to, from the outcomes of its sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rl.analysis.analyze import draw_trial
from rl.analysis.metrics import STATISTICS
from rl.console.optional import optional
from rl.saved.run import Run
from rl.session.job import Outcome
from rl.storage.run_folder import RunFolder


class Conclusion(NamedTuple):
    """The result of a trial.

    Args:
        state: "complete", "pruned", "diverged" or "failed".
        score: what it is ranked by; None unless it is complete.
        reason: why it diverged or failed; empty otherwise.
        figures: of its sessions together.
    """

    state: str
    score: float | None
    reason: str
    figures: Mapping[str, Any]


def conclude(
    folder: RunFolder, number: int, outcomes: Iterable[Outcome], statistic: str, pruned: bool
) -> Conclusion:
    """The result of trial `number`, all of whose sessions have ended; its curve is drawn."""
    known = [*outcomes]
    statuses = {each["status"] for each in known}
    bad = next((each for each in ("diverged", "failed") if each in statuses), None)
    state = "pruned" if pruned else bad or "complete"
    figures = Run(folder, number).figures()
    trial = folder.trial(number)
    with optional(str(trial.curve), "nothing else is missing"):
        draw_trial(trial, figures)
    score = STATISTICS[statistic](figures) if state == "complete" else None
    why = reasons(each for each in known if each["status"] == bad)
    return Conclusion(state, score, why, figures)


def reasons(outcomes: Iterable[Outcome]) -> str:
    """The reasons of sessions that failed, each once."""
    return "; ".join(dict.fromkeys(str(each.get("reason", "")) for each in outcomes))
