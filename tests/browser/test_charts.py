"""Charts in a real browser: what they show, and what pointer, touch and keys do."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import MINUS, Page, embed

Place = tuple[float, float]


def chart(*series: dict[str, Any], x: Any = None, y: Any = None, marks: Any = ()) -> dict[str, Any]:
    axes = {"x": {"label": "steps", **(x or {})}, "y": {"label": "return", **(y or {})}}
    return {**axes, "series": list(series), "marks": list(marks)}


def line(name: str, *points: tuple[float, float | None], **more: Any) -> dict[str, Any]:
    x, y = zip(*points, strict=True)
    return {"kind": "line", "name": name, "colour": 0, "x": x, "y": y, **more}


RISING = line("rising", *((x, x * x / 100) for x in range(101)))  # 0 to 100, both ways
FALLING = line("falling", *((x, -x) for x in range(101)), colour=1)


def show(page: Page, data: dict[str, Any], caption: str = "A chart") -> None:
    caption = f"<figcaption>{html.escape(caption)}</figcaption>"
    page.open(f'<figure class="chart" aria-label="a rise">{caption}{embed(data)}</figure>')


def ticks(page: Page, axis: str) -> dict[str, float]:
    """Texts of an axis and the pixels, in the picture, that they stand for."""
    found = page.run(
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((t) => [t.textContent, +t.getAttribute(arguments[1])])",
        f".{axis}-ticks text", axis,
    )  # fmt: skip
    aside = 4 if axis == "y" else 0  # a text's line stands below its middle
    return {text.replace(MINUS, "-"): at - aside for text, at in found}


def pixel(page: Page, axis: str, value: float) -> float:
    """Where a value lies by the ticks of a straight axis with numbers."""
    (low, low_at), *_, (high, high_at) = ((float(t), at) for t, at in ticks(page, axis).items())
    return low_at + (value - low) / (high - low) * (high_at - low_at)


def place(page: Page, x: float, y: float | None = None) -> Place:
    """Where a point lies in the window; without y, in the middle of the plot's height."""
    left, top = page.run(
        "const { left, top } = document.querySelector('.plot > svg').getBoundingClientRect();"
        "return [left, top]"
    )
    return left + pixel(page, "x", x), top + (120 if y is None else pixel(page, "y", y))


def hover(page: Page, x: float, y: float | None = None) -> list[str]:
    """What the box says at a place, row by row."""
    page.drag(place(page, x, y), press=False)
    return box(page)


def box(page: Page) -> list[str]:
    return page.texts(".box > *")


def path(page: Page, look: str = "line") -> str:
    return page.attribute(f".plot > svg .{look}", "d")


def zoomed_to(page: Page) -> tuple[float, float]:
    """The first and last round value of x that are seen."""
    first, *_, last = map(float, ticks(page, "x"))
    return first, last


def test_points_lie_where_the_axes_say(page: Page) -> None:
    show(page, chart(line("a", (0, 10), (50, 40), (100, 20))))
    assert page.texts(".label") == ["steps", "return"]
    assert list(ticks(page, "x")) == ["0", "20", "40", "60", "80", "100"]
    found = [tuple(map(float, each.split())) for each in re.split("[ML]", path(page))[1:]]
    for (left, top), (x, y) in zip(found, [(0, 10), (50, 40), (100, 20)], strict=True):
        assert left == pytest.approx(pixel(page, "x", x), abs=0.1)
        assert top == pytest.approx(pixel(page, "y", y), abs=0.1)


@pytest.mark.parametrize(
    ("top", "texts"),
    [
        (1e-9, ["0", "2e-10", "4e-10", "6e-10", "8e-10", "1e-9"]),
        (0.7, ["0", "0.2", "0.4", "0.6"]),
        (30, ["0", "5", "10", "15", "20", "25", "30"]),
        (2000, ["0", "500", "1,000", "1,500", "2,000"]),
        (1e6, ["0", "200,000", "400,000", "600,000", "800,000", "1,000,000"]),
        (2e7, ["0", "5,000,000", "10M", "15M", "20M"]),
        (1e9, ["0", "200M", "400M", "600M", "800M", "1e9"]),
    ],
)
def test_ticks_are_round_and_short(top: float, texts: list[str], page: Page) -> None:
    show(page, chart(line("a", (0, 0), (1, top))))
    assert page.texts(".y-ticks text") == texts


