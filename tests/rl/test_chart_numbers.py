"""Charts of whatever numbers there are: nearly equal, extreme, not finite, or none at all."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rl.analysis import charts
from rl.analysis.analyze import draw_session, draw_trial
from rl.analysis.charts import Axis, Chart
from rl.analysis.comparison import Group, compare
from rl.analysis.comparison_charts import comparison_charts
from rl.analysis.drawer import draw
from rl.analysis.records import Record, read_records
from rl.analysis.search_charts import metric_charts, pair_charts, score_chart
from rl.analysis.search_figures import Search
from rl.analysis.trial_charts import (
    evaluation_distribution,
    learning_curve,
    session_scores,
    update_charts,
)
from rl.report.page import to_json
from rl.storage.files import Table
from rl.storage.run_folder import TrialFolder
from rl.storage.session_folder import EPISODE_COLUMNS, EVALUATION_COLUMNS, SessionFolder
from tests.rl.conftest import quick

NUMBERS: dict[str, list[float]] = {
    "as usual": [3.0, 1.0, 2.0],
    "nearly equal": [0.6, 0.6000000000000001, 0.6],
    "nearly equal and large": [1e17, 1e17 + 16, 1e17],
    "much alike": [1e6, 1e6 + 0.01, 1e6 + 0.03],
    "equal": [-7.0, -7.0, -7.0],
    "zeros": [0.0, -0.0, 0.0],
    "one": [5.0],
    "none": [],
    "extreme": [1e308, -1e308, 1e308],
    "extreme sums": [1.7e308, 1.7e308, 1.7e308],
    "at the edge": [1e300, -1e300, 0.0],
    "largest rewards": [3.4e38, -3.4e38, 3.4e38],
    "huge and negative": [-1e200, -2e200, -1.5e200],
    "denormal": [5e-324, 1e-310, 0.0],
    "tiny": [1e-290, 3e-290, 2e-290],
    "tiny beside large": [1e-300, 1e300, 1.0],
    "beyond whole numbers": [2.0**53, 2.0**53 + 2, 2.0**63],
    "nan": [1.0, float("nan"), 2.0],
    "infinite": [1.0, float("inf"), float("-inf")],
    "nothing else": [float("nan"), float("inf"), float("nan")],
}
HARSHEST = ("nearly equal", "extreme", "at the edge", "denormal", "nothing else")
DRAWN = (*HARSHEST, "none", "one", "tiny beside large")  # into a picture, which takes its time
METRICS = ("loss", "mean_q", "exploration", "gradient_norm")
PIXELS = 450, 270  # of a chart


def session(
    path: Path, numbers: list[float], number: int = 0, metrics: Sequence[str] = METRICS
) -> Record:
    """A session all of whose figures are these."""
    folder = TrialFolder(path).session(number)
    folder.create()
    write(folder, "episodes", EPISODE_COLUMNS, numbers)
    write(folder, "evaluations", EVALUATION_COLUMNS, numbers)
    write(folder, "updates", ("step", "update", *metrics), numbers)
    there = numbers or [1.0]
    evaluation = {"returns": there, "mean_return": there[0], "ci95": [there[-1], there[0]]}
    (record,) = (each for each in read_records(TrialFolder(path)) if each.number == number)
    returns = np.array(numbers, np.float64)
    return dataclasses.replace(record, returns=returns, outcome={"evaluation": evaluation})


def write(folder: SessionFolder, name: str, columns: Sequence[str], numbers: list[float]) -> None:
    table = Table(folder.table(name), columns)
    for place, value in enumerate(numbers):
        known = {"step": 10 * place + 10, "update": place, "std_return": 1.0}
        known |= dict.fromkeys(("episode", "episodes", "length", "mean_length"), 3)
        finite = value if np.isfinite(value) else 0.0  # a table with another is refused
        table.add({column: known.get(column, finite) for column in columns})
    table.close()


@pytest.mark.parametrize("kind", quick(2, NUMBERS))
def test_the_charts_of_a_trial(kind: str, tmp_path: Path) -> None:
    records = [session(tmp_path, NUMBERS[kind]), session(tmp_path, NUMBERS[kind][:2], 1)]
    threshold = NUMBERS[kind][0] if NUMBERS[kind] else None
    for chart in update_charts(records[:1]):
        check(chart)
    found = [
        learning_curve(records[:1], threshold),
        learning_curve(records, threshold),
        evaluation_distribution(records, 0.5),
        session_scores(records, float("inf")),
        *update_charts(records),
    ]
    check_all([chart for chart in found if chart], tmp_path / "a.png", drawn=kind in DRAWN)


def check_all(found: Sequence[Chart], picture: Path, columns: int = 2, drawn: bool = True) -> None:
    """Checks what a page has of the charts, and that they can be drawn into a picture."""
    for chart in found:
        check(chart)
    if drawn:
        check_picture(found, picture, columns)


def check_picture(found: Sequence[Chart], picture: Path, columns: int) -> None:
    """Draws the charts; each has its place in the picture."""
    draw(found, picture, "an $\\experiment$ of 5 $ on 深 v0", columns, wide=False)
    with Image.open(picture) as drawn:
        rows = -(-len(found) // columns)
        assert drawn.width == PIXELS[0] * columns
        assert PIXELS[1] * (rows - 0.5) < drawn.height < PIXELS[1] * rows + 150
        assert len(drawn.convert("RGB").getcolors(1 << 24) or []) > 50


def check(chart: Chart) -> None:
    """Finite numbers that a browser's scripts can reckon with, and short texts."""
    found = json.loads(to_json(chart.data))
    for each in found["series"]:
        for column in ("x", "y", "low", "high", "shades"):
            known = [value for value in each.get(column, ()) if value is not None]
            assert all(abs(value) <= 1e300 for value in known)
        if each["kind"] == "bars":
            assert all(low < high for low, high in zip(each["x"], each["x"][1:], strict=False))
    assert len(chart.description) < 300


