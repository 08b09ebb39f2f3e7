"""The program that measures agents on bsuite: what is due, what it keeps, and its scores."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl.environments.registered import is_installed
from tests.programs import program

NEEDS = pytest.mark.skipif(not is_installed("bsuite/"), reason="bsuite is not installed")
QUIET = pytest.mark.filterwarnings("ignore")  # of the packages that bsuite imports

# As `bsuite.sweep`, but of two experiments.
IDS = {"catch": [f"catch/{n}" for n in range(20)], "deep_sea": [f"deep_sea/{n}" for n in range(21)]}
EVERY = [each for ids in IDS.values() for each in ids]
SWEEP = SimpleNamespace(
    SWEEP=[*EVERY, "mnist/0"],
    EPISODES=dict.fromkeys(EVERY, 10_000),
    TAGS={
        **dict.fromkeys(program("bsuite_scores").TAGS, ()),
        "basic": IDS["catch"],
        "credit_assignment": IDS["catch"],
        "exploration": IDS["deep_sea"],
    },
)


@pytest.fixture
def radar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The program, with two experiments, and its files elsewhere."""
    module, scores = program("bsuite_radar"), program("bsuite_scores")
    monkeypatch.setitem(sys.modules, "bsuite", SimpleNamespace(sweep=SWEEP, __spec__=1))
    scores.suite.cache_clear()
    monkeypatch.setattr(module, "is_logged", lambda episode: episode % 50 == 0)
    monkeypatch.setattr(module, "ROWS", tmp_path / "rows.csv")
    monkeypatch.setattr(module, "PICTURE", tmp_path / "bsuite.png")
    monkeypatch.setattr(module.common, "RESULTS", tmp_path / "RESULTS.md")
    (tmp_path / "RESULTS.md").write_text("a\n<!-- bsuite -->\n<!-- end of the bsuite -->\nb\n")
    yield module
    scores.suite.cache_clear()


def row(module: Any, bsuite_id: str, episode: int, agent: str = "DQN", **logged: Any) -> Any:
    logged = {"total_bad_episodes": episode, **logged}
    return {
        "agent": agent, "bsuite_id": bsuite_id, "seconds": "1.0", "episode": str(episode),
        "settings": module.settings_of(agent), **{key: str(each) for key, each in logged.items()},
    }  # fmt: skip


def test_a_run_is_due_until_its_row_is_there_with_these_hyper_parameters(
    radar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = radar.rows_of(radar.ROWS)
    rows.add(row(radar, "catch/3", 500))
    rows.add(row(radar, "deep_sea/0", 400, total_bad_episodes=359))
    rows.add(row(radar, "deep_sea/1", 400, total_bad_episodes=360))
    again = radar.rows_of(radar.ROWS)
    assert radar.is_known(again, "DQN", "catch/3", 500)
    assert radar.is_known(again, "DQN", "catch/3", 100)
    assert not radar.is_known(again, "DQN", "catch/3", 1_000)
    assert not radar.is_known(again, "DQN", "catch/4", 500)
    assert not radar.is_known(again, "PPO", "catch/3", 500)
    assert radar.is_known(again, "DQN", "deep_sea/0", 10_000)  # its score is decided
    assert not radar.is_known(again, "DQN", "deep_sea/1", 10_000)
    monkeypatch.setitem(radar.AGENTS, "DQN", {**radar.AGENTS["DQN"], "network": {"hidden": [7]}})
    assert not radar.is_known(again, "DQN", "catch/3", 500)
    assert radar.scored(again, "DQN") == {}


def test_what_is_scored_was_measured_over_the_same_episodes_or_is_decided(radar: Any) -> None:
    rows = radar.rows_of(radar.ROWS)
    for number, episode in ((0, 1_000), (2, 10_000), (10, 10_000)):
        rows.add(row(radar, f"catch/{number}", episode))
    rows.add(row(radar, "deep_sea/0", 400, total_bad_episodes=100))
    rows.add(row(radar, "deep_sea/2", 10_000))
    scored = radar.scored(radar.rows_of(radar.ROWS), "DQN")
    assert {name: [each["bsuite_id"] for each in found] for name, found in scored.items()} == {
        "catch": ["catch/2", "catch/10"], "deep_sea": ["deep_sea/0", "deep_sea/2"],
    }  # fmt: skip


def test_a_share_has_the_first_and_the_last_setting(radar: Any) -> None:
    assert radar.chosen(IDS["deep_sea"], 0.25) == [f"deep_sea/{n}" for n in (0, 5, 10, 15, 20)]
    assert radar.chosen(IDS["deep_sea"], 0.01) == ["deep_sea/0"]
    assert radar.chosen(IDS["deep_sea"], 1.0) == IDS["deep_sea"]


def test_episodes_end_where_bsuite_logs(radar: Any) -> None:
    assert radar.episodes_of("catch/0", 1.0) == 10_000
    assert radar.episodes_of("catch/0", 0.0099) == 50


def run(radar: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["bsuite_radar.py", *options])
    radar.main()


def test_an_interrupted_run_continues_where_it_was(
    radar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, int]] = []

    def measure(agent: str, bsuite_id: str, episodes: int) -> Any:
        asked.append((agent, bsuite_id, episodes))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return row(radar, bsuite_id, episodes, agent)

    monkeypatch.setattr(radar, "measure", measure)
    monkeypatch.setattr(radar, "write_results", lambda rows: None)
    options = "--only", "exploration", "--agent", "PPO", "--share", "0.15", "--episodes", "0.1"
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        run(radar, monkeypatch, *options)
    run(radar, monkeypatch, *options)
    last = ("PPO", "deep_sea/20", 1_000)
    assert asked == [("PPO", "deep_sea/0", 1_000), ("PPO", "deep_sea/10", 1_000), last, last]
    run(radar, monkeypatch, *options)
    assert len(asked) == 4


