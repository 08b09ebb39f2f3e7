"""An environment that calls `sys.exit` or raises what ends a program has failed, and it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rl as lab
from rl.cli import main
from rl.environments import make_env
from rl.errors import BrokenEnvironment, UserError
from tests.rl.conftest import Command, quick
from tests.rl.leaving import WAYS

ROOT = str(Path(__file__).parents[2])  # where the package `tests` is
SETTINGS = ["problem=Leaving-v0", "import=tests.rl.leaving", "train.evaluate_every=100",
            "agent.learn_start=50", "train.steps=200"]  # fmt: skip
RUN = ["run", "cartpole_dqn", "--output", "r", "--no-report", "--set", *SETTINGS]

said_of = pytest.mark.parametrize(("way", "said"), quick(2, [(way, WAYS[way][1]) for way in WAYS]))


@said_of
@pytest.mark.parametrize("method", ["constructor", "reset", "step"])
def test_a_run_fails_by_its_environment(
    method: str, way: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAVING", f"{method} {way}")
    assert main(RUN) == 2
    complaint = capsys.readouterr().err
    name = "its constructor" if method == "constructor" else method
    assert complaint.startswith(f"rl: environment Leaving-v0: {name} raised ")
    assert f"{said} (leaving.py:" in complaint
    assert complaint.count("\n") == 1
    if method != "constructor":
        session = Path("r/trial_000/session_000")
        outcome = json.loads((session / "session.json").read_text())
        assert outcome["status"] == "failed"
        assert said in outcome["reason"]
        assert "leaving.py" in (session / "traceback.txt").read_text()


@said_of
def test_closing_costs_nothing(
    way: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEAVING", f"close {way}")
    run = lab.train("cartpole_dqn", overrides=SETTINGS, output=tmp_path / "r")
    assert run.outcome["status"] == "finished", said


@pytest.mark.parametrize("way", ["exit-0", "interrupt"])
@pytest.mark.parametrize("sessions", quick(1, [1, 2]))
def test_a_program_that_trains_is_told(
    way: str, sessions: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEAVING", f"step {way}")
    with pytest.raises((BrokenEnvironment, lab.SessionsFailed), match=f"raised {WAYS[way][1]}"):
        lab.train(
            "cartpole_dqn", overrides=SETTINGS, output=tmp_path / "r", sessions=sessions, jobs=2
        )


@pytest.mark.slow
def test_workers_fail_by_their_environment(rl: Command, tmp_path: Path) -> None:
    answer = rl(*RUN, "--sessions", 2, LEAVING="step exit-0", PYTHONPATH=ROOT)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert answer.stdout.count("step raised SystemExit: 0 (leaving.py:") >= 2
    sessions = [tmp_path / f"r/trial_000/session_00{number}/session.json" for number in (0, 1)]
    assert [json.loads(each.read_text())["status"] for each in sessions] == ["failed"] * 2


PLAYING = [
    (["evaluate", "r"], ["constructor", "reset", "step"]),
    (["watch", "r", "--gif", "r.gif"], ["constructor", "reset", "step", "render"]),
    (["film", "r"], ["constructor", "reset", "step", "render"]),
    (["verify", "r"], ["constructor", "reset", "step"]),
    (["verify", "r", "--evaluation"], ["constructor", "reset", "step"]),
]


@pytest.mark.slow
def test_whoever_plays_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(RUN) == 0
    for arguments, methods in PLAYING:
        for method in methods:
            for way in ("exit-0", "interrupt"):
                monkeypatch.setenv("LEAVING", f"{method} {way}")
                assert main(arguments) == 2, (arguments, method)
                complaint = capsys.readouterr().err
                assert f"raised {WAYS[way][1]} (leaving.py:" in complaint
                assert complaint.count("\n") == 1


@said_of
@pytest.mark.parametrize("method", ["constructor", "reset", "step"])
def test_the_doctor_finds_it(
    method: str, way: str, said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("LEAVING", f"{method} {way}")
    assert main(["doctor", "--env", "Leaving-v0"]) == 1
    assert said in capsys.readouterr().out


@said_of
def test_a_package_that_ends_the_program_when_it_is_imported(
    way: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"leaves_{way.replace('-', '_')}.py").write_text(
        "from tests.rl.leaving import leave\nleave('import')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LEAVING", f"import {way}")
    package = f"import=leaves_{way.replace('-', '_')}"
    with pytest.raises(UserError, match=rf"fails as it is imported \({said}"):
        lab.train("cartpole_dqn", overrides=[package], output=tmp_path / "r")


def test_an_environment_made_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAVING", "constructor exit-0")
    with pytest.raises(BrokenEnvironment, match="its constructor raised SystemExit: 0"):
        make_env("Leaving-v0")
