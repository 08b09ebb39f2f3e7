"""The dashboard shows what the runs in a folder are like, nothing else, and to nobody else."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rl.analysis.comparison import Group, compare
from rl.analysis.records import read_records
from rl.cli import main
from rl.dashboard import channel
from rl.dashboard.app import create_app
from rl.dashboard.catalogue import find_runs
from rl.dashboard.channel import make_server
from rl.dashboard.pace import Paces, Seen
from rl.dashboard.server import listen
from rl.dashboard.states import SECONDS_OF_SILENCE, run_state, session_state
from rl.errors import UserError
from rl.report.verdicts import verdict_of
from rl.running.train import train
from rl.saved.run import Run
from rl.session.callback import Callback
from rl.session.job import Job
from rl.storage.files import is_held, only_one, read_json, write_json
from rl.storage.notes import write_note
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import END as BYTES
from rl.storage.tables import last_row, last_rows
from tests.rl import worlds
from tests.rl.conftest import wait_until

assert worlds  # registers its environments

EVIL = "<img src=x onerror=alert(1)>"
SECRET = "what lies outside"
TOKEN = "the-token"
ADDRESSES = ("/", "/rows", "/curves?name=short", "/run?name=short", "/data?name=short",
             "/report?name=short", "/comparison?name=short", "/assets/charts.js",
             "/nowhere")  # fmt: skip
SMALL = ("network.hidden=[4]", "memory.capacity=500", "agent.learn_start=64")


@pytest.fixture
def root(tmp_path: Path, cartpole_run: Path) -> Path:
    """A folder with one finished run, beside which there is something not to be seen."""
    shutil.copytree(cartpole_run, tmp_path / "runs" / "short")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "report.html").write_text(SECRET)
    return tmp_path / "runs"


@pytest.fixture
def client(root: Path) -> FlaskClient:
    return create_app(root).test_client()


def session(root: Path, name: str = "short") -> SessionFolder:
    return RunFolder(root / name).session()


def age(folder: SessionFolder) -> None:
    """Lets the tables be older than those of a session at work."""
    for path in folder.path.glob("*.csv"):
        os.utime(path, (0, os.stat(path).st_mtime - 2 * SECONDS_OF_SILENCE))


def episode(client: FlaskClient, name: str, **more: str) -> dict[str, Any]:
    """The episode of a run, once it was played."""
    answers: list[TestResponse] = []

    def is_played() -> bool:
        answers.append(client.get("/episode", query_string={"name": name, **more}))
        return answers[-1].status_code != 202

    wait_until(is_played)
    assert answers[-1].status_code == 200
    return dict(answers[-1].get_json())


# The list


def test_the_list_has_the_runs_with_what_came_of_them(root: Path, client: FlaskClient) -> None:
    text = client.get("/").text
    assert f">{last_row(session(root).evaluations)['mean_return']:,.1f}<" in text
    for part in ("cartpole_dqn", "DQN on CartPole-v1", "3,000 of 3,000 steps", ">finished<"):
        assert part in text


def test_the_newest_run_stands_first(root: Path, client: FlaskClient) -> None:
    shutil.copytree(root / "short", root / "group" / "older")
    manifest = RunFolder(root / "group" / "older").manifest
    write_json(manifest, {**read_json(manifest), "started": "2020-02-02T10:00:00+00:00"})
    text = client.get("/rows").text
    assert text.index("name=short") < text.index("name=group/older")


def test_an_empty_folder_says_how_a_run_is_made(tmp_path: Path) -> None:
    assert "rl run NAME" in create_app(tmp_path).test_client().get("/").text


def test_a_folder_that_is_a_run_itself(root: Path) -> None:
    client = create_app(root / "short").test_client()
    assert "name=." in client.get("/").text
    assert client.get("/data?name=.").get_json()["state"] == "finished"


def test_what_is_in_a_name_is_shown_and_not_run(root: Path, client: FlaskClient) -> None:
    name = EVIL.replace("/", "")
    (root / "short").rename(root / name)
    manifest = RunFolder(root / name).manifest
    write_json(manifest, {**read_json(manifest), "experiment": EVIL})
    for address in ("/", f"/run?name={quote(name)}"):
        text = client.get(address).text
        assert "<img" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text


DAMAGES: dict[str, Callable[[RunFolder], object]] = {
    "manifest.json": lambda run: run.manifest.write_text("{"),
    "manifest.json: is damaged": lambda run: write_json(
        run.manifest, {**read_json(run.manifest), "specification": {"problem": 3}}
    ),
    "session.json": lambda run: run.session().outcome.write_text("[]"),
    "evaluations.csv": lambda run: run.session().evaluations.write_text("step,best\n1,x\n"),
}


@pytest.mark.parametrize("named", DAMAGES)
def test_a_damaged_run_has_its_message_and_the_others_are_shown(
    root: Path, client: FlaskClient, named: str
) -> None:
    shutil.copytree(root / "short", root / "broken")
    DAMAGES[named](RunFolder(root / "broken"))
    text = client.get("/").text
    assert "3,000 of 3,000 steps" in text
    assert ">damaged<" in text
    assert named in text
    for address in ("/run", "/data"):
        answer = client.get(f"{address}?name=broken")
        assert answer.status_code == 422
        assert named in answer.text


def test_half_a_surrogate_keeps_no_page_from_being_shown(root: Path, client: FlaskClient) -> None:
    run = RunFolder(root / "short")
    write_json(run.manifest, {**read_json(run.manifest), "experiment": "\ud800x"})
    for address in ("/", "/rows", "/run?name=short", "/data?name=short"):
        assert client.get(address).status_code == 200


def test_only_what_has_changed_is_sent_again(root: Path, client: FlaskClient) -> None:
    def changed(known: str) -> tuple[list[str], list[str] | None, str]:
        answer = client.get("/rows", query_string={"known": known}).get_json()
        return [name for name, _ in answer["changed"]], answer["order"], answer["version"]

    shutil.copytree(root / "short", root / "other")
    names, order, version = changed("")
    assert sorted(names) == sorted(order or []) == ["other", "short"]
    assert changed(version)[:2] == ([], None)
    write_note(root / "other", "a note")
    assert changed(version)[:2] == (["other"], None)
    _, _, version = changed(version)
    shutil.rmtree(root / "other")
    assert changed(version)[:2] == ([], ["short"])
    for unknown in ("x", f"0-{version}", "-1", version.partition("-")[0] + "-" + "9" * 5000):
        assert changed(unknown)[:2] == (["short"], ["short"])


def facts(client: FlaskClient, name: str) -> dict[str, Any]:
    """What a page knows of a row."""
    (text,) = (text for each, text in client.get("/rows").get_json()["changed"] if each == name)
    found = re.search(r'data-facts="([^"]*)"', text)
    assert found
    return dict(json.loads(unescape(found[1])))


@pytest.mark.parametrize(
    ("status", "solved", "word", "said"),
    [
        ("solved", True, "solved", ">solved<"),
        ("solved", False, "finished", ">not solved<"),  # only while it was trained
        ("finished", True, "solved", ">solved<"),
        ("finished", None, "finished", ">finished<"),
        ("stopped", False, "stopped", ">not solved<"),
    ],
)
def test_solved_is_what_the_report_calls_so(
    root: Path, client: FlaskClient, status: str, solved: bool | None, word: str, said: str
) -> None:
    folder = session(root)
    values = folder.read_outcome()
    evaluation = {**values["evaluation"], "solved": solved}
    folder.write_outcome({**values, "status": status, "evaluation": evaluation})
    assert facts(client, "short")["state"] == word
    assert said in client.get("/").text
    assert client.get("/data?name=short").get_json()["state"] == word
    run = Run(RunFolder(root / "short"))
    verdict = verdict_of(run, read_records(run.trial))
    assert (verdict.word == "Solved") == (word == "solved")


PACES: list[tuple[list[tuple[float, int, float | None]], float | None, str]] = [
    ([(10, 100, 0.1)], None, "None"),  # one look tells nothing
    ([(10, 100, 0.1)], 0.0, "10 steps/s, about 90 s left"),  # unless it began then
    ([(10, 0, 0.0), (20, 1000, 0.1)], None, "100 steps/s, about 90 s left"),
    ([(10, 0, 0.0), (20, 1000, 0.001)], None, "100 steps/s, about 2.8 h left"),
    ([(10, 0, None), (20, 20_000, None)], None, "2,000 steps/s"),
    ([(10, 0, 0.0), (11, 1000, 0.1)], None, "None"),  # too short a time
    ([(10, 500, 0.5), (40, 500, 0.5)], None, "0 steps/s"),
    ([(10, 0, 0.0), (100, 900, 0.5), (110, 1000, 0.6)], None, "10 steps/s, about 40 s left"),
    ([(100, 900, 0.5), (10, 0, 0.0)], None, "None"),  # the clock was set back
]


@pytest.mark.parametrize(("seen", "begun", "said"), PACES)
def test_the_pace_is_that_of_the_last_minute(
    seen: list[tuple[float, int, float | None]], begun: float | None, said: str
) -> None:
    paces = Paces()
    found = [paces.of("it", Seen(*each), begun) for each in seen]
    assert str(found[-1]) == said


def test_what_may_end_early_takes_at_most_so_long() -> None:
    pace = Paces().of("it", Seen(10, 100, 0.1, is_most=True), 0.0)
    assert pace is not None
    assert pace.time_left == "at most 90 s left"


# Curves side by side


def curves(client: FlaskClient, *names: str, **more: str) -> dict[str, Any]:
    answer = client.get("/curves", query_string={"name": names, **more})
    assert answer.status_code == 200
    return dict(answer.get_json())


@pytest.fixture
def several(root: Path) -> Path:
    """A trial of three sessions, a run of the same setting and one of another."""
    trial = RunFolder(root / "trial")
    for name in ("trial", "other"):
        shutil.copytree(root / "short", root / name)
    manifest = read_json(trial.manifest)
    write_json(trial.manifest, {**manifest, "seeds": [0, 1, 2]})
    for number in (1, 2):
        shutil.copytree(trial.session().path, trial.session(0, number).path)
    trial.session(0, 2).evaluations.write_text(
        trial.session().evaluations.read_text().replace(",1\n", ",0\n")
    )
    other = RunFolder(root / "other").manifest
    specification = {**manifest["specification"], "description": "x"}
    specification["agent"] = {**specification["agent"], "gamma": 0.5}
    write_json(other, {**manifest, "specification": specification})
    return root


LINES = [
    ("run", ["short", "trial", "other"], [0, 1, 2]),
    (
        "session",
        ["short", "trial, session 0", "trial, session 1", "trial, session 2", "other"],
        [0, 1, 1, 1, 2],
    ),
    ("setting", ["cartpole_dqn: short and 1 more", "other"], [0, 1]),
]


@pytest.mark.parametrize(("lines", "names", "colours"), LINES)
def test_curves_of_runs_sessions_and_settings(
    several: Path, client: FlaskClient, lines: str, names: list[str], colours: list[int]
) -> None:
    found = curves(client, "short", "trial", "other", "short", lines=lines)
    series = found["chart"]["data"]["series"]
    drawn = [each for each in series if each["kind"] == "line"]
    assert [each["name"] for each in drawn] == names
    assert [each["colour"] for each in drawn] == colours
    assert any(each["kind"] == "band" for each in series) == (lines != "session")
    assert drawn[0]["y"][-1] == last_row(session(several).evaluations)["mean_return"]
    assert found["chart"]["data"]["marks"] == [{"y": 475.0, "label": "solved: 475"}]
    assert found["complaints"] == {}


@pytest.mark.parametrize("quantity", ["training", "loss", "mean_q"])
def test_curves_of_what_else_was_recorded(client: FlaskClient, quantity: str) -> None:
    found = curves(client, "short", quantity=quantity)
    assert [quantity in dict(found["quantities"]), "entropy" in dict(found["quantities"])] == [
        True,
        False,
    ]
    (series,) = found["chart"]["data"]["series"]
    assert len(series["x"]) > 1


@pytest.mark.parametrize("more", [{"quantity": "x"}, {"lines": "x"}, {"quantity": "__class__"}])
def test_curves_that_there_are_none_of(client: FlaskClient, more: dict[str, str]) -> None:
    assert client.get("/curves", query_string={"name": "short", **more}).status_code == 404


def test_runs_that_are_gone_or_are_none_leave_the_others(
    several: Path, client: FlaskClient, search: Path
) -> None:
    session(several, "other").evaluations.write_text("step,best\n1,x\n")
    shutil.rmtree(several / "trial" / "trial_000")  # not begun
    asked = ["short", "gone", "search", "other", "trial", *map(str, range(40))]
    found = curves(client, *asked)
    assert [each["name"] for each in found["chart"]["data"]["series"]] == ["short"]
    assert found["complaints"]["gone"] == "is no longer there"
    assert "is a search" in found["complaints"]["search"]
    assert "is damaged" in found["complaints"]["other"]
    assert not curves(client)["chart"]["data"]["series"]


def test_curves_that_have_not_changed_are_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/curves?name=short")
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/curves?name=short", headers=known).status_code == 304


# Comparisons


@pytest.fixture
def compared(root: Path) -> Path:
    """A comparison of two groups, one of which has a hostile name."""
    scores, curve = np.array([10.0, 20.0, 30.0]), (np.array([1.0, 2.0]), np.array([1.0, 9.0]))
    groups = [
        Group(name, "CartPole-v1", scores + more, np.repeat(scores[:, None] + more, 4, axis=1),
              [curve] * 3, 475.0)
        for name, more in (("plain", 0.0), (EVIL, 100.0))
    ]  # fmt: skip
    folder = root / "comparisons" / "one"
    folder.mkdir(parents=True)
    write_json(folder / "comparison.json", compare(groups).to_dict())
    return folder


def test_a_comparison_is_listed_and_has_a_page(compared: Path, client: FlaskClient) -> None:
    write_note(compared, "worth a look", ["keep"])
    text = client.get("/").text
    assert "name=comparisons/one" in text
    known = facts(client, "comparisons/one")
    assert (known["kind"], known["problem"], known["tags"]) == (
        "comparison", "CartPole-v1", ["keep"],
    )  # fmt: skip
    page = client.get("/comparison?name=comparisons/one").text
    for shown in (text, page):
        assert "worth a look" in shown
        assert "<img" not in shown
        assert "&lt;img" in shown
    assert "figure" in page
    assert client.get("/report?name=comparisons/one").status_code == 404
    (compared / "report.html").write_text("<p>the report</p>")
    answer = client.get("/report?name=comparisons/one")
    assert answer.text == "<p>the report</p>"
    assert "sandbox allow-scripts" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("wrong", ["{", "{}", '{"groups": [], "pairs": [], "problem": "x"}'])
def test_a_damaged_comparison(compared: Path, client: FlaskClient, wrong: str) -> None:
    (compared / "comparison.json").write_text(wrong)
    assert ">damaged<" in client.get("/").text
    assert client.get("/comparison?name=comparisons/one").status_code == 422


def test_a_comparison_with_a_link(compared: Path, client: FlaskClient) -> None:
    (compared / "report.html").symlink_to(compared.parents[2] / "outside" / "report.html")
    assert "is a link" in client.get("/").text
    for address in ("/comparison", "/report"):
        assert client.get(f"{address}?name=comparisons/one").status_code == 422


# States


def outcome(**values: Any) -> dict[str, Any]:
    return {"steps": 10, "seconds": 1.0, **values}


STATES = [
    (None, "unfinished"),
    (outcome(status="interrupted"), "interrupted"),
    (outcome(status="failed", reason="a bug"), "failed"),
    (outcome(status="diverged"), "diverged"),
    (outcome(status="finished"), "unfinished"),  # killed before it was judged
]


@pytest.mark.parametrize(("said", "word"), STATES)
def test_the_state_of_a_session_that_nobody_works_on(
    root: Path, said: dict[str, Any] | None, word: str
) -> None:
    folder = session(root)
    folder.outcome.unlink()
    age(folder)
    if said:
        folder.write_outcome(said)
    assert (session_state(folder).word, session_state(folder).under_way) == (word, False)


@pytest.mark.parametrize(
    ("status", "word"), [("interrupted", "training"), ("finished", "evaluating")]
)
def test_a_session_whose_lock_is_held_is_under_way(root: Path, status: str, word: str) -> None:
    folder = session(root)
    folder.write_outcome(outcome(status=status))
    age(folder)
    with folder.lock():
        assert (session_state(folder).word, session_state(folder).under_way) == (word, True)
    assert not session_state(folder).under_way


def test_a_session_whose_lock_is_not_seen_is_under_way_while_its_tables_grow(root: Path) -> None:
    folder = session(root)
    folder.outcome.unlink()
    os.utime(folder.updates)
    assert session_state(folder).word == "training"
    folder.write_outcome(outcome(status="interrupted"))
    assert session_state(folder).word == "interrupted"


def test_sessions_together(root: Path) -> None:
    judged = session_state(session(root))
    assert run_state([judged, judged], 2).ended
    assert run_state([judged], 2).word == "unfinished"
    assert run_state([], 2).word == "not begun"


def test_a_lock_is_seen_and_left_alone(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    assert not is_held(lock)
    with only_one(lock):
        before = lock.stat()
        assert is_held(lock)
        assert lock.stat() == before
    assert not is_held(lock)


# The end of a table


def test_the_last_rows_of_a_long_table(tmp_path: Path) -> None:
    table = tmp_path / "long.csv"
    rows = "".join(f"{i},{i / 8}\r\n" for i in range(3000))
    table.write_bytes(f"step,return\r\n{rows}".encode())
    assert table.stat().st_size > 2 * BYTES
    assert last_rows(table, 2) == (["step", "return"], [[2998, 374.75], [2999, 374.875]])
    _, rows_that_fit = last_rows(table, 10_000)
    assert [row[0] for row in rows_that_fit] == list(range(3000 - len(rows_that_fit), 3000))


def test_a_row_under_way_is_left_out(tmp_path: Path) -> None:
    table = tmp_path / "cut.csv"
    table.write_text("step,return\n1,2.5\n2,3")
    assert last_row(table) == {"step": 1, "return": 2.5}
    table.write_text("step,return\n1")
    assert last_row(table) == last_row(tmp_path / "none.csv") == {}
    for wrong in ("x", "nan", "9" * 5000):
        table.write_text(f"step,return\n1,{wrong}\n")
        with pytest.raises(UserError, match=r"cut\.csv: is damaged"):
            last_row(table)


# A run


def test_a_finished_run(client: FlaskClient) -> None:
    seen = client.get("/data?name=short").get_json()
    assert (seen["state"], seen["ended"]) == ("finished", True)
    titles = [chart["title"] for chart in seen["charts"]]
    assert titles[:2] == ["Learning curve", "Loss"]
    assert "unseen episodes" in seen["head"]
    assert "Latest evaluations" in seen["logs"]
    page = client.get("/run?name=short").text
    assert seen["head"].strip() in page
    assert "475" in page  # the threshold


def test_what_has_not_changed_is_not_sent_again(root: Path, client: FlaskClient) -> None:
    first = client.get("/data?name=short")
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/data?name=short", headers=known).status_code == 304
    with open(session(root).episodes, "a") as file:
        file.write("999,3000,1.0,1,1,7\n")
    changed = client.get("/data?name=short", headers=known)
    assert changed.status_code == 200
    assert ">999<" in changed.get_json()["logs"]


class Onlooker(Callback):
    """Looks at the dashboard after each evaluation of a session."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.seen: list[dict[str, Any]] = []
        self.rows = ""

    def evaluated(self, job: Job, progress: Any, player: Any) -> None:
        self.seen.append(self._client.get("/data?name=live").get_json())
        self.rows = self._client.get("/rows").text


