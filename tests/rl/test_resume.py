"""A session that is killed and goes on comes to the same end, to the bit, as one that is not."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import checkpoint
from rl.agents import DQN
from rl.environments import Environments
from rl.errors import UserError
from rl.running import jobs
from rl.running.executors import Inline
from rl.running.jobs import run_job
from rl.running.trial import run_sessions
from rl.saved.run import Run
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.saved import evaluate_player
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import Specification
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import HELD, Command, quick, run_trial, wait_until

TRAIN = {"evaluate_every": 700, "evaluate_episodes": 2, "stop_when_solved": False,
         "checkpoint_seconds": 0.05}  # fmt: skip
SMALL = {"hidden": [16]}
DISCRETE: dict[str, Any] = {"problem": "CartPole-v1", "network": SMALL}
CONTINUOUS: dict[str, Any] = {"problem": "Pendulum-v1", "network": SMALL}
MASKED: dict[str, Any] = {"import": "tests.rl.gates", "network": SMALL,
                          "train": {**TRAIN, "steps": 2100, "lanes": 2}}  # fmt: skip
TD3 = {"name": "DDPG", "twin_critics": True, "actor_every": 2, "target_noise": 0.2,
       "learn_start": 100, "learn_every": 2}  # fmt: skip

# Each agent and memory, in one lane and in several, with whatever else has a state.
SETTINGS: dict[str, dict[str, Any]] = {
    "dqn": {
        **DISCRETE,
        "agent": {"name": "DQN", "n_step": 3, "learn_start": 100, "average_updates": 50},
        "memory": {"capacity": 700, "batch_size": 16},
        "preprocessor": {"name": "Stack", "length": 2},
        "train": {**TRAIN, "steps": 2100},
    },
    "double_dqn_prioritized": {
        **DISCRETE,
        "agent": {"name": "DoubleDQN", "dueling": True, "learn_start": 100},
        "memory": {"name": "Prioritized", "capacity": 900, "batch_size": 16},
        "exploration": {"name": "TargetEpsilonGreedy", "target": 200.0},
        "train": {**TRAIN, "steps": 2100, "lanes": 3},
    },
    "boltzmann": {
        **DISCRETE,
        "agent": {"name": "DQN", "learn_start": 100},
        "memory": {"capacity": 5000, "batch_size": 16},
        "exploration": {"name": "Boltzmann"},
        "preprocessor": {"name": "Difference"},
        "train": {**TRAIN, "steps": 2100, "max_episode_steps": 30},
    },
    "actor_critic": {
        **DISCRETE,
        "agent": {"name": "ActorCritic"},
        "memory": {"horizon": 7},
        "preprocessor": {"name": "Normalize", "rewards": True},
        "train": {**TRAIN, "steps": 3500},
    },
    "actor_critic_lanes": {
        **CONTINUOUS,
        "agent": {"name": "ActorCritic", "epochs": 3, "minibatches": 2, "clip": 0.2},
        "memory": {"horizon": 16},
        "preprocessor": {"name": "Normalize", "rewards": True},
        "optimizer": {"learning_rate": {"name": "linear", "start": 0.01, "end": 0.0, "steps": 300}},
        "train": {**TRAIN, "steps": 3500, "lanes": 4},
    },
    "ddpg": {
        **CONTINUOUS,
        "agent": {"name": "DDPG", "learn_start": 100, "learn_every": 2},
        "memory": {"capacity": 900, "batch_size": 16},
        "exploration": {"name": "OrnsteinUhlenbeck"},
        "train": {**TRAIN, "steps": 2100},
    },
    "td3_lanes": {
        **CONTINUOUS,
        "agent": TD3,
        "memory": {"name": "Prioritized", "capacity": 900, "batch_size": 16},
        "train": {**TRAIN, "steps": 2100, "lanes": 2},
    },
    "masks": {
        **MASKED,
        "problem": "GatedSeveral-v0",
        "agent": {"name": "DoubleDQN", "n_step": 3, "learn_start": 100},
        "memory": {"name": "Prioritized", "capacity": 700, "batch_size": 16},
    },
    "masked_policy": {
        **MASKED,
        "problem": "GatedBits-v0",
        "agent": {"name": "PPO", "epochs": 2},
        "memory": {"horizon": 9},
    },
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def judged_on_few_episodes() -> Iterator[None]:
    """A hundred would take longer than the learning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            jobs, "evaluate_player", lambda *who, **_: evaluate_player(who[0], who[1], 10)
        )
        yield


KILLS = 5  # of each setting: 45 in all


def job(setting: str, folder: Path, **train: Any) -> Job:
    values = SETTINGS[setting]
    values = {**values, "train": {**values["train"], **train}}
    specification = build(Specification(setting, "test", values), seed=3).specification
    return Job(specification, 3, folder)


