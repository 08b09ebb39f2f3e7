"""The drawer: each series of a chart is in the picture as the page would show it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from rl.analysis import charts, drawer
from rl.analysis.charts import Axis, Chart, Key

STEPS, RETURN = Axis("steps"), Axis("return")


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


def test_series_of_one_name_are_one_entry_of_the_legend_and_so_are_faint_ones(axes: Axes) -> None:
    faint = [charts.line(f"session {n}", [0, 1], [n, n], faint=True) for n in range(3)]
    band, line = charts.band("a", [0, 1], [0, 0], [1, 1]), charts.line("a", [0, 1], [0, 1])
    chart = Chart("t", "d", STEPS, RETURN, [*faint, band, line])
    entries = drawer._draw_chart(axes, chart, 50)
    assert {name: len(shown) for name, shown in entries.items()} == {
        "session 0 … session 2": 3, "a": 2,
    }  # fmt: skip


def test_each_colour_has_a_marker_and_a_line_of_its_own() -> None:
    assert all(len(set(map(str, looks))) == 7 for looks in zip(*drawer.LOOKS, strict=True))
    styles = Path("rl/report/assets/charts.css").read_text()
    for number, (colour, _, _) in enumerate(drawer.LOOKS):
        assert f"--series-{number}: light-dark({colour}, " in styles


def test_the_colour_of_a_point_is_the_fuller_the_greater_its_shade(axes: Axes) -> None:
    dots = charts.points("a", [1, 2, np.nan], [1, 2, 3], 1, shades=[0.25, 1.0, 0.5])
    key = Key("score", ["low", "high"])
    entries = drawer._draw_chart(axes, Chart("t", "d", STEPS, RETURN, [dots], key=key), 50)
    (shown,) = axes.collections
    assert [to_hex(colour) for colour in np.asarray(shown.get_facecolor())] == [
        "#e1b283",
        "#8c1d18",
    ]
    assert {name: to_hex(dot.get_color()) for name, (dot,) in entries.items()} == {
        "score low": drawer.WORST, "score high": drawer.BEST,
    }  # fmt: skip
    styles = Path("rl/report/assets/charts.css").read_text()
    assert f"--worst: light-dark({drawer.WORST}," in styles
    assert f"--best: light-dark({drawer.BEST}," in styles


def test_names_inside_the_plot_have_room_and_error_bars_may_lie_across(tmp_path: Path) -> None:
    names = [f"a - b{number}: no difference shown" for number in range(9)]
    dots = charts.points("a", range(9), range(9), low=[-1] * 9, high=[9] * 9, across=True)
    chart = Chart("t", "d", STEPS, Axis("", names=names, inside=True), [dots])
    axes = Figure().subplots()
    drawer._draw_chart(axes, chart, 50)
    assert [each.get_text() for each in axes.texts] == names
    bars, _ = axes.collections
    assert np.asarray(bars.get_paths()[2].vertices).tolist() == [[-1, 2], [9, 2]]
    drawer.draw([chart], tmp_path / "a.png", "title")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.height > 500


@pytest.mark.parametrize(
    ("axis", "values", "texts"),
    [
        (Axis("y", log=True), [0.3, 8.0], ["0.5", "1", "2", "5", "10"]),
        (Axis("y", log=True), [2.0, 5.0], ["2", "3", "4", "5"]),
        (Axis("y", log=True), [2.0, 2e4], ["1", "10", "100", "1,000", "10,000"]),
        (Axis("y", whole=True), [0.0, 2.0], ["0", "1", "2"]),
        (Axis("y"), [0.0, 4000.0], ["0", "1,000", "2,000", "3,000", "4,000"]),
    ],
)
def test_ticks_are_round_and_their_thousands_are_separated(
    axis: Axis, values: list[float], texts: list[str]
) -> None:
    figure = Figure(figsize=drawer.PANEL, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    drawer._draw_chart(axes, Chart("t", "d", STEPS, axis, [charts.line("a", [0, 1], values)]), 50)
    canvas.draw()  # type: ignore[no-untyped-call]
    low, high = axes.get_ylim()
    seen = [each for each in axes.get_yticklabels() if low <= each.get_position()[1] <= high]
    assert [each.get_text() for each in seen if each.get_text()][:9] == texts


def test_a_gap_parts_a_line_and_a_point_between_two_gaps_is_a_dot(axes: Axes) -> None:
    line = charts.line("a", range(6), [1, 1, np.nan, 2, np.nan, np.nan])
    drawer._draw_chart(axes, Chart("t", "d", STEPS, RETURN, [line]), 50)
    dots, joined = axes.lines
    assert np.asarray(dots.get_xydata()).tolist() == [[3, 2]]
    assert np.isnan(np.asarray(joined.get_ydata())).sum() == 3


def test_axes_have_their_scale_their_names_and_the_marks_that_have_a_place(axes: Axes) -> None:
    dots = charts.points("a", [0.001, 0.1], [0, 1])
    names = Axis("net", names=["[64]", "a setting with a long name"])
    marks = [charts.mark_y(0.5, "5 $ here"), charts.mark_x(float("inf"), "nowhere")]
    drawer._draw_chart(axes, Chart("t", "d", Axis("rate", True), names, [dots], marks, "note"), 50)
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "rate\nnote"
    assert [each.get_text() for each in axes.get_yticklabels()] == ["[64]", "a setting with a …"]
    assert [each.get_text() for each in axes.texts] == ["5 \\$ here"]


@pytest.mark.parametrize(("count", "columns", "wide", "rows"), [
    (1, 2, True, 1.6), (3, 2, True, 2.6), (4, 2, True, 3.6), (4, 3, False, 2), (1, 1, False, 1),
])  # fmt: skip
def test_charts_stand_in_rows(
    count: int, columns: int, wide: bool, rows: float, tmp_path: Path
) -> None:
    chart = Chart("t", "d", STEPS, RETURN, [charts.line("a", [0, 1], [0, 1])])
    drawer.draw([chart] * count, tmp_path / "a.png", "title", columns, wide)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (450 * columns, round(270 * rows + 30))


@pytest.mark.parametrize("last", [0.0004, 1, 37, 4e4, 2e5, 975_000, 3e6, 1e12])
def test_the_numbers_of_an_axis_do_not_touch(last: float) -> None:
    figure = Figure(figsize=drawer.PANEL, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    line = charts.line("a", np.linspace(0, last, 9), range(9))
    drawer._draw_chart(axes, Chart("t", "d", STEPS, RETURN, [line]), 50)
    canvas.draw()  # type: ignore[no-untyped-call]
    boxes = [each.get_window_extent() for each in axes.get_xticklabels() if each.get_text()]
    seen = [box for box in boxes if axes.bbox.x0 - 1 <= box.x0 + box.width / 2 <= axes.bbox.x1 + 1]
    assert len(seen) >= 3
    assert all(one.x1 + 4 <= other.x0 for one, other in itertools.pairwise(seen))


def test_a_radar_has_closed_lines_in_the_directions_of_its_names(tmp_path: Path) -> None:
    names = ["up", "right and down", "left and down"]
    lines = [
        charts.line("a", range(3), [0.5, 1, 0.25]),
        charts.line("b", range(3), [0, np.nan, 1], 1),
    ]
    chart = Chart("t", "d", Axis("", names=names), Axis("score"), lines, radar=True)
    axes: Any = Figure().add_subplot(projection="polar")
    entries = drawer._draw_radar(axes, chart, 50)
    angles, distances = np.asarray(axes.lines[0].get_xydata()).T
    assert np.degrees(angles) == pytest.approx([0, 120, 240, 0])
    assert distances.tolist() == [0.5, 1, 0.25, 0.5]
    assert axes.get_theta_offset() == pytest.approx(np.pi / 2)  # the first one stands above
    assert axes.get_theta_direction() == -1
    assert [each.get_text() for each in axes.get_xticklabels()] == names
    assert [*entries] == ["a", "b"]
    assert len(axes.patches) == 1  # what has a gap is not filled
    drawer.draw([chart, chart], tmp_path / "a.png", "title", wide=False)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 900
