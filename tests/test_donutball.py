"""The ball in the ring: its points, its training, and the program with its tables and pictures."""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.typing import Array
from tests.programs import SCRIPTS
from tests.programs import program as load_program

SCRIPT = SCRIPTS / "donutball.py"
PICTURES = ("boundary.gif", "comparison.png", "curves.png", "nodes.png", "regions.png",
            "surface.png")  # fmt: skip


script = load_program("donutball")


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "MPLBACKEND": "module://not.there"},
    )  # fmt: skip


def polar(examples: int, seed: int) -> tuple[Array, Array, Array]:
    """Distance from the middle of the square [n], direction in radians [n], and class [n]."""
    x, y = script.donutball(examples, seed)
    across, up = (x - 0.5).T
    return np.hypot(across, up), np.arctan2(up, across), y[:, 0]


def run_of(accuracy: list[list[float]], **setting: Any) -> Any:
    """A run with the given accuracies [E, 2] on the training and the test points."""
    zeros = np.zeros_like(accuracy)
    return script.Run(script.Setting(**setting), zeros, np.array(accuracy), zeros, seconds=1.0)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("examples", "in_ball"), [(1400, 532), (372, 141)])
def test_the_points_lie_in_the_unit_square_38_to_62(examples: int, in_ball: int, seed: int) -> None:
    x, y = script.donutball(examples, seed)
    assert x.shape == (examples, 2)
    assert y.shape == (examples, 1)
    assert set(np.unique(y)) == {0.0, 1.0}
    assert y.sum() == in_ball
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_data_sets_have_1400_and_372_points_of_their_own() -> None:
    (x, _), (test_x, _) = script.data_sets(np.random.default_rng(0))
    assert (len(x), len(test_x)) == (1400, 372)
    assert not set(map(tuple, x)) & set(map(tuple, test_x))
    for other_x, _ in script.data_sets(np.random.default_rng(1)):
        assert not set(map(tuple, other_x)) & {*map(tuple, x), *map(tuple, test_x)}


@pytest.mark.parametrize("seed", range(10))
def test_a_circle_parts_ball_and_ring_with_room_on_either_side(seed: int) -> None:
    radius, _, of_ball = polar(1772, seed)
    ball, ring = radius[of_ball == 1], radius[of_ball == 0]
    assert 0.24 < ball.max() <= 0.25
    assert 0.33 <= ring.min() < 0.34
    assert 0.45 < ring.max() <= 0.46


def test_the_ring_goes_all_around_and_the_ball_has_no_hole() -> None:
    radius, angle, of_ball = polar(1400, 0)
    around = np.sort(angle[of_ball == 0])
    gaps = np.diff(around, append=around[0] + 2 * math.pi)
    assert np.degrees(gaps.max()) < 5
    assert radius[of_ball == 1].min() < 0.02


def test_ball_and_ring_are_each_filled_evenly() -> None:
    radius, angle, of_ball = polar(40_000, 0)
    ball, ring = radius[of_ball == 1], radius[of_ball == 0]
    assert (ball < 0.125).mean() == pytest.approx(0.25, abs=0.02)  # half the radius, a quarter
    middle = math.sqrt((0.33**2 + 0.46**2) / 2)  # halves the area of the ring
    assert (ring < middle).mean() == pytest.approx(0.5, abs=0.02)
    assert (np.abs(angle) < math.pi / 2).mean() == pytest.approx(0.5, abs=0.02)


def test_the_classes_are_mixed() -> None:
    _, y = script.donutball(1400, 0)
    assert y[:700].mean() == pytest.approx(y[700:].mean(), abs=0.1)


