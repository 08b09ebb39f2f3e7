"""Sessions as Ray tasks: the numbers of this process, even if a node dies under one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rl.cli import main
from rl.errors import UserError
from rl.running import ray_executor
from rl.running.executors import Inline
from rl.running.ray_executor import RayExecutor
from rl.running.trial import run_all
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.status import ENDS
from rl.storage.session_folder import SessionFolder
from tests.rl.test_executors import LONG, Recorder, assert_same_bits, make_jobs

ray: Any = pytest.importorskip("ray", reason="Ray is an extra of its own: .[ray]")
# Some versions of Ray leave it to Python to close the log files of the processes they start.
pytestmark = [
    pytest.mark.slow,  # to start a cluster
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]

MIDDLE = ("train.steps=15000", "train.evaluate_every=3000", "train.evaluate_episodes=2",
          "train.stop_when_solved=false")  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster whose head takes no session, so that they run on the other node: two at once."""
    from ray.cluster_utils import Cluster

    soon = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}
    head = {"num_cpus": 0, "_system_config": soon}  # a dead node is noticed sooner than by default
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=2)
    yield cluster
    cluster.shutdown()
    gc.collect()  # what Ray has not closed is said here, not in another module's test


class Hearing(Recorder):
    """Keeps evaluations and notes too."""

    def __init__(self, wanted: int = 0, then: Any = lambda: None) -> None:
        super().__init__(wanted, then)
        self.evaluations: dict[int, list[int]] = {}
        self.notes: list[str] = []

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
        self.evaluations.setdefault(job.session, []).append(progress.step)


def assert_the_numbers_of_this_process(jobs: list[Job], outcomes: list[Any], folder: Path) -> None:
    ours = [replace(job, folder=folder / job.folder.name) for job in jobs]
    with Inline() as executor:
        expected = run_all(ours, executor)
    for mine, theirs in zip(expected, outcomes, strict=True):
        assert mine["evaluation"]["returns"] == theirs["evaluation"]["returns"]
        assert (mine["status"], mine["steps"]) == (theirs["status"], theirs["steps"])
    for here, there in zip(ours, jobs, strict=True):
        assert_same_bits(here, there)


def test_on_this_machine_it_gives_the_numbers_of_this_process_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = make_jobs(tmp_path / "there", range(3, 6))
    SessionFolder(jobs[0].folder).create()
    (jobs[0].folder / "left.txt").write_text("by an earlier attempt")
    callback = Hearing()
    with RayExecutor(2, callback) as executor:
        outcomes = run_all(jobs, executor)
    assert not ray.is_initialized()
    assert callback.evaluations == {number: [200, 400, 600] for number in range(3)}
    assert all(callback.heard[job.session][-1] == 600 for job in jobs)
    assert capfd.readouterr() == ("", "")
    assert_the_numbers_of_this_process(jobs, outcomes, tmp_path / "here")
    for job in jobs:
        assert files(job.folder) == files(tmp_path / "here" / job.folder.name)
    assert len(list((tmp_path / "there").iterdir())) == 3


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_jobs_on_a_cluster_are_interrupted(tmp_path: Path, cluster: Any) -> None:
    """All three are submitted, but the third has no processor to begin on."""
    jobs = make_jobs(tmp_path, range(3), *LONG)
    executor = RayExecutor(3, address=cluster.address)

    class Patient(Recorder):
        def progressed(self, job: Job, progress: Progress) -> None:
            super().progressed(job, progress)
            if sum(map(len, self.heard.values())) > 12:
                executor.interrupt()

    executor.callback = recorder = Patient()
    with executor:
        outcomes = run_all(jobs, executor)
    assert set(recorder.heard) == {0, 1}
    assert [each["status"] for each in outcomes] == ["interrupted"] * 3
    assert [each["steps"] > 0 for each in outcomes] == [True, True, False]
    assert not jobs[2].folder.exists()
    for job in jobs[:2]:
        folder = SessionFolder(job.folder)
        assert folder.read_outcome()["status"] == "interrupted"
        assert folder.load_checkpoint("last")["step"] > 0


def test_jobs_are_stopped_one_by_one(tmp_path: Path, cluster: Any) -> None:
    first, second, third = make_jobs(tmp_path, range(3), *LONG)
    executor = RayExecutor(1, address=cluster.address)
    executor.callback = Recorder(1, lambda: executor.stop(first, "pruned"))
    third = altered(third, {"train.steps": 1500})
    for job in (first, second, third):
        executor.submit(job)
    executor.stop(second, "pruned")
    outcomes: dict[int, Any] = {}
    with executor:
        while executor.unfinished:
            outcomes |= {job.session: outcome for job, outcome in executor.wait()}
    assert [outcomes[number]["status"] for number in (0, 1)] == ["pruned", "pruned"]
    assert outcomes[2]["status"] in ENDS
    assert outcomes[0]["steps"] > 0 == outcomes[1]["steps"]


