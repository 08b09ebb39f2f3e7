"""The dashboard as its reader has it, while a session learns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rl.running.train import train
from rl.session.callback import Callback
from rl.session.job import Job
from tests.browser.conftest import Page

SETTINGS = ("train.steps=900", "train.evaluate_every=300", "train.evaluate_episodes=2",
            "network.hidden=[4]", "memory.capacity=500", "agent.learn_start=64")  # fmt: skip
ROWS = "document.querySelectorAll('#latest-evaluations tbody tr').length"
TICKS = "[...document.querySelector('.chart').querySelectorAll('.x-ticks text')]"
HAS_END = f"{TICKS}.some((tick) => tick.textContent === '800')"
IS_ZOOMED = "!document.querySelector('.chart .reset').hidden"
FRAME = "document.querySelector('figure.replay input').value"

Wait = Callable[[str], None]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a dashboard over an empty folder."""
    (tmp_path / "runs").mkdir()
    command = [sys.executable, "-m", "rl", "dashboard", str(tmp_path / "runs"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.kill()


class Reader(Callback):
    """Comes when the first evaluation was made, and sees the others come."""

    def __init__(self, page: Page, wait: Wait, address: str) -> None:
        self._page, self._wait, self._address = page, wait, address
        self.evaluations = 0

    def evaluated(self, job: Job, progress: Any, player: Any) -> None:
        self.evaluations += 1
        if self.evaluations == 1:
            self._arrive()
        self._wait(f"{ROWS} === {self.evaluations}")
        assert self._page.browser.title == "training · cartpole_dqn"

    def _arrive(self) -> None:
        page = self._page
        page.browser.get(self._address)
        assert page.texts(".badge") == ["training"]
        page.find("a.name").click()
        self._wait("document.querySelector('.chart .reset')")
        page.run("document.querySelector('.chart svg[role=img]').focus()")
        page.type("+")
        assert page.run(f"return {IS_ZOOMED}")


@pytest.mark.slow
def test_a_session_is_followed_to_its_end(
    page: Page, wait: Wait, address: str, tmp_path: Path
) -> None:
    reader = Reader(page, wait, address)
    train("cartpole_dqn", overrides=SETTINGS, output=tmp_path / "runs" / "live", callbacks=reader)
    assert reader.evaluations == 3
    wait("document.title.startsWith('finished')")
    assert page.texts(".chart figcaption")[-1].startswith("Unseen episodes")
    assert page.run(f"return {IS_ZOOMED} && !{HAS_END}")  # as it was before the others came
    page.run("document.querySelector('.chart .reset').click()")
    assert page.run(f"return {HAS_END}")
    see_episode(page, wait)


def see_episode(page: Page, wait: Wait) -> None:
    """The policy that had learned least plays, and then the newest."""
    click, moves = "document.querySelector('figure.replay .play').click()", f"{FRAME} > 0"
    wait("document.querySelector('figure.replay .play')")
    page.run(click)
    wait(moves)
    wait("!document.querySelector('#newer').hidden")
    page.run("document.querySelector('#newer').click()")
    wait("document.querySelector('figure.replay figcaption')?.textContent.includes('step 900')")
    wait(moves)