def test_a_run_under_way_grows(root: Path, client: FlaskClient) -> None:
    onlooker = Onlooker(client)
    overrides = ["train.steps=900", "train.evaluate_every=300", "train.evaluate_episodes=2", *SMALL]
    train("cartpole_dqn", overrides=overrides, output=root / "live", callbacks=onlooker)
    assert [each["state"] for each in onlooker.seen] == ["training"] * 3
    assert not any(each["ended"] for each in onlooker.seen)
    curves = [each["charts"][0]["data"]["series"][2] for each in onlooker.seen]
    assert [curve["x"] for curve in curves] == [[300], [300, 600], [300, 600, 900]]
    assert "900 of 900 steps" in onlooker.rows
    assert ">training<" in onlooker.rows
    assert client.get("/data?name=live").get_json()["ended"]


def test_a_run_without_a_session_yet(root: Path, client: FlaskClient) -> None:
    shutil.rmtree(root / "short" / "trial_000")
    assert ">not begun<" in client.get("/").text
    seen = client.get("/data?name=short").get_json()
    assert (seen["state"], seen["policy"]) == ("not begun", None)
    assert client.get("/run?name=short").status_code == 200
    assert client.get("/episode?name=short").status_code == 404


def test_of_several_sessions_the_one_at_work_is_shown(root: Path, client: FlaskClient) -> None:
    run = RunFolder(root / "short")
    write_json(run.manifest, {**read_json(run.manifest), "seeds": [0, 1]})
    shutil.copytree(run.session().path, run.session(0, 1).path)
    assert "6,000 of 6,000 steps" in client.get("/").text
    run.session(0, 1).outcome.unlink()
    os.utime(run.session(0, 1).updates)
    page = client.get("/run?name=short").text
    assert 'session=1" aria-current="page"' in page.replace("amp;", "")
    assert "1 of 2" in page
    seen = client.get("/data?name=short&session=0").get_json()
    assert (seen["state"], seen["ended"]) == ("training", False)
    assert {series["name"] for series in seen["charts"][1]["data"]["series"]} == {
        "session 0",
        "session 1",
    }
    assert client.get("/data?name=short&session=2").status_code == 404


