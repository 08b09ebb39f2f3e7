"""Whatever an environment draws is shown, or said in one line; a finished run is finished."""

from __future__ import annotations

import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nn.typing import Array
from rl.cli import main
from rl.console.optional import optional
from rl.console.signals import noticed
from rl.errors import UserError
from rl.report import pictures, write_report
from rl.storage.files import read_json
from rl.watching import film
from rl.watching.frames import Scene
from rl.watching.pixels import pixels
from rl.watching.rendering import NothingToSee, draw, open_drawing, rate_of
from tests.rl import worlds
from tests.rl.conftest import Command, quick
from tests.rl.test_frames import player

ROOT = Path(__file__).parents[2]
COLOURS = np.zeros((4, 6, 3), np.uint8)
COLOURS[:, :3], COLOURS[0] = (200, 100, 0), (0, 50, 255)
GREY = COLOURS[:, :, 0]
SAME = np.repeat(GREY[:, :, None], 3, axis=2)


RESIZED = staticmethod(lambda count: np.ones((10 + 7 * count, 50 - 7 * count)))
PRESSED = staticmethod(lambda _: os.kill(os.getpid(), signal.SIGINT))


class Tensor:
    """As those of other libraries: it can become an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return COLOURS


class Elsewhere:
    """As a tensor on a device that has gone; an image whose file is cut off is alike."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise self.error

    @property
    def convert(self) -> Any:
        return self.__array__ if isinstance(self.error, OSError) else None


UNDERSTOOD: dict[str, tuple[Any, Array]] = {
    "bytes": (COLOURS, COLOURS),
    "integers": (COLOURS.astype(np.int64), COLOURS),
    "integers out of range": (COLOURS * 3.0 // 1 - 100, np.clip(COLOURS * 3.0 - 100, 0, 255)),
    "floats to 1": (COLOURS / 255.0, COLOURS),
    "floats to a little more": (COLOURS / 254.99, COLOURS),
    "floats to 255": (COLOURS.astype(np.float32), COLOURS),
    "half floats": ((COLOURS / 255.0).astype(np.float16), COLOURS),
    "16 bits": (COLOURS.astype(np.uint16) * 257, COLOURS),
    "bools": (COLOURS > 0, np.where(COLOURS > 0, 255, 0)),
    "grey": (GREY, SAME),
    "grey with a channel": (GREY[:, :, None], SAME),
    "grey, channel first": (GREY[None], SAME),
    "alpha": (np.dstack([COLOURS, GREY]), COLOURS),
    "channels first": (np.moveaxis(COLOURS, 2, 0), COLOURS),
    "alpha first": (np.moveaxis(np.dstack([COLOURS, GREY]), 2, 0), COLOURS),
    "lists": (COLOURS.tolist(), COLOURS),
    "frames": ([GREY, COLOURS], COLOURS),
    "frames in a tuple": ((COLOURS[:2], COLOURS), COLOURS),
    "frames in an array": (np.stack([0 * COLOURS, COLOURS]), COLOURS),
    "frames as lists": ([(0 * COLOURS).tolist(), COLOURS.tolist()], COLOURS),
    "an image": (Image.fromarray(COLOURS), COLOURS),
    "an image of a palette": (Image.fromarray(GREY).convert("P"), SAME),
    "an image with an alpha": (Image.fromarray(COLOURS).convert("RGBA"), COLOURS),
    "images": ([Image.fromarray(GREY), Image.fromarray(COLOURS)], COLOURS),
    "a tensor": (Tensor(), COLOURS),
    "another byte order": (COLOURS.astype(">i4"), COLOURS),
    "objects": (COLOURS.astype(object), COLOURS),
    "mirrored": (COLOURS[:, ::-1], COLOURS[:, ::-1]),
    "one pixel": (COLOURS[:1, :1], COLOURS[:1, :1]),
    "some nan": (np.where(COLOURS == 100, np.nan, COLOURS), np.where(COLOURS == 100, 0, COLOURS)),
    "infinite": (np.where(COLOURS == 100, np.inf, COLOURS), np.where(COLOURS == 100, 0, COLOURS)),
    "huge": (np.broadcast_to(np.uint8(9), (9000, 4100)), np.full((3000, 1367, 3), 9)),
}  # fmt: skip

SENSELESS: list[Any] = [None, 0, -30, math.nan, math.inf, "fast", [], {}, 1e-9, 1e9, 10**400]

REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "is None"),
    "text": ("+--+", "is of the type str"),
    "raw bytes": (b"\x00" * 12, "is of the type bytes"),
    "a dictionary": ({"rgb": COLOURS}, "is of the type dict"),
    "a number": (3.0, r"has the shape \[\]"),
    "an object": (object(), "is of the type object, and not an array of real numbers"),
    "no frames": ([], "is an empty list"),
    "None among frames": ([None], "is of the type list, and not an array of real numbers"),
    "a pair": ((COLOURS, {}), "is of the type tuple, and not an array of real numbers"),
    "ragged": ([[1, 2], [3]], "is of the type list, and not an array of real numbers"),
    "lost": (Elsewhere(AttributeError("device")), "is of the type Elsewhere, and not an array"),
    "cut off": (Elsewhere(OSError("truncated")), "is of the type Elsewhere, and not an array"),
    "too large": (Elsewhere(MemoryError()), "is of the type Elsewhere, and not an array"),
    "the end": (Elsewhere(SystemExit(0)), "is of the type Elsewhere, and not an array"),
    "as if interrupted": (Elsewhere(KeyboardInterrupt()), "is of the type Elsewhere, and not an"),
    "texts": (np.array([["a"]]), "is of the type ndarray, and not an array of real numbers"),
    "complex": (COLOURS * 1j, "is of the type ndarray, and not an array of real numbers"),
    "no height": (COLOURS[:0], r"is empty: its shape is \[0, 6, 3\]"),
    "no frames in an array": (np.zeros((0, 4, 6, 3)), "is empty"),
    "a vector": (COLOURS.ravel(), r"has the shape \[72\], and not \[height, width, 3\]"),
    "five channels": (np.zeros((6, 6, 5)), r"has the shape \[6, 6, 5\]"),
    "five axes": (np.zeros((2, 2, 6, 6, 3)), r"has the shape \[2, 2, 6, 6, 3\]"),
    "nothing but nan": (np.full((4, 6), np.nan), "has no number that is finite"),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_what_can_be_understood_is_drawn(kind: str) -> None:
    given, expected = UNDERSTOOD[kind]
    found = pixels(given)
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_is_said(kind: str) -> None:
    given, complaint = REFUSED[kind]
    with noticed(), pytest.raises(ValueError, match=f"^{complaint}"):
        pixels(given)