def contents(folder: Path) -> dict[str, Any]:
    """Everything that a session leaves, but the times."""
    left: dict[str, Any] = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    outcome = json.loads((folder / "session.json").read_text())
    times = [outcome.pop(name) for name in ("seconds", "evaluation_seconds")]
    assert all(seconds > 0 for seconds in times)
    (outcome.get("reached") or {}).pop("seconds", None)
    saved = (folder / "checkpoints").rglob("*.npz")
    states = {path.stem: checkpoint.load(path) for path in sorted(saved)}
    assert all(state.pop("seconds") >= 0 for state in states.values())
    assert all(state.pop("specification") for state in states.values())  # of other saves
    for state in states.values():
        state.pop("import_folder", None)
    assert outcome["weights"]
    assert {"0", "best", "last"} < set(states)
    return {**left, "outcome": outcome, "checkpoints": repr(states)}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What a setting's session leaves when nobody disturbs it; each is run once."""
    known: dict[str, dict[str, Any]] = {}

    def find(setting: str) -> dict[str, Any]:
        if setting not in known:
            folder = tmp_path_factory.mktemp(setting)
            with np.printoptions(threshold=10**9):
                run_job(job(setting, folder, checkpoint_seconds=30.0))
                known[setting] = contents(folder)
        return known[setting]

    return find


def child(work: Callable[[], object]) -> int:
    """Begins `work` in a process of its own, which does nothing else; returns its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forked beside threads of BLAS, which it does not use
        pid = os.fork()
    if pid == 0:
        # Slow, and of no use against a kill: the system lives on.
        os.fsync = lambda file: None  # type: ignore[assignment]
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def ended(pid: int) -> int:
    """The child's exit code when it has ended; a signal is a negative one."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def saved(folder: Path) -> list[Path]:
    """Its checkpoints, the latest first; between the two renames of a save only the previous."""
    found = (folder / f"resume/{name}.npz" for name in ("latest", "previous"))
    return [path for path in found if path.exists()]


def die_in_step(number: int, folder: Path) -> None:
    """Lets this process be killed in its `number`-th step after there is a checkpoint."""
    step, counted = Environments.step, iter(range(number))

    def wrapped(*arguments: Any) -> Any:
        if saved(folder) and next(counted, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments)

    Environments.step = wrapped  # type: ignore[method-assign, assignment]


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


@needs_fork
@pytest.mark.parametrize("setting", quick(2, SETTINGS))
def test_killed_at_any_moment_it_comes_to_the_same_end(
    setting: str, undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    expected, moments = undisturbed(setting), random.Random(setting)
    train = SETTINGS[setting]["train"]
    # By the first evaluation there is a checkpoint; all kills come before the end.
    most = (train["steps"] - train["evaluate_every"]) // train.get("lanes", 1) // KILLS
    for _ in range(KILLS):
        steps = moments.randrange(1, most)

        def work(steps: int = steps) -> None:
            die_in_step(steps, tmp_path)
            run_job(job(setting, tmp_path))

        assert ended(child(work)) == -signal.SIGKILL
    assert ended(child(lambda: run_job(job(setting, tmp_path)))) == 0
    with np.printoptions(threshold=10**9):
        assert contents(tmp_path) == expected
    left = {path.name for path in (tmp_path / "resume").iterdir()}
    assert {name.partition("_")[0] for name in left} <= {"latest.npz", "updates.csv", "transitions"}


class InterruptsAnEvaluation(Callback):
    """Interrupts a session as an evaluation of it begins."""

    def __init__(self, number: int) -> None:
        self._left = number

    def started(self, job: Job, session: Session) -> None:
        evaluate = session.evaluator.evaluate

        def interrupted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                session.interrupt()
            return evaluate(*arguments)

        session.evaluator.evaluate = interrupted  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize("setting", quick(1, ["dqn", "actor_critic_lanes"]))
def test_interrupted_in_an_evaluation_it_is_left_at_once_and_made_again(
    setting: str, undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """The first one, one that is not the first, and the one after the last step."""
    evaluations = SETTINGS[setting]["train"]["steps"] // TRAIN["evaluate_every"]
    table = SessionFolder(tmp_path).table("evaluations")
    for made in range(evaluations):
        outcome = run_job(job(setting, tmp_path), InterruptsAnEvaluation(2 if made else 1))
        assert outcome["status"] == "interrupted"
        assert len(table.read_text().splitlines()) == 1 + made
    run_job(job(setting, tmp_path))
    with np.printoptions(threshold=10**9):
        assert contents(tmp_path) == undisturbed(setting)


CALLS = ("fsync", "replace", "write", "ftruncate", "unlink")


def die_before_call(number: int) -> None:
    """Lets this process be killed before the `number`-th of the system calls that save."""
    counted = iter(range(number))

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **more: Any) -> Any:
            if next(counted, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **more)

        return wrapped

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))