def test_the_results_say_of_how_much_each_score_is(
    radar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = radar.rows_of(radar.ROWS)
    rows.add(row(radar, "catch/0", 1_000))
    rows.add(row(radar, "deep_sea/0", 400, total_bad_episodes=100))
    scores = {"catch": 0.625, "deep_sea": 1.0}
    monkeypatch.setattr(radar, "by_experiment", lambda rows: scores)
    drawn: list[Any] = []
    monkeypatch.setattr("rl.analysis.drawer.draw", lambda *given: drawn.append(given))
    radar.write_results(rows)
    text = radar.common.RESULTS.read_text()
    assert "| basic | 0.62 (in part) | 0.91 | 0.98 | 0.86 |" in text
    assert "| exploration | 1.00 (in part) | 0.00 | 0.99 | 0.00 |" in text
    assert "| catch | 0.62 (1 of 20, 0.1 of the episodes) | 0.91 | 0.98 | 0.86 |" in text
    assert "| deep_sea | 1.00 (1 of 21) | 0.00 | 0.99 | 0.00 |" in text
    assert "mnist" not in text
    ((charts, file, _),) = drawn
    bars, ours, theirs = (chart.series for chart in charts)
    assert file == radar.PICTURE
    assert bars[0]["x"] == pytest.approx([-0.4, 0.4, 0.6, 1.4])
    assert bars[0]["y"] == [0.625, 0.0, 1.0]
    assert [each["y"] for each in ours] == [[0.625, 1.0, 0.625]]
    assert [each["y"] for each in theirs][1] == [0.98, 0.99, 0.98]


def test_a_score_of_everything_says_no_more(radar: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = radar.rows_of(radar.ROWS)
    rows.add(*(row(radar, each, 10_000) for each in IDS["catch"]))
    rows.add(*(row(radar, each, 400, total_bad_episodes=100) for each in IDS["deep_sea"][:-1]))
    scores = {"catch": 0.625, "deep_sea": 1.0}
    monkeypatch.setattr(radar, "by_experiment", lambda rows: scores)
    monkeypatch.setattr("rl.analysis.drawer.draw", lambda *given: None)
    radar.write_results(rows)
    text = radar.common.RESULTS.read_text()
    assert "| basic | 0.62 | 0.91 |" in text
    assert "| catch | 0.62 | 0.91 |" in text
    assert "| exploration | 1.00 (in part) | 0.00 |" in text
    rows.add(row(radar, IDS["deep_sea"][-1], 10_000))
    radar.write_results(rows)
    assert "| exploration | 1.00 | 0.00 |" in radar.common.RESULTS.read_text()


def test_what_a_user_can_put_right_is_one_line(
    radar: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, said in (
        (("--only", "navigation"), "--only navigation: there is none. Known: basic, catch, "),
        (("--share", "0"), "argument --share: must be above 0 and at most 1, not 0; see --help"),
        (("--episodes", "all"), "argument --episodes: must be above 0 and at most 1, not all; s"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(radar, monkeypatch, *options)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


@NEEDS
@QUIET
def test_scores_are_bsuites_own_by_hand() -> None:
    """Bandit: regrets of 1,000 and 2,000 in 10,000 episodes, against 0.5: 1 - 0.15 / 0.5."""
    scores = program("bsuite_scores")
    rows = [
        {"bsuite_id": "bandit/0", "episode": "10000", "total_regret": "1000"},
        {"bsuite_id": "bandit/1", "episode": "10000", "total_regret": "2000"},
        # 10 x 10 is solved early; 12 x 12 is not solved; 14 x 14 is, after too many episodes.
        {"bsuite_id": "deep_sea/0", "episode": "1000", "total_bad_episodes": "899"},
        {"bsuite_id": "deep_sea/1", "episode": "10000", "total_bad_episodes": "10000"},
        {"bsuite_id": "deep_sea/2", "episode": "10000", "total_bad_episodes": "8000"},
        # The mean return of cartpole is 800, and one of two has an episode above 500.
        {"bsuite_id": "cartpole/0", "episode": "1000", "raw_return": "700000",
         "best_episode": "501"},
        {"bsuite_id": "cartpole/1", "episode": "1000", "raw_return": "900000",
         "best_episode": "500"},
        # Scores of 0.8 and 0.4 at two scales: (0.6 + (0.6 - 0.2)) / 2.
        {"bsuite_id": "catch_scale/0", "episode": "10000", "total_regret": "3200"},
        {"bsuite_id": "catch_scale/4", "episode": "10000", "total_regret": "9600"},
    ]  # fmt: skip
    found = scores.by_experiment(rows)
    assert found == pytest.approx(
        {"bandit": 0.7, "deep_sea": 2 / 3, "cartpole": 0.65, "catch_scale": 0.5}
    )
    assert scores.by_tag(found) == pytest.approx(
        {
            "basic": 0.675,
            "scale": 0.5,
            "exploration": 2 / 3,
            "credit_assignment": 0.575,
            "generalization": 0.65,
        }
    )


@NEEDS
@QUIET
def test_published_scores_are_of_the_suites_experiments() -> None:
    """Their means by tag, with MNIST's, are those that the authors' radar shows."""
    scores = program("bsuite_scores")
    assert all(set(each) == set(scores.suite()) for each in scores.PUBLISHED.values())
    dqn = scores.PUBLISHED["DQN"]
    scale = [each for name, each in dqn.items() if name.endswith("_scale")]
    assert (sum(scale) + 0.28) / 5 == pytest.approx(0.56, abs=0.005)
    assert scores.by_tag(dqn)["scale"] == pytest.approx(0.63)
    assert scores.by_tag(scores.PUBLISHED["bootstrapped DQN"])["exploration"] == pytest.approx(0.71)


@NEEDS
@QUIET
@pytest.mark.parametrize("agent", ["DQN", "BootstrappedDQN", "PPO"])
def test_a_row_is_what_bsuite_has_logged_of_the_training(agent: str) -> None:
    radar = program("bsuite_radar")
    found = radar.measure(agent, "bandit/3", 20)
    assert (found["agent"], found["bsuite_id"], found["episode"]) == (agent, "bandit/3", "20")
    assert found["steps"] == "20"
    assert float(found["total_regret"]) == pytest.approx(20 - float(found["total_return"]))
    again = radar.measure(agent, "bandit/3", 20)
    assert {**again, "seconds": ""} == {**found, "seconds": ""}
