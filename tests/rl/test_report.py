"""The reports of runs, trials, searches and comparisons: what they say; that they stand alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from gymnasium.envs.classic_control import CartPoleEnv

from rl.analysis.records import read_records
from rl.errors import UserError
from rl.report import pictures, write_report
from rl.report.origin import command_of
from rl.report.page import to_json
from rl.report.pictures import choose_episodes
from rl.report.trial_page import typical_session
from rl.saved.run import Run
from rl.storage.files import read_json, write_json
from rl.storage.run_folder import RunFolder
from rl.watching import film
from tests.rl.conftest import Command

EVIL = "<img src=x onerror=alert(1)></script>"


class Contents(HTMLParser):
    """The elements of a page, its visible text and its data."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._within = "", [""]
        self.data: list[Any] = []
        self.source = file.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._within.append(dict(attrs).get("type") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._within[-1] == "application/json":
            self.data.append(json.loads(data))
        elif not self._within[-1]:
            self.text += data

    def attributes(self, name: str) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get(name))]

    def headings(self) -> list[str]:
        return re.findall(r"<h2>(.*?)</h2>", self.source)


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time; the report that many tests read has them all."""
    monkeypatch.setattr(film, "FRAMES", 4)
    monkeypatch.setattr(pictures, "FRAMES", 4)


@pytest.fixture
def run(cartpole_run: Path, tmp_path: Path) -> Path:
    """A run that a test may change."""
    return Path(shutil.copytree(cartpole_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def report(cartpole_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = tmp_path_factory.mktemp("report") / "run"
    return Contents(write_report(shutil.copytree(cartpole_run, folder)))


def test_it_says_what_was_run_and_what_came_of_it(report: Contents, cartpole_run: Path) -> None:
    assert report.headings() == [
        "Not solved", "Learning", "Evaluation", "Film", "Episodes", "Updates", "What was run",
        "Run it again",
    ]  # fmt: skip
    outcome = read_json(cartpole_run / "trial_000/session_000/session.json")
    low, high = outcome["evaluation"]["ci95"]
    for said in (
        f"mean return of {outcome['evaluation']['mean_return']:,.1f} over 100 unseen episodes",
        f"95% interval of the mean: {low:,.1f} to {high:,.1f}",
        "python -m rl.run cartpole_dqn --steps 3000 --quiet",
        "beta2: 0.999",
        read_json(cartpole_run / "manifest.json")["versions"]["numpy"],
        "--evaluation",
    ):
        assert said in report.text, said


def test_it_needs_nothing_but_itself(report: Contents) -> None:
    addresses = [*report.attributes("src"), *report.attributes("href")]
    assert len(addresses) > 5
    assert all(each.startswith(("data:", "#")) for each in addresses)
    outside = re.sub(r"http://www\.w3\.org/\S+", "", report.source)  # SVG's name
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest", outside)
    assert len(report.source) < 2_000_000


def test_whoever_cannot_see_is_told(report: Contents) -> None:
    for tag, attributes in report.elements:
        if tag == "img":
            assert len(attributes["alt"] or "") > 20
        if tag == "figure" and attributes["class"] != "picture":
            assert len(attributes["aria-label"] or "") > 20


def test_the_episodes_are_those_of_the_evaluation(report: Contents, cartpole_run: Path) -> None:
    returns = read_json(cartpole_run / "trial_000/session_000/session.json")["evaluation"][
        "returns"
    ]
    replays = [each for each in report.data if "sheet" in each]
    middle = sorted(returns)[49]
    assert [each["returns"][-1] for each in replays] == [max(returns), middle, min(returns)]
    for each in replays:
        assert (
            each["frames"] == len(each["bars"]) == len(each["steps"]) == len(each["chosen"]) <= 80
        )
        assert each["steps"][-1] == each["returns"][-1]  # CartPole pays 1 a step
        assert each["names"] == ["left", "right"]


def test_which_episodes_are_seen() -> None:
    assert choose_episodes([3.0, 1.0, 2.0, 5.0]) == {3: "best", 2: "median", 1: "worst"}
    assert choose_episodes([3.0]) == {0: "worst"}


def test_the_film_is_made_again_only_if_it_was_overtaken(run: Path) -> None:
    pictures.film(Run.open(run))
    file = run / "trial_000/session_000/film.gif"
    file.write_bytes(b"as it was")
    pictures.film(Run.open(run))
    assert file.read_bytes() == b"as it was"
    checkpoint, later = file.parent / "checkpoints/best.npz", file.stat().st_mtime + 10
    os.utime(checkpoint, (later, later))
    pictures.film(Run.open(run))
    assert file.read_bytes()[:3] == b"GIF"


def test_html_in_a_value_is_shown_and_not_run(run: Path) -> None:
    manifest, spec = run / "manifest.json", run / "spec.yaml"
    write_json(manifest, {**read_json(manifest), "command": ["rl", EVIL], "platform": EVIL})
    values = yaml.safe_load(spec.read_text())["cartpole_dqn"]
    spec.write_text(yaml.safe_dump({"cartpole_dqn": {**values, "description": EVIL}}))
    RunFolder(run).session().write_outcome({"status": "failed", "reason": EVIL})
    contents = Contents(write_report(run))
    assert not [tag for tag, attributes in contents.elements if "onerror" in attributes]
    assert contents.text.count(EVIL) == 5  # command, platform, description, reason twice
    assert to_json({"a": EVIL}).count("<") == 0
    assert json.loads(to_json({"a": EVIL})) == {"a": EVIL}


def test_what_went_wrong_is_told(run: Path) -> None:
    session = RunFolder(run).session()
    session.write_outcome({"status": "diverged", "seed": 0, "reason": "loss: nan at step 7"})
    session.traceback.write_text("Traceback: deep down")
    contents = Contents(write_report(run))
    assert contents.headings()[0] == "Diverged"
    assert "Session 0: diverged: loss: nan at step 7." in contents.text
    assert "Traceback: deep down" in contents.text


def test_a_run_that_has_hardly_begun_has_a_report(run: Path) -> None:
    for name in ("checkpoints", "episodes.csv", "updates.csv", "evaluations.csv", "session.json"):
        path = run / "trial_000/session_000" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    contents = Contents(write_report(run))
    assert contents.headings()[0] == "Unfinished"
    assert "rl resume" in contents.text
    shutil.rmtree(run / "trial_000")
    moved = run.rename(run.with_name("my run"))
    contents = Contents(write_report(moved))
    assert contents.headings()[0] == "Not begun"
    assert f"To resume: rl resume '{moved}'" in contents.text


def test_a_world_without_pictures_has_a_report(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CartPoleEnv, "metadata", {"render_modes": []})
    contents = Contents(write_report(run))
    assert contents.text.count("CartPole-v1: draws no pictures") == 2
    assert [each for each in contents.data if "series" in each]


def test_the_session_that_is_seen_is_the_one_in_the_middle(run: Path) -> None:
    trial = RunFolder(run).trial()
    outcome = trial.session(0).read_outcome()
    for number, best in enumerate((5.0, 9.0, 1.0, 7.0)):
        trial.session(number).create()
        figures = {**outcome["evaluation"], "mean_return": best}
        trial.session(number).write_outcome({**outcome, "evaluation": figures})
    shown = typical_session(read_records(trial))
    assert shown is not None
    assert shown.number == 0
    assert typical_session([]) is None


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, cartpole_run: Path) -> Path:
    """A trial of two sessions, a comparison and a search."""
    folder = tmp_path_factory.mktemp("many")
    shutil.copytree(cartpole_run, folder / "one")
    short = ["--set", "train.evaluate_every=1000", "train.evaluate_episodes=1"]
    for command in (
        ["run", "cartpole_dqn", "--sessions", "2", "--jobs", "1", "--steps", "1500",
         "--output", "two", *short],
        ["compare", "one", "two", "--output", "compared"],
        ["search", "cartpole_dqn", "--trials", "2", "--sessions", "1", "--jobs", "1", "--steps",
         "1500", "--output", "searched", *short],
    ):  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "rl", *command, "--no-report"], cwd=folder, check=True,
            timeout=300, capture_output=True,
        )  # fmt: skip
    return folder


def test_a_report_is_not_written_where_there_is_no_saliency(run: Path) -> None:
    (run / "report.html").write_text("as it was")
    with pytest.raises(UserError, match="the agent sees no pictures; leave it out"):
        write_report(run, saliency=True)
    assert (run / "report.html").read_text() == "as it was"


@pytest.mark.slow
def test_a_trial(many: Path) -> None:
    contents = Contents(write_report(many / "two"))
    assert contents.headings()[:4] == ["0 of 2 solved", "Learning", "Evaluation", "Sessions"]
    assert "the one in the middle by its score" in contents.text
    names = [series["name"] for each in contents.data for series in each.get("series", ())]
    assert {"mean of 2 sessions", "range of 2 sessions"} <= set(names)


@pytest.mark.slow
def test_a_search_and_a_trial_of_it(many: Path) -> None:
    file = write_report(many / "searched")
    assert file == many / "searched/report.html"
    contents = Contents(file)
    assert contents.headings()[0] == "Best of the trials"
    assert "optimizer.learning_rate" in contents.text
    assert "sortable" in contents.attributes("class")
    assert "--spec" in contents.text
    single = write_report(many / "searched", trial=1)
    assert single == many / "searched/trial_001/report.html"
    assert Contents(single).headings()[0] == "Not solved"


@pytest.mark.slow
def test_a_comparison(many: Path) -> None:
    contents = Contents(write_report(many / "compared"))
    assert "shows nothing about the spread" in contents.text
    assert "rl compare one two --output compared" in contents.text
    values = read_json(many / "compared/comparison.json")
    evil = [{**each, "name": f"{EVIL} {number}"} for number, each in enumerate(values["data"])]
    write_json(many / "compared/comparison.json", {**values, "data": evil})
    contents = Contents(write_report(many / "compared"))
    assert not [tag for tag, attributes in contents.elements if "onerror" in attributes]
    assert contents.data[1]["series"][0]["name"] == f"{EVIL} 0"
    with pytest.raises(UserError, match="a comparison has none; leave it out"):
        write_report(many / "compared", saliency=True)
    for broken in (None, [], [{**values["data"][0], "scores": [1.0, 2.0]}] * 2):
        write_json(many / "compared/comparison.json", {**values, "data": broken})
        with pytest.raises(UserError, match=r"comparison.json: .*run `rl compare` again"):
            write_report(many / "compared")
    write_json(many / "compared/comparison.json", values)


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (["/opt/bin/rl", "run", "a b"], "rl run 'a b'"),
        (["/x/rl/run.py", "a"], "python -m rl.run a"),
        (["/x/rl/__main__.py", "search", "a"], "python -m rl search a"),
        (["/x/mine.py"], "python mine.py"),
    ],
)
def test_the_command_is_as_it_was_typed(command: list[str], typed: str) -> None:
    assert command_of({"command": command}) == typed


@pytest.mark.slow
def test_a_run_ends_with_a_report(rl: Command, tmp_path: Path) -> None:
    short = ("--steps", 1200, "--set", "train.evaluate_every=600", "--output", "a")
    answer = rl("run", "cartpole_dqn", *short, report=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert answer.stdout.endswith("report: a/report.html\n")
    assert "Film" in Contents(tmp_path / "a/report.html").headings()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_a_run_that_diverges_ends_with_one_too(rl: Command, tmp_path: Path) -> None:
    wild = ("--steps", 1500, "--set", "optimizer.learning_rate=1e30", "--output", "a")
    answer = rl("run", "cartpole_dqn", *wild, report=True)
    assert answer.returncode == 3
    assert answer.stderr.count("\n") == 1
    contents = Contents(tmp_path / "a/report.html")
    assert contents.headings()[0] == "Diverged"
    assert "Session 0: diverged: " in contents.text


def test_the_verb(rl_here: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = iter([True, False])
    monkeypatch.setattr("webbrowser.open", lambda _: next(opened))
    answer = rl_here("report", "run", "--open")
    assert (answer.returncode, answer.stdout) == (0, "report: run/report.html\n")
    nowhere = rl_here("report", "run", "--open")
    assert nowhere.returncode == 2
    assert nowhere.stderr == (
        "rl: run/report.html: no browser can be opened here; open the file on another machine\n"
    )
    for arguments, said in (
        (("nothing",), "there is no such run folder"),
        (("run", "--trial", 3), "has no trial_003"),
    ):
        refused = rl_here("report", *arguments)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1
