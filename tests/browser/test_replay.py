"""A replay in a real browser: it plays, it is moved by its slider and keys, its bars follow."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from rl.formatting import figure_of
from tests.browser.conftest import Page, embed

FRAMES, COLUMNS, WIDTH, HEIGHT = 12, 5, 60, 40

Wait = Callable[[str], None]


def colour(frame: int) -> tuple[int, int, int]:
    return 20 * frame, 255 - 20 * frame, 128


def sheet() -> str:
    """Frames of one colour each, row by row, as an address."""
    rows = -(-FRAMES // COLUMNS)
    pixels = np.zeros((rows * HEIGHT, COLUMNS * WIDTH, 3), np.uint8)
    for frame in range(FRAMES):
        row, column = divmod(frame, COLUMNS)
        pixels[row * HEIGHT :, column * WIDTH :][:HEIGHT, :WIDTH] = colour(frame)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def replay(**changes: object) -> dict[str, Any]:
    values = [[10.0 + n, 20.0] for n in range(FRAMES)]
    return {
        "sheet": sheet(), "columns": COLUMNS, "width": WIDTH, "height": HEIGHT,
        "frames": FRAMES, "seconds": 0.03,
        "steps": [400 * n for n in range(FRAMES)], "returns": [-1.5 * n for n in range(FRAMES)],
        "title": "Q(s, a)", "bars": values, "names": ["left", "right"], "span": None,
        "chosen": [int(n < 6) for n in range(FRAMES)], "values": [float(n) for n in range(FRAMES)],
        **changes,
    }  # fmt: skip


def show(page: Page, *replays: dict[str, Any]) -> None:
    figures = (f'<figure class="replay" aria-label="a fall">{embed(each)}</figure>'
               for each in replays)  # fmt: skip
    page.open("".join(figures))


def seen(page: Page) -> tuple[int, ...]:
    """The colour in the middle of the picture."""
    data = io.BytesIO(page.find(".picture").screenshot_as_png)
    picture = Image.open(data).convert("RGB")
    pixel = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return tuple(map(int, pixel))


def go_to(page: Page, frame: int) -> None:
    page.run(
        "const slider = document.querySelector('input'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))", frame,
    )  # fmt: skip


def bars(page: Page) -> list[list[float]]:
    """From where to where each bar reaches, in per cent of its track."""
    ends = page.run(
        "return [...document.querySelectorAll('.bar')].map((bar) => bar.style)"
        ".map(({ left, width }) => [parseFloat(left), parseFloat(left) + parseFloat(width)])"
    )
    return [[round(end, 1) for end in each] for each in ends]


def take_the_clock(page: Page) -> None:
    """From now on, only `pass()` lets time pass: 60 ms, which are two frames."""
    page.run("""
        window.now = 0;
        performance.now = () => window.now;
        window.requestAnimationFrame = (act) => { window.next = act; };
        window.pass = () => { window.now += 60; window.next(window.now); };
    """)


FRAME = "Number(document.querySelector('input').value)"


def test_it_shows_the_first_frame_and_waits(page: Page) -> None:
    show(page, replay())
    assert seen(page) == colour(0)
    assert page.texts(".figures dd") == ["0.00", "0", "0.00"]
    page.run("return new Promise((done) => setTimeout(done, 150))")  # five frames' time
    assert page.run(f"return {FRAME}") == 0


@pytest.mark.parametrize("frame", [4, 5, 11])  # the end of a row, the start of one, the last
def test_each_frame_has_its_picture_and_figures(frame: int, page: Page) -> None:
    show(page, replay())
    go_to(page, frame)
    assert seen(page) == colour(frame)
    assert page.texts(".figures dt") == ["return", "step", "V"]
    expected = [figure_of(-1.5 * frame), f"{400 * frame:,}", f"{frame:.2f}"]
    assert page.texts(".figures dd") == expected
    assert page.attribute("input", "aria-valuetext") == f"step {400 * frame}"


def test_small_figures_keep_digits(page: Page) -> None:
    small = [0.0217] * FRAMES
    show(page, replay(returns=small, values=small, bars=[[0.0217, 0.0042]] * FRAMES))
    assert page.texts(".figures dd") == ["0.0217", "0", "0.0217"]
    assert {"0.0217", "0.0042"} <= set(page.find(".bars").text.split())


def test_it_plays_to_the_end_and_again_from_the_beginning(page: Page) -> None:
    show(page, replay())
    take_the_clock(page)
    page.find(".play").click()
    assert page.attribute(".play", "aria-label") == "pause"
    frames = [page.run(f"pass(); return {FRAME}") for _ in range(6)]
    assert frames == [2, 4, 6, 8, 10, FRAMES - 1]
    assert page.attribute(".play", "aria-label") == "play"
    assert seen(page) == colour(FRAMES - 1)
    page.find(".play").click()
    assert page.run(f"pass(); return {FRAME}") == 2


def test_it_pauses_where_it_is(page: Page) -> None:
    show(page, replay())
    take_the_clock(page)
    page.find(".play").click()
    assert page.run(f"pass(); return {FRAME}") == 2
    page.find(".play").click()
    assert page.attribute(".play", "aria-label") == "play"
    assert page.run(f"pass(); return {FRAME}") == 2


def test_arrows_move_by_a_frame_and_space_plays(page: Page, wait: Wait) -> None:
    show(page, replay())
    page.find("input").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert seen(page) == colour(1)
    page.type(Keys.END)
    assert page.texts(".figures dd")[1] == "4,400"
    page.type(Keys.HOME, " ")
    wait(f"{FRAME} > 0")


def test_the_speed_can_be_changed(page: Page) -> None:
    show(page, replay())
    take_the_clock(page)
    page.find(".play").click()
    assert page.texts(".speeds [aria-pressed=true]") == ["1\N{MULTIPLICATION SIGN}"]
    assert page.run(f"pass(); return {FRAME}") == 2
    for number, frame in ((1, 3), (3, 7)):
        page.find(f".speeds button:nth-child({number})").click()
        assert page.run(f"pass(); return {FRAME}") == frame
    assert page.texts(".speeds [aria-pressed=true]") == ["2\N{MULTIPLICATION SIGN}"]


def test_without_a_span_bars_begin_at_the_least_of_the_frame(page: Page) -> None:
    show(page, replay())  # the widest difference is 10: in the first frame, 10 and 20
    assert bars(page) == [[0, 0], [0, 100]]
    go_to(page, 5)
    assert bars(page) == [[0, 0], [0, 50]]
    go_to(page, 11)
    assert bars(page) == [[0, 10], [0, 0]]
    assert page.texts(".row .number") == ["21.00", "20.00"]


def test_bars_name_their_scale_and_how_far_each_is_below_the_greatest(page: Page) -> None:
    show(page, replay(bars=[[104.70, 107.91]] + [[100.0, 116.0]] * (FRAMES - 1)))
    assert page.texts(".ends span") == ["104.70", "120.70"]  # the widest difference is 16
    assert page.texts(".row .gap") == ["-3.21", ""]
    assert bars(page) == [[0, 0], [0, 20.1]]
    go_to(page, 1)
    assert page.texts(".ends span") == ["100.00", "116.00"]
    show(page, replay(span=[-1, 3], bars=[[-0.5, 2.0]] * FRAMES))
    assert page.texts(".ends span") == ["-1.00", "3.00"]
    assert page.texts(".row .gap") == ["", ""]


def test_the_end_of_an_episode_is_printed(page: Page) -> None:
    show(page, replay())
    go_to(page, 3)
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.texts(".figures dd")[1] == f"{400 * (FRAMES - 1):,}"
    assert seen(page) == colour(FRAMES - 1)
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.texts(".figures dd")[1] == "1,200"


def test_with_a_span_bars_begin_at_zero(page: Page) -> None:
    show(page, replay(span=[-1, 3], bars=[[-0.5, 2.0]] * FRAMES))
    assert bars(page) == [[12.5, 25], [25, 75]]


def test_the_chosen_bar_stands_out(page: Page) -> None:
    show(page, replay())
    assert page.texts(".row.chosen .name") == ["right"]
    chosen = page.style(".chosen .bar", "backgroundColor")
    assert chosen != page.style(".row:not(.chosen) .bar", "backgroundColor")
    go_to(page, 6)
    assert page.texts(".row.chosen .name") == ["left"]


def test_of_several_actions_several_stand_out_and_one_not_allowed_is_a_dash(page: Page) -> None:
    bars_of = [[-5.0, None, -3.0, -4.0]] * FRAMES
    names = ["gear 0", "gear 1", "turn 0", "turn 1"]
    show(page, replay(bars=bars_of, names=names, chosen=[[0, 2]] * FRAMES))
    assert page.texts(".row.chosen .name") == ["gear 0", "turn 0"]
    assert page.texts(".row .number") == ["-5.00", "\u2013", "-3.00", "-4.00"]
    assert bars(page) == [[0, 0], [0, 0], [0, 100], [0, 50]]


def test_an_agent_may_have_no_value_and_choose_no_bar(page: Page) -> None:
    show(page, replay(values=None, chosen=None))
    assert page.texts(".figures dt") == ["return", "step"]
    assert page.texts(".chosen") == []


def test_replays_of_one_page_are_apart(page: Page, wait: Wait) -> None:
    show(page, replay(), replay(seconds=9))
    page.find(".play").click()
    wait(f"{FRAME} > 0")
    assert page.run("return document.querySelectorAll('input')[1].value") == "0"


def test_names_are_texts(page: Page) -> None:
    bad = "<img src=x onerror='window.ran = 1'></script>"
    show(page, replay(title=bad, names=[bad, "right"]))
    assert page.texts(".bars .title, .row .name") == [bad, bad, "right"]
    assert page.run("return document.images.length") == 0


def test_on_a_phone_the_bars_are_below_the_picture(page: Page) -> None:
    page.resize(320)
    show(page, replay(width=300, height=200))
    picture, panel = page.find(".picture").rect, page.find(".panel").rect
    assert panel["y"] >= picture["y"] + picture["height"]
    assert page.run("return document.documentElement.scrollWidth") == 320
    page.resize(800)
    assert page.find(".panel").rect["y"] == page.find(".picture").rect["y"]


def test_a_number_that_is_none_is_a_dash(page: Page) -> None:
    """What was not finite is null in a page; what is very large is short."""
    bars = [[None, 20.0] for _ in range(FRAMES)]
    show(page, replay(bars=bars, returns=[None] * FRAMES, values=[1e300] * FRAMES))
    assert page.texts(".figures dd") == ["\u2013", "0", "1.000e+300"]
    assert page.texts(".row .number") == ["\u2013", "20.00"]
