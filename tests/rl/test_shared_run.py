"""One run folder that several processes fill, each with one session, as the jobs of a scheduler."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rl.report.blocks import Table
from rl.report.origin import origin
from rl.running import jobs, trial
from rl.running.executors import Inline
from rl.saved.run import Run
from rl.session.saved import evaluate_player
from rl.storage import machine, session_folder
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import HELD, Command, run_trial, wait_until
from tests.rl.test_executors import TINY, make_jobs

CHAIN = ("cartpole_dqn", "--set", *TINY, "--seed", 3, "--sessions", 3)
TABLES = ("episodes.csv", "updates.csv", "evaluations.csv")


def session(run: Path, number: int) -> SessionFolder:
    return SessionFolder(run / f"trial_000/session_{number:03d}")


def files(folder: Path) -> dict[Path, bytes]:
    """The contents of the files in a folder, without its locks."""
    found = (each for each in folder.rglob("*") if each.is_file() and each.name != ".lock")
    return {each: each.read_bytes() for each in found}


def assert_same_trial(run: Path, other: Path) -> None:
    """Both trials have the same rows, weights and figures; only times may differ."""
    found = []
    for each in (run, other):
        figures = json.loads((each / "trial_000/trial.json").read_text())
        found.append([figures[name] for name in ("planned", "best", "final", "outcomes")])
    assert found[0] == found[1]
    for number in range(found[0][0]):
        ours, theirs = session(run, number), session(other, number)
        assert ours.read_outcome()["weights"] == theirs.read_outcome()["weights"]
        for name in TABLES:
            assert (ours.path / name).read_bytes() == (theirs.path / name).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same three sessions, run by one process."""
    folder = tmp_path_factory.mktemp("whole") / "r"
    (job,) = make_jobs(folder, range(1), *TINY)
    return run_trial(job.specification, range(3, 6), folder, Inline(), draw=False).path


@pytest.mark.slow
def test_sessions_in_any_order_are_the_trial_of_one_process(
    rl_here: Command, whole: Path, tmp_path: Path
) -> None:
    said = []
    for number in (2, 0, 1):
        answer = rl_here("run", *CHAIN, "--only-session", number, "--output", "r")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert (tmp_path / f"r/trial_000/session_{number:03d}/curve.png").exists()
        said.append("3 of 3 sessions counted" in answer.stdout)
    assert said == [False, False, True]
    assert_same_trial(tmp_path / "r", whole)
    assert (tmp_path / "r/trial_000/learning_curve.png").exists()


@pytest.mark.slow
def test_the_same_command_again_says_that_it_is_done(
    rl_here: Command, whole: Path, tmp_path: Path
) -> None:
    """And it makes the figures that a process has left out which was killed at its end."""
    shutil.copytree(whole, tmp_path / "r")
    before = session(whole, 1).outcome.read_bytes()
    (tmp_path / "r/trial_000/trial.json").unlink()
    answer = rl_here("run", *CHAIN, "--only-session", 1, "--output", "r")
    assert answer.returncode == 0
    assert "r: session 1 has ended already; nothing is left to do" in answer.stdout
    assert session(tmp_path / "r", 1).outcome.read_bytes() == before
    assert_same_trial(tmp_path / "r", whole)