def test_one_that_fails_takes_no_other_with_it(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lacks a package on its node, one diverges, one brings its process down each time."""
    monkeypatch.setattr(ray_executor, "RETRIES", 1)
    monkeypatch.chdir(tmp_path)  # from where Ray's processes import too
    counted = tmp_path / "attempts.txt"
    (tmp_path / "deadly.py").write_text(
        f"import os\nprint('x', file=open({str(counted)!r}, 'a'), flush=True)\nos._exit(1)\n"
    )
    lacking, diverging, deadly, whole = make_jobs(tmp_path, range(4))
    SessionFolder(deadly.folder).create()
    (deadly.folder / "left.txt").write_text("by an earlier attempt")
    lacking = altered(lacking, {"import": "no_such_package"})
    diverging = altered(diverging, {"optimizer.learning_rate": 1e30})
    deadly = altered(deadly, {"import": "deadly"})
    jobs = [lacking, diverging, deadly, whole]
    with RayExecutor(address=cluster.address) as executor:
        outcomes = run_all(jobs, executor)
    statuses = [each["status"] for each in outcomes]
    assert statuses[:3] == ["failed", "diverged", "failed"]
    assert statuses[3] in ENDS
    reasons = [each.get("reason", "") for each in outcomes]
    assert "no_such_package" in reasons[0]
    assert "loss" in reasons[1]
    assert reasons[2].startswith("Ray: ")
    assert [each["unfinished"] for each in outcomes[:3]] == [False, False, True]
    assert counted.read_text() == "x\nx\n"
    assert not (deadly.folder / "left.txt").exists()
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert SessionFolder(job.folder).read_outcome()["status"] == outcome["status"]


def altered(job: Job, values: dict[str, Any]) -> Job:
    return replace(job, specification=job.specification.assign(values))


def test_sessions_of_a_node_that_dies_run_again_on_another(
    tmp_path: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the node that is killed takes sessions: what was heard of two of them came from it."""
    (node,) = cluster.worker_nodes
    jobs = make_jobs(tmp_path / "there", range(3), *MIDDLE)
    jobs[2] = altered(jobs[2], {"train.steps": 1500})

    class Killing(Hearing):
        def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
            super().evaluated(job, progress, player)
            if len(self.evaluations) == 2 and node in cluster.worker_nodes:
                cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(num_cpus=2)

    ended = []
    callback = Killing()
    with RayExecutor(address=cluster.address, callback=callback) as executor:
        for job in jobs:
            executor.submit(job)
        while executor.unfinished:
            ended += executor.wait()
    assert sorted(job.session for job, _ in ended) == [0, 1, 2]
    again = "runs again: its node or its process died"
    assert sorted(callback.notes) == [f"seed 0 {again}", f"seed 1 {again}"]
    for session in range(2):
        steps = callback.heard[session]
        assert steps != sorted(steps), "it was in its middle, and began again"
        assert callback.evaluations[session] == list(range(3000, 15001, 3000)), "each told once"
    assert capfd.readouterr() == ("", "")
    outcomes = [outcome for _, outcome in sorted(ended, key=lambda each: each[0].session)]
    assert_the_numbers_of_this_process(jobs, outcomes, tmp_path / "here")


def test_with_no_node_left_an_interrupt_still_ends_it(tmp_path: Path, cluster: Any) -> None:
    (node,) = cluster.worker_nodes
    jobs = make_jobs(tmp_path, range(3), *LONG)

    def kill() -> None:
        cluster.remove_node(node, allow_graceful=False)
        executor.interrupt()

    executor = RayExecutor(address=cluster.address, callback=Recorder(2, kill))
    with executor:
        outcomes = run_all(jobs, executor)
    assert [(each["status"], each["steps"]) for each in outcomes] == [("interrupted", 0)] * 3
    reasons = [each["reason"] for each in outcomes]
    assert reasons == ["its node died", "its node died", "it had not begun"]
    assert not any(job.folder.exists() for job in jobs)


def test_an_address_without_ray_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray, which would ask for minutes, is not asked."""
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was asked"))
    for address in ("127.0.0.1:9", "127.0.0.1:99999", "ray://127.0.0.1:9"):
        with pytest.raises(UserError, match=f"the Ray cluster at '{address}' cannot be reached"):
            RayExecutor(address=address)
    monkeypatch.undo()
    with pytest.raises(UserError, match="the Ray cluster at 'auto::' cannot be reached"):
        RayExecutor(address="auto::")
    assert not ray.is_initialized()


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install "reinforcement-by-hand\[ray\]"'):
        RayExecutor()


def test_from_the_command_line(tmp_path: Path) -> None:
    """A trial and a search; the trial's rows are those of local processes."""
    short = ("--jobs", "2", "--steps", "1500", "--quiet", "--set", "train.evaluate_every=500")
    for executor in ("ray", "local"):
        command = ("run", "cartpole_dqn", "--sessions", "2", "--executor", executor)
        assert main([*command, *short, "--output", str(tmp_path / executor)]) == 0
    for table in ("episodes.csv", "evaluations.csv"):
        for number in (0, 1):
            there, here = (
                tmp_path / executor / f"trial_000/session_00{number}" / table
                for executor in ("ray", "local")
            )
            assert there.read_bytes() == here.read_bytes()
    searching = ("search", "cartpole_dqn", "--trials", "2", "--sessions", "1", "--executor", "ray")
    assert main([*searching, *short, "--output", str(tmp_path / "search")]) == 0
    assert (tmp_path / "search/best_spec.json").exists()


def test_a_single_session_that_diverges_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(
        ["run", "cartpole_dqn", "--executor", "ray", "--jobs", "1", "--steps", "1500",
         "--set", "optimizer.learning_rate=1e30", "--output", str(tmp_path / "r")]
    )  # fmt: skip
    assert status == 3
    assert "diverged: step 1004: loss" in capsys.readouterr().out
