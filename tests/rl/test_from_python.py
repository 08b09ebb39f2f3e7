"""The lab from a program: overrides as a mapping, and what it shows while it trains."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rl
from rl.errors import UserError
from rl.formatting import figure_of
from rl.running.trial import create_trial
from rl.specification.specification import load_specification
from rl.storage.session_folder import EPISODE_COLUMNS, SessionFolder
from tests.rl.test_callback import SMALL, Logs


@pytest.mark.parametrize(
    ("mapping", "texts"),
    [
        ({"agent.gamma": 0.9}, ["agent.gamma=0.9"]),
        ({"agent": {"gamma": 0.9, "tau": 0.1}}, ["agent.gamma=0.9", "agent.tau=0.1"]),
        ({"network.hidden": (64,)}, ["network.hidden=[64]"]),
        ({"network": {"hidden": np.array([8, 8])}}, ["network.hidden=[8, 8]"]),
        ({"agent.tau": np.float32(0.5), "train.steps": np.int64(9)},
         ["agent.tau=0.5", "train.steps=9"]),
        ({"memory": {}}, ["memory={}"]),
        ({"train": {"evaluate_every": None}}, ["train.evaluate_every=null"]),
        ({"optimizer.learning_rate": {"name": "inverse_root"}},
         ["optimizer.learning_rate={name: inverse_root}"]),
        ({"description": "mine"}, ["description=mine"]),
        ({}, []),
    ],
)  # fmt: skip
def test_overrides_may_be_a_mapping(mapping: Any, texts: list[str]) -> None:
    given = load_specification("cartpole_dqn", overrides=mapping)
    assert given.digest == load_specification("cartpole_dqn", overrides=texts).digest


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({3: 1}, "overrides: 3 is no dotted path"),
        ({"agent.": 1}, "overrides: 'agent.' is no dotted path"),
        ({"agent": {"gamma": {1, 2}}}, "agent.gamma is a set, which JSON has not"),
        ({"agnet": {"gamma": 0.9}}, "agnet.* unknown key; did you mean 'agent'"),
        ({"problem": {"id": "x"}}, "problem is a single value, not a block"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_line(mapping: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_specification("cartpole_dqn", overrides=mapping)


class Handle:
    """What IPython's `display` gives, and what it was told to show."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, shown: Any, display_id: bool) -> Handle:
        assert display_id
        return self

    def update(self, shown: Any) -> None:
        self.shown.append(shown._repr_html_())


def test_a_notebook_shows_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle, kernel = Handle(), SimpleNamespace(kernel=object())
    shell = SimpleNamespace(get_ipython=lambda: kernel)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", handle)
    rl.train("cartpole_dqn", overrides=SMALL, output=tmp_path / "a", draw=False)
    assert any('<progress max="1" value="' in html for html in handle.shown)
    assert "<td>cartpole_dqn on Chain-v0</td>" in handle.shown[0]
    assert handle.shown[-1] == ""  # nothing is left behind
    count = len(handle.shown)
    rl.train("cartpole_dqn", overrides=SMALL, output=tmp_path / "b", draw=False, display=False)
    assert len(handle.shown) == count