def test_the_seed_decides_the_points() -> None:
    one, same, other = (script.donutball(100, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(mine, its) for mine, its in zip(one, same, strict=True))
    assert not np.isclose(one[0], other[0]).any()


def test_four_units_learn_it_and_two_do_not() -> None:
    run = script.train(script.Setting(seed=3, epochs=120))
    assert run.solved is not None
    x, y = script.donutball(5000, 99)  # points that neither set contains
    assert run.network(run.epochs).accuracy(x, y) > 0.97
    short = script.train(script.Setting(seed=3, epochs=120, nodes=2))
    assert short.solved is None
    assert short.accuracy.max() < 0.9


def test_the_quadratic_cost_learns_too_and_later() -> None:
    run = script.train(script.Setting("quadratic", seed=3, epochs=300))
    assert run.solved > script.train(script.Setting(seed=3)).solved


def test_an_epoch_at_a_time_is_one_training() -> None:
    run = script.train(script.Setting(seed=5, epochs=4))
    rng = np.random.default_rng(5)
    (x, y), test = script.data_sets(rng)
    net = nn.NeuralNet((2, 4, 1), "tanh", "sigmoid", cost="cross_entropy", seed=rng)
    assert np.array_equal(run.parameters[0], net.parameters)
    past = net.fit(x, y, validation=test, epochs=4, batch_size=10, learning_rate=0.1, seed=rng,
                   report_every=0)  # fmt: skip
    assert np.array_equal(run.parameters[-1], net.parameters)
    assert run.cost.T.tolist() == [past.cost, past.validation_cost]
    assert run.accuracy.T.tolist() == [past.accuracy, past.validation_accuracy]


def test_a_kept_epoch_is_the_network_as_it_was() -> None:
    run = script.train(script.Setting(seed=1, epochs=12, batch_size=3))
    (x, y), _ = script.data_sets(np.random.default_rng(1))
    for epoch in (4, 12):
        assert run.network(epoch).accuracy(x, y) == run.accuracy[epoch - 1, 0]


def test_training_ends_when_it_is_solved_unless_it_is_to_go_on() -> None:
    setting = {"seed": 3, "batch_size": 3, "epochs": 30}
    run = script.train(script.Setting(**setting))
    further = script.train(script.Setting(**setting, to_the_end=True))
    assert run.solved == run.epochs < further.epochs == 30
    assert further.solved == run.solved


def test_each_seed_is_trained_once_for_as_long_as_it_may() -> None:
    options = argparse.Namespace(seeds=3, epochs=2, jobs=1)
    runs = script.train_seeds(script.Setting(to_the_end=True), "three seeds", options)
    assert [run.setting.seed for run in runs] == [0, 1, 2]
    assert [run.epochs for run in runs] == [2, 2, 2]
    assert len({run.parameters[0].tobytes() for run in runs}) == 3


@pytest.mark.parametrize(("options", "wanted"), [
    (["--network", "2,8,8,1"], {"sizes": (2, 8, 8, 1)}),
    (["--activation", "relu"], {"hidden": "relu"}),
    (["--cost", "quadratic"], {"cost": "quadratic", "output": "sigmoid"}),
    (["--optimizer", "adam", "--rate", "0.01"], {"optimizer": "Adam", "learning_rate": 0.01}),
    (["--batch", "50", "--schedule", "cosine"], {"batch_size": 50, "schedule": "cosine"}),
    (["--examples", "300", "--epochs", "2"], {"examples": 300, "epochs": 2}),
    (["--initializer", "uniform", "--bias-initializer", "unit"],
     {"initializer": "uniform", "bias_initializer": "unit"}),
])  # fmt: skip
def test_options_describe_a_network_of_ones_own(
    options: list[str], wanted: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    seen: list[Any] = []
    monkeypatch.setattr(script, "study_own", lambda setting, options: seen.append(setting))
    monkeypatch.setattr(sys, "argv", ["donutball.py", "--output", str(tmp_path), *options])
    script.main()
    (setting,) = seen
    assert {name: getattr(setting, name) for name in wanted} == wanted
    if setting.epochs == 2:
        run = script.train(setting)
        assert (run.epochs, run.setting.examples) == (2, 300)


def test_a_moment_outlasts_an_epoch() -> None:
    """Two epochs with Adam are one training, not twice a new optimizer."""
    run = script.train(script.Setting(seed=5, epochs=3, optimizer="Adam", examples=200))
    rng = np.random.default_rng(5)
    (x, y), _ = script.data_sets(rng, 200)
    net = run.setting.network(rng)
    net.fit(x, y, epochs=3, batch_size=10, learning_rate=0.1, optimizer="adam", seed=rng,
            verbose=False)  # fmt: skip
    np.testing.assert_array_equal(run.parameters[-1], net.parameters)


def test_the_surface_has_the_costs_along_the_way() -> None:
    run = script.train(script.Setting(seed=3, epochs=6, examples=100, to_the_end=True))
    across, along, cost, way = script.surface(run, points=5)
    assert cost.shape == (5, 5)
    assert way.shape == (7, 2)
    assert np.abs(way[-1]).max() < 1e-9  # the end is the origin of the plane
    assert across[0] < way[:, 0].min()
    assert along[-1] > way[:, 1].max()
    assert cost.min() < run.cost[0, 0]


def test_solved_takes_both_data_sets_at_once() -> None:
    assert run_of([[1, 0.9], [0.9, 1], [1, 1], [0.9, 0.9]]).solved == 3
    assert run_of([[1, 0.9], [0.9, 1]]).solved is None


def test_a_seed_that_was_not_solved_says_how_near_it_came() -> None:
    group = [run_of([[1, 0.9], [1, 1]]), run_of([[1, 0.9], [0.96, 0.95]])]
    _, _, solved, never = script.training_table([group]).splitlines()
    assert [cell.strip() for cell in solved.split("|")[1:-1]] == ["0", "2", "100.0%, 100.0%"]
    assert "never; best 96.0%, 95.0%" in never


def test_one_wrong_point_is_not_rounded_away() -> None:
    assert script.shares(np.array([1399 / 1400, 1.0])) == "99.9%, 100.0%"


def test_a_comparison_counts_the_seeds_that_were_not_solved_as_the_latest() -> None:
    soon, late, never = [[1.0, 1.0]], [[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]], [[0.5, 0.5]] * 4
    runs = [run_of(accuracy, epochs=4) for accuracy in (late, never, soon)]
    label, solved, median, milliseconds, each = script.comparison_row("he", runs)
    assert (label, solved, median, each) == ("he", "2 of 3", "3", "3 >4 1")
    assert milliseconds == "333.3"  # of the three, 1 s over 3 epochs is in the middle
    assert script.comparison_row("he", runs[1:])[2] == ">4"


@pytest.mark.slow
def test_the_program_prints_its_tables_and_draws_its_pictures(tmp_path: Path) -> None:
    from matplotlib.image import imread
    from PIL import Image

    answer = program("--output", tmp_path / "new" / "folder", "--seeds", 2, "--epochs", 2)
    assert answer.returncode == 0, answer.stderr
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == sorted(PICTURES)
    for name in PICTURES:
        assert f"wrote {folder / name}" in answer.stdout
        if name.endswith(".png"):
            assert imread(folder / name).std() > 0.05  # not of a single colour
    with Image.open(folder / "boundary.gif") as animation:
        assert getattr(animation, "n_frames", 0) == 3  # the first weights and two epochs
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in answer.stdout.splitlines() if line.startswith("|")]  # fmt: skip
    assert {row[0] for row in rows} >= {
        "seed", "0", "1", "cross-entropy", "quadratic", *nn.INITIALIZERS, "10", "2", "3", "4",
    }  # fmt: skip
    assert "cross-entropy: 0 of 2 seeds solved within 2 epochs" in answer.stdout
    assert all(len(row[-1].split()) == 2 for row in rows if row[1] == "0 of 2")  # every seed


@pytest.mark.slow
def test_a_part_of_it_in_two_processes_is_the_same(tmp_path: Path) -> None:
    arguments = ("--only", "nodes", "--seeds", 2, "--epochs", 3)
    alone, together = (
        program(*arguments, "--jobs", jobs, "--output", tmp_path / "pictures") for jobs in (1, 2)
    )
    assert alone.returncode == together.returncode == 0, alone.stderr + together.stderr
    assert alone.stdout == together.stdout
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["nodes.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--seeds", "0"], "at least 1, not 0"), (["--epochs", "many"], "not many"),
     (["--only", "dough"], "choose from"), (["--jobs", "1.5"], "not 1.5"),
     (["--output", str(SCRIPT)], "cannot write to"),
     (["--network", "3,4,1"], "from 2 inputs to 1 output, not (3, 4, 1)"),
     (["--cost", "log_likelihood"], "goes with the output Softmax"),
     (["--examples", "5"], "--batch-size must be at most the 5 --examples")],
)  # fmt: skip
def test_a_mistake_is_answered_in_one_line(arguments: list[str], said: str) -> None:
    answer = program(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("donutball.py: ")
    assert said in line
