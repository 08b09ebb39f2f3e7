"""A job: one session to be run, wherever that is, and what comes back of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rl.session.start import Start
from rl.specification.specification import Specification

Outcome = dict[str, Any]  # how a job ended, as `session.json` has it


@dataclass(frozen=True)
class Job:
    """One session to be run.

    Args:
        specification: of the experiment.
        seed: of everything random.
        folder: of the session.
        session: its number in the trial.
        trial: the number of that; None outside a search.
        callbacks: those that run in its process, `packed`.
        start: the trained agent that it starts from; None for random weights.
        stops_at: the step at which a callback stopped the session that this one repeats.
        where: what the outcome says of the machine beside `machine.describe`.
    """

    specification: Specification
    seed: int
    folder: Path
    session: int = 0
    trial: int | None = None
    callbacks: bytes = field(default=b"", repr=False)
    stops_at: int | None = None
    start: Start | None = None
    where: Mapping[str, Any] = field(default_factory=dict, repr=False)