@pytest.mark.parametrize(
    ("metadata", "rate"),
    [
        ({"render_fps": 30}, 30.0),
        ({"render_fps": np.float32(12.5)}, 12.5),
        ({"render_fps": "30"}, 30.0),
        *(({"render_fps": value}, 25.0) for value in SENSELESS),
        ({}, 25.0),
        (None, 25.0),
        ([], 25.0),
    ],
)  # fmt: skip
def test_a_rate_that_makes_no_sense_is_as_none(metadata: Any, rate: float) -> None:
    assert rate_of(metadata) == rate


ASKED: dict[str, Any] = {
    "as it should be": {"render_modes": ["rgb_array"]},
    "a tuple": {"render_modes": ("human", "rgb_array")},
    "a set": {"render_modes": {"rgb_array"}},
    "a text": {"render_modes": "rgb_array"},
    "lists of pictures": {"render_modes": ["human", "rgb_array_list"]},
    "None": {"render_modes": None},
    "nothing": {},
    "an older key": {"render.modes": ["rgb_array"]},
}


@pytest.mark.filterwarnings("ignore:.*metadata doesn't include `render_modes`")
@pytest.mark.parametrize("kind", ASKED)
def test_an_environment_is_asked_for_pictures(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds.Drawn, "metadata", ASKED[kind])
    monkeypatch.setattr(worlds.Drawn, "picture", COLOURS)
    env = open_drawing("Drawn-v0")
    assert env.render_mode == ("rgb_array_list" if "lists" in kind else "rgb_array")
    env.reset(seed=0)
    np.testing.assert_array_equal(draw("Drawn-v0", env), COLOURS)


def test_a_constructor_without_a_render_mode_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", COLOURS)
    env = open_drawing("Unasked-v0")
    assert env.unwrapped.render_mode == "rgb_array"
    env.reset(seed=0)
    np.testing.assert_array_equal(draw("Unasked-v0", env), COLOURS)


