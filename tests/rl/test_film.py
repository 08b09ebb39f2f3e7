"""The film of a session's learning: which stages it shows, and how large it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nn import checkpoint
from rl.agents.thoughts import of_values
from rl.errors import UserError
from rl.saved.run import Run
from rl.storage.session_folder import SessionFolder
from rl.watching import film
from rl.watching.film import choose_stages, duration, make_film, side_by_side
from rl.watching.frames import Moment
from tests.rl.conftest import Command


def session(path: Path, stages: list[int], best: int | None = None) -> SessionFolder:
    """A folder with these stages and a best checkpoint, or else a last one."""
    folder = SessionFolder(path)
    folder.create()
    for stage in stages:
        checkpoint.save(folder.checkpoint(str(stage)), policy(stage))
    end = "last" if best is None else "best"
    checkpoint.save(folder.checkpoint(end), policy(stages[-1] if best is None else best))
    return folder


def policy(step: int) -> dict[str, Any]:
    return {"step": step, "seconds": 0.0, "policy": {}, "preprocessor": {}}


@pytest.mark.parametrize(
    ("stages", "best", "chosen"),
    [
        ([0, 5, 10, 20, 40], 45, ["0", "5", "10", "20", "40", "best"]),
        ([0, 5, 10, 20, 40], 40, ["0", "5", "10", "20", "best"]),  # once is enough
        ([0, 5, 10, 20, 40], 11, ["0", "5", "10", "best"]),
        ([0, 5], None, ["0", "last"]),
        ([0, 1, 2, 4, 8, 16, 32, 64, 128], 200, ["0", "2", "8", "32", "128", "best"]),
    ],
)
def test_it_shows_stages_from_the_first_to_the_best(
    stages: list[int], best: int | None, chosen: list[str], tmp_path: Path
) -> None:
    assert choose_stages(session(tmp_path, stages, best)) == chosen


def test_a_run_without_stages_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no stages of its learning"):
        choose_stages(session(tmp_path, [], best=10))


def moments(*steps: int) -> Iterator[Moment]:
    thoughts = of_values(np.zeros(2))
    for step in steps:
        yield Moment(np.zeros((2, 2, 3), np.uint8), step, 0.0, thoughts, step == steps[-1])


def test_an_episode_that_has_ended_waits_for_the_others() -> None:
    shown = [
        [each.step for each in both] for both in side_by_side([moments(0, 1), moments(0, 1, 2, 3)])
    ]
    assert shown == [[0, 0], [1, 1], [1, 2], [1, 3]]


@pytest.mark.slow
def test_the_film_of_a_run(cartpole_run: Path, tmp_path: Path) -> None:
    run, file = Run.open(cartpole_run), tmp_path / "a.gif"
    takes = make_film(run, file)
    assert [take.step for take in takes] == [0, 1500, 3000][: len(takes)]
    assert takes[0].seconds is not None
    assert takes[1].seconds is not None
    assert takes[1].seconds > takes[0].seconds
    assert file.stat().st_size < 1_000_000
    with Image.open(file) as gif:
        assert 5 < getattr(gif, "n_frames", 1) <= film.FRAMES + 2
        width = len(takes) * (film.WIDTHS[0] + film.GAP) + film.GAP
        assert gif.size == (width, 160 + film.CAPTION + 2 * film.GAP)


def test_a_film_that_is_too_large_is_made_smaller(
    cartpole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "FRAMES", 10)
    run, file = Run.open(cartpole_run), tmp_path / "a.gif"
    make_film(run, file)
    monkeypatch.setattr(film, "BYTES", file.stat().st_size - 1)
    takes = make_film(run, file)
    with Image.open(file) as gif:
        assert gif.size[0] == len(takes) * (film.WIDTHS[1] + film.GAP) + film.GAP


@pytest.mark.slow
def test_the_verb(rl_here: Command, cartpole_run: Path, tmp_path: Path) -> None:
    shutil.copytree(cartpole_run, tmp_path / "run")
    answer = rl_here("film", "run")
    assert answer.returncode == 0, answer.stderr
    assert "stages: 0, 1,500" in answer.stdout
    assert (tmp_path / "run/trial_000/session_000/film.gif").stat().st_size > 1000
    for output, said in (("a.png", "must end in .gif or .mp4"), ("no/a.gif", "is no folder no")):
        refused = rl_here("film", "run", "--output", output)
        assert refused.returncode == 2
        assert said in refused.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6.52, "6.5 s"), (43.2, "43 s"), (100.0, "2 min"), (3599.0, "60 min"), (7500.0, "2 h 05 min")],
)
def test_a_time_of_learning(seconds: float, text: str) -> None:
    assert duration(seconds) == text
