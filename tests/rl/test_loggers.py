"""TensorBoard and Weights & Biases: what the tables say, and no harm to a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rl.cli import main
from rl.running.feeding import Feed, SessionFeed
from rl.running.loggers import Logger, Row, hyper_parameters
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.recorder import TABLES
from rl.storage.files import Table
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import GrowingTable, read_table
from tests.rl.conftest import HELD, Command, wait_until
from tests.rl.test_executors import make_jobs

SESSION = Path("trial_000/session_000")


def test_rows_are_read_once_and_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table = GrowingTable(path)
    assert table.read()[0].tolist() == []
    path.write_bytes(b"step,loss\r\n1,0.5\r\n2,0.")
    assert table.read()[0].tolist() == [[1.0, 0.5]]
    with open(path, "ab") as file:
        file.write(b"25\r\n3,1e-3\r\n")
    rows, is_all = table.read()
    assert (rows.tolist(), is_all) == ([[2.0, 0.25], [3.0, 0.001]], False)
    assert table.read()[0].tolist() == []


@pytest.mark.parametrize(
    "content", [b"step,loss\n1,0.5\n", b"step,loss\n7,0.5\n2,0.25\n3,4.5\n", b"step\n1\n2\n3\n4\n"]
)
def test_a_table_that_was_begun_anew_is_read_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"step,loss\n1,0.25\n2,0.25\n")
    table = GrowingTable(path)
    table.read()
    path.write_bytes(content)
    rows, is_all = table.read()
    assert is_all
    assert rows.tolist() == list(map(list, zip(*read_table(path).values(), strict=True)))


class Noting(Logger):
    """Keeps what it is given, of all sessions together; fails at one of its methods."""

    name = "noting"
    fails_at = ""
    heard: list[Any]

    def begin(self, job: Job) -> None:
        self._hear("begin", job.session)

    def log(self, rows: Sequence[Row]) -> None:
        self._hear("log", *rows)

    def close(self) -> None:
        self._hear("close")

    def _hear(self, what: str, *content: Any) -> None:
        if what == self.fails_at:
            raise ConnectionError("the line\nis down")
        self.heard += [what, *content]


@pytest.fixture
def noting() -> type[Noting]:
    return type("Fresh", (Noting,), {"heard": []})


def write_tables(job: Job, *steps: int) -> None:
    """A session's tables with an episode at each of the steps, and an evaluation at step 15."""
    folder = SessionFolder(job.folder)
    folder.create()
    for name, columns in {**TABLES, "updates": ("step", "update", "loss")}.items():
        table = Table(folder.table(name), columns)
        for step in steps if name == "episodes" else [15] if name == "evaluations" else []:
            table.add({**dict.fromkeys(columns, 3), "step": step})
        table.close()


def test_rows_come_in_the_order_of_their_steps(tmp_path: Path, noting: type[Noting]) -> None:
    (job,) = make_jobs(tmp_path, range(1))
    write_tables(job, 10, 20)
    callback = Feed([noting], print)
    callback.progressed(job, Progress(10))
    callback.ended(job, {})
    episode = {"episodes/return": 3.0, "episodes/length": 3.0}
    evaluation = {f"evaluations/{figure}": 3.0 for figure in (
        "mean_return", "std_return", "min_return", "max_return", "mean_length")}  # fmt: skip
    assert noting.heard == ["begin", 0, "log", (10, episode), (15, evaluation), (20, episode),
                            "log", "close"]  # fmt: skip


def test_a_session_that_has_not_begun_is_none(tmp_path: Path, noting: type[Noting]) -> None:
    (job,) = make_jobs(tmp_path, range(1))
    Feed([noting], print).ended(job, {"status": "interrupted"})
    assert noting.heard == []


@pytest.mark.parametrize("place", ["begin", "log", "close"])
def test_a_failing_logger_is_left_and_the_others_go_on(
    place: str, tmp_path: Path, noting: type[Noting]
) -> None:
    failing: type[Noting] = type("Failing", (Noting,), {"heard": [], "fails_at": place})
    (job,) = make_jobs(tmp_path, range(1))
    write_tables(job, 10)
    said: list[str] = []
    followed = SessionFeed(job, [failing(), noting()], said.append)
    followed.pass_on()
    followed.finish()
    assert said == ["noting: no more of session 0: ConnectionError: the line is down"]
    assert noting.heard.count("log") == 2
    assert noting.heard[-1] == "close"
    assert place not in failing.heard


