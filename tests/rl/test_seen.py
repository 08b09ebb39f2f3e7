"""What an agent sees, beside the picture for people, and which of its pixels matter."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl
from rl.environments.spaces import Discrete
from rl.errors import UserError
from rl.preprocessors import Picture
from rl.report import write_report
from rl.session.player import player_of
from rl.watching.frames import Scene
from rl.watching.seen import GAP, NO_PICTURE, beside, frames_of
from tests.contracts.cases import Play, experiment, values
from tests.rl.test_convolutional import CONV, pictured


def test_colours_stay_and_other_channels_become_the_greatest_in_grey() -> None:
    colours = np.arange(12, dtype=np.uint8)
    (frame,) = frames_of(colours, Picture((2, 2, 3), False, True), 1)
    np.testing.assert_array_equal(frame, colours.reshape(2, 2, 3))
    (grey,) = frames_of(np.array([0.0, 1, 3, 2]), Picture((1, 2, 2), False), 1)
    np.testing.assert_allclose(grey[0, :, 0], [0, 255])  # of 1 and 3


def test_stacked_frames_are_told_apart() -> None:
    """Two frames of two channels each, the channels first: the greater channel of each."""
    seen = np.array([[[10, 20]], [[30, 0]], [[1, 2]], [[0, 4]]], np.uint8)
    frames = frames_of(seen.ravel(), Picture((1, 2, 4), True, True), 2)
    assert frames[:, 0, :, 0].tolist() == [[30, 20], [1, 4]]


def test_frames_stand_beside_the_world_and_what_matters_is_red() -> None:
    world, frames = np.full((8, 6, 3), 9, np.uint8), np.full((1, 2, 2, 3), 100.0)
    whole = beside(world, frames, None)
    side = 8 - GAP
    assert whole.shape == (8, 6 + side + GAP, 3)
    assert (whole[:, :6] == 9).all()
    assert (whole[:side, 6 + GAP :] == 100).all()
    matter = np.array([[[2.0, 0], [0, 1]]])
    red = beside(world, frames, matter)[:side, 6 + GAP :]
    assert red[0, 0].tolist() == [255, 40, 40]
    assert red[0, -1].tolist() == [70, 70, 70]
    assert red[-1, -1].tolist() == [162, 55, 55]  # half of each


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("name", ["DQN", "QRDQN", "BootstrappedDQN"])
def test_saliency_is_the_slope_of_the_greedy_value(name: str, dueling: bool) -> None:
    smooth = {"conv": CONV, "hidden": [8], "activation": "tanh"}  # a kink has two slopes
    made = experiment(pictured(name, kwargs={"kind": "float32", "bright": 1.0}, network=smooth,
                               agent={"dueling": dueling}))  # fmt: skip
    play = Play(made)
    play.steps(60)
    agent: Any = made.agent
    x = play.environments.observations[:1].copy()
    best = agent.act(x)[0]
    slopes = agent.saliency(x)[0]
    for entry in range(0, x.shape[1], 5):
        ends = []
        for step in (3e-3, -3e-3):
            other = x.copy()
            other[0, entry] += step
            ends.append(float(agent.values(other)[0, best]))
        assert abs(ends[0] - ends[1]) / 6e-3 == pytest.approx(slopes[entry], abs=5e-4)


@pytest.mark.parametrize(
    ("preprocessor", "saliency", "wider"),
    [("Identity", False, False), ("Identity", True, True), ("FrameStack", False, True)],
)
def test_what_is_seen_is_shown_where_it_differs_or_is_asked_for(
    preprocessor: str, saliency: bool, wider: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.rl import worlds

    def render(env: Any) -> Any:
        return np.zeros((40, 60, 3), np.uint8)

    monkeypatch.setattr(worlds.Bright, "render", render, raising=False)
    monkeypatch.setattr(worlds.Bright, "metadata", {"render_modes": ["rgb_array"]})
    made = experiment(pictured(preprocessor={"name": preprocessor}))
    scene = Scene("Bright-v0", player_of(made), saliency)
    moment = next(iter(scene.moments(0)))
    scene.close()
    assert moment.picture.shape[0] == 40
    assert (moment.picture.shape[1] > 60) == wider


@pytest.mark.parametrize("preprocessor", ["Identity", "FrameStack"])
def test_of_an_environment_that_draws_nothing_what_the_agent_sees_is_shown(
    preprocessor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.rl import worlds

    monkeypatch.setattr(worlds.Bright, "metadata", {"render_modes": ["human"]})
    made = experiment(pictured(preprocessor={"name": preprocessor}))
    scene = Scene("Bright-v0", player_of(made))
    picture = next(scene.moments(0)).picture
    scene.close()
    height, width, _ = picture.shape
    assert height == len(NO_PICTURE)
    assert width > 200  # of 8 x 7 pixels
    bright = (picture == 255).all(axis=2)
    at_least = 1 if preprocessor == "Identity" else 2  # four frames are in two rows of two
    lines = [*(bright.sum(axis=0) * at_least >= height - 2 * GAP)]
    lines += [*(bright.sum(axis=1) * at_least >= width - GAP)]
    assert any(lines)


def test_saliency_wants_pictures_and_values() -> None:
    vectors = experiment(values("DQN", Discrete))
    with pytest.raises(UserError, match="the agent sees no pictures"):
        Scene(vectors.problem.id, player_of(vectors), saliency=True)
    policy = experiment(pictured("PPO"))
    with pytest.raises(UserError, match="PPO has none; leave it out"):
        Scene(policy.problem.id, player_of(policy), saliency=True)


def test_a_report_marks_the_pixels_of_its_episodes(tmp_path: Path) -> None:
    given = pictured(train={"steps": 60, "evaluate_every": 60, "evaluate_episodes": 2})
    rl.train(given, output=tmp_path / "run", draw=False)
    plain, marked = (
        write_report(tmp_path / "run", saliency=wanted).read_text() for wanted in (False, True)
    )
    for page, grey in ((plain, True), (marked, False)):
        sheets = re.findall(r'"sheet": ?"([^"]*)', page)
        assert [_is_grey(sheet) for sheet in sheets] == [grey] * 3


def _is_grey(uri: str) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB"), np.int64), 2, 0)
    return bool(np.abs(red - (green + blue) / 2).max() < 40)
