"""The dashboard as its reader has it, while a session learns."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rl.dashboard.app import create_app
from rl.dashboard.channel import make_server
from rl.dashboard.server import listen
from rl.dashboard.site import write_site
from rl.running.train import train
from rl.session.callback import Callback
from rl.session.job import Job
from rl.storage.notes import write_note
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


# Several runs

NAMES = "#runs tbody .path"
LINES = "document.querySelectorAll('#overlay .plot .line').length"
LONG = "a_name_of_which_there_is_no_end_" * 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run."""
    output = tmp_path_factory.mktemp("finished") / "run"
    return train("cartpole_dqn", overrides=SETTINGS, output=output).path


@pytest.fixture
def folder(tmp_path: Path, finished: Path) -> Path:
    """Six runs, the first of which has a note; in the address of a page all of them are chosen."""
    for name in ("a", "b", "c", "d", LONG, "<img src=x onerror=window.ran=1>"):
        shutil.copytree(finished, tmp_path / "runs" / name)
    write_note(tmp_path / "runs" / "a", "<b>worth</b> a look", ["keep", "<i>odd</i>"])
    return tmp_path / "runs"


@pytest.fixture
def here(folder: Path) -> Iterator[str]:
    """Of a dashboard over that folder, in a thread."""
    with listen("127.0.0.1", 0) as listener:
        server = make_server(create_app(folder), listener)
        Thread(target=server.run, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.close()
        server.task_dispatcher.shutdown()


def fill(page: Page, name: str, value: str) -> None:
    """Gives a field a value, as somebody who types."""
    script = "const [name, value] = arguments; const field = document.querySelector(name);"
    page.run(f"{script} field.value = value; field.dispatchEvent(new Event('input'))",
             f"[name={name}]", value)  # fmt: skip


@pytest.mark.slow
def test_six_runs_are_laid_over_each_other_and_come_and_go(
    page: Page, wait: Wait, here: str, folder: Path
) -> None:
    page.browser.get(here)
    page.find("#runs th.choice input").click()
    wait(f"{LINES} === 6")
    assert page.texts("#overlay .mark text") == ["solved: 475"]
    before = page.attribute("#overlay .plot .line", "d")
    fill(page, "smooth", "5")
    assert "mean of 11 neighbours" in page.texts("#overlay small")[0]
    page.find("[name=logy]").click()
    assert "Values of 0 and less" in page.texts("#overlay small")[0]
    page.find("[name=logx]").click()
    assert page.attribute("#overlay .plot .line", "d") != before
    page.browser.refresh()  # the address has kept what is chosen
    wait(f"{LINES} === 6")
    shutil.rmtree(folder / LONG)
    wait(f"{LINES} === 5")
    # A page that asks while the files are being removed says "damaged" until it asks again.
    wait("document.querySelector('.complaints').textContent.includes('is no longer there')")
    page.find("[name=clear]").click()
    assert page.run("return document.querySelector('#overlay').hidden")
    shutil.copytree(folder / "a", folder / "new")
    wait("document.querySelectorAll('#runs tbody tr').length === 6")
    assert page.run("return window.ran") is None


@pytest.mark.slow
def test_runs_are_found_by_words_and_tags_and_sorted(
    page: Page, wait: Wait, here: str, folder: Path
) -> None:
    page.browser.get(here)
    wait("document.querySelectorAll('#runs tbody tr').length === 6")
    fill(page, "words", "LOOK worth")
    assert page.texts(NAMES) == ["a"]
    assert page.texts("#count") == ["1 of 6 runs"]
    fill(page, "words", "no such")
    assert page.texts(NAMES) == []
    fill(page, "words", "")
    page.run("document.querySelectorAll('#runs .tag')[1].click()")
    assert page.texts(NAMES) == ["a"]
    assert page.run("return document.querySelector('[name=tag]').value") == "<i>odd</i>"
    for width in (1280, 390):
        page.resize(width)
        assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.run("return document.querySelectorAll('#runs b, #runs i, #runs img').length") == 0


@pytest.mark.slow
def test_the_index_of_a_site_works_from_the_disk(page: Page, folder: Path, tmp_path: Path) -> None:
    (folder / "a" / "report.html").write_text("<title>the report</title>")
    page.browser.get(write_site(folder, tmp_path / "public").index.as_uri())
    assert page.texts("#count") == ["6 runs"]
    fill(page, "words", "worth")
    assert page.texts(NAMES) == ["a"]
    page.find("#runs a.name").click()
    assert page.browser.title == "the report"
    page.browser.back()
    assert page.texts(NAMES) == ["a"]  # the address has kept what was asked for
    assert page.run("return window.ran") is None