def test_what_went_wrong_is_told(root: Path, client: FlaskClient) -> None:
    folder = session(root)
    folder.write_outcome(outcome(status="failed", reason="ValueError: too bad"))
    folder.traceback.write_text(f"Traceback: {EVIL}")
    age(folder)
    logs = client.get("/data?name=short").get_json()["logs"]
    assert "ValueError: too bad" in logs
    assert "Traceback: &lt;img" in logs


def test_a_run_of_an_environment_that_is_not_here(root: Path, client: FlaskClient) -> None:
    run = RunFolder(root / "short")
    manifest = read_json(run.manifest)
    manifest["specification"] |= {"problem": "Elsewhere-v0", "import": "nowhere_to_be_found"}
    write_json(run.manifest, manifest)
    run.spec.write_text(run.spec.read_text().replace("CartPole-v1", "Elsewhere-v0"))
    assert "Elsewhere-v0" in client.get("/run?name=short").text
    assert "Elsewhere-v0" in episode(client, "short")["reason"]


@pytest.fixture
def search(root: Path) -> Path:
    """A search of two trials that have ended and one that has not."""
    folder = RunFolder(root / "search")
    folder.path.mkdir()
    shutil.copy(root / "short" / "spec.yaml", folder.spec)
    settings = {"space": {"agent.gamma": [0.9, 0.99]}, "statistic": "mean_return", "trials": 5}
    manifest = read_json(root / "short" / "manifest.json")
    write_json(
        folder.manifest,
        {
            **manifest,
            "kind": "search",
            "search": {"journal": "study.journal", "lag": 1, **settings},
        },
    )
    for number, score in enumerate((20.0, 30.0, None)):
        trial = folder.trial(number)
        shutil.copytree(root / "short" / "trial_000", trial.path)
        state = "running" if score is None else "complete"
        values = {"state": state, "score": score, "parameters": {"agent.gamma": number / 10}}
        write_json(trial.result, values)
    session = folder.session(2)
    session.outcome.unlink()
    age(session)
    return folder.path