def test_each_session_is_closed_even_if_the_run_is_not_to_go_on(
    tmp_path: Path, noting: type[Noting]
) -> None:
    def run() -> None:
        with closing(Feed([noting], print)) as callback:
            for job in jobs:
                callback.progressed(job, Progress(10))
            callback.ended(jobs[0], {})
            raise RuntimeError

    jobs = make_jobs(tmp_path, range(2))
    with pytest.raises(RuntimeError):
        run()
    assert noting.heard.count("close") == 2


def test_hyper_parameters_have_dotted_paths(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, range(7, 8))
    given = hyper_parameters(job)
    assert given["seed"] == 7
    assert given["agent.name"] == "DQN"
    assert given["agent.gamma"] == job.specification.values["agent"]["gamma"]
    assert given["network.hidden"] == str(job.specification.values["network"]["hidden"])
    assert given["train.max_episode_steps"] == "None"


def event_file(folder: Path) -> Any:
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard is an extra: .[tensorboard]",
    )
    accumulator = module.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    return accumulator.Reload()


def check_events(run: Path) -> Any:
    """Sees to it that TensorBoard has every row of a run's session once; gives its events."""
    events = event_file(run / "tensorboard" / "session_000")
    for name, column in (("episodes", "return"), ("evaluations", "mean_return"),
                         ("updates", "loss")):  # fmt: skip
        table = read_table(run / SESSION / f"{name}.csv")
        scalars = events.Scalars(f"{name}/{column}")
        assert [each.step for each in scalars] == table["step"]
        assert [each.value for each in scalars] == pytest.approx(table[column], rel=1e-6)
    return events


@pytest.mark.slow
def test_tensorboard_has_the_tables_and_nothing_is_learned_otherwise(
    rl: Command, tmp_path: Path, cartpole_run: Path
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra: .[tensorboard]")
    answer = rl("run", "cartpole_dqn", "--steps", 3000, "--quiet", "--output", "run",
                "--set", "train.evaluate_every=1500", "--tensorboard")  # fmt: skip
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    run = tmp_path / "run"
    outcomes = [json.loads((each / SESSION / "session.json").read_text())
                for each in (run, cartpole_run)]  # fmt: skip
    assert outcomes[0]["weights"] == outcomes[1]["weights"]
    events = check_events(run)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"optimizer.learning_rate" in content


@pytest.mark.slow
def test_a_run_that_is_resumed_has_all_rows_once(rl: Command, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra: .[tensorboard]")
    process = subprocess.Popen(
        [sys.executable, "-m", "rl", "run", "cartpole_dqn", "--steps", "4000", "--quiet",
         "--output", "run", "--tensorboard", "--set", "train.evaluate_every=1500",
         "problem=Held-v0", "import=tests.rl.worlds"],
        cwd=tmp_path, env={**os.environ, **HELD}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until((tmp_path / "gate.waits").exists)
    process.send_signal(signal.SIGINT)
    (tmp_path / "gate").touch()
    assert process.wait(timeout=300) == 130
    answer = rl("resume", "run", "--tensorboard", "--quiet", PYTHONPATH=HELD["PYTHONPATH"])
    assert answer.returncode == 0, answer.stderr
    check_events(tmp_path / "run")


@pytest.mark.slow
def test_each_of_several_sessions_has_its_event_file(rl: Command, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra: .[tensorboard]")
    answer = rl("run", "cartpole_dqn", "--steps", 1500, "--sessions", 2, "--jobs", 2,
                "--output", "run", "--tensorboard")  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    for session in ("session_000", "session_001"):
        table = read_table(tmp_path / "run" / "trial_000" / session / "episodes.csv")
        scalars = event_file(tmp_path / "run" / "tensorboard" / session).Scalars("episodes/return")
        assert [each.value for each in scalars] == table["return"]


@pytest.mark.slow
def test_weights_and_biases_offline(rl: Command, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="Weights & Biases is an extra: .[wandb]")
    answer = rl("run", "cartpole_dqn", "--steps", 1500, "--quiet", "--output", "run", "--wandb",
                WANDB_MODE="offline")  # fmt: skip
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    (log,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    content = log.read_bytes()
    episodes = read_table(tmp_path / "run" / SESSION / "episodes.csv")
    assert content.count(b"episodes/return") >= len(episodes["return"])
    for said in (b"evaluations/mean_return", b"updates/loss", b"optimizer.learning_rate"):
        assert said in content


@pytest.mark.parametrize("option", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_before_anything_is_written(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, option, None)
    folder = tmp_path / "run"
    assert main(["run", "cartpole_dqn", f"--{option}", "--output", str(folder)]) == 2
    assert f'python -m pip install "reinforcement-by-hand[{option}]"' in capsys.readouterr().err
    assert not folder.exists()