@pytest.mark.parametrize(
    ("points", "low", "high"),
    [
        ([(0, 5), (1, 5), (2, 5)], 4.5, 5.5),  # constant
        ([(7, 3)], 2.7, 3.3),  # alone
        ([(0, 0), (1, 0)], -1, 1),
    ],
)
def test_a_range_without_width_gets_one(
    points: list[tuple[float, float]], low: float, high: float, page: Page
) -> None:
    show(page, chart(line("a", *points)))
    values = [float(text) for text in ticks(page, "y")]
    assert values == sorted(values)
    assert low <= values[0] < points[0][1] < values[-1] <= high
    assert "NaN" not in page.attribute(".plot", "innerHTML")


@pytest.mark.parametrize("series", [[], [line("a", (0, None), (1, None))]])
def test_without_data_there_is_nothing_to_show(series: list[dict[str, Any]], page: Page) -> None:
    show(page, chart(*series))
    assert page.texts(".plot svg text") == ["nothing to show"]
    page.find(".plot > svg").click()
    page.type(Keys.ARROW_RIGHT, "+")
    assert box(page) == []


def test_a_logarithmic_axis_has_its_decades_at_one_distance(page: Page) -> None:
    points = ((1e-5, 1), (1e-3, 0), (1e-2, 10), (1e-1, 1000))
    show(page, chart(line("a", *points), x={"log": True}, y={"log": True}))
    places = list(ticks(page, "x").values())
    assert list(ticks(page, "x")) == ["1e-5", "0.0001", "0.001", "0.01", "0.1"]
    assert places == pytest.approx([places[0] + n * (places[1] - places[0]) for n in range(5)])
    assert path(page).count("M") == 2  # 0 has no logarithm: a gap


def test_an_axis_of_names_has_a_place_for_each(page: Page) -> None:
    points = {"kind": "points", "name": "scores", "x": [0, 1], "y": [3, 4]}
    show(page, chart(points, x={"names": ["dqn", "double"]}))
    (dqn, first), (double, second) = ticks(page, "x").items()
    assert (dqn, double) == ("dqn", "double")
    tops = re.findall(r"M([\d.]+)", path(page, "point"))
    assert [float(x) for x in tops] == pytest.approx([first, second], abs=0.1)


def test_labels_of_marks_that_are_close_do_not_overlap(page: Page) -> None:
    show(page, chart(RISING, marks=[{"x": 50, "label": "solved"}, {"x": 51, "label": "mean"}]))
    first, second = page.run(
        "return [...document.querySelectorAll('.mark text')].map((t) => t.getBoundingClientRect())"
    )
    assert first["bottom"] <= second["top"]


def test_names_may_stand_on_the_other_axis(page: Page) -> None:
    points = {"kind": "points", "name": "trials", "x": [0, 1], "y": [1, 0]}
    show(page, chart(points, y={"names": ["[32]", "a setting with a long name"]}))
    low, high = ticks(page, "y").values()
    assert list(ticks(page, "y")) == ["[32]", "a setting wit…"]
    heights = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)", path(page, "point"))]
    assert heights == pytest.approx([high, low], abs=4.0)  # a marker begins at its upper edge


def test_names_that_want_room_are_slanted_and_cut(page: Page) -> None:
    page.resize(320)
    names = [f"a setting with a long name, number {n}" for n in range(5)]
    points = {"kind": "points", "name": "scores", "x": list(range(5)), "y": [1, 2, 3, 4, 5]}
    show(page, chart(points, x={"names": names}))
    assert page.texts(".x-ticks text") == 5 * ["a setting wit…"]
    assert "rotate" in page.attribute(".x-ticks text", "transform")


def test_gaps_part_a_line_and_a_lone_point_is_a_dot(page: Page) -> None:
    show(page, chart(line("a", (0, 1), (1, 2), (2, None), (3, 5), (4, None), (5, 1), (6, 2))))
    assert path(page).count("M") == 3
    dot = path(page, "point")
    assert dot.count("M") == 1
    assert float(dot[1:].split()[0]) == pytest.approx(pixel(page, "x", 3), abs=0.1)
    assert hover(page, 4) == ["steps 4", "a\N{EN DASH}"]


