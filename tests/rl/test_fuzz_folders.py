"""A damaged run folder is read, or refused in one line; never anything else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rl.analysis import search_figures
from rl.analysis.analyze import describe_trial
from rl.checks.verification import difference, verify
from rl.dashboard.app import create_app
from rl.errors import UserError
from rl.report import search_page, trial_page
from rl.report.page import render
from rl.running.executors import Inline
from rl.running.train import train
from rl.saved.run import Run
from rl.search.opening import resume_search, start_search
from rl.session.job import Job
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.run_folder import RunFolder
from tests.rl.test_resume import Notes

CASES = settings(
    max_examples=1_300, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
SETTINGS = ("train.steps=2400", "train.evaluate_every=800", "network.hidden=[4]",
            "memory.capacity=500")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "finished"
    return train("mountaincar_dqn", overrides=SETTINGS, output=path).path


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "interrupted"
    return train("mountaincar_dqn", overrides=SETTINGS, output=path, callbacks=Notes(True)).path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search, beside a run that nobody touches."""
    folder = tmp_path_factory.mktemp("searches")
    search = {"method": "tpe", "trials": 3, "pruner": "median",
              "space": {"agent.gamma": [0.9, 0.99]}}  # fmt: skip
    specification = load_specification("mountaincar_dqn", overrides=SETTINGS)
    start_search(
        specification.assign({"search": search}), folder / "searched", None, Inline()
    ).run()
    train("mountaincar_dqn", overrides=SETTINGS, output=folder / "other", draw=False)
    return folder / "searched"


def open_it(path: Path) -> None:
    run = Run.open(path)
    assert run.player().act(np.zeros(2)) in range(3)
    run.group("it")


def evaluate(path: Path) -> None:
    run = Run.open(path)
    assert run.report(run.evaluate(1))["episodes"] == 1


def analyze(path: Path) -> None:
    assert describe_trial(Run.open(path).figures())


def compare_with_itself(path: Path) -> None:
    session = Run.open(path).session
    difference(session, session)
    verify(Run.open(path), 0, Inline())


def go_on(path: Path) -> None:
    run = Run.open(path)
    job = Job(run.specification, 0, run.session.path)
    Session(job, build(run.specification, seed=0)).go_on()


def report(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial_page, "moving", lambda *given: ([], []))  # its pictures take seconds
        assert trial_page.trial_page(Run.open(path)).sections


def analyze_search_of(path: Path) -> None:
    folder = RunFolder.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_figures, "_draw", lambda *_: None)
        assert search_figures.describe_search(folder, search_figures.analyze_search(folder))


def report_search(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_page, "moving", lambda *given: ([], []))
        assert render(search_page.search_page(RunFolder.open(path)))


def open_search(path: Path) -> None:
    assert resume_search(path, Inline()).settings.trials


def analyze_best(path: Path) -> None:
    assert Run.open(path).analyze(draw=False)


SEARCH_READERS: dict[str, Callable[[Path], None]] = {
    "open": analyze_best, "analyze": analyze_search_of,
    "report": report_search, "resume": open_search,
}  # fmt: skip
READERS: dict[str, Callable[[Path], None]] = {
    "open": open_it, "evaluate": evaluate, "analyze": analyze, "compare": compare_with_itself,
    "report": report,
}  # fmt: skip


VALUES = [None, -1, 1e999, 10**400, "text", [], {}, [1], {"a": 1}, True]


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes | None:
    """The content of a file after damage; None if it is gone."""
    kind = draw(st.sampled_from(["gone", "cut", "flipped", "inserted", "other", "value"]))
    if kind == "gone" or not content:
        return None
    if kind == "other":
        return draw(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b"1", b"{"]))
    place = draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:place]
    if kind == "flipped":
        return (
            content[:place]
            + bytes([content[place] ^ draw(st.integers(1, 255))])
            + content[place + 1 :]
        )
    if kind == "inserted":
        return content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place:]
    return changed_value(draw, content)


def changed_value(draw: st.DrawFn, content: bytes) -> bytes:
    """A JSON object with another value, or another key, somewhere in it."""
    try:
        values = json.loads(content)
    except ValueError:
        return content[::-1]
    place = values
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not (isinstance(inner, (dict, list)) and inner and draw(st.booleans())):
            break
        place = inner
    place[key] = draw(
        st.sampled_from([None, -1, 1e999, "text", [], {}, [1], {"a": 1}, True, 10**30])
    )
    return json.dumps(values).encode()


@contextmanager
def damage(file: Path, content: bytes | None) -> Iterator[None]:
    """Within, the file has another content, or is gone."""
    before = file.read_bytes()
    try:
        file.unlink() if content is None else file.write_bytes(content)
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def as_before(folder: Path, but: Path) -> Iterator[None]:
    """Within, other files of a folder than one may change; afterwards they are as before."""
    before = {file: file.read_bytes() for file in files(folder) if file != but}
    try:
        yield
    finally:
        for file, content in before.items():
            if not file.exists() or file.read_bytes() != content:
                file.write_bytes(content)


def check_answer(act: Callable[[Path], None], path: Path) -> None:
    """It works, or it is refused in one line."""
    refusal = ""
    try:
        act(path)
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal


def files(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file() and each.suffix != ".png")


@pytest.mark.slow
@CASES
@given(data=st.data())
def test_a_damaged_run_is_read_or_refused_in_one_line(data: st.DataObject, finished: Path) -> None:
    file = data.draw(st.sampled_from(files(finished)))
    act = data.draw(st.sampled_from(sorted(READERS)))
    with damage(file, data.draw(damaged(file.read_bytes()))):
        check_answer(READERS[act], finished)


@pytest.mark.slow
@settings(CASES, max_examples=150)
@given(data=st.data())
def test_a_damaged_search_is_read_or_refused_in_one_line(
    data: st.DataObject, searched: Path
) -> None:
    """And the dashboard shows the run beside it."""
    file = data.draw(st.sampled_from([each for each in files(searched) if each.suffix != ".npz"]))
    act = data.draw(st.sampled_from(sorted(SEARCH_READERS)))
    client = create_app(searched.parent).test_client()
    with damage(file, data.draw(damaged(file.read_bytes()))), as_before(searched, file):
        check_answer(SEARCH_READERS[act], searched)
        page = client.get("/")
        assert page.status_code == 200
        assert "other" in page.text
        for place in ("", "&trial=0", "&trial=1&session=0"):
            for view in ("run", "data"):
                assert client.get(f"/{view}?name=searched{place}").status_code < 500


@pytest.mark.slow
@settings(CASES, max_examples=700)
@given(data=st.data())
def test_a_damaged_interrupted_run_goes_on_or_is_refused_in_one_line(
    data: st.DataObject, interrupted: Path, tmp_path: Path
) -> None:
    file = data.draw(st.sampled_from(files(interrupted)))
    content = data.draw(damaged(file.read_bytes()))
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(interrupted, copy)
    with damage(copy / file.relative_to(interrupted), content):
        check_answer(go_on, copy)
