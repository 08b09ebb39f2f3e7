"""Sessions as Ray tasks: the numbers of this process, even if a node dies under one."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nn import checkpoint
from nn.typing import State
from rl.cli import main
from rl.errors import UserError
from rl.running import ray_address, ray_cluster, ray_executor
from rl.running.executors import Executor, Inline
from rl.running.jobs import run_job
from rl.running.ray_executor import RayExecutor
from rl.running.ray_session import _MailboxReporter
from rl.running.trial import run_all
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.status import ENDS
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import wait_until
from tests.rl.test_executors import FEW, LONG, Recorder, assert_same_bits, make_jobs

ray: Any = pytest.importorskip("ray", reason="Ray is an extra of its own: .[ray]")
# Some versions of Ray leave it to Python to close the log files of the processes they start.
pytestmark = [
    pytest.mark.slow,  # to start a cluster
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]

BRIEF = ("--quiet", "--no-report", "--steps", "600",
         "--set", *FEW, "train.evaluate_every=200")  # fmt: skip
ROOT = str(Path(__file__).parents[2])  # where the package `tests` is
# `rl`, with checkpoints that come at once.
OFTEN = """
import functools, sys
from rl.cli import main
from rl.running import ray_executor as it
it.RayExecutor = functools.partial(it.RayExecutor, seconds=0.1)
sys.exit(main(sys.argv[1:]))
"""
OTHER_KERNEL = "Nehalem"  # of OpenBLAS, which every x86 processor of today runs


# A dead node is noticed sooner than by default, but a busy one is not taken for dead: its answers
# may take 10 s each. A worker has the priority of a local process, and starts when it is needed.
SOON = {"health_check_period_ms": 100, "health_check_failure_threshold": 10,
        "health_check_initial_delay_ms": 1000, "worker_niceness": 0,
        "prestart_worker_first_driver": False}  # fmt: skip
BARE = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster whose head takes no session."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "_system_config": SOON, **BARE}
    hosts: Any = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    hosts.plain, hosts.imports = None, tmp_path_factory.mktemp("imports")
    yield hosts
    ray.shutdown()
    hosts.shutdown()
    gc.collect()  # what Ray has not closed is said here, not in another module's test


def add_plain(hosts: Any) -> None:
    """Adds a node on which sessions run, two at once; they import what is in `hosts.imports`."""
    there = {"PYTHONPATH": f"{ROOT}{os.pathsep}{hosts.imports}"}
    hosts.plain = patiently(lambda: hosts.add_node(num_cpus=2, env_vars=there))


@pytest.fixture
def node(hosts: Any) -> Any:
    """The cluster with one such node, whatever a test before did."""
    if hosts.worker_nodes != {hosts.plain}:
        ray.shutdown()
        remove_all(hosts)
        add_plain(hosts)
    return hosts


@pytest.fixture
def cluster(node: Any) -> Any:
    """The same, to which this process is not connected."""
    ray.shutdown()
    return node


@pytest.fixture
def connected(node: Any) -> Any:
    """The same, with a connection that tests share, and so the processes that run sessions."""
    connect(node)
    return node


def connect(cluster: Any) -> None:
    if not ray.is_initialized():
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        ray.init(cluster.address, runtime_env=ray_cluster.ONE_THREAD, **quiet)


def patiently(start: Callable[[], Any]) -> Any:
    """Starts what Ray gives up after 30 s, which a busy machine may need."""
    for left in reversed(range(5)):
        try:
            return start()
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
    raise AssertionError


def remove_all(cluster: Any) -> None:
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node)


class Hearing(Recorder):
    """Keeps evaluations and notes too."""

    def __init__(self, wanted: int = 0, then: Any = lambda: None) -> None:
        super().__init__(wanted, then)
        self.evaluations: dict[int, list[int]] = {}
        self.notes: list[str] = []
        self.again: dict[int, int] = {}  # by session, how many steps had been heard before

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
        self.evaluations.setdefault(job.session, []).append(progress.step)

    def restarted(self, job: Job, reason: str) -> None:
        self.again[job.session] = len(self.heard.get(job.session, []))
        super().restarted(job, reason)


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
    callback = Hearing()
    with patiently(lambda: RayExecutor(2, callback)) as executor:
        outcomes = run_all(jobs, executor)
    assert not ray.is_initialized()
    assert callback.evaluations == {number: [200, 400, 600] for number in range(3)}
    assert all(callback.heard[job.session][-1] == 600 for job in jobs)
    assert capfd.readouterr() == ("", "")
    assert_the_numbers_of_this_process(jobs, outcomes, tmp_path / "here")
    for job in jobs:
        assert files(job.folder) == files(tmp_path / "here" / job.folder.name)
        (machine,) = SessionFolder(job.folder).read_outcome()["ran_on"]
        assert machine["node"] == socket.gethostname()
        assert {"lab", "Python", "NumPy", "BLAS kernel", "processor"} < machine.keys()


def files(folder: Path) -> set[Path]:
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return {path for path in paths if path.name != ".lock"}


def test_jobs_that_are_interrupted_go_on_where_they_were(tmp_path: Path, connected: Any) -> None:
    """All three are submitted, but the third has no processor to begin on."""
    jobs = slow_jobs(tmp_path / "there", range(3), 2000, tmp_path / "interrupted")
    executor = RayExecutor(3, address=connected.address)

    class Patient(Hearing):
        def progressed(self, job: Job, progress: Progress) -> None:
            super().progressed(job, progress)
            if self.evaluations.keys() == {0, 1}:
                executor.interrupt()

    executor.callback = Patient()
    with executor:
        outcomes = run_all(jobs, executor)
    assert [each["status"] for each in outcomes] == ["interrupted"] * 3
    assert [each["steps"] > 0 for each in outcomes] == [True, True, False]
    assert not jobs[2].folder.exists()
    for job in jobs[:2]:
        folder = SessionFolder(job.folder)
        assert folder.read_outcome()["status"] == "interrupted"
        assert folder.load_checkpoint("last")["step"] > 0
    (tmp_path / "interrupted").touch()
    recorder = Hearing()
    with RayExecutor(address=connected.address, callback=recorder) as again:
        outcomes = run_all(jobs[:2], again)
    for session in (0, 1):
        assert 250 not in recorder.evaluations[session], "it was made before"
    assert_the_numbers_of_this_process(jobs[:2], outcomes, tmp_path / "here")


def test_jobs_are_stopped_one_by_one(tmp_path: Path, connected: Any) -> None:
    first, second, third = make_jobs(tmp_path, range(3), *LONG)
    executor = RayExecutor(1, address=connected.address)
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
    tmp_path: Path, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lacks a package on its node, one diverges, one brings its process down each time."""
    monkeypatch.setattr(ray_executor, "RETRIES", 1)
    counted = tmp_path / "attempts.txt"
    (connected.imports / "deadly.py").write_text(
        f"import os\nprint('x', file=open({str(counted)!r}, 'a'), flush=True)\nos._exit(1)\n"
    )
    lacking, diverging, deadly, whole = make_jobs(tmp_path, range(4))
    lacking = altered(lacking, {"import": "no_such_package"})
    diverging = altered(diverging, {"optimizer.learning_rate": 1e30})
    deadly = altered(deadly, {"import": "deadly"})
    jobs = [lacking, diverging, deadly, whole]
    with RayExecutor(address=connected.address) as executor:
        outcomes = run_all(jobs, executor)
    statuses = [each["status"] for each in outcomes]
    assert statuses[:3] == ["failed", "diverged", "failed"]
    assert statuses[3] in ENDS
    reasons = [each.get("reason", "") for each in outcomes]
    assert "no_such_package" in reasons[0]
    assert "loss" in reasons[1]
    assert reasons[2] == "its process died"
    assert [each["unfinished"] for each in outcomes[:3]] == [False, False, True]
    assert counted.read_text() == "x\nx\n"
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert SessionFolder(job.folder).read_outcome()["status"] == outcome["status"]