def test_a_search(client: FlaskClient, search: Path) -> None:
    row = client.get("/").text
    for part in ("2 of 5 trials, 2 sessions", ">unfinished<", "search</small>"):
        assert part in row
    seen = client.get("/data?name=search").get_json()
    assert not seen["ended"]
    order = [seen["head"].index(f"trial={number}") for number in (1, 0, 2)]
    assert order == sorted(order)  # the best first
    assert [chart["title"] for chart in seen["charts"]] == ["Scores"]
    trial = client.get("/data?name=search&trial=1").get_json()
    assert trial["charts"][0]["title"] == "Learning curve"
    assert client.get("/run?name=search&trial=2").status_code == 200
    assert client.get("/run?name=search&trial=3").status_code == 404


def test_a_search_with_a_damaged_trial(client: FlaskClient, search: Path) -> None:
    write_json(RunFolder(search).trial(1).result, {"state": "complete", "score": "much"})
    assert "trial_001/trial.json: is damaged" in client.get("/").text
    assert client.get("/data?name=search").status_code == 422


def test_the_report_runs_apart_from_the_dashboard(root: Path, client: FlaskClient) -> None:
    assert client.get("/report?name=short").status_code == 404
    (root / "short" / "report.html").write_text("<script>1</script>")
    assert "/report?name=short" in client.get("/run?name=short").text
    answer = client.get("/report?name=short")
    assert answer.text == "<script>1</script>"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox allow-scripts"} <= set(policy)


