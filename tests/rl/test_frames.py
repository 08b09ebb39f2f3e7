"""Episodes as they are seen: which moments, in which pictures, on which screens."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageSequence

from nn.typing import Array
from rl.agents import DQN
from rl.agents.thoughts import Thoughts, of_action, of_probabilities, of_values
from rl.errors import UserError
from rl.session.job import Job
from rl.session.player import Player, player_of
from rl.session.progress import Progress
from rl.specification.build import build
from rl.specification.specification import Specification
from rl.watching.animation import animation, check_file, pace
from rl.watching.frames import Moment, Scene, written
from rl.watching.letters import BACKGROUND, BAR, CHOSEN
from rl.watching.panel import GAP, LEAST_HEIGHT, WIDTH, Panel
from rl.watching.terminal import HIDE, SHOW, Terminal, fit, half_blocks, status
from rl.watching.watching import in_file, in_terminal, watch
from rl.watching.window import Window, WindowCallback
from tests.rl import worlds

GREY = np.full((40, 60, 3), 128, np.uint8)


def player(problem: str = "Shown-v0") -> Player:
    """An agent whose first action has the greatest value, 3, of three."""
    values = {"problem": problem, "agent": {"name": "DQN"}, "train": {"steps": 2000}}
    experiment = build(Specification("test", "test.json", values), seed=0)
    assert isinstance(experiment.agent, DQN)
    network = experiment.agent.q.network
    network.parameters[:] = 0.0
    network.biases[-1][:] = [3.0, 1.0, 2.0][: network.sizes[-1]]
    return player_of(experiment)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene("Shown-v0", player())
    yield scene
    scene.close()


def test_the_moments_of_an_episode(scene: Scene) -> None:
    """Seven steps that pay 1, 2, 3, ...; each makes the picture brighter by 30."""
    moments = list(scene.moments(seed=0))
    assert [each.step for each in moments] == list(range(8))
    assert [each.total for each in moments] == [0, 1, 3, 6, 10, 15, 21, 28]
    assert [int(each.picture.max()) for each in moments] == list(range(0, 240, 30))
    assert [each.ended for each in moments] == [False] * 7 + [True]
    assert moments[0].thoughts.bars.tolist() == [3.0, 1.0, 2.0]


def test_the_world_draws_only_what_is_taken(scene: Scene) -> None:
    assert [each.step for each in scene.moments(seed=0, every=3)] == [0, 3, 6, 7]
    env = scene._environments._envs[0].unwrapped
    assert isinstance(env, worlds.Shown)
    assert env.drawn == [0, 3, 6, 7]


def test_a_world_without_pictures_is_refused() -> None:
    with pytest.raises(UserError, match="Chain-v0: draws no pictures"):
        Scene("Chain-v0", player("Chain-v0"))


def test_nobody_plays_on_for_one_who_has_left(scene: Scene) -> None:
    left = iter([True, False])
    assert watch(scene, [1, 2], lambda _: next(left)) == []
    assert [end.step for end in watch(scene, [1, 2], lambda _: True)] == [7, 7]


def moment(thoughts: Thoughts, picture: Array = GREY) -> Moment:
    return Moment(picture, 12, -3.5, thoughts, False)


def bars(thoughts: Thoughts, panel: Panel | None = None) -> list[tuple[str, int, int]]:
    """The bars of a panel from the top: colour, and where they begin and end, in pixels."""
    picture = np.asarray((panel or Panel()).draw(moment(thoughts)))[:, GREY.shape[1] :]
    found = []
    for number in range(len(thoughts.bars)):
        line = picture[112 + 34 * number + 17]
        for colour in (BAR, CHOSEN):
            rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
            places = np.flatnonzero((line[:200] == rgb).all(axis=1))
            if len(places):
                found.append((colour, int(places[0]), int(places[-1])))
    return found


LEFT, RIGHT = 42, 180  # of a bar's track


def test_probabilities_are_bars_from_the_left() -> None:
    (first, second) = bars(of_probabilities(np.array([0.25, 0.75])))
    assert first[0] == BAR
    assert second[0] == CHOSEN
    assert (first[1], second[1]) == (LEFT, LEFT)
    assert first[2] == pytest.approx(LEFT + 0.25 * (RIGHT - LEFT), abs=2)
    assert second[2] == pytest.approx(LEFT + 0.75 * (RIGHT - LEFT), abs=2)


def test_a_continuous_action_is_a_bar_from_the_middle() -> None:
    middle = (LEFT + RIGHT) / 2
    ((_, *rightwards), (_, *leftwards)) = bars(of_action(np.array([0.5, -1.0])))
    assert rightwards == pytest.approx([middle, middle + 0.25 * (RIGHT - LEFT)], abs=2)
    assert leftwards == pytest.approx([LEFT, middle], abs=2)


def test_values_are_bars_on_a_scale_that_never_shrinks() -> None:
    panel = Panel()
    wide = bars(of_values(np.array([100.0, 108.0])), panel)
    narrow = bars(of_values(np.array([52.0, 50.0])), panel)
    end = RIGHT - GAP  # how far a value is below the greatest stands on the right
    assert wide[1][2] == pytest.approx(end, abs=2)
    assert narrow[0][2] == pytest.approx(LEFT + 0.25 * (end - LEFT), abs=2)


@pytest.mark.parametrize(
    ("thoughts", "ends", "gaps"),
    [
        (of_values(np.array([104.70, 107.91])), ["104.70", "107.91"], ["-3.21"]),
        (of_values(np.array([1.0, -np.inf, 1.0])), ["1.00", "1.00"], []),
        (of_values(np.array([0.0217, 0.0042])), ["0.0042", "0.022"], ["-0.018"]),
        (of_values(np.array([2e6, 0.0])), ["0.00", "2e+06"], ["-2e+06"]),
        (of_probabilities(np.array([0.25, 0.75])), ["0.00", "1.00"], []),
        (of_action(np.array([0.5])), ["-1.00", "1.00"], []),
    ],
)
def test_bars_name_their_scale_and_how_far_each_is_below_the_greatest(
    thoughts: Thoughts, ends: list[str], gaps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _, at, text, *look: said.append(text))
    Panel().draw(moment(thoughts))
    assert said[-2:] == ends
    figures = [written(bar) for bar in thoughts.bars]
    assert [text for text in said[4:] if text not in (*figures, *ends) and text[:1] == "-"] == gaps


def test_many_bars_fit_into_the_panel() -> None:
    thoughts = of_values(np.arange(40.0))
    picture = np.asarray(Panel().draw(moment(thoughts)))
    background = [int(BACKGROUND[at : at + 2], 16) for at in (1, 3, 5)]
    assert (picture[-50:, GREY.shape[1] :] == background).all()


def test_the_panel_stands_beside_the_world_unless_it_is_plain() -> None:
    thoughts = of_values(np.array([1.0, 2.0]))
    assert Panel().draw(moment(thoughts)).size == (60 + WIDTH, LEAST_HEIGHT)
    plain = Panel(plain=True).draw(moment(thoughts))
    np.testing.assert_array_equal(np.asarray(plain), GREY)


@pytest.mark.parametrize(
    ("rate", "frames", "most", "expected"),
    [(50.0, 1, 1, (2, 0.04)), (15.0, 1, 1, (1, 1 / 15)), (50.0, 1000, 200, (5, 0.1))],
)
def test_a_file_takes_so_many_frames_that_it_keeps_their_speed(
    rate: float, frames: int, most: int, expected: tuple[int, float]
) -> None:
    assert pace(rate, frames, most) == pytest.approx(expected)


@pytest.mark.parametrize(("slow", "milliseconds"), [(1.0, 100), (2.0, 200)])
def test_a_gif_lasts_as_long_as_the_episode(
    scene: Scene, tmp_path: Path, slow: float, milliseconds: int
) -> None:
    """Shown-v0 is meant to be seen at 10 frames a second."""
    with in_file(scene, tmp_path / "a.gif", slow, plain=True) as show:
        watch(scene, [0], show)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (60, 40)
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert sum(durations) == 8 * milliseconds  # frames that look the same are one
    assert len(durations) > 2


def test_colours_that_come_later_are_kept(tmp_path: Path) -> None:
    red = np.zeros_like(GREY) + np.array([250, 5, 5], np.uint8)
    with animation(tmp_path / "a.gif", 0.1) as add:
        for picture in (GREY, red):
            add(Image.fromarray(picture))
    with Image.open(tmp_path / "a.gif") as gif:
        gif.seek(1)
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - red).max() < 10


def test_an_mp4_has_every_frame(scene: Scene, tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v2")
    pytest.importorskip("imageio_ffmpeg")
    file = tmp_path / "a.mp4"
    with in_file(scene, file, 1.0, plain=False) as show:
        watch(scene, [0], show)
    with imageio.get_reader(file) as reader:
        assert reader.count_frames() == 8
        assert reader.get_meta_data()["fps"] == 10.0


def test_an_mp4_without_its_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"by-hand\[video\]\"; or name a .gif"):
        check_file(tmp_path / "a.mp4")
    check_file(tmp_path / "a.gif")


def test_half_blocks_are_two_pixels_a_character() -> None:
    """A red line over a blue one, and its last column green over blue."""
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, :, 0] = picture[1, :, 2] = 255
    picture[0, 2] = [0, 255, 0]
    assert half_blocks(picture) == (
        "\x1b[38;2;255;0;0;48;2;0;0;255m\u2580\u2580"
        "\x1b[38;2;0;255;0;48;2;0;0;255m\u2580\x1b[0m\x1b[K"
    )


@pytest.mark.parametrize(
    ("room", "size"), [((30, 100), (30, 20)), ((600, 20), (30, 20)), ((6, 5), (6, 4))]
)
def test_a_picture_fits_into_the_terminal(room: tuple[int, int], size: tuple[int, int]) -> None:
    assert fit(GREY, *room).shape == (size[1], size[0], 3)


def test_the_line_below_says_what_the_agent_thinks() -> None:
    thoughts = Thoughts("Q(s, a)", np.array([1.0, 2.5]), chosen=1, value=2.0)
    assert status(moment(thoughts)) == "return -3.50   step 12   Q(s, a) 1.00 [2.50]   V 2.00"
    assert status(moment(thoughts), plain=True) == "return -3.50   step 12"


def test_the_terminal_gives_the_cursor_back(scene: Scene) -> None:
    out = io.StringIO()
    terminal = Terminal(1000.0, out=out)
    watch(scene, [0], terminal.show)
    assert SHOW not in out.getvalue()
    terminal.close()
    written = out.getvalue()
    assert written.startswith(HIDE)
    assert written.endswith(f"{SHOW}\n")
    assert re.findall(r"step (\d)", written) == list("01234567")


def test_ctrl_c_gives_the_cursor_back(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), in_terminal(scene, 0.01, plain=False):
        watch(scene, [0], interrupt)
    assert capsys.readouterr().out.endswith(f"{SHOW}\n")


@pytest.fixture
def pygame(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    return pytest.importorskip("pygame")


@pytest.fixture
def waits(pygame: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The frame rates at which windows waited; they do not really wait."""
    rates: list[float] = []

    class Clock:
        tick = staticmethod(rates.append)

    monkeypatch.setattr(pygame.time, "Clock", Clock)
    return rates


