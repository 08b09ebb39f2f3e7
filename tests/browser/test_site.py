"""The site of the documents: built without a warning, and searched without a server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Page
from tests.documents import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages; a warning, such as a link that leads nowhere, is an error."""
    pytest.importorskip("mkdocstrings", reason="the site is made with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [*site.glob("*.html"), *site.glob("api/*.html")]
    assert len(pages) > 40
    for page in pages:
        loads = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(\w+:)?//', page.read_text())
        assert not loads, page


def test_formulas_and_modules_are_there(site: Path) -> None:
    assert (site / "algorithms.html").read_text().count("<math") > 100
    assert 'href="api/rl.agents.html#rl.agents.dqn"' in (site / "algorithms.html").read_text()
    assert 'id="rl.agents.dqn.DQN.next_values"' in (site / "api/rl.agents.html").read_text()


def test_a_search_in_pages_opened_from_a_folder(
    site: Path, page: Page, wait: Callable[[str], None]
) -> None:
    page.resize(1280)
    page.browser.get((site / "index.html").as_uri())
    wait("document.readyState === 'complete'")
    box = page.find("[data-md-component=search-query]")
    page.run("arguments[0].focus()", box)
    wait("document.activeElement.name === 'query'")
    page.type("overestimation")
    wait("document.querySelector('.md-search-result__item')")
    assert "overestimation" in page.find(".md-search-result__list").text
