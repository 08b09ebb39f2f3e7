"""Sessions on a Ray cluster, or on this machine through Ray.

The nodes may share no file system with this process: a session writes into a temporary folder on
its node, and its files return with its outcome. The messages of a running session go through a
mailbox, an actor beside this process, from which the session also learns when to stop.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from rl.distribution import installing
from rl.errors import UserError
from rl.running.executors import (
    SECONDS_BETWEEN_LOOKS,
    THREAD_VARIABLES,
    WORKER,
    Concurrent,
    not_begun,
)
from rl.running.jobs import attempt
from rl.running.reporter import Reporter
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.session.progress import Progress
from rl.storage.session_folder import SessionFolder

RETRIES = 10  # of a session whose node or process dies
SECONDS_TO_CONNECT = 5.0
SECONDS_TO_CLEAN_UP = 3.0
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

Files = dict[str, bytes]  # by their path within the session's folder
Message = tuple[int, str, Progress | None]  # the number of the task, the kind, the progress


class RayExecutor(Concurrent):
    """Runs each job as a Ray task on one processor, with one BLAS thread.

    Ray repeats a task elsewhere when its node or its process dies, with the same result.

    Args:
        capacity: the number of jobs that Ray has at once; by default the number of processors. A
            Ray that is started here gets that many processors; a cluster that grows with its queue
            needs more jobs than it has processors.
        callback: is called as jobs run.
        address: of a cluster, such as "auto" or "HOST:6379"; without one, Ray is started on this
            machine. If this process is connected to Ray already, that is used.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(
        self,
        capacity: int | None = None,
        callback: Callback | None = None,
        address: str | None = None,
    ) -> None:
        self._ray = ray = _import_ray()
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _connect(ray, address, capacity)
        self._is_elastic = capacity is None
        super().__init__(capacity or self._processors(), callback)
        self._mailbox = _open_mailbox(ray)
        self._attempt = ray.remote(
            num_cpus=1,
            max_retries=RETRIES,
            runtime_env={"env_vars": dict.fromkeys(THREAD_VARIABLES, "1")},
        )(_attempt)
        self._numbers = count()
        self._tasks: dict[int, _Task] = {}

    @property
    def running(self) -> list[Job]:
        return [task.job for task in self._tasks.values()]

    def begin(self, job: Job) -> None:
        number = next(self._numbers)
        task = self._attempt.options(name=f"{WORKER} {job.seed}")
        self._tasks[number] = _Task(job, task.remote(job, number, self._mailbox))

    def hear(self) -> list[tuple[Job, Outcome]]:
        if self._is_elastic:
            self.capacity = self._processors()
        return self._finished() + self._released()

    def stop_running(self, job: Job, status: str) -> None:
        for number, task in self._tasks.items():
            if task.job == job and not task.stopped_as:
                task.node = self._ray.get(self._mailbox.stop.remote(number, status))
                task.stopped_as = status

    def close(self) -> None:
        super().close()
        if not self._ray.is_initialized():  # a call would start it again
            return
        results = [task.result for task in self._tasks.values()]
        self._tasks.clear()
        for result in results:
            self._ray.cancel(result)
        if results:  # the tasks remove their folders
            self._ray.wait(results, num_returns=len(results), timeout=SECONDS_TO_CLEAN_UP)
        self._ray.kill(self._mailbox)
        if self._is_ours:
            self._ray.shutdown()
            _hush(self._ray, False)

    def _processors(self) -> int:
        """The number of processors of the cluster as it is now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 0)))

    def _finished(self) -> list[tuple[Job, Outcome]]:
        """Passes messages of the tasks on, for a moment at most, and takes the results."""
        numbers = {task.result: number for number, task in self._tasks.items()}
        if not numbers:
            return []
        ready, _ = self._ray.wait(list(numbers), timeout=SECONDS_BETWEEN_LOOKS)
        for number, kind, progress in self._ray.get(self._mailbox.empty.remote()):
            if number in self._tasks:
                self._tasks[number].tell(self.callback, kind, progress)
        tasks = [self._tasks.pop(numbers[result]) for result in ready]
        return [(task.job, self._take(task)) for task in tasks]

    def _take(self, task: _Task) -> Outcome:
        """A finished task's outcome; its files are unpacked."""
        outcome: Outcome
        try:
            outcome, files = self._ray.get(task.result)
        except self._ray.exceptions.RayError as error:
            lost = not isinstance(error, self._ray.exceptions.RayTaskError)
            return _failed(task.job, _reason(error), lost)
        if files:
            _unpack(files, task.job.folder)
        return outcome

    def _released(self) -> list[tuple[Job, Outcome]]:
        """Gives up stopped tasks that run nowhere: they never began, or their node is gone."""
        stopped = {number: task for number, task in self._tasks.items() if task.stopped_as}
        if not stopped:
            return []
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        lost = {number: task for number, task in stopped.items() if task.node not in alive}
        for number, task in lost.items():
            del self._tasks[number]
            self._ray.cancel(task.result)
        return [(task.job, task.lost()) for task in lost.values()]