def test_a_step_keeps_its_value_up_to_the_next(page: Page) -> None:
    show(page, chart(line("a", (0, 10), (100, 20), (200, 5), step=True)))
    assert re.sub(r"[\d.]+", "", path(page)) == "M HVHV"
    show(page, chart(line("a", (0, 10), (100, 20), step=True), line("b", (90, 1), (95, 1))))
    assert hover(page, 95)[1] == "a10"  # a straight line would be nearer to 20


def test_hovering_shows_the_values_at_the_nearest_point(page: Page) -> None:
    show(page, chart(RISING, FALLING))
    assert hover(page, 60.2) == ["steps 60", "rising36", "falling-60"]
    at = float(page.attribute(".cursor line", "x1"))
    assert at == pytest.approx(pixel(page, "x", 60), abs=0.1)
    height = float(page.attribute(".cursor circle", "cy"))
    assert height == pytest.approx(pixel(page, "y", 36), abs=0.1)
    page.drag((2, 500), press=False)
    assert box(page) == []


def test_a_line_has_no_value_far_beyond_its_ends(page: Page) -> None:
    show(page, chart(RISING, line("short", (0, 1), (20, 2))))
    assert hover(page, 60) == ["steps 60", "rising36"]


def test_a_band_is_told_with_its_line(page: Page) -> None:
    band = {"kind": "band", "name": "rising", "x": [0, 60, 100], "low": [0, 30, 9],
            "high": [1, 40, 150]}  # fmt: skip
    show(page, chart(RISING, band))
    assert hover(page, 60) == ["steps 60", "rising36 (30 to 40)"]
    assert max(map(float, ticks(page, "y"))) >= 150  # it is within the picture


def test_bars_stand_on_zero_and_tell_their_edges(page: Page) -> None:
    bars = {"kind": "bars", "name": "episodes", "x": [0, 10, 20, 30], "y": [4, 9, 2]}
    show(page, chart(bars))
    assert min(map(float, ticks(page, "y"))) == 0
    assert hover(page, 12) == ["steps 10 to 20", "episodes9"]
    first = re.match(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)", path(page, "bar"))
    assert first is not None
    left, floor, top, right = map(float, first.groups())
    assert (left, right) == pytest.approx((pixel(page, "x", 0), pixel(page, "x", 10)), abs=0.1)
    assert (floor, top) == pytest.approx((pixel(page, "y", 0), pixel(page, "y", 4)), abs=0.1)


def test_of_points_the_nearest_tells_its_text(page: Page) -> None:
    points = {"kind": "points", "name": "trials", "x": [10, 11, 20], "y": [1, 9, 5]}
    texts = {"texts": ["trial 0: bad", "trial 1: good", "trial 2"]}
    show(page, chart({**points, **texts, "shades": [0, 1, 0.5]}))
    assert hover(page, 10, 8) == ["steps 11", "trial 1: good"]
    assert hover(page, 11, 2) == ["steps 10", "trial 0: bad"]
    fills = page.run(
        "return [...document.querySelectorAll('.plot > svg .point')]"
        ".map((point) => getComputedStyle(point).fill)"
    )
    assert len(set(fills)) == 3


def test_points_have_error_bars(page: Page) -> None:
    points = {"kind": "points", "name": "scores", "x": [1, 2], "y": [5, 6], "low": [2, None],
              "high": [11, None]}  # fmt: skip
    show(page, chart(points))
    bars = re.findall(r"M[\d.]+ ([\d.]+)L[\d.]+ ([\d.]+)", path(page, "error"))
    assert [float(end) for end in bars[0]] == pytest.approx(
        [pixel(page, "y", 2), pixel(page, "y", 11)], abs=0.1
    )
    assert len(bars) == 1
    assert hover(page, 1, 5) == ["steps 1", "scores5 (2 to 11)"]


