"""Sessions in this process and in others: the same numbers; a failure stays where it is."""

from __future__ import annotations

import atexit
import json
import os
import random
import signal
import sys
import time
import warnings
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from nn import checkpoint
from rl.running.executors import THREAD_VARIABLES, Executor, Inline, Processes
from rl.running.trial import run_all
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.progress import Progress
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.session_folder import SessionFolder, is_unfinished
from tests.rl.conftest import quick
from tests.rl.worlds import Steady

CHAIN = ("problem=Chain-v0", "import=tests.rl.worlds")  # short episodes: soon evaluated
FEW = ("train.evaluate_episodes=2", "network.hidden=[8]", "agent.learn_start=100")
TINY = (*CHAIN, *FEW, "train.steps=600", "train.evaluate_every=200")
LONG = ("train.steps=10000000", "train.evaluate_every=10000000")


def make_jobs(folder: Path, seeds: range, *settings: str) -> list[Job]:
    specification = load_specification("cartpole_dqn", overrides=settings or TINY)
    specification = build(specification, 0).specification
    return [
        Job(specification, seed, folder / f"session_{number:03d}", number)
        for number, seed in enumerate(seeds)
    ]


class Recorder(Callback):
    """Notes what it is told, and acts once it has heard of so many different jobs."""

    def __init__(self, wanted: int = 0, then: Any = lambda: None) -> None:
        self.heard: dict[int, list[int]] = {}
        self.ends: list[str] = []
        self.wanted, self.then = wanted, then

    def progressed(self, job: Job, progress: Progress) -> None:
        self.heard.setdefault(job.session, []).append(progress.step)
        if len(self.heard) == self.wanted:
            self.wanted = 0
            self.then()

    def ended(self, job: Job, outcome: dict[str, Any]) -> None:
        self.ends.append(outcome["status"])