@dataclass
class _Task:
    """A job on Ray.

    Args:
        job: the job.
        result: Ray's reference to its result.
        stopped_as: the status to end with, once it was stopped.
        node: where it had begun when it was stopped.
        evaluated: the step of the latest evaluation that was passed on.
    """

    job: Job
    result: Any
    stopped_as: str = ""
    node: str = ""
    evaluated: int = 0

    def lost(self) -> Outcome:
        """The outcome of a stopped task that runs nowhere."""
        outcome = not_begun(self.job, self.stopped_as)
        return {**outcome, "reason": "its node died"} if self.node else outcome

    def tell(self, callback: Callback, kind: str, progress: Progress | None) -> None:
        """Passes a message on, without the evaluations that a repeated attempt repeats."""
        if progress is None:
            callback.noted(f"seed {self.job.seed} runs again: its node or its process died")
            return
        if kind == "evaluated" and progress.step > self.evaluated:
            self.evaluated = progress.step
            callback.evaluated(self.job, progress, None)
        callback.progressed(self.job, progress)


class _Mailbox:
    """Keeps messages between this process and its tasks.

    It answers one call at a time, so a task has either begun before it is stopped or never begins.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._nodes: dict[int, str] = {}
        self._stopped: dict[int, str] = {}

    def begin(self, number: int, node: str) -> str:
        """Called by a task that begins on a node; returns the status it was stopped with, or ""."""
        if number in self._stopped:
            return self._stopped[number]
        if number in self._nodes:
            self._messages.append((number, "repeated", None))
        self._nodes[number] = node
        return ""

    def put(self, message: Message) -> str:
        """Takes a task's message; returns the status to stop with, or ""."""
        self._messages.append(message)
        return self._stopped.get(message[0], "")

    def stop(self, number: int, status: str) -> str:
        """Stops a task; returns the node on which it began last, or ""."""
        self._stopped[number] = status
        return self._nodes.get(number, "")

    def empty(self) -> list[Message]:
        """The messages since the last call."""
        messages, self._messages = self._messages, []
        return messages


def _open_mailbox(ray: Any) -> Any:
    """A mailbox on the node of this process, with which alone it is lost."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    mailbox = ray.remote(num_cpus=0, scheduling_strategy=here)(_Mailbox).remote()
    ray.get(mailbox.empty.remote())
    return mailbox


def _attempt(job: Job, number: int, mailbox: Any) -> tuple[Outcome, Files]:
    """The task: runs the session in a temporary folder."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    status = _answer(mailbox.begin.remote(number, node))
    if status:
        return not_begun(job, status), {}
    with tempfile.TemporaryDirectory(prefix="rl_session_") as folder:
        here = Path(folder, job.folder.name)  # which says its number
        outcome = attempt(replace(job, folder=here), _MailboxReporter(mailbox, number))
        return outcome, _pack(here)


class _MailboxReporter(Reporter):
    """Reports to the mailbox, whose answers may stop the session."""

    def __init__(self, mailbox: Any, number: int) -> None:
        super().__init__()
        self._mailbox, self._number = mailbox, number

    def send(self, kind: str, content: Any) -> None:
        status = _answer(self._mailbox.put.remote((self._number, kind, content)))
        if status:
            self.stop(status)


def _answer(reference: Any) -> str:
    """The answer of the mailbox; `ray.get` would yield the task's processor while it waits."""
    answer: str = reference.future().result()
    return answer


def _pack(folder: Path) -> Files:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _unpack(files: Files, folder: Path) -> None:
    """Writes a session beside its place and renames it; replaces an earlier one."""
    beside = folder.with_name(f".{folder.name}.received")
    shutil.rmtree(beside, ignore_errors=True)
    SessionFolder(beside).create()
    for name, content in files.items():
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if folder.exists():
        shutil.rmtree(folder)
    beside.rename(folder)


def _failed(job: Job, reason: str, lost: bool) -> Outcome:
    """The outcome of a job that raised or whose process was lost."""
    outcome = {"seed": job.seed, "status": "failed", "reason": reason, "unfinished": lost}
    _unpack({}, job.folder)
    SessionFolder(job.folder).write_outcome(outcome)
    return outcome


def _reason(error: Exception) -> str:
    """Ray's error in one line; a traceback in a task begins with "ray::" and the task's name."""
    lines = str(error).strip().splitlines()
    return f"Ray: {lines[-1] if 'ray::' in lines[0] else lines[0]}"


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError(f"Ray is not installed: {installing('ray')}") from None
    return ray


def _connect(ray: Any, address: str | None, capacity: int | None) -> None:
    """Connects this process to a cluster, or to a Ray of its own with `capacity` processors.

    Raises:
        UserError: the connection fails.
    """
    for name, value in QUIET.items():  # the processes that Ray starts read them too
        os.environ.setdefault(name, value)
    own = {"num_cpus": capacity, "include_dashboard": False}
    try:
        if address:
            _check_reachable(address)
        ray.init(
            address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            **({} if address else own),
        )
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        what = f"the Ray cluster at {address!r} cannot be reached"
        reason = str(error).partition("\n")[0]
        raise UserError(f"{what if address else 'Ray does not start'}: {reason}") from None
    _hush(ray, True)


def _hush(ray: Any, silent: bool) -> None:
    """Silences Ray's messages about nodes, which ignore `log_to_driver`, as its debugger does."""
    ray._private.worker._worker_logs_enabled = not silent


def _check_reachable(address: str) -> None:
    """Raises an OSError if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
