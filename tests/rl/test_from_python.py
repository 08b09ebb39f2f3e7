"""The lab from a program: overrides as a mapping, and what it shows while it trains."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rl
from rl.errors import UserError
from rl.specification.specification import load_specification
from tests.rl.test_callback import SMALL


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
    assert '<progress max="600" value="' in handle.shown[-1]
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
    with displays.showing_by_default(display, 1) as shown:
        kinds = {"": Callback, "table": displays.Redrawn, "Lines": displays.Lines}
        assert type(shown) is kinds[shows]