def test_differences_lie_across_below_their_names(page: Page) -> None:
    """The chart is as high as it has names; a long one is cut, and whole in its title."""
    names = ["a - b: no difference shown", "b is better " * 20]
    points = {"kind": "points", "name": "difference", "x": [5, 7], "y": [0, 1], "low": [-20, 6],
              "high": [30, 8], "across": True, "texts": ["none", "b is better"]}  # fmt: skip
    marks = [{"x": 0, "label": ""}]
    show(page, chart(points, y={"names": names, "inside": True, "label": ""}, marks=marks))
    ends = re.findall(r"M([\d.]+) [\d.]+L([\d.]+)", path(page, "error"))[0]
    expected = [pixel(page, "x", -20), pixel(page, "x", 30)]
    assert [float(end) for end in ends] == pytest.approx(expected, abs=0.1)
    shown = page.run("return [...document.querySelectorAll('.inside text')].map((t) => "
                     "[t.firstChild.data, t.querySelector('title').textContent])")  # fmt: skip
    assert shown[0] == [names[0], names[0]]
    assert shown[1][0].endswith("…")
    assert shown[1][1] == names[1]
    assert page.find(".plot").rect["height"] < 200
    page.type(Keys.TAB, Keys.ARROW_RIGHT)
    assert box(page) == ["steps 5", "none"]


def test_a_value_of_another_step_says_of_which(page: Page) -> None:
    sparse = line("greedy", (0, 1), (50, 7), (100, 9), colour=1)
    band = {"kind": "band", "name": "greedy", "x": [0, 50, 100], "low": [0, 6, 8],
            "high": [2, 8, 10]}  # fmt: skip
    dots = {"kind": "points", "name": "greedy", "x": [50], "y": [7]}
    show(page, chart(RISING, sparse, band, dots))
    assert hover(page, 60, 90) == ["steps 60", "rising36", "greedy7 (6 to 8) at 50"]
    assert hover(page, 50, 7) == ["steps 50", "rising25", "greedy7 (6 to 8)"]  # once


def test_shades_have_a_key_and_counts_have_whole_ticks(page: Page) -> None:
    points = {"kind": "points", "name": "trial", "x": [0, 1, 2], "y": [1, 2, 3],
              "shades": [0, 0.5, 1]}  # fmt: skip
    key = {"key": {"label": "mean return", "texts": ["13.3", "194.9", "296.2"]}}
    show(page, {**chart(points, x={"whole": True}), **key})
    assert page.texts(".key > *") == ["mean return", "13.3", "194.9", "296.2"]
    assert list(ticks(page, "x")) == ["0", "1", "2"]


def test_the_data_of_a_chart_can_be_saved_as_csv(page: Page) -> None:
    band = {"kind": "band", "name": "rising", "x": [0, 100], "low": [0, None], "high": [1, 2]}
    show(page, chart(line('a "name", so', (0, 1), (100, None)), band, x={"label": "a, b"}))
    page.run("""
        URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; });
                                          return 'about:blank#'; };
        HTMLAnchorElement.prototype.click = function () { window.file = this.download; };
    """)
    page.find(".csv").click()
    page.browser.execute_async_script("setTimeout(arguments[0], 0)")
    assert page.run("return window.file") == "a_rise.csv"
    assert page.run("return window.saved").split("\r\n") == [
        'series,"a, b",return,low,high,text', '"a ""name"", so",0,1,,,', '"a ""name"", so",100,,,,',
        "rising,0,,0,1,", "rising,100,,,2,", "",
    ]  # fmt: skip


def test_a_chart_is_drawn_anew_for_paper_and_again_for_the_window(page: Page) -> None:
    def size(after: str) -> str:
        script = f"{after}; return document.querySelector('.plot > svg').getAttribute('viewBox')"
        return str(page.run(script))

    show(page, chart(RISING))
    before = size("")
    assert size("window.dispatchEvent(new Event('beforeprint'))") == "0 0 430 230" != before
    assert size("window.dispatchEvent(new Event('afterprint'))") == before


def test_dragging_zooms_and_a_double_click_shows_all_again(page: Page) -> None:
    show(page, chart(RISING))
    before = ticks(page, "x"), ticks(page, "y")
    assert not page.find(".reset").is_displayed()
    page.drag(
        place(page, 40.5), place(page, 30), place(page, 19.5)
    )  # from right to left is as well
    assert zoomed_to(page) == (20, 40)
    assert 14 <= max(map(float, ticks(page, "y"))) <= 17  # of what is seen, 40 x 40 / 100
    assert page.find(".reset").is_displayed()
    ActionChains(page.browser, duration=0).double_click(page.find(".plot > svg")).perform()
    assert (ticks(page, "x"), ticks(page, "y")) == before
    assert not page.find(".reset").is_displayed()


