"""Each of Gymnasium's small environments by one command: killed, resumed to the bit, seen."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from rl.cli import main
from rl.running import jobs
from rl.session.saved import evaluate_player
from tests.rl.conftest import Command, quick
from tests.rl.test_resume import child, contents, die_in_step, ended, needs_fork

MODULES = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text")
IDS = [
    id for id, spec in gymnasium.registry.items()
    if str(spec.entry_point).startswith(MODULES)
]  # fmt: skip
# An untrained agent walks for ever in an environment without a time limit.
SHORT = ("--steps", "1500", "--set", "train.evaluate_every=500", "train.evaluate_episodes=1",
         "train.checkpoint_seconds=0.05", "train.max_evaluation_steps=50",
         "network.hidden=[16]")  # fmt: skip


def test_the_table_has_those_that_are_meant() -> None:
    names = {re.sub(r"-v\d+$", "", id) for id in IDS}
    assert {"Acrobot", "Blackjack", "CartPole", "CliffWalking", "FrozenLake", "FrozenLake8x8",
            "MountainCar", "MountainCarContinuous", "Pendulum", "Taxi"} <= names  # fmt: skip


@needs_fork
@pytest.mark.parametrize("id", quick(0, IDS))
def test_one_command_is_enough(
    id: str, rl_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jobs, "evaluate_player", lambda *who, **_: evaluate_player(who[0], who[1], 3)
    )
    assert rl_here("run", id, *SHORT, "--quiet", "--output", "whole").returncode == 0

    cut = tmp_path / "cut/trial_000/session_000"

    def work() -> None:
        die_in_step(900, cut)
        main(["run", id, *SHORT, "--quiet", "--output", "cut"])

    assert ended(child(work)) == -signal.SIGKILL
    assert rl_here("resume", "cut", "--quiet").returncode == 0
    with np.printoptions(threshold=10**9):
        resumed = contents(cut)
        assert resumed == contents(tmp_path / "whole/trial_000/session_000")
    assert resumed["outcome"]["updates"] > 0

    for verb in ("verify", "evaluate", "film", "report"):
        answer = rl_here(verb, "cut", *(("--episodes", 3) if verb == "evaluate" else ()))
        assert answer.returncode == 0, answer.stderr
    assert (cut / "film.gif").read_bytes().startswith(b"GIF89a")
    page = (tmp_path / "cut/report.html").read_text()
    assert id in page
    assert "data:image/gif;base64" in page