# The latest episode


def test_the_latest_episode(root: Path, client: FlaskClient) -> None:
    asked = client.get("/episode?name=short")
    assert asked.status_code == 202
    played = episode(client, "short")
    assert played["title"].startswith("The policy of step 3,000: return ")
    assert played["data"]["frames"] == len(played["data"]["steps"])
    assert played["data"]["sheet"].startswith("data:image/webp")
    latest = client.get("/data?name=short").get_json()["policy"]
    assert asked.get_json()["policy"] == played["policy"] == latest


def test_a_newer_policy_waits_until_the_older_one_was_seen(root: Path, client: FlaskClient) -> None:
    older = client.get("/episode?name=short").get_json()["policy"]
    session(root).checkpoint("best").unlink()
    os.utime(session(root).checkpoint("last"), (0, 10_000_000_000))
    newer = client.get("/data?name=short").get_json()["policy"]
    assert newer != older
    assert episode(client, "short", policy=older)["policy"] == older
    assert episode(client, "short")["policy"] == newer


def test_without_a_checkpoint_there_is_a_reason(root: Path, client: FlaskClient) -> None:
    shutil.rmtree(session(root).checkpoints)
    assert "has no checkpoint yet" in client.get("/episode?name=short").get_json()["reason"]
    assert client.get("/data?name=short").get_json()["policy"] is None


