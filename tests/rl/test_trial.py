"""Several sessions of one setting, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import rl as lab
from rl.cli import main
from rl.saved.run import Run
from rl.session.callback import Callback
from tests.rl.conftest import Command, wait_until

# A run that ends by a signal alone.
ENDLESS = ("--set", "train.steps=100000000", "train.evaluate_every=100000000")
SHORT = ("--steps", 1200, "--set", "train.evaluate_every=400", "train.evaluate_episodes=2",
         "network.hidden=[8]")  # fmt: skip


def figures_of(run: Path) -> Any:
    return json.loads((run / "trial_000/trial.json").read_text())


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions that no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "trial"
    subprocess.run(
        [sys.executable, "-m", "rl", "run", "cartpole_dqn", "--sessions", "3", "--jobs", "1",
         "--seed", "4", "--quiet", "--no-report", "--output", str(folder), *map(str, SHORT)],
        check=True, timeout=300,
    )  # fmt: skip
    return folder


def test_a_trial_has_a_folder_a_session_and_figures_of_all(trial: Path) -> None:
    assert json.loads((trial / "manifest.json").read_text())["seeds"] == [4, 5, 6]
    sessions = [f"session_{number:03d}" for number in range(3)]
    assert sorted(each.name for each in (trial / "trial_000").iterdir()) == [
        "learning_curve.png", *sessions, "trial.json"]  # fmt: skip
    figures = figures_of(trial)
    assert (figures["planned"], figures["sessions"], figures["counted"]) == (3, 3, 3)
    assert [each["seed"] for each in figures["outcomes"]] == [4, 5, 6]
    returns = [
        json.loads((trial / "trial_000" / name / "session.json").read_text())["evaluation"]
        for name in sessions
    ]
    assert figures["best"]["each"] == [each["mean_return"] for each in returns]
    assert [len(each["returns"]) for each in returns] == [100] * 3
    with Image.open(trial / "trial_000/learning_curve.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_its_sessions_are_those_of_single_runs(
    rl_here: Command, trial: Path, tmp_path: Path
) -> None:
    rl_here("run", "cartpole_dqn", "--seed", 5, "--quiet", "--output", "single", *SHORT)
    single, one_of_three = (
        run / f"trial_000/session_{number:03d}"
        for run, number in ((tmp_path / "single", 0), (trial, 1))
    )
    for name in ("episodes.csv", "updates.csv", "evaluations.csv"):
        assert (single / name).read_bytes() == (one_of_three / name).read_bytes()


def test_analyzing_again_gives_the_same_without_training(
    rl_here: Command, trial: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trial, copy)
    for name in ("trial.json", "learning_curve.png"):
        (copy / "trial_000" / name).unlink()
    answer = rl_here("analyze", copy)
    assert answer.returncode == 0, answer.stderr
    assert figures_of(copy) == figures_of(trial)
    assert (copy / "trial_000/learning_curve.png").exists()
    for said in ("3 of 3 sessions counted", "(range ", "stability", "fitness"):
        assert said in answer.stdout
    assert "IQM" not in answer.stdout  # of three sessions it is their mean


def test_of_many_sessions_the_curves_are_drawn_when_they_are_asked_for(
    trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr("rl.saved.run.draw_session", lambda each, *_: drawn.append(each.path.name))
    monkeypatch.setattr("rl.saved.run.draw_trial", lambda *_: drawn.append("trial"))
    shutil.copytree(trial, copy := tmp_path / "copy")
    sessions = [f"session_{number:03d}" for number in range(3)]
    for most, at_the_end in ((3, [*sessions, "trial"]), (2, ["trial"])):
        monkeypatch.setattr("rl.saved.run.MOST_DRAWN", most)
        Run.open(copy).analyze()
        assert drawn == at_the_end
        drawn.clear()
    assert main(["analyze", str(copy)]) == 0
    assert drawn == [*sessions, "trial"]


def test_a_session_is_chosen_by_its_number(rl_here: Command, trial: Path) -> None:
    answers = [
        rl_here("evaluate", trial, "--session", number, "--episodes", 5, "--json")
        for number in (0, 2)
    ]
    returns = [json.loads(answer.stdout)["mean_return"] for answer in answers]
    assert returns[0] != returns[1]
    answer = rl_here("evaluate", trial, "--session", 3)
    assert answer.returncode == 2
    assert "has no trial_000/session_003" in answer.stderr.replace("\\", "/")


def test_a_folder_from_before_there_were_trials_can_be_read(
    rl_here: Command, trial: Path, tmp_path: Path
) -> None:
    """Without trial.json, and without what session.json has said since."""
    old = tmp_path / "old"
    shutil.copytree(trial, old)
    (old / "trial_000/trial.json").unlink()
    for path in (old / "trial_000").glob("*/session.json"):
        outcome = json.loads(path.read_text())
        for key in ("final", "reached", "seed"):
            del outcome[key]
        del outcome["evaluation"]["returns"]
        path.write_text(json.dumps(outcome))
    answer = rl_here("analyze", old)
    assert answer.returncode == 0, answer.stderr
    assert figures_of(old)["best"] == figures_of(trial)["best"]
    assert figures_of(old)["final"] is None


def test_a_run_that_nobody_finished_has_nothing_to_analyze(
    rl_here: Command, tmp_path: Path
) -> None:
    rl_here("run", "cartpole_dqn", "--quiet", "--output", "r", *SHORT)
    (tmp_path / "r/trial_000/session_000/session.json").unlink()
    (tmp_path / "r/trial_000/trial.json").unlink()
    answer = rl_here("analyze", "r")
    assert answer.returncode == 2
    assert (
        answer.stderr
        == "rl: r: has no session that finished or was evaluated; there is nothing to analyze\n"
    )
    assert not (tmp_path / "r/trial_000/trial.json").exists()


@pytest.mark.slow
def test_diverged_sessions_are_named_and_give_status_3(rl: Command, tmp_path: Path) -> None:
    answer = rl("run", "cartpole_dqn", "--sessions", 2, "--jobs", 2, "--output", "r", *SHORT,
                "optimizer.learning_rate=1e30")  # fmt: skip
    assert answer.returncode == 3
    assert answer.stderr == ""
    assert "0 of 2 sessions counted" in answer.stdout
    assert "session 1 did not count: diverged: step 100" in answer.stdout
    assert figures_of(tmp_path / "r")["consistency"] == 0.0


def two_under_way(run: Path) -> list[Path]:
    """The folders of two sessions, once both have learned for a while."""
    sessions = [run / f"trial_000/session_00{number}" for number in (0, 1)]
    tables = [session / "updates.csv" for session in sessions]
    wait_until(lambda: all(each.exists() and each.stat().st_size > 500 for each in tables))
    return sessions


@pytest.mark.slow
def test_ctrl_c_keeps_what_the_sessions_have(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rl", "run", "cartpole_dqn", "--sessions", "3", "--jobs", "2",
         "--output", "r", *ENDLESS],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        sessions = two_under_way(tmp_path / "r")
        # As a terminal does it: to the whole group, workers included.
        os.killpg(process.pid, signal.SIGINT)
        said, complaint = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert "session 2 (seed 2): interrupted: it had not begun" in said
    assert "interrupted: 0 of 3 sessions had finished" in said
    for session in sessions:
        assert json.loads((session / "session.json").read_text())["status"] == "interrupted"
        assert (session / "checkpoints/last.npz").exists()


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rl", "run", "cartpole_dqn", "--sessions", "2", "--jobs", "2",
         "--output", "r", "--quiet", *ENDLESS], cwd=tmp_path,
    ) as process:  # fmt: skip
        sessions = two_under_way(tmp_path / "r")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=300)
    outcomes = [session / "session.json" for session in sessions]
    wait_until(lambda: all(outcome.exists() for outcome in outcomes))
    assert {json.loads(each.read_text())["status"] for each in outcomes} == {"interrupted"}


MINE = [ValueError("mine"), OSError(28, "No space left on device", "mine"), KeyboardInterrupt(),
        SystemExit(5), lab.UserError("mine"), BrokenPipeError(32, "mine")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", ["progressed", "started", "evaluated"])
@pytest.mark.parametrize("error", MINE, ids=lambda error: type(error).__name__)
def test_what_a_callback_raises_is_raised_once_all_is_saved(
    error: BaseException, method: str, tmp_path: Path
) -> None:
    """And is neither the disk's nor the environment's; the session goes on from there."""
    told = []

    def fail(*_: object) -> None:
        told.append(method)
        raise error

    callback = Callback()
    setattr(callback, method, fail)
    short = ["problem=Chain-v0", "import=tests.rl.worlds", "train.steps=300",
             "agent.learn_start=100", "train.evaluate_every=100"]  # fmt: skip
    with pytest.raises(type(error)) as raised:
        lab.train("cartpole_dqn", overrides=short, output=tmp_path / "r", callbacks=callback)
    assert raised.value is error
    assert told == [method]
    session = tmp_path / "r/trial_000/session_000"
    assert json.loads((session / "session.json").read_text())["status"] == "interrupted"
    assert not (session / "traceback.txt").exists()
    assert main(["resume", str(tmp_path / "r"), "--quiet", "--no-report"]) == 0
    lab.train("cartpole_dqn", overrides=short, output=tmp_path / "whole", draw=False)
    for table in ("episodes.csv", "updates.csv", "evaluations.csv"):
        whole = tmp_path / "whole/trial_000/session_000" / table
        assert (session / table).read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_program_from_a_pipe(tmp_path: Path) -> None:
    program = (
        "import rl\nprint(rl.train('cartpole_dqn', sessions=2, jobs=2, draw=False, "
        "overrides=['train.steps=200', 'agent.learn_start=90']).result['counted'])"
    )
    answer = subprocess.run([sys.executable, "-"], cwd=tmp_path, input=program, text=True,
                            capture_output=True, timeout=120)  # fmt: skip
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "2\n", "")


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import rl\n"
        "run = rl.train('cartpole_dqn', sessions=2, jobs=2, overrides=['train.steps=1500'])\n"
        "print(run.result['counted'])\n"
    )
    answer = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert "if __name__ == '__main__':" in answer.stderr
    assert answer.returncode == 1
    assert "SessionsFailed: " in answer.stderr.splitlines()[-1]
    assert len(list((tmp_path / "runs/cartpole_dqn").iterdir())) == 1
    guarded = script.read_text().replace("run =", "if __name__ == '__main__':\n    run =")
    script.write_text(guarded.replace("print", "    print"))
    answer = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "2\n"), answer.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sessions", 0), "--sessions: must be at least 1, not 0"),
        (("--sessions", 2, "--jobs", "many"), "--jobs: must be a whole number, not 'many'"),
        (("--sessions", 2, "--render"), "--render shows a single session; leave out --sessions"),
        (("--sessions", 2, "--set", "agent.gama=1"), "agent.gama is no setting of DQN"),
        (("--executor", "rya"), "--executor: invalid choice: 'rya'"),
        (("--ray-address", "here:1"), "--ray-address needs --executor ray"),
    ],
)
def test_bad_input_leaves_no_folder(
    rl_here: Command, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    answer = rl_here("run", "cartpole_dqn", *arguments)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