def altered(job: Job, values: dict[str, Any]) -> Job:
    return replace(job, specification=job.specification.assign(values))


def slow_jobs(folder: Path, seeds: range, steps: int, until: Path) -> list[Job]:
    """Sessions whose steps take 5 ms until a file is there."""
    environment = f"environment={{id: Slow-v0, kwargs: {{until: {until}}}}}"
    often = ("train.evaluate_every=250", "train.checkpoint_seconds=0.2")
    return make_jobs(
        folder, seeds, environment, "import=tests.rl.worlds", *FEW, *often, f"train.steps={steps}"
    )


def test_a_search_from_the_command_line(tmp_path: Path, connected: Any) -> None:
    searching = ("search", "cartpole_dqn", "--trials", "2", "--sessions", "1", "--jobs", "2")
    on_ray = ("--executor", "ray", "--ray-address", connected.address)
    assert main([*searching, *BRIEF, *on_ray, "--output", str(tmp_path / "search")]) == 0
    assert (tmp_path / "search/best_spec.json").exists()
    (machine,) = SessionFolder(tmp_path / "search/trial_001/session_000").read_outcome()["ran_on"]
    assert machine["node"] == socket.gethostname()


def test_a_cluster_that_is_busy_is_said_once(
    tmp_path: Path, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others hold both processors until the line has come."""
    monkeypatch.setattr(ray_executor, "SECONDS_TO_WAIT", 0.5)
    from ray.util.placement_group import placement_group, remove_placement_group

    held = placement_group([{"CPU": 2}])
    assert held.wait(60)

    class Patient(Hearing):
        def noted(self, text: str) -> None:
            super().noted(text)
            remove_placement_group(held)

    with RayExecutor(1, callback=(callback := Patient())) as executor:
        (outcome,) = run_all(make_jobs(tmp_path, range(1)), executor)
    assert outcome["status"] in ENDS
    (note,) = callback.notes
    assert "has begun no session for" in note


def test_a_head_that_stops_ends_it_with_one_line(
    tmp_path: Path, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the last test with this connection, as its session goes on."""
    monkeypatch.setattr(ray_cluster, "SECONDS_WITHOUT_HEAD", 1.0)
    with RayExecutor(address=connected.address) as executor:
        monkeypatch.setattr(ray, "nodes", lambda: 1 / 0)
        with pytest.raises(UserError, match="has not answered for 1 s: its head has stopped"):
            run_all(make_jobs(tmp_path, range(1), *LONG), executor)


def test_an_address_without_ray_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray, which would ask for minutes, is not asked."""
    ray.shutdown()
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was asked"))
    for address in ("127.0.0.1:9", "127.0.0.1:99999", "ray://127.0.0.1:9"):
        with pytest.raises(UserError, match=f"the Ray cluster at '{address}' cannot be reached"):
            RayExecutor(address=address)
    monkeypatch.undo()
    with pytest.raises(UserError, match="the Ray cluster at 'auto::' cannot be reached"):
        RayExecutor(address="auto::")
    assert not ray.is_initialized()


def test_a_cluster_that_does_not_fit_is_said_at_once(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was asked"))
    with monkeypatch.context() as patch:
        patch.setattr("ray._private.services.find_node_ids", set)
        with pytest.raises(UserError, match=r"this machine is no node of .*`ray start --address="):
            RayExecutor(address=cluster.address)
    with monkeypatch.context() as patch:
        patch.setattr("ray._raylet.GcsClient", _refuses_the_token)
        for mode, asks in (("disabled", "a token: set RAY_AUTH_MODE=token"), ("token", "another")):
            patch.setenv("RAY_AUTH_MODE", mode)
            with pytest.raises(UserError, match=f"asks for {asks}.*RAY_AUTH_TOKEN"):
                RayExecutor(address=cluster.address)
    monkeypatch.setattr(ray_address, "SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(UserError, match="no Ray cluster, or hangs: no answer in"):
            RayExecutor(address=address)


@pytest.mark.parametrize(
    ("there", "complaint"),
    [({"ray_version": "2.61.0"}, r'Ray 2\.61\.0, and this machine 2\.60\.0: .* "ray==2\.61\.0"'),
     ({"ray_version": "2.9.3"}, r"Ray 2\.9\.3, and this machine 2\.60\.0: the cluster needs 2\.60"),
     ({"ray_version": "2.60.0", "python_version": "3.9.1"}, r"runs Python 3\.9\.1, and this"),
     ({}, "this machine is no node of")],
)  # fmt: skip
def test_another_version_than_the_clusters_is_said(
    there: dict[str, str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(address: str, found: dict[str, Any]) -> None:
        found.update(metadata=there, nodes={"a"}, here=set())

    monkeypatch.setattr(ray_address, "_ask_head", ask)
    monkeypatch.setattr(ray, "__version__", "2.60.0")
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with pytest.raises(UserError, match=complaint):
            ray_address.check_address(ray, address)


@pytest.mark.parametrize(
    ("end", "said"), [("sys.exit(2)", ""), ("1 / 0", ""), ("os._exit(1)", "it was ended\n")]
)
def test_a_command_that_ends_by_itself_is_not_called_killed(end: str, said: str) -> None:
    """As one whose specification is refused, when it has connected already."""
    code = f"import os, sys\nfrom rl.running.ray_watch import Watch\nWatch('it was ended')\n{end}"
    command = [sys.executable, "-c", code]
    errors = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
    assert ("it was ended" in errors) == bool(said)
    assert errors.endswith(said)


def test_rays_errors_come_in_one_line() -> None:
    mismatch = "Version mismatch: The cluster has:\n    Ray: 2.60.0\n    Python: 3.9.1\nThis has:\n"
    assert ray_address.first_line(RuntimeError(mismatch)) == (
        "Version mismatch: The cluster has: Ray: 2.60.0 Python: 3.9.1 This has:"
    )
    assert ray_address.first_line(RuntimeError("\nit hangs\n  at line 3\n")) == "it hangs"
    assert ray_address.first_line(TimeoutError()) == "TimeoutError"


def test_an_older_ray_than_is_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f'"ray>={ray_address.OLDEST}"' in (Path(ROOT) / "pyproject.toml").read_text()
    monkeypatch.setattr(ray, "__version__", "2.9.3")
    with pytest.raises(UserError, match=r"Ray 2\.9\.3 is too old: .*\[ray\]"):
        RayExecutor()


@pytest.mark.parametrize(
    ("around", "address"),
    [("10.0.0.1:6379", "10.0.0.1:6379"), ("auto", "auto"), ("", None), ("local", None),
     ("http://10.0.0.1:8265", None)],
)  # fmt: skip
def test_the_address_is_that_of_rays_own_variable(
    around: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", around)
    assert ray_address.address_around() == address


def _refuses_the_token(address: str) -> Any:
    raise ray.exceptions.AuthenticationError("no")


def test_a_run_is_resumed_from_the_command_line(tmp_path: Path, cluster: Any) -> None:
    """A run goes on there, with the rows of this process."""
    there, here = tmp_path / "there", tmp_path / "here"
    on_ray = ("--executor", "ray", "--ray-address", cluster.address)
    assert main(["run", "cartpole_dqn", *BRIEF, "--output", str(here)]) == 0
    shutil.copytree(here, there)
    longer = ("--steps", "800", "--quiet", "--no-report")
    assert main(["resume", str(there), *longer, *on_ray, "--ray-install"]) == 0
    assert main(["resume", str(here), *longer]) == 0
    for table in ("episodes.csv", "evaluations.csv"):
        ours, theirs = (each / "trial_000/session_000" / table for each in (here, there))
        assert ours.read_bytes() == theirs.read_bytes()
    (machine,) = SessionFolder(there / "trial_000/session_000").read_outcome()["ran_on"][1:]
    assert machine["node"] == socket.gethostname()


def test_sessions_of_a_node_that_dies_go_on_from_their_checkpoints(
    tmp_path: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the node that is killed takes sessions, and both come too slowly to their ends.

    Then the other node is killed, and with none left an interrupt still ends what is running.
    """
    (node,) = cluster.worker_nodes
    jobs = slow_jobs(tmp_path / "there", range(2), 3000, tmp_path / "killed")

    class Killing(Hearing):
        def progressed(self, job: Job, progress: Progress) -> None:
            super().progressed(job, progress)
            came = [SessionFolder(each.folder).evaluations for each in jobs]
            have = all(each.is_file() and b"\n250," in each.read_bytes() for each in came)
            if have and node in cluster.worker_nodes:
                cluster.remove_node(node, allow_graceful=False)
                add_plain(cluster)

        def restarted(self, job: Job, reason: str) -> None:
            super().restarted(job, reason)
            if len(self.again) == len(jobs):  # until then a process of the node might end first
                (tmp_path / "killed").touch()

    def kill_last(executor: Executor) -> None:
        cluster.remove_node(cluster.plain, allow_graceful=False)
        executor.interrupt()

    callback = Killing()
    with RayExecutor(address=cluster.address, callback=callback, seconds=0.1) as executor:
        outcomes = run_all(jobs, executor)
        executor.callback = Recorder(2, lambda: kill_last(executor))
        last = make_jobs(tmp_path / "last", range(3), *LONG)
        left = run_all(last, executor)
    assert [(each["status"], each["steps"]) for each in left] == [("interrupted", 0)] * 3
    reasons = [each["reason"] for each in left]
    assert reasons == ["its node died", "its node died", "it had not begun"]
    assert not last[2].folder.exists()
    assert [each["status"] for each in outcomes] == ["finished"] * 2, outcomes
    again = "goes on in a new process: its node died"
    assert {f"seed 0 {again}", f"seed 1 {again}"} <= set(callback.notes)
    for session in range(2):
        later = callback.heard[session][callback.again[session] :]
        assert min(later) > 1, "it went on from a checkpoint"
        assert callback.evaluations[session] == list(range(250, 3001, 250)), "each told once"
    assert capfd.readouterr() == ("", "")
    assert_the_numbers_of_this_process(jobs, outcomes, tmp_path / "here")


def test_a_checkpoint_that_is_being_saved_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is renamed once it is whole, so that a session may fail which reads it before."""
    save = checkpoint.save
    sent: list[str] = []

    def slowly(path: Path, state: State) -> None:
        save(path, state)
        if path.name == "new.npz":
            time.sleep(0.1)

    class Box:
        """Answers that all parcels have come."""

        def remote(self, number: int, kind: str, content: bytes, *objects: Any) -> Box:
            sent.extend(piece.name for (piece,) in objects)
            self.parcels = getattr(self, "parcels", 0) + (kind == "parcel")
            return self

        def future(self) -> Box:
            return self

        def result(self) -> tuple[str, int]:
            return "", self.parcels

    class Eager(_MailboxReporter):
        def progressed(self, job: Job, progress: Progress) -> None:
            if (job.folder / "resume/new.npz").exists():
                self._send_parcel()

    monkeypatch.setattr(checkpoint, "save", slowly)
    monkeypatch.setattr(ray, "put", lambda piece: piece)
    monkeypatch.setattr("rl.session.session.SECONDS_BETWEEN_REPORTS", 0.0)
    settings = ("train.steps=2000", "train.checkpoint_seconds=0.2", "train.evaluate_every=2000")
    (job,) = make_jobs(tmp_path, range(1), *FEW, *settings)
    reporter = Eager(SimpleNamespace(put=Box()), 0, job.folder, 0.0)
    assert run_job(job, reporter)["status"] == "finished"
    assert "resume/latest.npz" in sent
    assert "resume/new.npz" not in sent


def test_a_node_that_differs_is_named_and_used_on_request_alone(tmp_path: Path, hosts: Any) -> None:
    """It is the only one; then comes one that does not differ."""
    ray.shutdown()
    remove_all(cluster := hosts)
    other = {"OPENBLAS_CORETYPE": OTHER_KERNEL}
    odd = patiently(lambda: cluster.add_node(num_cpus=1, env_vars=other))
    connect(cluster)
    refused, used, elsewhere = make_jobs(tmp_path, range(3))
    differs = f"BLAS kernel {OTHER_KERNEL} there, "
    with (
        RayExecutor(address=cluster.address) as executor,
        pytest.raises(UserError, match=f"no node .* can be used: .*{differs}.*--ray-any-node"),
    ):
        run_all([refused], executor)
    with RayExecutor(address=cluster.address, any_node=True) as executor:
        run_all([used], executor)
    (machine,) = SessionFolder(used.folder).read_outcome()["ran_on"]
    assert machine["BLAS kernel"] == OTHER_KERNEL
    add_plain(cluster)
    callback = Hearing()
    with RayExecutor(2, address=cluster.address, callback=callback) as executor:
        (outcome,) = run_all([elsewhere], executor)
    cluster.remove_node(odd)
    assert outcome["ran_on"][0]["BLAS kernel"] != OTHER_KERNEL
    named = [note for note in callback.notes if "is not used: " + differs in note]
    assert len(named) <= 1, "named once, if it was asked at all"


@pytest.mark.parametrize(
    ("nodes", "free", "why"),
    [({}, 0.0, "it has no processor; `ray start --address="),
     ({"a": {"Resources": {"CPU": 3.0}}}, 0.0, "it is busy, none of its 3 processors is free"),
     ({"a": {"Resources": {"CPU": 3.0}}}, 2.0, "they wait")],
)  # fmt: skip
def test_why_nothing_begins(nodes: dict[str, Any], free: float, why: str) -> None:
    cluster = ray_cluster.Cluster.__new__(ray_cluster.Cluster)
    cluster._name, cluster.nodes, cluster.free = "the Ray cluster at 'a:1'", nodes, free
    assert why in cluster.why_nothing_begins()


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install "reinforcement-by-hand\[ray\]"'):
        RayExecutor()


def test_a_head_that_is_killed_ends_the_command_with_one_line(tmp_path: Path, cluster: Any) -> None:
    """With it goes Ray's process on this machine, after which Ray would end the command unsaid.

    It is the last test, as it leaves no cluster.
    """
    environment = f"environment={{id: Slow-v0, kwargs: {{until: {tmp_path / 'until'}}}}}"
    command = [sys.executable, "-c", OFTEN, "run", "cartpole_dqn", "--quiet", "--no-report",
               "--executor", "ray", "--ray-address", cluster.address, "--output", "run",
               "--steps", "2000", "--set", environment, "import=tests.rl.worlds", *FEW,
               "train.evaluate_every=200", "train.checkpoint_seconds=0.2"]  # fmt: skip
    session = SessionFolder(tmp_path / "run/trial_000/session_000")
    there = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen(
        command, cwd=tmp_path, env=there, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        came = session.evaluations
        wait_until(lambda: came.exists() and b"\n200," in came.read_bytes(), 120)
        cluster.head_node.kill_gcs_server(check_alive=False)
        cluster.head_node.kill_raylet(check_alive=False)
        said, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 2), said  # Ray's, if it is quicker
    assert said.count("\n") == 1, said
    assert "start it again (`ray start`), and then: `rl resume RUN --executor ray`" in said
    (tmp_path / "until").touch()
    assert main(["resume", str(tmp_path / "run"), "--quiet", "--no-report"]) == 0
    assert session.read_outcome()["steps"] == 2000