def test_a_window_shows_each_moment_for_its_time(scene: Scene, waits: list[float]) -> None:
    window = Window("a window", 10.0)
    assert len(watch(scene, [0], window.show)) == 1
    assert waits == [10.0] * 8
    window.close()


def test_a_display_that_is_not_there_is_noticed_before_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", ":99")
    with pytest.raises(UserError, match="no display to open a window on"):
        WindowCallback("Shown-v0", 3)


def closing_events(pygame: Any) -> dict[str, Any]:
    return {
        "closed": pygame.event.Event(pygame.QUIT),
        "escape": pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE),
    }


@pytest.mark.parametrize("how", ["closed", "escape"])
def test_a_window_that_is_closed_ends_the_watching(
    how: str, scene: Scene, waits: list[float], pygame: Any
) -> None:
    window = Window("a window", 10.0)
    pygame.event.post(closing_events(pygame)[how])
    assert watch(scene, [0], window.show) == []
    assert len(waits) == 1
    window.close()


@pytest.mark.parametrize("when", ["while it plays", "while it learns"])
def test_training_goes_on_without_the_window(when: str, waits: list[float], pygame: Any) -> None:
    callback, progress, who = WindowCallback("Shown-v0", 3), Progress(10), player()
    job = Job(Specification("shown", "here", {}), 0, Path())
    callback.evaluated(job, progress, who)
    callback.progressed(job, progress)
    assert len(waits) == 8
    pygame.event.post(closing_events(pygame)["closed"])
    if when == "while it plays":
        callback.evaluated(job, progress, who)
    else:
        callback.progressed(job, progress)
    shown = len(waits)
    assert not pygame.display.get_init()
    callback.evaluated(job, progress, who)
    callback.progressed(job, progress)
    assert len(waits) == shown <= 9