def test_a_drag_may_end_outside_of_the_picture(page: Page) -> None:
    show(page, chart(RISING))
    page.drag(place(page, 59.5), (400, 500), (799, 500))
    assert zoomed_to(page) == (60, 100)


def test_a_zoom_between_two_points_shows_the_line_between_them(page: Page) -> None:
    show(page, chart(line("a", (0, 0), (100, 1000))))
    page.drag(place(page, 40), place(page, 60))
    values = [float(text) for text in ticks(page, "y")]
    assert 390 <= values[0] <= 410
    assert 590 <= values[-1] <= 610


def test_a_logarithmic_axis_is_zoomed_by_what_is_seen(page: Page) -> None:
    points = line("a", *((10.0**n, n) for n in range(-8, 9)))
    show(page, chart(points, x={"log": True}))
    page.type(Keys.TAB, Keys.ARROW_RIGHT, *4 * ["+"])  # around 1e-8, by 16: one decade is left
    assert list(ticks(page, "x")) == ["1e-8", "2e-8", "5e-8", "1e-7"]
    page.type("-", "-", "-", "-")
    assert not page.find(".reset").is_displayed()  # all is seen again


def test_a_click_does_not_zoom_and_the_button_resets(page: Page) -> None:
    show(page, chart(RISING))
    before = ticks(page, "x")
    page.drag(place(page, 40), place(page, 40.2))
    assert ticks(page, "x") == before
    page.drag(place(page, 40), place(page, 60))
    assert ticks(page, "x") != before
    page.find(".reset").click()
    assert ticks(page, "x") == before


def test_a_tap_shows_the_box_and_a_touch_that_moves_zooms(page: Page) -> None:
    show(page, chart(RISING))
    page.drag(place(page, 60), kind="touch")
    assert box(page) == ["steps 60", "rising36"]
    page.drag(place(page, 19.5), place(page, 30), place(page, 40.5), kind="touch")
    assert zoomed_to(page) == (20, 40)
    assert page.style(".plot > svg", "touchAction") == "pan-y"  # up and down scrolls the page


def test_the_wheel_scrolls_the_page(page: Page, wait: Callable[[str], None]) -> None:
    show(page, chart(RISING))
    page.run("document.body.style.height = '3000px'")
    origin = ScrollOrigin.from_element(page.find(".plot > svg"))
    ActionChains(page.browser, duration=0).scroll_from_origin(origin, 0, 200).perform()
    wait("scrollY > 0")
    assert zoomed_to(page) == (0, 100)