def assert_same_bits(job: Job, other: Job) -> None:
    """The sessions of both left the same rows and the same weights."""
    folder, there = SessionFolder(job.folder), SessionFolder(other.folder)
    for name in ("episodes.csv", "updates.csv", "evaluations.csv"):
        assert (folder.path / name).read_bytes() == (there.path / name).read_bytes()
    ours, theirs = (
        checkpoint.load(each.checkpoint("last"))["policy"]["network"]["parameters"]
        for each in (folder, there)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_processes_give_the_numbers_of_this_process(tmp_path: Path) -> None:
    results, jobs = [], {}
    for name, executor in (("here", Inline()), ("there", Processes(2))):
        jobs[name] = make_jobs(tmp_path / name, range(3, 5), *TINY)
        with executor:
            outcomes = run_all(jobs[name], executor)
        assert [each["seed"] for each in outcomes] == [3, 4]
        assert [each["status"] for each in outcomes] == ["finished"] * 2
        results.append([each["evaluation"]["returns"] for each in outcomes])
    here, there = results
    assert here == there
    assert here[0] != here[1]
    for ours, theirs in zip(jobs["here"], jobs["there"], strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.slow
def test_they_run_at_once_and_tell_how_they_go(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, range(3), *LONG)
    executor = Processes(2)
    executor.callback = recorder = Recorder(2, lambda: executor.interrupt())
    with executor:
        outcomes = run_all(jobs, executor)
    assert set(recorder.heard) == {0, 1}
    assert [each["status"] for each in outcomes] == ["interrupted"] * 3
    assert [each["steps"] > 0 for each in outcomes] == [True, True, False]
    assert not jobs[2].folder.exists()
    for job in jobs[:2]:
        folder = SessionFolder(job.folder)
        assert folder.read_outcome()["status"] == "interrupted"
        assert checkpoint.load(folder.checkpoint("last"))["step"] > 0


@pytest.mark.slow
def test_one_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    """The second cannot write where a file is in its way: that is no fault of the session's."""
    jobs = make_jobs(tmp_path, range(2))
    jobs[1].folder.mkdir(parents=True)
    (jobs[1].folder / "episodes.csv").mkdir()
    with Processes(2) as executor:
        whole, failed = run_all(jobs, executor)
    assert whole["status"] == "finished"
    assert (failed["status"], failed["unfinished"]) == ("failed", True)
    assert "episodes.csv: cannot be written: Is a directory" in failed["reason"]
    for job, outcome in zip(jobs, (whole, failed), strict=True):
        assert SessionFolder(job.folder).read_outcome()["status"] == outcome["status"]


class Deadly(Processes):
    """Its processes are killed, so many times, once each has said how far it is."""

    def __init__(self, kills: int, by: signal.Signals = signal.SIGKILL) -> None:
        super().__init__(1)
        self.notes: list[str] = []
        self.callback = callback = Recorder()
        callback.noted = self.notes.append  # type: ignore[method-assign, assignment]
        callback.progressed = self.progressed  # type: ignore[method-assign]
        self.kills, self.by, self.killed = kills, by, {0}

    def progressed(self, job: Job, progress: Progress) -> None:
        (worker,) = self._workers
        pid, home = worker.pid, worker._home.process.pid or 0
        if self.kills and pid not in self.killed and progress.step > 0:
            self.kills -= 1
            self.killed.add(pid)
            os.kill(home if self.kills % 2 else pid, self.by)  # the first time its home


ENOUGH = (*CHAIN, *FEW, "train.steps=6000", "train.evaluate_every=2000")


@pytest.mark.parametrize("by", quick(1, ["SIGKILL", "SIGTERM", "SIGSEGV"]))
def test_a_process_that_is_killed_is_begun_again(tmp_path: Path, by: str) -> None:
    jobs = {name: make_jobs(tmp_path / name, range(1), *ENOUGH) for name in ("whole", "killed")}
    with Inline() as executor:
        (expected,) = run_all(jobs["whole"], executor)
    executor = Deadly(2, signal.Signals[by])
    with executor:
        (outcome,) = run_all(jobs["killed"], executor)
    assert outcome["evaluation"] == expected["evaluation"]
    assert len(executor.notes) == 2
    assert "goes on in a new process: its process ended: " in executor.notes[0]
    assert_same_bits(jobs["whole"][0], jobs["killed"][0])


class Stillborn(Processes):
    """Its first two processes are killed before they have said anything."""

    kills = 2

    def begin(self, job: Job) -> None:
        super().begin(job)
        if self.kills:
            self.kills -= 1
            self._workers[-1]._home.process.kill()


def test_a_process_that_is_killed_while_it_starts_is_begun_again(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, range(1))
    with Stillborn(1) as executor:
        (outcome,) = run_all([job], executor)
    assert outcome["status"] == "finished"


@pytest.mark.slow
def test_a_process_that_is_killed_three_times_leaves_its_session_unfinished(
    tmp_path: Path,
) -> None:
    (job,) = make_jobs(tmp_path, range(1), *LONG)
    with Deadly(3) as executor:
        (outcome,) = run_all([job], executor)
    assert (outcome["status"], outcome["unfinished"]) == ("failed", True)
    assert outcome["reason"] == "its process ended: signal 9"
    folder = SessionFolder(job.folder)
    assert is_unfinished(folder.read_outcome())
    assert not folder.has_ended


def test_a_job_that_diverges_says_so(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, range(1), *TINY, "optimizer.learning_rate=1e30")
    with Processes(1) as executor:
        (outcome,) = run_all(jobs, executor)
    assert outcome["status"] == "diverged"
    assert "loss" in outcome["reason"]
    assert not SessionFolder(jobs[0].folder).traceback.exists()


@pytest.mark.parametrize("kind", [Inline, Processes])
def test_a_job_can_be_stopped_before_it_begins(
    tmp_path: Path, kind: type[Inline] | type[Processes]
) -> None:
    first, second = make_jobs(tmp_path, range(2))
    with kind() if kind is Inline else kind(1) as executor:  # type: ignore[arg-type]
        run_it(executor, first, second)


def run_it(executor: Executor, first: Job, second: Job) -> None:
    executor.submit(first)
    executor.submit(second)
    executor.stop(second, "pruned")
    outcomes: dict[int, dict[str, Any]] = {}
    while executor.unfinished:
        outcomes |= {job.session: outcome for job, outcome in executor.wait()}
    assert {number: each["status"] for number, each in outcomes.items()} == {
        0: "finished",
        1: "pruned",
    }


def test_a_running_job_can_be_stopped(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, range(1), *LONG)
    executor = Processes(1)
    executor.callback = Recorder(1, lambda: executor.stop(job, "pruned"))
    with executor:
        (outcome,) = run_all([job], executor)
    assert outcome["status"] == "pruned"
    assert "evaluation" not in outcome


def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, range(1), *LONG)
    executor = Processes(1)
    executor.callback = Recorder(1, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt), executor:
        run_all([job], executor)
    assert executor.unfinished == 0
    assert SessionFolder(job.folder).read_outcome()["status"] == "interrupted"


@pytest.mark.slow
def test_workers_use_one_thread_for_blas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's processor time is no more than the wall-clock time of its life."""
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    jobs = make_jobs(tmp_path, range(1), "train.steps=1500", "network.hidden=[512,512]",
                     "memory.batch_size=512", "train.evaluate_every=1500")  # fmt: skip
    before, started = os.times(), time.perf_counter()
    with Processes(1) as executor:
        run_all(jobs, executor)
    wall, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    assert used < 1.15 * wall
    assert not set(THREAD_VARIABLES) & set(os.environ)


class Changing(Steady):
    """Says how it finds its process, and then changes what a process has."""

    def __init__(self) -> None:
        super().__init__()
        found = [os.getppid(), os.getcwd(), os.environ.get("CHANGED"), "changed" in sys.modules,
                 signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL, len(warnings.filters),
                 float(np.random.random()), random.random()]  # fmt: skip  # noqa: NPY002
        with open(os.environ["FOUND"], "a") as file:
            file.write(json.dumps([os.getpid(), *found]) + "\n")
        if parent_process():  # not of this one
            atexit.register(Path(os.environ["FOUND"]).with_name(f"end_{os.getpid()}").touch)
        os.chdir("/")
        os.environ["CHANGED"] = "yes"
        sys.modules["changed"] = sys
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        warnings.simplefilter("error")
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)


gymnasium.register("Changing-v0", "tests.rl.test_executors:Changing", max_episode_steps=50)


@pytest.mark.slow
def test_what_a_session_does_to_its_process_does_not_reach_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although all come from one process, whose start they share."""
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    jobs = make_jobs(tmp_path / "r", range(3), "problem=Changing-v0",
                     "import=tests.rl.test_executors", *FEW, "train.steps=200")  # fmt: skip
    (tmp_path / "found").write_text("")  # that of the specification's own environment
    with Processes(1) as executor:
        run_all(jobs, executor)
    first: dict[int, list[object]] = {}
    for line in (tmp_path / "found").read_text().splitlines():
        pid, *found = json.loads(line)
        first.setdefault(pid, found)
    assert len(first) == 3
    assert all((tmp_path / f"end_{pid}").exists() for pid in first), "each ended in order"
    homes, *others = zip(*first.values(), strict=True)
    assert len(set(homes)) == 1
    for values in others[:-2]:
        assert len(set(values)) == 1
    for values in others[-2:]:
        assert len(set(values)) == 3
