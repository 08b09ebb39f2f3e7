"""Callbacks: each of several hears everything, and a user's own hears of every session."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock, call, sentinel

import pytest

import rl
from rl.session.callback import Callback, Callbacks
from rl.session.job import Job, Outcome
from rl.session.player import Player
from rl.session.progress import Progress

# The arguments of each method.
ARGUMENTS = {
    "started": (sentinel.job, sentinel.session),
    "progressed": (sentinel.job, sentinel.progress),
    "evaluated": (sentinel.job, sentinel.progress, sentinel.player),
    "restarted": (sentinel.job, "its node died"),
    "ended": (sentinel.job, {}),
    "noted": ("a text",),
}


def test_each_method_is_known() -> None:
    assert {name for name in vars(Callback) if not name.startswith("_")} == set(ARGUMENTS)


@pytest.mark.parametrize("method", ARGUMENTS)
def test_each_of_several_is_called_in_their_order(method: str) -> None:
    both = Mock(first=Mock(spec=Callback), second=Mock(spec=Callback))
    getattr(Callbacks([both.first, both.second]), method)(*ARGUMENTS[method])
    assert both.mock_calls == [
        getattr(call, each)(*ARGUMENTS[method]) for each in (f"first.{method}", f"second.{method}")
    ]


class Diary(rl.Callback):
    """What a user may write."""

    def __init__(self) -> None:
        self.evaluations: list[tuple[int, int, bool]] = []
        self.ends: dict[int, str] = {}
        self.states: list[str] = []

    def started(self, job: Job, session: Any) -> None:
        self._session = session

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        if player:
            self.states.append(self._session.outcome()["status"])
        self.evaluations.append((job.seed, progress.step, player is not None))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.ends[job.seed] = outcome["status"]


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_users_callback_hears_of_every_session(sessions: int, tmp_path: Path) -> None:
    """With its player, if it runs in this process; its status is `running` meanwhile."""
    diary = Diary()
    overrides = ["train.steps=600", "train.evaluate_every=300", "train.evaluate_episodes=2",
                 "agent.learn_start=100"]  # fmt: skip
    rl.train("cartpole_dqn", overrides=overrides, output=tmp_path / "run", callback=diary,
             sessions=sessions, draw=False)  # fmt: skip
    here = sessions == 1
    expected = [(seed, step, here) for seed in range(sessions) for step in (300, 600)]
    assert sorted(diary.evaluations) == expected
    assert diary.ends == dict.fromkeys(range(sessions), "finished")
    assert diary.states == ["running"] * 2 * here
