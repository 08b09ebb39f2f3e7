"""Heat maps of tables: which states they show, how they are drawn, and where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from PIL import ImageColor

import rl
from rl.agents.thoughts import Heat, of_values
from rl.cli import main
from rl.session.player import player_of
from rl.watching.frames import Moment, Scene
from rl.watching.heat import COLD, WARM, draw_heat
from rl.watching.letters import CHOSEN, TRACK
from rl.watching.panel import HEAT, LEAST_HEIGHT, WIDTH, Panel
from tests.contracts.cases import experiment, values
from tests.rl.test_tabular import cells_of

LAKE = values("QTable", None, problem="FrozenLake-v1")
THREE = spaces.MultiDiscrete([2, 4, 3])


@pytest.mark.parametrize(
    ("space", "cell", "plane"),
    [
        (spaces.Discrete(7), None, [[0, 1, 2], [3, 4, 5], [6, -1, -1]]),
        (spaces.MultiDiscrete([2, 3]), None, [[0, 1, 2], [3, 4, 5]]),
        (spaces.MultiDiscrete([2, 1, 3]), None, [[0, 1, 2], [3, 4, 5]]),
        (THREE, 5, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]),  # 0 of the first digit
        (THREE, None, [[12, 13, 14], [15, 16, 17], [18, 19, 20], [21, 22, 23]]),
    ],
)
def test_the_plane_of_cells_by_hand(space: Any, cell: int | None, plane: list[Any]) -> None:
    assert cells_of(space, 2).plane(cell).tolist() == plane


def test_a_state_is_worth_its_best_action() -> None:
    """State 6 of 16 is in row 1, column 2, and its action 3 is the best."""
    agent: Any = experiment(LAKE).agent
    agent.table[6] = [0.1, 0.2, 0.3, 0.7]
    seen = np.eye(16, dtype=np.float32)[6:7]
    heat = agent.thoughts(seen).heat
    assert heat.at == (1, 2)
    assert (heat.values[1, 2], heat.actions[1, 2], heat.values[2, 1]) == (0.7, 3, 0.0)


def test_an_action_that_is_never_allowed_is_worth_nothing_to_a_heat_map() -> None:
    """It keeps its first value, which is more than what is known of the others."""
    agent: Any = experiment(values("QTable", None, problem="Taxi-v4")).agent
    agent.table[3] = [-4.0, 0.0, -2.0, 0.0, 0.0, 0.0]
    heat = agent.heat()
    assert (heat.values[0, 3], heat.actions[0, 3], heat.values[0, 4]) == (-2.0, 2, 0.0)


def test_a_heat_map_by_its_pixels() -> None:
    """Two rows of two cells of 40 pixels; in the fourth place is no state."""
    values, actions = np.array([[0.0, 2.0], [1.0, np.nan]]), np.array([[0, 1], [1, 0]])
    heat = Heat(values, actions, (1, 0), ("left", "stay"))
    pixels = np.asarray(draw_heat(heat, 80, 100))
    assert pixels.shape == (80, 80, 3)
    middle = [round((a + b) / 2) for a, b in zip(COLD, WARM, strict=True)]
    found = [pixels[y, x].tolist() for y, x in ((4, 4), (4, 44), (44, 4), (44, 44))]
    assert found == [[*COLD], [*WARM], middle, [*ImageColor.getrgb(TRACK)]]
    assert pixels[40, 20].tolist() == [*ImageColor.getrgb(CHOSEN)]  # the frame of its state
    arrow = pixels[:40, :40].sum(axis=2) > 600
    columns = np.flatnonzero(arrow.any(axis=0))
    tip, back = (np.flatnonzero(arrow[:, column]) for column in (columns[0], columns[-1]))
    assert abs(tip.mean() - 20) < 2  # it points to the left
    assert len(tip) < 4 < 15 < len(back)


def test_many_states_are_drawn_without_arrows() -> None:
    heat = Heat(np.ones((300, 400)), np.zeros((300, 400), np.int64))
    picture = draw_heat(heat, 200, 200)
    assert picture.size == (200, 150)


def test_the_panel_has_room_for_a_table() -> None:
    world = np.zeros((100, 50, 3), np.uint8)
    heat = Heat(np.eye(4), np.zeros((4, 4), np.int64))
    thoughts = of_values(np.array([1.0, 2.0]))
    for shown, height in ((None, LEAST_HEIGHT), (heat, LEAST_HEIGHT + HEAT)):
        moment = Moment(world, 0, 0.0, replace(thoughts, heat=shown), False)
        picture = Panel().draw(moment)
        assert picture.size == (50 + WIDTH, height)
    assert WARM in {colour for _, colour in picture.getcolors(10_000) or ()}


def test_what_is_watched_names_the_ways() -> None:
    scene = Scene("FrozenLake-v1", player_of(experiment(LAKE)))
    heat = next(scene.moments(0)).thoughts.heat
    scene.close()
    assert heat is not None
    assert heat.names == ("left", "down", "right", "up")


@pytest.mark.slow
def test_a_report_shows_the_table(tmp_path: Path) -> None:
    pages = {}
    for agent in ("QTable", "Random"):
        rl.train("FrozenLake-v1", agent=agent, steps=300, output=tmp_path / agent)
        assert main(["report", str(tmp_path / agent)]) == 0
        pages[agent] = (tmp_path / agent / "report.html").read_text()
    assert "A heat map of 4 rows and 4 columns." in pages["QTable"]
    assert "A heat map" not in pages["Random"]