@pytest.mark.parametrize(
    ("display", "terminal", "shows"),
    [(None, False, ""), (None, True, "table"), (True, False, "Lines"), (False, True, "")],
)
def test_progress_is_shown_where_somebody_looks(
    display: bool | None, terminal: bool, shows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rl.running import display as displays
    from rl.session.callback import Callback

    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    with displays.showing_by_default(display, 1) as shown:
        kinds = {"": Callback, "table": displays.Redrawn, "Lines": displays.Lines}
        assert type(shown) is kinds[shows]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rl.Run:
    return rl.train("cartpole_dqn", overrides=SMALL, output=tmp_path_factory.mktemp("r") / "run",
                    draw=False, callbacks=Logs())  # fmt: skip


def test_the_columns_of_a_run_are_arrays_ready_for_pandas(run: rl.Run) -> None:
    episodes, evaluations, updates = run.episodes(), run.evaluations(), run.updates(session=0)
    assert tuple(episodes) == EPISODE_COLUMNS
    assert episodes["step"].dtype == episodes["seed"].dtype == np.int64
    assert episodes["terminated"].dtype == evaluations["best"].dtype == np.bool_
    assert evaluations["step"].tolist() == [300, 600]
    assert len(episodes["return"]) == run.outcome["episodes"]
    assert updates["step"].dtype == np.int64
    assert updates["loss"].dtype == np.float64
    for table in (episodes, evaluations, updates, run.metrics()):
        assert len({len(column) for column in table.values()}) == 1
    metrics = run.metrics()
    at = metrics["step"] == 300
    assert metrics["greedy"][at] == evaluations["mean_return"][0]
    assert np.isnan(metrics["reward"][metrics["step"] == episodes["step"][0]]).all()
    with pytest.raises(UserError, match=r"has no session 7, but \[0\]"):
        run.episodes(session=7)


def test_a_run_serves_wherever_its_path_does(run: rl.Run, tmp_path: Path) -> None:
    """Each of its sessions, too: it is of one."""
    shutil.copytree(run.path, tmp_path / "two")
    sessions = tmp_path / "two" / "trial_000"
    shutil.copytree(sessions / "session_000", sessions / "session_001")
    own = rl.train("cartpole_dqn", 1, SMALL, output=tmp_path / "own", draw=False, steps=900)
    shutil.copytree(own.session.checkpoints, sessions / "session_001/checkpoints",
                    dirs_exist_ok=True)  # fmt: skip
    first, second = (rl.Run.open(tmp_path / "two", session=number) for number in (0, 1))
    for found, trained in ((first, run), (second, own)):
        said = trained.evaluate(3).returns
        assert rl.evaluate(rl.load(found), episodes=3).returns == said
        assert rl.evaluate(found, episodes=3).returns == said
        begun = rl.train("cartpole_dqn", overrides=SMALL, output=tmp_path / found.session.path.name,
                         draw=False, start_from=found)  # fmt: skip
        assert begun.manifest["start"]["path"] == str(found.session.checkpoint("best"))
    assert rl.resume(own, steps=1000, draw=False).outcome["steps"] == 1000


def test_a_run_that_has_not_begun_has_empty_columns(run: rl.Run, tmp_path: Path) -> None:
    empty = create_trial(run.specification, [0, 1], tmp_path / "e")
    empty.session.create()
    assert [len(column) for column in empty.episodes().values()] == [0] * len(EPISODE_COLUMNS)
    assert list(empty.metrics()) == ["step"]
    assert "Chain-v0, 0 of 2 sessions counted" in repr(empty)
    assert "<img" not in empty._repr_html_()


def test_a_run_shows_itself(run: rl.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its curve, which is drawn if nobody has drawn it."""

    def drawn(folder: SessionFolder, title: str, threshold: float | None) -> None:
        assert title == run.title
        folder.curve.write_bytes(b"a curve")

    monkeypatch.setattr("rl.saved.shown_run.draw_session", drawn)
    mean = f"mean return {figure_of(run.outcome['evaluation']['mean_return'])}"
    assert repr(run).startswith(f"Run({str(run.path)!r}: Chain-v0, ")
    assert mean in repr(run)
    assert "\n" not in repr(run)
    run.session.film.write_bytes(b"GIF89a")
    page = run._repr_html_()
    assert mean in page
    assert page.count("data:image/png;base64,") == page.count("data:image/gif;base64,R0lGODlh") == 1
    run.session.film.write_bytes(bytes(6_000_000))
    assert "image/gif" not in run._repr_html_()


@pytest.mark.parametrize("name", ["session.json", "episodes.csv"])
def test_a_damaged_run_shows_that(name: str, run: rl.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "<i>")
    opened = rl.Run.open(tmp_path / "<i>")
    (opened.session.path / name).write_text("{")
    assert ("is damaged" in repr(opened)) == (name == "session.json")
    assert "<i>/" not in opened._repr_html_()
