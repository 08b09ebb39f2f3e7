from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn.typing import Array
from rl.analysis.comparison import Comparison, Group, Pair, compare
from rl.analysis.comparison_charts import comparison_charts
from rl.analysis.drawer import draw
from rl.analysis.statistics import (
    improvement_interval,
    paired_difference_interval,
    sessions_needed,
)

EPISODES = np.linspace(-30, 30, 8)  # what an episode adds for everyone


def group(name: str, *scores: float, **changes: Any) -> Group:
    """Sessions of these mean returns, each evaluated twice while it learned."""
    values = np.array(scores)
    curves = [(np.array([1000.0, 2000.0]), np.array([20.0, score])) for score in scores]
    made = Group(name, "CartPole-v1", values, values[:, None] + EPISODES, curves, 475.0)
    return replace(made, **changes)


def only_pair(comparison: Comparison) -> Pair:
    (pair,) = comparison.pairs
    return pair


def test_a_clear_difference_is_said_from_the_better_ones_side() -> None:
    high, low = group("high", 490, 495, 480, 485), group("low", 400, 420, 410, 415, 402)
    pair = only_pair(compare([high, low]))
    assert pair.better == "high"
    assert pair.difference.value == pytest.approx(487.5 - 409.4)
    expected = paired_difference_interval(high.returns, low.returns)
    assert pair.difference.interval == pytest.approx(expected)
    assert pair.improvement.value == 1
    begin = "high is better than low: its mean return is 78.1 higher (95% interval "
    end = "and each of its sessions is above each of low."
    assert pair.verdict.startswith(begin)
    assert pair.verdict.endswith(end)

    turned = only_pair(compare([low, high]))
    assert turned.difference.value == -pair.difference.value
    assert turned.improvement.value == 0
    assert turned.better == "high"
    assert turned.verdict.startswith(begin)
    assert turned.verdict.endswith(end)


def test_the_ends_of_the_interval_turn_with_the_sides() -> None:
    high, low = group("high", 490, 495, 450, 485), group("low", 440, 455, 410, 415, 402)
    verdict = only_pair(compare([low, high])).verdict
    numbers = paired_difference_interval(low.returns, high.returns)
    assert f"interval {-numbers[1]:.1f} to {-numbers[0]:.1f})" in verdict
    improvement = only_pair(compare([low, high])).improvement
    assert improvement.interval is not None
    least, most = 1 - improvement.interval[1], 1 - improvement.interval[0]
    assert least < 1 - improvement.value < most
    assert f"probability {1 - improvement.value:.2f} ({least:.2f} to {most:.2f})" in verdict


def test_an_unclear_difference_says_how_many_sessions_would_show_it() -> None:
    pair = only_pair(compare([group("a", 10, 14), group("b", 9, 11)]))
    assert (pair.better, pair.needed) == (None, 20)
    assert pair.verdict.startswith("These sessions do not show a difference between a and b (2.0, ")
    assert pair.verdict.endswith(
        "about 20 sessions of each would be needed to see one of that size."
    )


def test_it_never_asks_for_no_more_sessions_than_there_were() -> None:
    pair = only_pair(compare([group("a", 10, 14), group("b", 4, 6)]))
    assert (pair.better, pair.needed) == (None, 2)
    assert "about 3 sessions of each" in pair.verdict


def test_equal_means_with_a_spread_ask_for_no_number_of_sessions() -> None:
    pair = only_pair(compare([group("a", 10, 14), group("b", 11, 13)]))
    assert pair.verdict.startswith("These sessions do not show a difference between a and b (0.0")
    assert "needed" not in pair.verdict


@pytest.mark.parametrize("score", [500.0, -79.3])
def test_sessions_that_are_all_equal(score: float) -> None:
    comparison = compare([group("a", *[score] * 5), group("b", *[score] * 3)])
    assert only_pair(comparison).better is None
    assert only_pair(comparison).difference.interval == (0, 0)
    assert only_pair(comparison).verdict == (
        "a and b have the same mean return in every session: nothing tells them apart."
    )
    assert "-0.0" not in comparison.text()


def test_one_session_shows_nothing_about_the_spread() -> None:
    several, one = group("several", 10, 14, 12), group("one", 490)
    comparison = compare([several, one])
    pair = only_pair(comparison)
    assert (pair.better, pair.needed, pair.difference.interval) == (None, None, None)
    assert pair.verdict == (
        "one has one session, which shows nothing about the spread between sessions;"
        " run at least 5 of each to compare them."
    )
    assert comparison.summaries[1].iqm.interval is None
    both = only_pair(compare([one, group("another", 20)])).verdict
    assert both.startswith("one and another have one session each, ")


def test_what_a_group_is_worth() -> None:
    summary = compare([group("a", 480, 470, 475, 0), group("b", 1, 2)]).summaries[0]
    assert (summary.name, summary.sessions, summary.solved) == ("a", 4, 0.5)
    assert summary.mean.value == 356.25
    assert (summary.median.value, summary.iqm.value) == (472.5, 472.5)
    assert summary.mean.interval is not None
    assert summary.mean.interval[0] < 356.25 < summary.mean.interval[1]
    assert compare([group("a", 1, threshold=None), group("b", 2)]).summaries[0].solved is None