def test_an_environment_without_pictures_has_a_reason(root: Path, client: FlaskClient) -> None:
    overrides = ["problem=Chain-v0", "train.steps=128", *SMALL]
    train("cartpole_dqn", overrides=overrides, output=root / "chain")
    assert "draws no pictures" in episode(client, "chain")["reason"]


# What may be seen


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "/", "short/", "short/..", "short/../short", "./short",
     "short/trial_000", "short\0", "%2e%2e/outside", "..%2foutside", "link", "runs"],
)  # fmt: skip
def test_a_name_leads_nowhere_else(root: Path, client: FlaskClient, name: str) -> None:
    shutil.copytree(root / "short", root.parent / "outside", dirs_exist_ok=True)
    (root / "link").symlink_to(root.parent / "outside")
    for address in ("/run", "/data", "/episode", "/report"):
        answer = client.get(address, query_string={"name": name})
        assert answer.status_code == 404
        assert SECRET not in answer.text
    for answer in (
        client.get("/comparison", query_string={"name": name}),
        client.get("/curves", query_string={"name": name}),
    ):
        assert SECRET not in answer.text
        assert answer.status_code == 404 or not answer.get_json()["chart"]["data"]["series"]
    assert (
        client.get("/report", query_string={"name": str(root.parent / "outside")}).status_code
        == 404
    )
    assert list(find_runs(root)) == ["short"]


