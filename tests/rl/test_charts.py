"""What charts say of a run, as plain data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart, Key
from rl.analysis.comparison import Group, compare, group_of
from rl.analysis.comparison_charts import comparison_charts
from rl.analysis.names import names_over
from rl.analysis.records import Record, read_records
from rl.analysis.search_charts import pair_charts, parameter_charts, score_chart
from rl.analysis.search_figures import Search
from rl.analysis.statistics import bootstrap_interval, interquartile_mean
from rl.analysis.trial_charts import (
    _metric_chart,
    evaluation_distribution,
    learning_curve,
    session_scores,
    update_charts,
)
from rl.storage.run_folder import RunFolder, TrialFolder


def by_name(chart: Chart) -> dict[str, dict[str, Any]]:
    return {series["name"]: series for series in chart.series}


def test_what_is_not_finite_is_left_out() -> None:
    line = charts.line("a", [1, 2, 3], [0.123456789, np.nan, np.inf])
    assert line["y"] == [0.12346, None, None]
    chart = Chart("t", "d", Axis("x"), Axis("y"), [line], [charts.mark_y(2.0, "here")])
    assert json.loads(json.dumps(chart.data, allow_nan=False))["marks"] == [
        {"y": 2.0, "label": "here"}
    ]


def test_many_points_become_their_means() -> None:
    x, y = charts.thinned(np.arange(7.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 99.0], most=3)
    assert x.tolist() == [1.0, 4.0, 6.0]
    assert y.tolist() == [2.0, 8.0, 99.0]
    few, _ = charts.thinned([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], most=3)
    assert few.tolist() == [1.0, 2.0, 3.0]


def test_where_values_stand() -> None:
    assert charts.places([0.5, 2]) == ([0.5, 2.0], None)
    assert charts.places([True, False, True]) == ([1.0, 0.0, 1.0], ["false", "true"])
    found, names = charts.places([[64], {"name": "Adam", "beta1": 0.5}, "sgd"])
    assert names == ["Adam(beta1=0.5)", "[64]", "sgd"]
    assert found == [1.0, 0.0, 2.0]


@pytest.fixture
def records(cartpole_run: Path) -> list[Record]:
    return read_records(RunFolder.open(cartpole_run).trial())


def test_the_learning_curve_of_a_session(records: list[Record]) -> None:
    chart = learning_curve(records, 475.0)
    series = by_name(chart)
    assert series["greedy evaluation"]["x"] == [1500.0, 3000.0]
    assert series["training episode"]["faint"]
    training = series["training, mean of 100 episodes"]
    assert training["thin"]
    assert training["y"][0] == series["training episode"]["y"][0]
    assert chart.marks == [{"y": 475.0, "label": "solved: 475"}]
    first, last = records[0].returns[[0, -1]]
    assert f"from {first:,.1f} to {last:,.1f} in 3,000 environment steps" in chart.description
    strong, band, *_ = chart.series  # the result comes first
    assert (strong["name"], strong["kind"]) == ("greedy evaluation", "line")
    assert band["low"][0] < strong["y"][0] < band["high"][0]


def test_the_learning_curve_of_several(records: list[Record]) -> None:
    chart = learning_curve(records * 3, None)
    assert [each["name"] for each in chart.series] == [
        "mean of 3 sessions", "range of 3 sessions", *["session 0"] * 3,
    ]  # fmt: skip
    assert [bool(each.get("thin")) for each in chart.series] == [False, False, True, True, True]
    assert chart.marks == []
    middle = by_name(chart)["mean of 3 sessions"]
    assert middle["y"][0] == pytest.approx(records[0].returns[0], rel=1e-4)


@pytest.mark.parametrize(
    ("sessions", "names"),
    [
        (1, ("one session", "its value")),
        (3, ("mean of 3 sessions", "range of 3 sessions")),
        (4, ("IQM of 4 sessions", "range of 4 sessions")),
        (5, ("IQM of 5 sessions", "its 95% bootstrap interval")),
    ],
)
def test_the_middle_and_the_band_are_called_what_they_are(
    sessions: int, names: tuple[str, str]
) -> None:
    assert names_over(sessions) == names
    scores = [float(score**2) for score in range(sessions)]
    is_range = bootstrap_interval(scores, statistic=interquartile_mean) == (scores[0], scores[-1])
    assert is_range == (sessions < 5)


def test_where_a_session_reached_its_threshold_is_marked(records: list[Record]) -> None:
    outcome = {**records[0].outcome, "reached": {"step": 3000, "episodes": 9, "seconds": 1.0}}
    solved = dataclasses.replace(records[0], outcome=outcome)
    for found in ([solved], [records[0], solved, solved]):
        marked = by_name(learning_curve(found, 475.0))["threshold reached"]
        assert set(marked["x"]) == {3000.0}
        assert set(marked["y"]) == set(charts.numbers(records[0].returns[-1:]))
        assert marked["texts"][0] == "session 0: threshold reached at step 3,000"
    assert "threshold reached" not in by_name(learning_curve(records, 475.0))


@pytest.mark.parametrize(
    ("name", "values", "log"),
    [
        ("loss", [0.1, 30.0], True),
        ("gradient_norm", [2.0, 3.0], True),
        ("policy_loss", [-1.0, 2.0], False),
        ("loss", [0.0, 2.0], False),
        ("loss", [1e-200, 1e200], False),
        ("mean_q", [1.0, 2.0], False),
    ],
)
def test_losses_have_a_logarithmic_axis_if_they_are_positive(
    name: str, values: list[float], log: bool
) -> None:
    chart = _metric_chart("t", "w", name.replace("_", " "), [(0, [1.0, 2.0], values)])
    assert chart.y.log == log


def test_a_session_that_has_not_begun_has_empty_charts(tmp_path: Path) -> None:
    TrialFolder(tmp_path).session(0).create()
    records = read_records(TrialFolder(tmp_path))
    chart = learning_curve(records, 1.0)
    assert all(series["x"] == [] for series in chart.series)
    assert chart.description == "No evaluation was made yet."
    assert evaluation_distribution(records, 1.0) is None
    assert update_charts(records) == []
    assert learning_curve([], None).series == []


def test_the_distribution_is_of_the_unseen_episodes(records: list[Record]) -> None:
    chart = evaluation_distribution(records, 475.0)
    assert chart is not None
    returns = records[0].outcome["evaluation"]["returns"]
    (bars,) = chart.series
    assert sum(bars["y"]) == len(returns) == 100
    assert bars["x"][0] == pytest.approx(min(returns), rel=1e-4)
    assert chart.marks[0]["x"] == pytest.approx(np.mean(returns))
    assert session_scores(records, 475.0) is None
    several = session_scores(records * 2, 475.0)
    assert several is not None
    assert several.series[0]["y"] == charts.numbers([records[0].best] * 2)


def test_equal_returns_are_one_bar(records: list[Record]) -> None:
    outcome = records[0].outcome
    equal = {**outcome["evaluation"], "returns": [500.0] * 100}
    record = dataclasses.replace(records[0], outcome={**outcome, "evaluation": equal})
    chart = evaluation_distribution([record], None)
    assert chart is not None
    assert chart.series[0]["y"] == [100.0]
    assert chart.series[0]["x"] == [499.5, 500.5]


def test_the_only_session_that_has_begun_is_seen(records: list[Record], tmp_path: Path) -> None:
    TrialFolder(tmp_path).session(0).create()
    (waiting,) = read_records(TrialFolder(tmp_path))
    chart = learning_curve([waiting, records[0]], None)
    assert by_name(chart)["greedy evaluation"]["x"] == [1500.0, 3000.0]


def test_each_metric_of_the_updates_has_a_chart(records: list[Record]) -> None:
    found = update_charts(records)
    assert [chart.title for chart in found] == ["Loss", "Q-values", "Gradient norm", "Exploration"]
    exploration = found[-1].series[0]["y"]
    assert exploration[0] > exploration[-1] > 0


TRIALS = [
    {"trial": 2, "score": 9.0, "parameters": {"rate": 0.1, "net": [64]}},
    {"trial": 0, "score": 5.0, "parameters": {"rate": 0.001, "net": [32]}},
    {"trial": 1, "score": 4.0, "parameters": {"rate": 0.01, "net": [64]}},
]
SEARCH = Search({"rate": {"log": True}, "net": {"log": True}}, "mean_return", TRIALS)


def test_of_many_sessions_some_are_drawn(records: list[Record]) -> None:
    many = [
        dataclasses.replace(records[0], returns=records[0].returns + number)
        for number in range(250)
    ]
    faint = [series for series in learning_curve(many, None).series if series.get("faint")]
    assert len(faint) == 100
    assert faint[-1]["y"] == charts.numbers(many[-1].returns)
    assert "100 sessions are drawn" in learning_curve(many, None).note
    assert all(len(chart.series) == 10 for chart in update_charts(many))


def test_the_scores_of_a_search_and_while_it_runs_the_best_so_far() -> None:
    assert score_chart(SEARCH).x == Axis("trial", whole=True)
    assert list(by_name(score_chart(SEARCH))) == ["trial"]
    series = by_name(score_chart(SEARCH, running=True))
    assert series["trial"]["y"] == [5.0, 4.0, 9.0]
    assert series["best so far"]["y"] == [5.0, 5.0, 9.0]


def test_the_score_by_each_parameter() -> None:
    rate, net = parameter_charts(SEARCH)
    assert rate.x == Axis("rate", log=True)
    assert net.x == Axis("net", names=["[32]", "[64]"])
    assert rate.series[0]["x"] == [0.1, 0.001, 0.01]
    assert rate.series[0]["texts"][0] == "trial 2: 9, rate=0.1, net=[64]"
    assert "The best has rate=0.1." in rate.description


def test_trials_are_coloured_by_their_score_whatever_is_drawn() -> None:
    (pair,) = pair_charts(SEARCH)
    assert pair.series[0]["shades"] == [1.0, 0.5, 0.0]
    assert pair.series[0]["y"] == [1.0, 0.0, 1.0]
    for chart in (pair, score_chart(SEARCH), *parameter_charts(SEARCH)):
        assert chart.key == Key("mean return", ["4", "5", "9"])
    assert score_chart(SEARCH).series[0]["shades"] == [0.5, 0.0, 1.0]  # in the order of trials


def test_trials_of_one_score_have_one_colour_and_no_key() -> None:
    alike = dataclasses.replace(SEARCH, results=[{**trial, "score": 1.0} for trial in TRIALS])
    assert score_chart(alike).series[0]["shades"] == [1.0, 1.0, 1.0]
    assert score_chart(alike).key is None


def test_an_axis_of_counts_has_whole_ticks() -> None:
    trials = [{**each, "parameters": {"rate": 0.5, "net": 2 + n}} for n, each in enumerate(TRIALS)]
    rate, net = parameter_charts(dataclasses.replace(SEARCH, results=trials))
    assert (rate.x.whole, net.x.whole) == (False, True)


def group(name: str, scores: list[float]) -> Group:
    curves = [(np.array([10.0, 20.0]), np.array([score / 2, score])) for score in scores]
    returns = np.array(scores)[:, None] + np.array([[-1.0, 1.0]])
    return Group(name, "CartPole-v1", np.array(scores), returns, curves, 475.0)


def test_the_charts_of_a_comparison() -> None:
    comparison = compare([group("a", [1.0, 2.0, 3.0]), group("b", [4.0])])
    difference, scores, curves, profiles = comparison_charts(comparison)
    assert difference.y.names == ["too few sessions: a \N{MINUS SIGN} b"]
    assert scores.x.names == ["a", "b"]
    sessions, middle = (series for series in scores.series if series["name"] == "a")
    assert sessions["y"] == [1.0, 2.0, 3.0]
    assert middle["y"] == [2.0]
    assert middle["texts"] == ["a: mean of 3 sessions 2.00 (range of 3 sessions: 1.00 to 3.00)"]
    assert by_name(curves)["b"]["y"][-1] == 4.0
    kinds = [(series["name"], series["kind"]) for series in curves.series]
    assert kinds == [("a", "band"), ("a", "line"), ("b", "line")]  # one session has no spread
    assert by_name(profiles)["a"]["y"][0] == 1.0
    assert profiles.marks == [{"x": 475.0, "label": "solved: 475"}]


def test_the_difference_of_each_pair_stands_against_zero_with_its_verdict() -> None:
    found = compare([group("a", [1.0, 2.0, 3.0]), group("b", [91.0, 92.0, 93.0]),
                     group("x" * 40, [2.0, 1.0, 4.0])])  # fmt: skip
    chart = comparison_charts(found)[0]
    assert chart.marks == [{"x": 0.0, "label": ""}]
    short, minus = "…" + "x" * 31, "\N{MINUS SIGN}"
    assert chart.y.names == [
        f"b is better: b {minus} {short}", f"no difference shown: a {minus} {short}",
        f"b is better: a {minus} b",
    ]  # fmt: skip
    assert [series["colour"] for series in chart.series] == [1, 6, 1]
    for series, pair in zip(chart.series, found.pairs[::-1], strict=True):
        assert series["across"]
        assert series["x"] == charts.numbers([pair.difference.value])
        assert pair.difference.interval is not None
        assert series["low"] + series["high"] == pytest.approx(pair.difference.interval, rel=1e-4)
        assert series["texts"] == [pair.verdict]


def test_a_group_is_the_same_after_its_way_through_json() -> None:
    before = group("a", [1.0, 2.0])
    after = group_of(json.loads(json.dumps(before.to_dict())))
    assert compare([before, group("b", [3.0])]).text() == compare([after, group("b", [3.0])]).text()
    np.testing.assert_array_equal(after.curves[1][1], before.curves[1][1])