@pytest.mark.slow
@needs_fork
def test_killed_before_each_call_of_a_save_it_comes_to_the_same_end(
    undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    expected = undisturbed("ddpg")
    interrupted("ddpg", tmp_path)  # so that there are checkpoints and transitions to be replaced

    def work(calls: int) -> None:
        die_before_call(calls)
        run_job(job("ddpg", tmp_path))

    for calls in range(1, 29):  # a save makes fourteen
        assert ended(child(partial(work, calls))) == -signal.SIGKILL
    run_job(job("ddpg", tmp_path))
    with np.printoptions(threshold=10**9):
        assert contents(tmp_path) == expected


class Notes(Callback):
    """Interrupts a session at its second evaluation, if wanted, and keeps what it notes."""

    def __init__(self, interrupts: bool = False) -> None:
        self.texts: list[str] = []
        self._left = 2 if interrupts else -1

    def started(self, job: Job, session: Session) -> None:
        self._session = session

    def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self._session.interrupt()

    def noted(self, text: str) -> None:
        self.texts.append(text)


def interrupted(setting: str, folder: Path) -> None:
    """Runs a session up to its second evaluation."""
    outcome = run_job(job(setting, folder), Notes(interrupts=True))
    assert outcome["status"] == "interrupted"


def damage(path: Path) -> None:
    """Flips a bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[str, ...]] = {
    "the latest": ("resume/latest.npz",),
    "both": ("resume/latest.npz", "resume/previous.npz"),
    "the transitions": ("resume/transitions_000000000000.bin",),
}


@pytest.mark.parametrize("which", quick(1, DAMAGE))
def test_what_is_damaged_is_named_and_passed_over(
    which: str, undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    interrupted("boltzmann", tmp_path)
    for name in DAMAGE[which]:
        damage(tmp_path / name)
    notes = Notes()
    run_job(job("boltzmann", tmp_path), notes)
    assert Path(DAMAGE[which][0]).name in notes.texts[0]
    assert ("begins anew" in notes.texts[-1]) == (which != "the latest")
    with np.printoptions(threshold=10**9):
        assert contents(tmp_path) == undisturbed("boltzmann")


def test_a_table_that_was_cut_short_is_named_and_written_again(
    undisturbed: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    interrupted("dqn", tmp_path)
    os.truncate(tmp_path / "episodes.csv", 100)
    notes = Notes()
    run_job(job("dqn", tmp_path), notes)
    assert "episodes.csv: is shorter than the checkpoint says" in notes.texts[0]
    with np.printoptions(threshold=10**9):
        assert contents(tmp_path) == undisturbed("dqn")


def test_a_checkpoint_of_another_specification_is_refused(tmp_path: Path) -> None:
    interrupted("dqn", tmp_path)
    with pytest.raises(UserError, match="made with another specification"):
        run_job(job("dqn", tmp_path, evaluate_every=300))


def test_an_environment_that_does_not_repeat_itself_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        SETTINGS,
        "restless",
        {**SETTINGS["dqn"], "problem": "Restless-v0", "import": "tests.rl.worlds"},
    )
    interrupted("restless", tmp_path)
    before = checkpoint.load(tmp_path / "resume/latest.npz")
    assert len(before["environments"]["lanes"]["0"]["actions"]) > 0
    notes = Notes()
    outcome = run_job(job("restless", tmp_path), notes)
    assert [text for text in notes.texts if "Restless-v0 does not repeat itself" in text]
    assert len(notes.texts) == 1
    assert outcome["status"] == "finished"


def test_the_abandoned_episode_leaves_nothing_behind(tmp_path: Path) -> None:
    """A transition would reach from it into the next one."""
    experiment = build(job("dqn", tmp_path).specification, seed=0)
    agent = experiment.agent
    assert isinstance(agent, DQN)
    pending = agent._n_step[0]
    pending.add(np.zeros(8, np.float32), 0, 1.0, np.zeros(8, np.float32), False, False)
    agent.abandon(0)
    pending.add(np.ones(8, np.float32), 1, 1.0, np.ones(8, np.float32), True, False)
    assert agent.memory.records(0, agent.memory.added)["actions"].tolist() == [1]


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path)
    folder.create()
    run = RunFolder.create(tmp_path / "run", "dqn", {}, [], [0])
    with run.lock(), pytest.raises(UserError, match="another process is at work"), run.lock():
        pass
    with run.lock():  # which was given back
        pass


@pytest.mark.slow
def test_a_trial_goes_on_with_the_sessions_that_have_not_ended(tmp_path: Path) -> None:
    specification = job("dqn", tmp_path).specification
    whole = run_trial(specification, range(3), tmp_path / "whole", Inline())
    cut = run_trial(specification, range(3), tmp_path / "cut", Interrupting(2))
    statuses = [cut.trial.session(number).read_outcome()["status"] for number in range(2)]
    assert statuses == ["finished", "interrupted"]
    done = cut.trial.session(0).outcome.stat().st_mtime_ns
    again = run_sessions(Run(cut.folder), Inline())
    assert again.trial.session(0).outcome.stat().st_mtime_ns == done
    for number in range(3):
        ours, theirs = (run.trial.session(number).path for run in (again, whole))
        assert contents(ours) == contents(theirs)
    assert again.result["counted"] == 3


class Interrupting(Inline):
    """Is interrupted while its n-th session runs."""

    def __init__(self, session: int) -> None:
        super().__init__()
        self._left = session

    def started(self, job: Job, session: Session) -> None:
        super().started(job, session)
        self._left -= 1
        if self._left == 0:
            self.callback = session.callback = Notes(interrupts=True)
            self.callback.started(job, session)


LIMIT = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from rl.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_on_a_full_disk_it_stops_with_a_message_and_goes_on_later(
    tmp_path: Path, rl: Command
) -> None:
    settings = ["--set", "train.evaluate_every=1500", "network.hidden=[16]", "train.steps=6000"]
    rl("run", "mountaincar_dqn", *settings, "--output", "whole")
    arguments = ["run", "mountaincar_dqn", *settings, "--output", "cut", "--quiet"]
    # It holds each file but that of the transitions, which is full after 3,750 of them.
    answer = subprocess.run(
        [sys.executable, "-c", LIMIT, "150000", *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "cannot be written: File too large; what was saved before is whole" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert rl("evaluate", "cut", "--episodes", "2").returncode == 0
    assert rl("resume", "cut", "--quiet").returncode == 0
    assert contents(tmp_path / "cut/trial_000/session_000") == contents(
        tmp_path / "whole/trial_000/session_000"
    )


@pytest.mark.parametrize("reason", quick(1, [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO]))
@pytest.mark.parametrize(("name", "good"), [("previous.npz", 1), ("latest.npz", 2)])
def test_when_a_save_fails_what_was_saved_before_serves_to_go_on(
    reason: int,
    name: str,
    good: int,
    undisturbed: Callable[[str], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The third save fails in one of its two renames; what the second one saved is left."""
    folder, replace, left = tmp_path / "run/trial_000/session_000", os.replace, iter(range(good))

    def fail_at_last(*arguments: Any, **more: Any) -> None:
        if Path(arguments[1]).name == name and next(left, None) is None:
            raise OSError(reason, os.strerror(reason), str(arguments[1]))
        replace(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_at_last)
        with pytest.raises(UserError, match=f"cannot be written: {os.strerror(reason)}; what was"):
            run_job(job("boltzmann", folder))
    assert checkpoint.load(saved(folder)[0])["transitions"]
    run_job(job("boltzmann", folder))
    with np.printoptions(threshold=10**9):
        assert contents(folder) == undisturbed("boltzmann")


@pytest.mark.slow
def test_ctrl_c_and_resume(tmp_path: Path, rl: Command) -> None:
    settings = ["--set", "problem=Held-v0", "import=tests.rl.worlds", "train.evaluate_every=1500",
                "network.hidden=[16]", "train.steps=4000"]  # fmt: skip
    rl("run", "cartpole_dqn", *settings, "--output", "whole", PYTHONPATH=HELD["PYTHONPATH"])
    process = subprocess.Popen(
        [sys.executable, "-m", "rl", "run", "cartpole_dqn", *settings, "--output", "cut",
         "--no-report"],
        cwd=tmp_path, env={**os.environ, **HELD}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    session = tmp_path / "cut/trial_000/session_000"
    wait_until((tmp_path / "gate.waits").exists)
    found = {"PYTHONPATH": HELD["PYTHONPATH"]}
    refused = rl("resume", "cut", **found).stderr
    assert refused.startswith("rl: cut: another process is at work there")
    process.send_signal(signal.SIGINT)
    (tmp_path / "gate").touch()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "to resume: rl resume cut" in said
    answer = rl("resume", "cut", **found)
    assert answer.returncode == 0
    assert contents(session) == contents(tmp_path / "whole/trial_000/session_000")
    assert "nothing left to resume" in rl("resume", "cut", **found).stdout