def test_keys_move_the_cursor_and_zoom_around_it(page: Page) -> None:
    show(page, chart(RISING))
    page.type(Keys.TAB)
    page.type(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert box(page) == ["steps 2", "rising0.04"]
    page.type(Keys.ARROW_LEFT)
    assert box(page)[0] == "steps 1"
    hover(page, 60)
    page.type("+", "+")
    assert zoomed_to(page) == (45, 70)  # a quarter of the whole; 60 stays where it was
    assert box(page)[0] == "steps 60"
    page.type("-")
    assert zoomed_to(page) == (30, 80)
    page.type(Keys.ESCAPE)
    assert zoomed_to(page) == (0, 100)
    assert box(page)
    page.type(Keys.TAB)
    assert box(page) == []


def test_the_legend_hides_a_series_and_the_picture_fits_the_others(page: Page) -> None:
    show(page, chart(RISING, FALLING))
    assert page.texts(".legend button") == ["rising", "falling"]
    button = page.find(".legend button:nth-child(2)")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert min(map(float, ticks(page, "y"))) == 0
    assert hover(page, 60) == ["steps 60", "rising36"]
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert min(map(float, ticks(page, "y"))) == -100


def test_all_can_be_hidden_and_shown_again(page: Page) -> None:
    show(page, chart(RISING, FALLING))
    for button in page.browser.find_elements("css selector", ".legend button"):
        button.click()
    assert page.texts(".plot svg text") == ["nothing to show"]
    page.find(".legend button").click()
    assert hover(page, 60) == ["steps 60", "rising36"]


def test_faint_series_are_one_entry_behind_the_others(page: Page) -> None:
    faint = [line(f"session {n}", (0, n), (100, n), faint=True) for n in range(3)]
    show(page, chart(RISING, *faint))
    assert page.texts(".legend button") == ["rising", "session 0 … session 2"]
    looks = page.run(
        "return [...document.querySelectorAll('.plot > svg .series')].map(g=>g.classList[1])"
    )
    assert looks == ["faint", "faint", "faint", None]
    assert hover(page, 60) == ["steps 60", "rising36"]


def test_new_data_keep_the_zoom_and_what_is_hidden(page: Page) -> None:
    show(page, chart(RISING, FALLING))
    page.find(".legend button:nth-child(2)").click()
    page.drag(place(page, 19.5), place(page, 40.5))
    doubled = line("rising", *((x, x * x / 50) for x in range(201)))
    later = chart(doubled, FALLING)
    page.run("drawChart(document.querySelector('.chart'), arguments[0])", later)
    assert zoomed_to(page) == (20, 40)
    assert max(map(float, ticks(page, "y"))) >= 30
    assert len(page.texts(".plot")) == 1
    page.find(".reset").click()
    assert zoomed_to(page) == (0, 200)
    assert min(map(float, ticks(page, "y"))) == 0  # falling is still hidden


def test_marks_lie_across_with_their_labels(page: Page) -> None:
    marks = [{"y": 200, "label": "solved: 200"}, {"x": 25, "label": "best"}]
    show(page, chart(RISING, marks=marks))
    assert page.texts(".mark text") == ["solved: 200", "best"]
    level = float(page.attribute(".mark line", "y1"))
    upright = float(page.attribute(".mark ~ .mark line", "x1"))
    assert level == pytest.approx(pixel(page, "y", 200), abs=0.1)
    assert upright == pytest.approx(pixel(page, "x", 25), abs=0.1)
    page.drag(place(page, 40), place(page, 60))
    assert page.texts(".mark text") == []  # not within what is seen now


def test_a_mark_beyond_the_data_is_seen(page: Page) -> None:
    show(page, chart(RISING, marks=[{"x": 160, "label": "solved"}]))
    assert page.texts(".mark text") == ["solved"]
    assert zoomed_to(page) == (0, 160)


def test_names_are_texts_and_never_run(page: Page) -> None:
    bad = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
    points = {"kind": "points", "name": bad, "x": [50], "y": [50], "texts": [bad], "colour": 1}
    named = chart(line(bad + "1", (0, 0), (100, 100)), points, x={"label": bad}, y={"label": bad},
                  marks=[{"y": 20, "label": bad}])  # fmt: skip
    show(page, named, caption=bad)
    assert hover(page, 50, 50)[1] == bad
    assert page.texts(".legend button") == [bad + "1", bad]
    assert page.texts(".label") == [bad, bad]
    assert page.run("return [window.ran === undefined, document.images.length]") == [True, 0]


def test_many_points_take_few_elements(page: Page) -> None:
    waves = [[math.sin(x / 100 + n) for x in range(2000)] for n in range(10)]
    kinds = ["line", "points"]
    series = [{"kind": kinds[n % 2], "name": str(n), "colour": n, "x": list(range(2000)), "y": wave}
              for n, wave in enumerate(waves)]  # fmt: skip
    show(page, chart(*series))
    assert path(page).count("L") == 1999
    assert page.run("return document.querySelectorAll('.plot *').length") < 200


def test_colours_have_dashes_and_markers_of_their_own(page: Page) -> None:
    lines = [line(str(n), (0, n), (1, n), colour=n) for n in range(7)]
    points = [
        {"kind": "points", "name": f"p{n}", "colour": n, "x": [0], "y": [n]} for n in range(7)
    ]
    show(page, chart(*lines, *points))
    dashes, colours, markers = page.run("""
        const all = (selector) => [...document.querySelectorAll('.plot > svg ' + selector)];
        return [all('.line').map((e) => getComputedStyle(e).strokeDasharray),
                all('.line').map((e) => getComputedStyle(e).stroke),
                all('.series .point').map((e) => e.getAttribute('d').replace(/^M\\S+ [\\d.]+/, ''))]
    """)
    assert len(set(dashes)) == len(set(colours)) == 7
    assert len(set(markers) - {""}) == 7


@pytest.mark.parametrize("width", [320, 800])
def test_nothing_is_wider_than_the_page(
    width: int, page: Page, wait: Callable[[str], None]
) -> None:
    page.resize(width)
    names = [f"lunarlander_double_dqn_{n}" for n in range(4)]
    show(page, chart(*(line(name, (0, 1), (1e5, 2e4)) for name in names)))
    for at in (0.2, 0.8):
        page.drag((at * width, 250), press=False)
        assert box(page)
        assert page.run("return document.documentElement.scrollWidth") == width
    page.resize(width + 100)
    wait(f"document.querySelector('.plot > svg').viewBox.baseVal.width > {width}")


def test_a_dark_page_has_colours_of_its_own(page: Page) -> None:
    show(page, chart(RISING))
    light = page.style("body", "backgroundColor"), page.style(".line", "stroke")
    page.emulate(scheme="dark")
    dark = page.style("body", "backgroundColor"), page.style(".line", "stroke")
    assert luminance(light[0]) > 0.9
    assert luminance(dark[0]) < 0.05
    assert light[1] != dark[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_from_the_paper(scheme: str, page: Page) -> None:
    """By the contrasts that WCAG 2 asks of texts, 4.5:1, and of lines, 3:1."""
    page.emulate(scheme=scheme)
    page.open("")
    least = {"ink": 4.5, "dim": 4.5, "accent": 4.5, "good": 4.5, "bad": 4.5}
    least |= {f"series-{n}": 3 for n in range(7)}
    paper = page.style("body", "backgroundColor")
    for name, contrast in least.items():
        page.run("document.body.style.color = `var(--${arguments[0]})`", name)
        one, other = sorted(map(luminance, (page.style("body", "color"), paper)))
        assert (other + 0.05) / (one + 0.05) >= contrast, name


def luminance(colour: str) -> float:
    """Relative luminance of an `rgb(...)`, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_on_paper_a_chart_is_whole_light_and_without_buttons(page: Page) -> None:
    show(page, chart(RISING))
    page.drag(place(page, 20), place(page, 40))
    page.emulate(media="print", scheme="dark")
    assert page.style(".reset", "display") == "none"
    assert page.style(".chart", "breakInside") == "avoid"
    assert luminance(page.style("body", "backgroundColor")) > 0.9
    page.run("document.body.style.width = '400px'")
    assert page.find(".plot > svg").size["width"] <= 400


def test_it_is_a_picture_with_a_description(page: Page) -> None:
    show(page, chart(RISING))
    picture = page.find(".plot > svg")
    assert picture.get_attribute("role") == "img"
    assert picture.get_attribute("aria-label") == "a rise"


NUMBERS: dict[str, list[float | None]] = {
    "nearly equal": [0.6, 0.6000000000000001],
    "nearly equal and large": [1e17, 1e17 + 16],
    "alike": [1e200, 1.00000000001e200],
    "extreme": [1e308, -1e308, 5.0],
    "at the edge": [1e300, -1e300],
    "positive": [1e-300, 1.0, 1e300],
    "denormal": [5e-324, 1e-310, 0.0],
    "tiny": [1e-290, 1.00000001e-290],
    "beyond whole numbers": [2.0**53, 2.0**53 + 2, 2.0**63],
    "missing": [None, None],
    "none": [],
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_any_numbers_have_a_place(page: Page, kind: str) -> None:
    values = NUMBERS[kind]
    steps = [float(place) for place in range(len(values))]
    ends = {"low": values, "high": values}
    series = [
        {"kind": "line", "name": "a", "x": steps, "y": values},
        {"kind": "band", "name": "b", "x": steps, **ends},
        {"kind": "points", "name": "c", "x": [v or 0.0 for v in values], "y": values, **ends},
        {"kind": "bars", "name": "d", "x": [*steps, 9.0], "y": values},
    ]
    for log in (False, True):
        axis = {"log": log}
        show(page, chart(*series[:3], x=axis, y=axis, marks=[{"y": 1e308, "label": "m"}]))
        show(page, chart(series[3], y=axis))
        drawn = page.run("return document.querySelector('.plot > svg').outerHTML")
        assert "NaN" not in drawn
        assert "Infinity" not in drawn
        assert "undefined" not in drawn