@pytest.mark.parametrize("name", ["../../README.md", "..%2f..%2fcli.py", "layout.html", "x"])
def test_only_our_own_files_are_sent(client: FlaskClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404
    assert client.get("/assets/run.js").status_code == 200


@pytest.mark.parametrize("place", ["report.html", "spec.yaml", "trial_000/session_000/more"])
def test_a_link_within_a_run_is_not_followed(root: Path, client: FlaskClient, place: str) -> None:
    (root / "short" / place).unlink(missing_ok=True)
    (root / "short" / place).symlink_to(root.parent / "outside" / "report.html")
    assert "is a link" in client.get("/").text
    for address in ("/run", "/data", "/episode", "/report"):
        answer = client.get(f"{address}?name=short")
        assert answer.status_code == 422
        assert SECRET not in answer.text
    answer = client.get("/curves?name=short")
    assert "is a link" in answer.get_json()["complaints"]["short"]
    assert SECRET not in answer.text


def contents(folder: Path) -> dict[Path, tuple[int, int, bytes]]:
    """All there is in a folder, with when it was written."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        stat = path.stat()
        found[path] = (stat.st_mtime_ns, stat.st_mode, path.read_bytes() if path.is_file() else b"")
    return found


def test_nothing_is_written(root: Path, client: FlaskClient, search: Path) -> None:
    (root / "short" / "report.html").write_text("a report")
    before = contents(root)
    for address in ADDRESSES:
        client.get(address)
        client.get(address.replace("short", "search"))
        client.head(address)
    client.get("/run?name=search&trial=2")
    assert "data" in episode(client, "search", trial="1")
    assert contents(root) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_it_is_only_looked_at(client: FlaskClient, method: str) -> None:
    for address in ADDRESSES:
        assert client.open(address, method=method).status_code == 405
    assert client.head("/").status_code == 200


# Who may see it


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:80", "localhost:9999", "127.0.0.2", "[::1]:8642"]
)
def test_this_machine_is_let_in(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", "0.0.0.0"]
)
def test_a_name_made_to_mean_this_machine_is_refused(client: FlaskClient, host: str) -> None:
    for address in ADDRESSES:
        answer = client.get(address, headers={"Host": host})
        assert answer.status_code in (400, 403)
        assert "cartpole" not in answer.text


@pytest.fixture
def guarded(root: Path) -> FlaskClient:
    return create_app(root, TOKEN, "rl-dashboard-8642").test_client()


def test_without_the_token_nothing_is_seen(guarded: FlaskClient) -> None:
    for address in ADDRESSES:
        assert guarded.get(address).status_code == 401
    for wrong in ("", "the-toke", "the-token-", "tökén"):
        assert guarded.get("/", query_string={"token": wrong}).status_code == 401
        guarded.set_cookie("rl-dashboard-8642", quote(wrong))
        assert guarded.get("/").status_code == 401


def test_the_token_is_asked_for_once(guarded: FlaskClient) -> None:
    answer = guarded.get(f"/run?name=short&token={TOKEN}")
    assert (answer.status_code, answer.location) == (302, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.get("/").status_code == 200
    assert guarded.get("/data?name=short").status_code == 200


def test_with_a_token_the_machine_may_have_any_name(guarded: FlaskClient) -> None:
    elsewhere = {"base_url": "http://gpu-box.example:8642"}
    guarded.get(f"/?token={TOKEN}", **elsewhere)
    assert guarded.get("/", **elsewhere).status_code == 200


def test_a_page_may_do_little(client: FlaskClient, guarded: FlaskClient) -> None:
    for answer in (client.get("/"), client.get("/nowhere"), guarded.get("/")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


# Who may keep others out


@pytest.fixture
def address(root: Path) -> Iterator[tuple[str, int]]:
    """Where a dashboard that asks for a token is served, in a thread."""
    with listen("127.0.0.1", 0) as listener:
        server = make_server(create_app(root, TOKEN), listener)
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        yield listener.getsockname()
        server.close()
        server.task_dispatcher.shutdown()


def begin(address: tuple[str, int], request: str) -> socket.socket:
    connection = socket.create_connection(address, timeout=60)
    connection.sendall(request.encode())
    return connection


def is_let_in(address: tuple[str, int]) -> bool:
    with begin(address, f"GET /?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n") as mine:
        return mine.recv(15) == b"HTTP/1.1 302 FO"


@pytest.mark.parametrize("sent", ["", "G", "GET / HTTP/1.1\r\nHost: ", "POST / HTTP/1.1\r\n"
                                  "Host: x\r\nContent-Length: 1000\r\n\r\n"])  # fmt: skip
def test_half_open_connections_keep_nobody_out(address: tuple[str, int], sent: str) -> None:
    with ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(begin(address, sent))
        assert is_let_in(address)


def test_a_request_that_never_ends_is_given_up(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "SECONDS_OF_A_REQUEST", 0.0)
    with begin(address, "GET / HTTP/1.1\r\n") as slow:
        assert slow.recv(1) == b""


def test_a_wrong_token_waits_and_keeps_no_right_one_waiting(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "SECONDS_OF_A_GUESS", 3600.0)
    wrong = "GET /?token=guess HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        guesses = [stack.enter_context(begin(address, wrong)) for _ in range(2 * channel.THREADS)]
        assert is_let_in(address)
        assert select.select(guesses, [], [], 0)[0] == []
    monkeypatch.setattr(channel, "SECONDS_OF_A_GUESS", 0.01)
    with begin(address, wrong) as guess:
        assert guess.recv(12) == b"HTTP/1.1 401"


# The command


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port}: is taken; name another --port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "not permitted; name a --port from 1024 on"),
        (errno.EIO, "cannot be listened"),
    ],
)
def test_a_port_that_is_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(UserError, match=said):
        listen("127.0.0.1", 80)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a..b"])
def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(UserError, match="is not an address of this machine"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        ([".", "--port", "70000"], "--port: must be at most 65535"),
        ([".", "--port", "x"], "--port: must be a whole number"),
    ],
)
def test_a_wrong_command(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dashboard", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("package", ["flask", "waitress"])
def test_a_missing_package(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["dashboard", "."]) == 2
    assert 'pip install "reinforcement-by-hand[dashboard]"' in capsys.readouterr().err


# What runs in the background of a shell is deaf to Ctrl-C, and so would be its children.
HEARING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from rl.cli import main
raise SystemExit(main())
"""


@pytest.fixture
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A dashboard that asks for a token, and its address."""
    command = [sys.executable, "-c", HEARING, "dashboard", str(root), "--port", "0", "--token"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout
        yield it, it.stdout.readline().split()[-1]
        it.kill()


def test_the_command_serves_until_it_is_interrupted(
    served: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = served
    assert address.startswith("http://127.0.0.1:")
    with pytest.raises(HTTPError, match="401"):
        urlopen(address.split("?")[0])
    with build_opener(HTTPCookieProcessor()).open(address) as answer:
        assert "?" not in answer.url
        assert "cartpole_dqn" in answer.read().decode()
    assert process.stdout
    port = address.split(":")[2].split("/")[0]
    assert f"ssh -L {port}:127.0.0.1:{port} USER@MACHINE" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=300)
    assert (process.returncode, complaints) == (0, "")
