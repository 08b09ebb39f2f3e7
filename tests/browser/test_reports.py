"""Whole reports in a real browser: of a run, a trial, a search and a comparison."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from rl.report import pictures, write_report
from rl.watching import film
from tests.browser.conftest import Page

pytestmark = pytest.mark.slow  # to run and search before there is a report

KINDS = {"one": "run", "two": "trial", "searched": "search", "compared": "comparison"}


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of every kind with their reports, whose pictures are few."""
    folder = tmp_path_factory.mktemp("reports")
    short = ["--steps", "1500", "--set", "train.evaluate_every=500", "train.evaluate_episodes=2"]
    for command in (
        ["run", "cartpole_dqn", "--output", "one", *short],
        ["run", "cartpole_double_dqn", "--sessions", "2", "--output", "two", *short],
        ["search", "cartpole_dqn", "--trials", "3", "--sessions", "1", "--output", "searched",
         *short],
        ["compare", "one", "two", "--output", "compared"],
    ):  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "rl", *command, "--no-report"], cwd=folder, check=True,
            capture_output=True, timeout=300,
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDL_VIDEODRIVER", "dummy")
        patch.setattr(film, "FRAMES", 12)
        patch.setattr(pictures, "FRAMES", 12)
        for name in KINDS:
            write_report(folder / name)
    return folder


def read(page: Page, reports: Path, name: str) -> None:
    page.browser.get((reports / name / "report.html").as_uri())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_whole_on_a_desk_and_on_a_phone(
    page: Page, reports: Path, name: str, scheme: str
) -> None:
    page.emulate(scheme=scheme)
    for width in (1000, 320):
        page.resize(width)
        read(page, reports, name)
        assert page.texts(".kind") == [f"RL Lab · {KINDS[name]}"]
        drawn = page.run("return document.querySelectorAll('figure.chart .plot > svg').length")
        assert drawn == page.run("return document.querySelectorAll('figure.chart').length") > 2
        assert page.run("return document.documentElement.scrollWidth") <= width


def test_it_is_dark_where_the_reader_wants_that(page: Page, reports: Path) -> None:
    read(page, reports, "one")
    light = page.style("body", "backgroundColor")
    page.emulate(scheme="dark")
    assert page.style("body", "backgroundColor") != light


def test_the_film_is_shown_and_moves(
    page: Page, reports: Path, wait: Callable[[str], None]
) -> None:
    """Its frames are counted in the page's own copy: a screenshot of a film that plays may never
    come, since Chromium waits for the page to stand still.
    """
    read(page, reports, "one")
    wait("document.querySelector('.picture img').complete")
    picture = page.find(".picture img")
    assert page.run("return arguments[0].naturalWidth", picture) > 200
    with urlopen(page.attribute(".picture img", "src")) as data, Image.open(data) as shown:
        assert getattr(shown, "n_frames", 1) > 1


def test_an_episode_plays(page: Page, reports: Path, wait: Callable[[str], None]) -> None:
    read(page, reports, "one")
    assert page.run("return document.querySelectorAll('figure.replay').length") == 3
    before = page.attribute(".replay input", "value")
    page.run("document.querySelector('.replay .play').click()")
    wait(f"document.querySelector('.replay input').value !== '{before}'")


def test_the_trials_of_a_search_sort(page: Page, reports: Path) -> None:
    read(page, reports, "searched")
    cells = ".sortable tbody td:nth-child(2)"
    page.run("document.querySelectorAll('.sortable th button')[1].click()")
    assert page.texts(cells) == ["0", "1", "2"]
    page.run("document.querySelectorAll('.sortable th button')[1].click()")
    assert page.texts(cells) == ["2", "1", "0"]


def test_what_is_printed_fits_three_pages_and_stands_still(page: Page, reports: Path) -> None:
    page.resize(1280)
    for name in ("one", "two"):
        read(page, reports, name)
        page.emulate(media="print")
        assert page.style("nav", "display") == "none"
        assert page.style(".replay .controls", "display") == "none"
        assert page.style(".picture img:not(.still)", "display") == "none"
        assert page.style(".picture .still", "display") == "block"
        pdf = b64decode(page.browser.print_page())
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3


def test_the_contents_follow_the_reader(
    page: Page, reports: Path, wait: Callable[[str], None]
) -> None:
    for width in (1280, 390):
        page.resize(width)
        read(page, reports, "one")
        page.run("document.documentElement.style.scrollBehavior = 'auto'")
        for name in ("film", "learning", "run-it-again"):
            page.run("document.querySelector(arguments[0]).scrollIntoView()", f"#{name}")
            wait(f"document.querySelector('.contents [aria-current]')?.hash === '#{name}'")
            script = "const { top, bottom } = {}.getBoundingClientRect(); return [top, bottom]"
            contents = "document.querySelector('.contents')"
            top, bottom = page.run(script.replace("{}", contents))
            assert 0 <= top < bottom <= 600  # it stays in sight
