"""A Chromium without a window, and a page in it that has the report's own scripts and styles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from rl.report.page import ASSETS, SCRIPTS

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip
WIDTH, HEIGHT = 800, 600  # pixels of a page, if a test does not say otherwise
LONGEST = 300  # seconds: a last net, many times what a slow machine takes
MINUS = "\N{MINUS SIGN}"

Browser = webdriver.Chrome


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("wants Chromium and its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


def console_errors(browser: Browser) -> list[str]:
    """What the page has complained of since the last call."""
    return [str(entry["message"]) for entry in browser.get_log("browser")]


class Page:
    """A page as a reader has it: seen, pointed at and typed into. Places are pixels of the window.

    Args:
        browser: that shows it.
        path: of its file.
    """

    def __init__(self, browser: Browser, path: Path) -> None:
        self.browser = browser
        self._path = path

    def open(self, body: str) -> None:
        """Shows some HTML together with the assets."""
        style = (ASSETS / "charts.css").read_text()
        script = "\n".join((ASSETS / name).read_text() for name in SCRIPTS)
        self._path.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
            f"<style>{style} body {{ background: var(--paper) }}</style>"
            f"{body}<script>{script}</script>"
        )
        self.browser.get(self._path.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        """What a script returns."""
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        """The first element of a kind."""
        return self.browser.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of a kind, with a hyphen for a minus."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return [text.replace(MINUS, "-") for text in self.run(script, selector)]

    def attribute(self, selector: str, name: str) -> str:
        """An attribute of the first element of a kind; empty if it has none."""
        return self.find(selector).get_attribute(name) or ""

    def style(self, selector: str, name: str) -> str:
        """How an element looks in the end."""
        script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        return str(self.run(script, selector, name))

    def resize(self, width: int, height: int = HEIGHT) -> None:
        """Gives the page a size, which may be less than a window can have."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def emulate(self, media: str = "screen", scheme: str = "light") -> None:
        """Shows the page on a medium, in a light or a dark scheme."""
        scheme_feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": media, "features": [scheme_feature]}
        )

    def drag(self, *places: tuple[float, float], kind: str = "mouse", press: bool = True) -> None:
        """Goes from place to place; unless it only hovers, pressed down from the first on."""
        builder = ActionBuilder(self.browser, mouse=PointerInput(kind, kind), duration=0)
        first, *others = [(round(x), round(y)) for x, y in places]
        builder.pointer_action.move_to_location(*first)
        if press:
            builder.pointer_action.pointer_down()
        for place in others:
            builder.pointer_action.move_to_location(*place)
        if press:
            builder.pointer_action.pointer_up()
        builder.perform()

    def type(self, *keys: str) -> None:
        """Types what has the focus."""
        ActionChains(self.browser, duration=0).send_keys(*keys).perform()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page that must not log an error, whatever the test does with it."""
    found = Page(browser, tmp_path / "page.html")
    found.resize(WIDTH)
    found.emulate()
    console_errors(browser)
    yield found
    assert console_errors(browser) == []


def embed(data: object) -> str:
    """Data as a page holds them."""
    text = json.dumps(data).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


@pytest.fixture
def wait(page: Page) -> Callable[[str], None]:
    """Waits until a script's expression is true; fails if it never is."""

    def until(expression: str) -> None:
        WebDriverWait(page.browser, LONGEST, 0.02).until(lambda _: page.run(f"return {expression}"))

    return until