@pytest.mark.parametrize("modes", [[], ["human", "ansi"], "human"])
def test_an_environment_that_names_other_modes_is_not_asked(
    modes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds.Drawn, "metadata", {"render_modes": modes})
    with pytest.raises(NothingToSee, match="Drawn-v0: draws no pictures"):
        open_drawing("Drawn-v0")


FAILURES: dict[str, tuple[BaseException, str]] = {
    "an error": (RuntimeError("no\nscreen"), "RuntimeError: no screen"),
    "a package": (ModuleNotFoundError("No module named 'x'"), "No module named 'x'"),
    "nothing there": (NotImplementedError(), "NotImplementedError"),
    "the end": (SystemExit(0), "SystemExit: 0"),
    "as if interrupted": (KeyboardInterrupt(), "KeyboardInterrupt"),
    "a file": (FileNotFoundError(2, "No such file", "a.png"), "No such file: 'a.png'"),
    "too much": (MemoryError(), "MemoryError"),
    "too deep": (RecursionError("maximum recursion depth"), "RecursionError: maximum recursion"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_what_render_raises_is_said_in_one_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error, said = FAILURES[kind]
    monkeypatch.setattr(worlds.Drawn, "picture", error)
    env = open_drawing("Drawn-v0")
    env.reset(seed=0)
    complaint = rf"^Drawn-v0: the environment's render raised .*{said}.* \(worlds.py:\d+\)$"
    with noticed(), pytest.raises(UserError, match=complaint):
        draw("Drawn-v0", env)


@pytest.mark.parametrize("kind", FAILURES)
def test_so_is_what_a_constructor_raises_that_is_asked_for_pictures(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, said = FAILURES[kind]
    build = worlds.Drawn.__init__

    def refuse(self: worlds.Drawn, render_mode: str | None = None) -> None:
        if render_mode:
            raise error
        build(self)

    monkeypatch.setattr(worlds.Drawn, "__init__", refuse)
    with noticed(), pytest.raises(UserError, match=f"Drawn-v0.*{said}"):
        open_drawing("Drawn-v0")


def test_ctrl_c_while_an_environment_draws_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", PRESSED)
    env = open_drawing("Drawn-v0")
    env.reset(seed=0)
    with noticed(), pytest.raises(KeyboardInterrupt):
        draw("Drawn-v0", env)


def test_pictures_of_an_episode_have_the_size_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", RESIZED)
    scene = Scene("Drawn-v0", player("Drawn-v0"))
    assert {moment.picture.shape for moment in scene.moments(seed=0)} == {(10, 50, 3)}
    monkeypatch.setattr(worlds.Drawn, "close", lambda _: 1 / 0)
    scene.close()


# Runs


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "FRAMES", 3)
    monkeypatch.setattr(pictures, "FRAMES", 3)


def train() -> int:
    return main([
        "run", "cartpole_dqn", "--steps", "600", "--output", "run", "--quiet", "--set",
        "problem=Drawn-v0", "import=tests.rl.worlds", "agent.learn_start=200",
        "train.evaluate_every=300",
    ])  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose environment draws as a test wants it."""
    folder, before = tmp_path_factory.mktemp("drawn"), Path.cwd()
    os.chdir(folder)
    try:
        assert train() == 0
    finally:
        os.chdir(before)
    (folder / "run/report.html").unlink()
    return folder / "run"


@pytest.fixture
def run(drawn: Path, tmp_path: Path) -> Path:
    """The same, for a test to change."""
    return Path(shutil.copytree(drawn, tmp_path / "run"))


SHAPES: dict[str, Any] = {
    "grey": np.linspace(0, 255, 2400).reshape(40, 60),
    "tall": np.ones((3000, 1, 3)),
    "flat": np.ones((1, 3000)),
    "one pixel": np.ones((1, 1)),
    "of any size": RESIZED,
    "large": np.broadcast_to(np.uint8(9), (2000, 3000, 3)),
    "frames": [COLOURS, COLOURS],
}


@pytest.mark.parametrize("kind", quick(2, SHAPES))
def test_a_film_and_episodes_of_any_picture(
    kind: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", SHAPES[kind])
    page = write_report(run).read_text()
    assert page.count('class="replay"') == 3
    assert "data:image/gif" in page
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (None, "the environment's picture is None"),
        (KeyboardInterrupt(), "the environment's render raised KeyboardInterrupt (worlds.py:"),
        (SystemExit(3), "the environment's render raised SystemExit: 3 (worlds.py:"),
        (Elsewhere(SystemExit(0)), "the environment's picture is of the type Elsewhere"),
    ],
)
def test_a_report_without_pictures_says_so_in_one_line(
    picture: Any,
    said: str,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", picture)
    page = write_report(run).read_text()
    assert page.count(f"Not to be had: {said}".replace("'", "&#39;")) == 2
    assert '"series":' in page
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rl: film.gif was not made: {said}")
    assert line.endswith(f"; `rl film {run}` tries again")


def test_an_environment_that_could_not_draw_is_not_asked_again(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MuJoCo without a display raises the first time, and aborts the process the second."""
    asked = []

    def no_display(count: int) -> Exception:
        asked.append(count)
        return RuntimeError("no OpenGL context")

    monkeypatch.setattr(worlds.Drawn, "picture", staticmethod(no_display))
    write_report(run)
    assert asked == [0]
    assert "MUJOCO_GL=egl" in capsys.readouterr().err


def test_the_verbs_that_are_asked_for_a_picture_refuse(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in (["film", str(run)], ["watch", str(run), "--gif", str(tmp_path / "a.gif")]):
        assert main(verb) == 2
        assert capsys.readouterr().err == "rl: Drawn-v0: the environment's picture is None\n"
    assert not (tmp_path / "a.gif").exists()


def test_a_run_ends_well_whatever_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither picture can be made: each is a line; what is asked again is still finished."""
    monkeypatch.chdir(tmp_path)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "curve.png")

    monkeypatch.setattr("rl.analysis.analyze.draw", fail)
    monkeypatch.setattr("rl.report.report.render", lambda _: 1 / 0)
    for again in (train, lambda: main(["resume", "run", "--quiet"])):
        assert again() == 0
        curve, gif, page = capsys.readouterr().err.splitlines()
        assert curve == (
            "rl: curve.png was not made: curve.png: No space left on device; `rl analyze run` "
            "tries again"
        )
        assert gif.startswith("rl: film.gif was not made: the environment's picture is None; ")
        assert page.startswith("rl: report.html was not made: ZeroDivisionError: division by zero ")
    assert read_json(Path("run/trial_000/session_000/session.json"))["evaluation"]["episodes"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", "run"]) == 0
    assert Path("run/trial_000/session_000/curve.png").stat().st_size > 10_000


@pytest.mark.slow
def test_sessions_in_processes_of_their_own(rl: Command, tmp_path: Path) -> None:
    """With a backend that is not there, as a child of a Jupyter kernel has it."""
    variables = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "module://matplotlib_inline.nowhere"}
    answer = rl(
        "run", "cartpole_dqn", "--steps", 300, "--sessions", 2, "--output", "run", "--set",
        "agent.learn_start=200", "problem=Undrawn-v0", "import=tests.rl.worlds", report=True,
        **variables,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith("rl: film.gif was not made: the environment's picture is None; ")
    for file in ("session_000/curve.png", "session_001/curve.png", "learning_curve.png"):
        assert (tmp_path / "run/trial_000" / file).stat().st_size > 10_000


def test_ctrl_c_while_pictures_are_made_leaves_the_rest(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worlds.Drawn, "picture", PRESSED)
    assert main(["resume", str(run), "--quiet"]) == 130
    assert capsys.readouterr().err == (
        f"rl: report.html was not made: interrupted; `rl report {run}` tries again\n"
        "rl: interrupted\n"
    )


def failing(error: BaseException) -> list[str]:
    lines: list[str] = []
    with optional("a.png", "`rl b` tries again", lines.append):
        raise error
    return lines


def test_what_is_optional_is_one_line() -> None:
    (line,) = failing(ValueError("x\n" * 5000))
    assert "\n" not in line
    assert len(line) < 1000
    assert failing(UserError("a.csv: is damaged")) == [
        "a.png was not made: a.csv: is damaged; `rl b` tries again"
    ]


def test_nobody_need_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with optional("a.png", "`rl b` tries again"):
        raise ValueError