def test_each_of_three_pairs_is_held_to_a_third_of_the_error() -> None:
    a, b, c = group("a", 10, 12, 14, 16), group("b", 15, 17, 19, 21), group("c", 60, 61, 62)
    assert only_pair(compare([b, a])).better == "b"
    comparison = compare([a, b, c])
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [
        ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    assert [pair.better for pair in comparison.pairs] == [None, "c", "c"]
    level = 1 - 0.05 / 3
    assert comparison.pair_level == pytest.approx(level)
    expected = paired_difference_interval(a.returns, b.returns, comparison.pair_level)
    assert comparison.pairs[0].difference.interval == pytest.approx(expected)
    expected = improvement_interval(a.scores, b.scores, comparison.pair_level)
    assert comparison.pairs[0].improvement.interval == expected
    needed = sessions_needed(a.scores, b.scores, level=comparison.pair_level)
    assert comparison.pairs[0].needed == needed
    assert "98.3% intervals" in comparison.text()
    assert "(98.3% interval" in comparison.pairs[1].verdict


def test_only_pairs_that_can_be_judged_share_the_error() -> None:
    comparison = compare([group("a", 10, 12), group("b", 14, 16), group("one", 60)])
    assert comparison.pair_level == 0.95
    assert comparison.text().count("one has one session") == 1


def test_groups_are_paired_on_the_episodes_they_share() -> None:
    a, b = group("a", 10, 12, 14), group("b", 10, 13, 15)
    more = np.concatenate([b.returns, np.full((3, 5), 1000.0)], axis=1)
    longer = replace(b, returns=more, scores=more.mean(axis=1))
    assert compare([a, longer]).pairs == compare([a, b]).pairs
    assert compare([longer, a]).pairs == compare([b, a]).pairs


def test_the_text_has_a_line_for_each_group_and_pair() -> None:
    comparison = compare([group("short", 10, 14), group("a_longer_name", 9, 11)])
    lines = comparison.lines()
    assert lines[0].startswith("CartPole-v1: ")
    header, short, longer = lines[2:5]
    assert header.split() == ["run", "sessions", "mean", "median", "solved"]  # no IQM of two
    assert short.split()[:4] == ["short", "2", "12.0", "[10.0,"]
    assert len(header) == len(short) == len(longer)
    assert lines[7].startswith("short - a_longer_name  ")
    assert lines[-1] == only_pair(comparison).verdict
    assert comparison.text() == "\n".join(lines)


@pytest.mark.parametrize(("score", "expected"), [(0.0, "0.0"), (0.25, "0.250"), (-7.5, "-7.50")])
def test_small_returns_keep_their_digits(score: float, expected: str) -> None:
    lines = compare([group("a", score, score), group("b", 1, 2)]).lines()
    assert lines[3].split()[2] == expected


def test_the_figures_are_json() -> None:
    groups = [group("a", 10, 14), group("b", 9, 11, threshold=None), group("one", 3)]
    text = json.dumps(compare(groups).to_dict(), allow_nan=False)
    figures = json.loads(text)
    assert [each["name"] for each in figures["groups"]] == ["a", "b", "one"]
    assert figures["groups"][0]["mean"] == {"value": 12, "interval": [10, 14]}
    assert figures["groups"][2]["mean"] == {"value": 3, "interval": None}
    assert figures["groups"][1]["solved"] is None
    assert (figures["level"], figures["problem"]) == (0.95, "CartPole-v1")
    assert figures["pairs"][0]["better"] is None
    assert figures["pairs"][0]["verdict"].startswith("These sessions do not show")


NOTHING: list[tuple[Array, Array]] = [(np.zeros(0), np.zeros(0))]
A, B = group("a", 1, 2), group("b", 3)


@pytest.mark.parametrize(("groups", "message"), [
    ([], "two runs or more, and none is given; name another"),
    ([A], "two runs or more, and a is the only one; name another"),
    ([A, B, A], "a: named more than once; name each run once"),
    ([A, replace(B, problem="Acrobot-v1")], "a on CartPole-v1, b on Acrobot-v1; compare runs on"),
    ([A, group("b")], "b: has no finished session; let one finish"),
    ([A, replace(B, returns=np.ones((2, 3)))], "b: scores, returns and curves must be of the same"),
    ([A, replace(B, returns=np.ones(1))], "b: scores, returns and curves must be of the same"),
    ([A, replace(B, curves=[])], "b: scores, returns and curves must be of the same"),
    ([A, replace(B, curves=NOTHING)], "b: a session has no evaluation; leave that"),
    ([A, replace(B, returns=np.ones((1, 0)))], "b: a session has no evaluation; leave that"),
    ([A, group("b", np.nan)], "b: a return is not finite; leave that session out"),
])  # fmt: skip
def test_what_cannot_be_compared_is_refused(groups: list[Group], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(groups)


@pytest.mark.parametrize("groups", [
    [group("a", 480, 470, 475, 300, 490), group("b", 400, 410, 380)],
    [group("a", 500, 500, 500, 500, 500), group("b", 500)],
    [group("a_long_name" * 9 + str(each), each, 2 * each, threshold=None) for each in range(8)],
    [group(name, 1, 2, curves=[(np.ones(1), np.ones(1))] * 2) for name in "ab"],
], ids=["two", "equal", "eight", "one_evaluation"])  # fmt: skip
def test_the_picture_shows_something(groups: list[Group], tmp_path: Path) -> None:
    from matplotlib.image import imread

    path = tmp_path / "comparison.png"
    draw(comparison_charts(compare(groups))[1:], path, "a", columns=3, wide=False)
    pixels = imread(path)
    height, width = pixels.shape[:2]
    for place in range(3):
        panel = pixels[: int(0.84 * height), place * width // 3 : (place + 1) * width // 3, :3]
        coloured = panel.max(axis=-1) - panel.min(axis=-1) > 0.3
        assert coloured.sum() > 20, place