@pytest.mark.slow
def test_every_machine_that_took_part_is_recorded(
    rl_here: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that began a session and was killed; `rl verify` and the report name them."""
    shutil.copytree(whole, tmp_path / "r")
    describe = machine.describe
    versions = {**describe()["versions"], "numpy": "1.0"}
    for number in (1, 2):
        shutil.rmtree(session(tmp_path / "r", number).path)
    killed = session(tmp_path / "r", 2)
    killed.create()
    killed.note_machine({"node": "first", **describe()})
    monkeypatch.setattr(machine, "describe", lambda: {**describe(), "versions": versions})
    monkeypatch.setattr(jobs, "gethostname", lambda: "second")
    for number in (1, 2):
        answer = rl_here("run", *CHAIN, "--only-session", number, "--output", "r")
        assert answer.returncode == 0, answer.stderr
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    ran_on = [session(tmp_path / "r", number).read_outcome()["ran_on"] for number in range(3)]
    assert [each["node"] for each in ran_on[2]] == ["first", "second"]
    assert [each["node"] for each in ran_on[1]] == ["second"]
    assert not list((tmp_path / "r").rglob("machines.json"))
    answer = rl_here("verify", "r", "--evaluation")
    assert answer.returncode == 0
    here = describe()["versions"]["numpy"]
    assert f"numpy {here} here, 1.0 there (session 1 on second, 2 on second)" in answer.stdout
    run = Run.open(tmp_path / "r")
    (*_, table) = origin(run.manifest, run.spec, run.trial.sessions()).blocks
    assert isinstance(table, Table)
    rows = {row[0]: (row[3], row[-1]) for row in table.rows}
    assert (rows["first"], rows["second"]) == ((here, "2"), ("1.0", "1, 2"))


def during_the_evaluation(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Calls `act` once: as the next session has learned, and its agent is to be evaluated."""
    name = "rl.running.jobs.evaluate_player"

    def evaluate_late(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(name, evaluate_player)
        act()
        return evaluate_player(*arguments, **options)

    monkeypatch.setattr(name, evaluate_late)


@pytest.mark.slow
def test_one_that_is_being_evaluated_is_waited_for(
    rl_here: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session 0 ends while session 1 is evaluated, and the figures so far are asked for."""
    shutil.copytree(whole, tmp_path / "r")
    (tmp_path / "r/trial_000/trial.json").unlink()
    for number in (0, 1):
        shutil.rmtree(session(tmp_path / "r", number).path)
    said = []

    def run(number: int) -> None:
        answer = rl_here("run", *CHAIN, "--only-session", number, "--output", "r")
        assert (answer.returncode, answer.stderr) == (0, "")
        said.append("3 of 3 sessions counted" in answer.stdout)

    def look() -> None:
        run(0)
        assert "session 1 did not count: unfinished" in rl_here("analyze", "r").stdout

    during_the_evaluation(monkeypatch, look)
    run(1)
    assert said == [False, True]
    assert_same_trial(tmp_path / "r", whole)


def test_it_says_nothing_of_figures_that_another_process_is_about_to_write(
    rl_here: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last session ends between this one's look at the others and its farewell."""
    shutil.copytree(whole, tmp_path / "r")
    (tmp_path / "r/trial_000/trial.json").unlink()
    monkeypatch.setattr(trial, "_analyze", lambda *_: None)
    answer = rl_here("run", *CHAIN, "--only-session", 1, "--output", "r")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "sessions counted" not in answer.stdout


REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "a setting": (("--set", *TINY[:-1], "train.evaluate_every=300"),
                  "rl: r: was begun with other settings: train.evaluate_every (200 there, 300 "
                  "here); name another folder with --output"),
    "many settings": (
        ("--set", "agent.gamma=0.5", "agent.tau=0.5", "memory.batch_size=16", "train.lanes=2"),
        " and 1 more; name another folder"),
    "another agent": (("--set", "agent.name=DoubleDQN"), "agent.name ('DQN' there, 'DoubleDQN'"),
    "a budget": (("--steps", 601), "train.steps (600 there, 601 here)"),
    "fewer sessions": (("--sessions", 2), "has --sessions 3 --seed 3 there, and --sessions 2"),
    "another seed": (("--seed", 4), "--seed 3 there, and --sessions 3 --seed 4 here"),
    "a number too large": (("--only-session", 3), "--only-session: there is no session 3; "
                           "they are from 0 to 2"),
    "no number": (("--only-session", ""), "--only-session: needs a value"),
    "a negative number": (("--only-session", -1), "must not be negative"),
    "jobs": (("--jobs", 2), "--only-session is one process on this machine; leave out --jobs"),
    "Ray": (("--executor", "ray"), "leave out --executor ray"),
    "a cluster": (("--executor", "ray", "--ray-address", "auto"), "leave out --ray-address"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_the_folder_is_refused_in_one_line(
    case: str, rl_here: Command, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "r")
    before = files(tmp_path / "r")
    options, complaint = REFUSED[case]
    answer = rl_here("run", *CHAIN, "--only-session", 1, "--output", "r", *options)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert complaint in answer.stderr
    assert files(tmp_path / "r") == before


def test_it_needs_a_folder_that_is_a_run(rl_here: Command, tmp_path: Path) -> None:
    answer = rl_here("run", *CHAIN, "--only-session", 1)
    assert answer.returncode == 2
    assert "--only-session needs --output RUN" in answer.stderr
    (tmp_path / "r").mkdir()
    (tmp_path / "r/notes.txt").write_text("mine")
    answer = rl_here("run", *CHAIN, "--only-session", 1, "--output", "r")
    assert answer.returncode == 2
    assert "r: is there already" in answer.stderr
    (tmp_path / "r/notes.txt").unlink()  # an empty folder is as good as none
    assert rl_here("run", *CHAIN, "--only-session", 1, "--output", "r").returncode == 0


HUNDRED = """
import os, sys
from pathlib import Path
import filelock
from rl.storage.run_folder import RunFolder

begin, start = os.pipe()
for number in range(MANY):
    if not os.fork():
        os.close(start)
        os.read(begin, 1)  # all at once, as the pipe closes
        made = RunFolder.share(
            Path("r"),
            lambda: RunFolder.create(Path("r"), "x", {"a": 1}, [str(number)], [0, 1]),
        )
        made.read_manifest()
        os._exit(not made.exists)
os.close(start)
sys.exit(any(os.wait()[1] for _ in range(MANY)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
@pytest.mark.parametrize(("many", "left"), [(100, ()), (5, ("manifest.json", "start.npz"))])
def test_a_hundred_that_begin_in_one_moment_make_one_folder(
    many: int, left: tuple[str, ...], tmp_path: Path
) -> None:
    """Also where a killed process has left a part of it."""
    for name in left:
        (tmp_path / "r").mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_text("{")
    answer = subprocess.run(
        [sys.executable, "-c", HUNDRED.replace("MANY", str(many))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={"PYTHONPATH": HELD["PYTHONPATH"]},
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert sorted(each.name for each in (tmp_path / "r").iterdir()) == [
        ".lock", "manifest.json", "spec.yaml"]  # fmt: skip
    assert [each.name for each in tmp_path.iterdir()] == ["r"]


HELD_RUN = ("cartpole_dqn", "--set", "problem=Held-v0", "import=tests.rl.worlds",
            "train.steps=3000", "train.evaluate_every=1000", "train.evaluate_episodes=2",
            "network.hidden=[8]", "--sessions", 2,
            "--only-session", 1, "--output", "r", "--no-report")  # fmt: skip


@pytest.mark.slow
def test_a_killed_one_is_resumed_by_the_same_command_to_the_bit(
    rl_here: Command, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "rl", "run", *map(str, HELD_RUN)]
    with subprocess.Popen(command, cwd=tmp_path, env=HELD) as process:
        wait_until(lambda: (tmp_path / "gate.waits").exists() or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    assert rl_here("run", *HELD_RUN).returncode == 0
    resumed = tmp_path / "r"
    assert session(resumed, 1).read_outcome()["status"] == "finished"
    assert not (resumed / "trial_000/trial.json").exists()  # as session 0 has not begun
    answer = rl_here("run", *HELD_RUN, "--only-session", 1, "--output", "whole")
    assert answer.returncode == 0
    for name in TABLES:
        assert (session(resumed, 1).path / name).read_bytes() == (
            session(tmp_path / "whole", 1).path / name).read_bytes()  # fmt: skip


@pytest.mark.slow
def test_a_session_at_work_elsewhere_is_left_alone(
    rl_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_folder, "SECONDS_TO_WAIT", 0.0)
    assert rl_here("run", *CHAIN, "--only-session", 0, "--output", "r").returncode == 0
    taken = session(tmp_path / "r", 1)
    taken.create()
    with taken.lock():
        answer = rl_here("run", *CHAIN, "--only-session", 1, "--output", "r")
        assert answer.returncode == 2
        assert answer.stderr.endswith("session_001: another process is at work there; wait for "
                                      "it, or end it first\n")  # fmt: skip
        assert rl_here("run", *CHAIN, "--only-session", 2, "--output", "r").returncode == 0
        (_, job) = make_jobs(tmp_path / "r/trial_000", range(3, 5))
        outcome = jobs.attempt(job)
    assert "another process is at work there" in outcome["reason"]
    assert not taken.outcome.exists()


def test_a_longer_run_is_refused_while_a_session_is_at_work(
    rl_here: Command, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_folder, "SECONDS_TO_WAIT", 0.0)
    shutil.copytree(whole, tmp_path / "r")
    before = (tmp_path / "r/manifest.json").read_bytes()
    with session(tmp_path / "r", 2).lock():
        answer = rl_here("resume", "r", "--steps", 800)
    assert answer.returncode == 2
    assert "session_002: another process is at work there" in answer.stderr
    assert (tmp_path / "r/manifest.json").read_bytes() == before
