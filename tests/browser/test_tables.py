"""Tables that are sorted by a click, in a real browser."""

from __future__ import annotations

from html import escape

import pytest

from tests.browser.conftest import Page

HEAD = ("name", "return", "steps", "note")
ROWS = (
    ("run 10", "1,200.5", '<td data-value="45000">45k</td>', "same"),
    ("run 9", "-7", '<td data-value="150000">150k</td>', ""),
    ("Run 1", "", '<td data-value="2000000">2M</td>', "same"),
    ("run 2", "30", "<td></td>", "other"),
)


def show(page: Page) -> None:
    head = "".join(f"<th>{title}</th>" for title in HEAD)
    rows = (
        "<tr>"
        + "".join(c if c.startswith("<td") else f"<td>{escape(c)}</td>" for c in row)
        + "</tr>"
        for row in ROWS
    )
    page.open(
        f'<table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def click(page: Page, column: str, times: int = 1) -> list[str]:
    """The names of the rows after some clicks on a column's head."""
    button = page.find(f"th:nth-child({HEAD.index(column) + 1}) button")
    for _ in range(times):
        button.click()
    return page.texts("td:first-child")


def test_it_stays_as_it_is_until_a_click(page: Page) -> None:
    show(page)
    assert page.texts("td:first-child") == [row[0] for row in ROWS]
    assert page.texts("th button") == list(HEAD)
    assert page.texts("th[aria-sort]") == []


@pytest.mark.parametrize(
    ("column", "rising", "falling"),
    [
        # as people count, whatever the case
        ("name", ["Run 1", "run 2", "run 9", "run 10"], ["run 10", "run 9", "run 2", "Run 1"]),
        # by value, with nothing at the end either way
        ("return", ["run 9", "run 2", "run 10", "Run 1"], ["run 10", "run 2", "run 9", "Run 1"]),
        # by the value that a cell carries
        ("steps", ["run 10", "run 9", "Run 1", "run 2"], ["Run 1", "run 9", "run 10", "run 2"]),
        # equal ones keep their order either way
        ("note", ["run 2", "run 10", "Run 1", "run 9"], ["run 10", "Run 1", "run 2", "run 9"]),
    ],
)
def test_a_column_is_sorted_and_the_other_way_round(
    column: str, rising: list[str], falling: list[str], page: Page
) -> None:
    show(page)
    assert click(page, column) == rising
    assert click(page, column) == falling
    assert click(page, column) == rising


def test_the_sorted_column_is_told(page: Page) -> None:
    show(page)
    click(page, "return", times=2)
    assert page.attribute("th:nth-child(2)", "aria-sort") == "descending"
    click(page, "name")
    assert page.attribute("th:nth-child(1)", "aria-sort") == "ascending"
    assert len(page.texts("th[aria-sort]")) == 1


def test_heads_of_numbers_stand_over_them(page: Page) -> None:
    show(page)
    assert page.texts("th.number") == ["return", "steps"]
