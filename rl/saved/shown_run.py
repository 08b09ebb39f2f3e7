"""A run as a program sees it: its columns as arrays, and how it shows itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from nn.typing import Array
from rl.analysis.analyze import describe_trial, draw_session, draw_trial
from rl.analysis.records import table
from rl.environments.problems import Problem
from rl.errors import UserError
from rl.formatting import count_of, figure_of
from rl.saved.opened import Opened
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import (
    EPISODE_COLUMNS,
    EVALUATION_COLUMNS,
    METRIC_COLUMNS,
    SessionFolder,
)
from rl.storage.tables import COUNTS

MOST_INLINE = 5_000_000  # bytes of a picture or film that goes into a page
_TRUTHS = ("terminated", "best")
_WHOLE = {*COUNTS, "seed"}

Columns = dict[str, Array]


class ShownRun(Opened):
    """What `Run` shows of itself."""

    trial: TrialFolder
    session: SessionFolder
    manifest: dict[str, Any]

    def figures(self) -> dict[str, Any]:
        """What the sessions of this trial are worth together."""
        raise NotImplementedError

    def episodes(self, session: int | None = None) -> Columns:
        """The training episodes, an array for each column, ready for `pandas.DataFrame`.

        Args:
            session: the number of the session; by default this one.

        Raises:
            UserError: there is no such session, or its table is damaged.
        """
        return _columns(self._folder(session).episodes, EPISODE_COLUMNS)

    def evaluations(self, session: int | None = None) -> Columns:
        """The greedy evaluations; as for `episodes`."""
        return _columns(self._folder(session).evaluations, EVALUATION_COLUMNS)

    def updates(self, session: int | None = None) -> Columns:
        """The agent's metrics, of about every hundredth update; as for `episodes`."""
        return _columns(self._folder(session).updates, ("step", "update"))

    def metrics(self, session: int | None = None) -> Columns:
        """The metrics that callbacks have logged, a row a step; nan where one was not.

        As for `episodes`. Of values that were logged at the same step the last one counts.
        """
        folder = self._folder(session)
        logged = {name: _columns(folder.metric(name), METRIC_COLUMNS) for name in folder.metrics()}
        steps = np.unique(np.concatenate([[], *(each["step"] for each in logged.values())]))
        found: Columns = {"step": steps.astype(np.int64)}
        for name, each in logged.items():
            found[name] = np.full(len(steps), np.nan)
            found[name][np.searchsorted(steps, each["step"])] = each["value"]
        return found

    def _folder(self, session: int | None) -> SessionFolder:
        folder = self.session if session is None else self.trial.session(session)
        if session is not None and not folder.path.is_dir():
            there = [each.number for each in self.trial.sessions()]
            raise UserError(f"{self.path}: has no session {session}, but {there}")
        return folder

    def __repr__(self) -> str:
        return f"Run({self._place()!r}: {self._verdict()})"

    def _place(self) -> str:
        """Its folder, relative to the working folder if it is in there."""
        here = Path.cwd()
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)

    def _verdict(self) -> str:
        """What came of it, in a line."""
        try:
            if len(self.manifest["seeds"]) > 1:
                counted = describe_trial(self.figures())[0].partition(": ")[2]
                return f"{self.problem.label}, {counted}"
            return _verdict_of(self.session.read_outcome(), self.problem)
        except (UserError, OSError) as error:
            return str(error)

    def _repr_html_(self) -> str:
        """The verdict, the learning curve and the film, for a notebook."""
        with suppress(Exception):  # as where the folder cannot be written
            self._draw_missing()
        pictures = [_inline(self.trial.curve) or _inline(self.session.curve)]
        pictures.append(_inline(self.session.film))
        text = f"<p><b>{escape(self._verdict())}</b><br><code>{escape(self._place())}</code></p>"
        return text + "".join(pictures)

    def _draw_missing(self) -> None:
        if not self.session.curve.exists():
            draw_session(self.session, self.title, self.problem.solved)
        if len(self.manifest["seeds"]) > 1 and not self.trial.curve.exists():
            draw_trial(self.trial, self.figures())


def _verdict_of(outcome: dict[str, Any], problem: Problem) -> str:
    evaluation, status = outcome.get("evaluation"), outcome.get("status", "not begun")
    if evaluation is None:
        reason = f": {outcome['reason']}" if outcome.get("reason") else ""
        steps = f" at step {outcome['steps']:,}" if "steps" in outcome else ""
        return f"{problem.label}, {status}{steps}{reason}"
    solved = {True: "solved", False: "not solved", None: status}[evaluation["solved"]]
    mean, low, high = map(figure_of, (evaluation["mean_return"], *evaluation["ci95"]))
    return (
        f"{problem.label}, {solved}: mean return {mean} (95% {low} to {high}) over "
        f"{count_of(evaluation['episodes'], 'unseen episode')}"
    )


def _columns(path: Path, names: Sequence[str]) -> Columns:
    """The columns of a table; those of a table that was never begun are empty."""
    found = table(path) or dict.fromkeys(names, ())
    return {name: _typed(name, np.asarray(values, np.float64)) for name, values in found.items()}


def _typed(name: str, values: Array) -> Array:
    if name in _TRUTHS:
        return values.astype(np.bool_)
    return values.astype(np.int64) if name in _WHOLE else values


def _inline(file: Path) -> str:
    """A picture as HTML that holds it; nothing if it is not there or large."""
    try:
        content = file.read_bytes() if file.stat().st_size <= MOST_INLINE else b""
    except OSError:
        return ""
    kind, data = file.suffix[1:], base64.b64encode(content).decode()
    style = "max-width:100%"
    return f'<img style="{style}" src="data:image/{kind};base64,{data}">' if content else ""