@pytest.mark.parametrize("kind", HARSHEST)
def test_the_curve_of_several_sessions(kind: str, tmp_path: Path) -> None:
    for number in range(3):
        session(tmp_path, NUMBERS[kind], number)
    folder = TrialFolder(tmp_path)
    draw_trial(folder, {"experiment": "a", "problem": "b", "threshold": float("inf")})
    assert folder.curve.exists() == (kind != "extreme")


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARSHEST)
def test_the_pictures_of_a_search(kind: str, tmp_path: Path) -> None:
    found = [
        {"trial": number, "score": value, "fitness": value, **dict.fromkeys(OTHERS, value),
         "parameters": {"$rate$": abs(value), "net": [64, "$"], "size": value}}
        for number, value in enumerate(NUMBERS[kind])
    ]  # fmt: skip
    search = Search({"$rate$": {"log": True}, "net": [], "size": []}, "mean_return", found)
    check_all([score_chart(search)], tmp_path / "a.png", 1)
    for make in (metric_charts, pair_charts):
        check_all(make(search), tmp_path / "a.png", len(search.space))


OTHERS = ("strength", "stability", "consistency", "power")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the statistics that are compared
@pytest.mark.parametrize("kind", ["nearly equal", "at the edge", "denormal"])
def test_the_picture_of_a_comparison(kind: str, tmp_path: Path) -> None:
    scores = np.array(NUMBERS[kind])
    curves = [(np.array([10.0, 20.0]), np.array([score, score])) for score in scores]
    groups = [
        Group(name, "A-v0", scores, np.stack([scores, scores], 1), curves, scores[0])
        for name in ("one", "$two$")
    ]
    check_all(comparison_charts(compare(groups)), tmp_path / "a.png")


def test_an_agent_need_not_have_the_columns_of_others(tmp_path: Path) -> None:
    record = session(tmp_path, [1.0, 2.0], metrics=["regret"])
    draw_session(record.folder, "a", None)
    assert record.folder.curve.exists()


def test_digits_that_tell_values_apart_are_kept() -> None:
    assert charts.numbers([1e6, 1e6 + 0.01, 1e6 + 0.03]) == [1e6, 1e6 + 0.01, 1e6 + 0.03]
    assert charts.numbers([123456.7, 0.0]) == [123460.0, 0.0]
    assert charts.numbers([1e301, 5e-324, float("nan"), -2.0]) == [None, 0.0, None, -2.0]


def test_values_that_are_much_alike_are_one_bar() -> None:
    heights, edges = charts.histogram([0.6, 0.6000000000000001], 24)
    assert heights.tolist() == [2]
    assert edges == pytest.approx([0.1, 1.1])
    heights, _ = charts.histogram([1.0, 2.0], 4)
    assert heights.tolist() == [1, 0, 0, 1]


def test_a_mark_that_has_no_place_is_left_out() -> None:
    marks = [charts.mark_y(float("inf"), "a"), charts.mark_x(1e308, "b"), charts.mark_x(1.0, "c")]
    assert Chart("", "", Axis("x"), Axis("y"), [], marks).data["marks"] == [
        {"x": 1.0, "label": "c"}
    ]


@pytest.mark.slow
def test_a_curve_is_drawn_again_once_its_session_has_gone_on(tmp_path: Path) -> None:
    folder = session(tmp_path, [1.0, 2.0]).folder
    draw_session(folder, "a", None)
    folder.curve.write_bytes(b"as it was")
    draw_session(folder, "a", None)
    assert folder.curve.read_bytes() == b"as it was"
    later = folder.curve.stat().st_mtime + 10
    os.utime(folder.episodes, (later, later))
    draw_session(folder, "a", None)
    assert folder.curve.stat().st_size > 10_000
    folder.updates.unlink()
    folder.curve.unlink()
    draw_session(folder, "a", None)  # of a session that has hardly begun there is none
    assert not folder.curve.exists()


BACKENDS = ("module://matplotlib_inline.backend_inline", "no such", "TkAgg", "svg")
DRAWS = """
import os, sys
from pathlib import Path
from rl.analysis.figures import drawing
with drawing(Path("a.png"), 2, 1) as figure:
    figure.subplots().set_title("a")
    print(type(figure.canvas).__name__, os.environ["MPLBACKEND"])
import rl.search.optuna_methods as methods
methods.require_optuna("it")
"""


@pytest.mark.parametrize("backend", quick(1, BACKENDS))
def test_figures_are_drawn_on_agg_whatever_the_backend(backend: str, tmp_path: Path) -> None:
    """And whatever a matplotlibrc in the working folder says."""
    (tmp_path / "matplotlibrc").write_text("backend: gtk3agg\ntext.usetex: True\nsavefig.dpi: 7\n")
    answer = subprocess.run(
        [sys.executable, "-c", DRAWS], cwd=tmp_path, env={**os.environ, "MPLBACKEND": backend},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert answer.stderr == ""
    assert answer.stdout == f"FigureCanvasAgg {backend}\n"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (200, 100)


@pytest.mark.slow
def test_a_notebook_keeps_its_backend(tmp_path: Path) -> None:
    """Who draws with pyplot after the lab has drawn gets what MPLBACKEND says."""
    shows = DRAWS + "\nimport matplotlib; print(matplotlib.rcParams['backend'])"
    answer = subprocess.run(
        [sys.executable, "-c", shows], cwd=tmp_path, env={**os.environ, "MPLBACKEND": "svg"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert answer.stdout.splitlines()[-1] == "svg"
