"""Sessions on a Ray cluster, or on this machine through Ray.

The nodes may share no file system with this process. A session takes what is there of its folder
along, runs in a temporary folder on its node, and sends its complete checkpoints back as it runs,
and its files with its outcome. So one whose node dies goes on elsewhere from its last checkpoint.
The messages of a running session go through a mailbox, an actor beside this process, from which the
session also learns when to stop.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from rl.distribution import DISTRIBUTION
from rl.errors import UserError
from rl.running import ray_node
from rl.running.executors import SECONDS_BETWEEN_LOOKS, WORKER, Concurrent, not_begun
from rl.running.parcels import parcel, unpack
from rl.running.ray_cluster import SECONDS_TO_WAIT, Cluster, lab_modules
from rl.session.callback import Callback
from rl.session.job import Job, Outcome
from rl.session.progress import Progress
from rl.storage.session_folder import SessionFolder

RETRIES = 10  # of a session whose node or process dies
SECONDS_BETWEEN_CHECKPOINTS = 10.0
SECONDS_TO_CLEAN_UP = 3.0


class RayExecutor(Concurrent):
    """Runs each job as a Ray task on one processor, with one BLAS thread.

    A session whose node or process dies goes on elsewhere, with the same result.

    Args:
        capacity: the number of jobs that Ray has at once; by default the number of processors. A
            Ray that is started here gets that many processors; a cluster that grows with its queue
            needs more jobs than it has processors.
        callback: is called as jobs run.
        address: of a cluster, such as "auto" or "HOST:6379"; by default that of RAY_ADDRESS, and
            without one Ray is started on this machine. If this process is connected to Ray already,
            that is used.
        install: whether the nodes get this lab from here.
        modules: folders and files of the user's modules, which the nodes get too.
        any_node: whether nodes are used that have another version of the lab, of Python or of
            NumPy, or another BLAS kernel.
        seconds: at least, between the checkpoints that a running session sends.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(
        self,
        capacity: int | None = None,
        callback: Callback | None = None,
        address: str | None = None,
        install: bool = False,
        modules: Sequence[Path] = (),
        any_node: bool = False,
        seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
    ) -> None:
        brought = [*lab_modules(), *modules] if install else []
        self._cluster = Cluster(address, capacity, brought)
        self._ray = self._cluster.ray
        self._is_elastic = capacity is None
        super().__init__(capacity or self._cluster.processors, callback)
        self._ray.cloudpickle.register_pickle_by_value(ray_node)
        self._mailbox = _open_mailbox(self._ray)
        options = {"num_cpus": 1, "max_retries": 0, **self._cluster.environment}
        self._run = self._ray.remote(**options)(ray_node.run_on_node)
        compares = self._cluster.is_shared and not any_node
        self._wanted = ray_node.facts(DISTRIBUTION) if compares else {}
        self._seconds = seconds
        self._numbers = count()
        self._tasks: dict[int, _Task] = {}
        self._unfit: dict[str, str] = {}  # nodes that are not used, and why
        self._last_begun = time.monotonic()
        self._is_told = False  # that the cluster is busy

    @property
    def running(self) -> list[Job]:
        return [task.job for task in self._tasks.values()]

    def begin(self, job: Job) -> None:
        self._submit(_Task(job))

    def _submit(self, task: _Task) -> None:
        """Gives a session to Ray, with what is there of its folder."""
        task.number, job = next(self._numbers), task.job
        task.node, task.objects, task.received = "", [], 0
        self._cluster.check()
        if job.folder.is_dir():
            task.objects = [self._cluster.put(each) for each in parcel(job.folder, {})]
        start = job.start.file.read_bytes() if job.start else None
        content = pickle.dumps((job, start, self._seconds))
        options: dict[str, Any] = {"name": f"{WORKER} {job.seed}"}
        if avoided := {*self._unfit, *task.avoided}:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(avoided))})"}
        task.result = self._run.options(**options).remote(
            task.number, content, task.objects, self._wanted, DISTRIBUTION, self._mailbox
        )
        self._tasks[task.number] = task

    def hear(self) -> list[tuple[Job, Outcome]]:
        self._cluster.check()
        if self._is_elastic:
            self.capacity = self._cluster.processors
        ended = self._finished() + self._released() + self._stranded()
        self._tell_of_waiting()
        return ended

    def stop_running(self, job: Job, status: str) -> None:
        for number, task in self._tasks.items():
            if task.job == job and not task.stopped_as:
                task.node = self._cluster.ask(self._mailbox.stop.remote(number, status))
                task.stopped_as = status

    def close(self) -> None:
        super().close()
        if self._ray.is_initialized() and not self._cluster.is_lost:
            results = [task.result for task in self._tasks.values()]
            self._tasks.clear()
            for result in results:
                self._ray.cancel(result)
            if results:  # the tasks remove their folders
                self._ray.wait(results, num_returns=len(results), timeout=SECONDS_TO_CLEAN_UP)
            self._ray.kill(self._mailbox)
        self._cluster.close()

    def _finished(self) -> list[tuple[Job, Outcome]]:
        """Passes messages of the tasks on, for a moment at most, and takes the results."""
        numbers = {task.result: number for number, task in self._tasks.items()}
        if not numbers:
            return []
        ready, _ = self._ray.wait(list(numbers), timeout=SECONDS_BETWEEN_LOOKS)
        for number, kind, content, objects in self._cluster.ask(self._mailbox.empty.remote()):
            if number in self._tasks:
                self._heed(self._tasks[number], kind, pickle.loads(content), objects)
        ended = [self._take(self._tasks.pop(numbers[result])) for result in ready]
        return [each for each in ended if each]

    def _heed(self, task: _Task, kind: str, content: Any, objects: Iterable[list[Any]]) -> None:
        """Acts on a task's message."""
        if kind == "begun":
            task.objects, task.node = [], content
            self._last_begun, self._is_told = time.monotonic(), False
        elif kind == "parcel":
            self._receive(task, [reference for (reference,) in objects])
        elif kind == "noted":
            self.callback.noted(content)
        else:
            task.tell(self.callback, kind, content)

    def _receive(self, task: _Task, references: Iterable[Any]) -> None:
        """Unpacks a checkpoint of a session that runs; if its node is gone, that comes out soon."""
        try:
            for reference in references:
                unpack(task.job.folder, self._cluster.get(reference))
        except self._ray.exceptions.RayError:
            return
        task.received += 1
        self._mailbox.received.remote(task.number, task.received)

    def _take(self, task: _Task) -> tuple[Job, Outcome] | None:
        """A finished task's job and outcome, with its files; None if it goes on elsewhere."""
        try:
            kind, content = self._cluster.get(task.result)
            if kind == "ended":
                outcome, references = content
                for reference in references:
                    unpack(task.job.folder, self._cluster.get(reference))
                return task.job, outcome
        except self._ray.exceptions.RayTaskError as error:
            return task.job, _failed(task.job, _reason(error), lost=False)
        except self._ray.exceptions.RayError as error:
            return self._again(task, error)
        if kind == "stopped":
            return task.job, not_begun(task.job, content)
        return self._elsewhere(task, kind, *content)

    def _again(self, task: _Task, error: Exception) -> tuple[Job, Outcome] | None:
        """Submits a session again whose node or process has died, or gives it up."""
        task.lost += 1
        reason = _reason(error)
        if task.stopped_as:
            return task.job, task.given_up()
        if task.lost > RETRIES:
            return task.job, _failed(task.job, reason, lost=True)
        self.callback.restarted(task.job, reason)
        self._submit(task)
        return None

    def _elsewhere(
        self, task: _Task, kind: str, node: str, host: str, reasons: Sequence[str]
    ) -> tuple[Job, Outcome] | None:
        """Submits a session to other nodes: this one is unfit, or cannot run it."""
        reason = "; ".join(reasons)
        if kind == "cannot":
            task.avoided[node] = reason
        elif node not in self._unfit:
            self._unfit[node] = f"{host}: {reason}"
            self.callback.noted(f"node {host} is not used: {reason}")
        if task.stopped_as:
            return task.job, not_begun(task.job, task.stopped_as)
        if task.avoided and not self._nodes_for(task):
            return task.job, _failed(task.job, reason, lost=False)
        if kind == "cannot":
            self.callback.noted(f"seed {task.job.seed} runs elsewhere than on {host}: {reason}")
        self._submit(task)
        return None

    def _nodes_for(self, task: _Task) -> set[str]:
        """The nodes that may run a session."""
        return self._cluster.nodes.keys() - self._unfit.keys() - task.avoided.keys()

    def _stranded(self) -> list[tuple[Job, Outcome]]:
        """Gives up sessions that no node can run, also once the last one that could has died.

        Raises:
            UserError: no node can run any.
        """
        waiting = [task for task in self._tasks.values() if not task.node]
        if self._unfit.keys() >= self._cluster.nodes.keys() and len(waiting) == len(self._tasks):
            found = "; ".join(dict.fromkeys(self._unfit.values()))
            if found and waiting:
                raise UserError(
                    f"no node of the Ray cluster can be used: {found}; --ray-install brings this "
                    "lab along, and --ray-any-node uses nodes that differ"
                )
        ended = []
        for task in waiting:
            if task.avoided and self._cluster.nodes and not self._nodes_for(task):
                del self._tasks[task.number]
                self._ray.cancel(task.result)
                reason = list(task.avoided.values())[-1]
                ended.append((task.job, _failed(task.job, reason, lost=False)))
        return ended

    def _released(self) -> list[tuple[Job, Outcome]]:
        """Gives up stopped tasks that run nowhere: they never began, or their node is gone."""
        stopped = {number: task for number, task in self._tasks.items() if task.stopped_as}
        if not stopped:
            return []
        alive = self._cluster.nodes
        lost = {number: task for number, task in stopped.items() if task.node not in alive}
        for number, task in lost.items():
            del self._tasks[number]
            self._ray.cancel(task.result)
        return [(task.job, task.given_up()) for task in lost.values()]

    def _tell_of_waiting(self) -> None:
        """Tells the user, once, that the sessions wait for a processor."""
        is_waiting = self._tasks and not any(task.node for task in self._tasks.values())
        if not (is_waiting and self._cluster.is_shared):
            self._last_begun = time.monotonic()
        elif not self._is_told and time.monotonic() > self._last_begun + SECONDS_TO_WAIT:
            self._is_told = True
            self.callback.noted(self._cluster.why_nothing_begins())


@dataclass
class _Task:
    """A job on Ray.

    Args:
        job: the job.
        number: of its latest attempt.
        result: Ray's reference to the result of that.
        objects: references to what it takes along, until it has begun.
        stopped_as: the status to end with, once it was stopped.
        node: where it has begun.
        evaluated: the step of the latest evaluation that was passed on.
        received: the number of parcels that have come from this attempt.
        lost: how often its node or its process has died.
        avoided: nodes that cannot run it, and why.
    """

    job: Job
    number: int = -1
    result: Any = None
    objects: list[Any] = field(default_factory=list)
    stopped_as: str = ""
    node: str = ""
    evaluated: int = 0
    received: int = 0
    lost: int = 0
    avoided: dict[str, str] = field(default_factory=dict)

    def given_up(self) -> Outcome:
        """The outcome of a stopped task that runs nowhere."""
        outcome = not_begun(self.job, self.stopped_as)
        return {**outcome, "reason": "its node died"} if self.node else outcome

    def tell(self, callback: Callback, kind: str, progress: Progress) -> None:
        """Passes progress on, without the evaluations that a repeated attempt repeats."""
        if kind == "evaluated" and progress.step > self.evaluated:
            self.evaluated = progress.step
            callback.evaluated(self.job, progress, None)
        callback.progressed(self.job, progress)


def _open_mailbox(ray: Any) -> Any:
    """A mailbox on the node of this process, with which alone it is lost; it starts meanwhile."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=here)(ray_node.Mailbox).remote()


def _failed(job: Job, reason: str, lost: bool) -> Outcome:
    """The outcome of a job that raised or whose process was lost; what had come of it stays."""
    outcome = {"seed": job.seed, "status": "failed", "reason": reason, "unfinished": lost}
    folder = SessionFolder(job.folder)
    folder.create()
    folder.write_outcome({**folder.read_outcome(), **outcome})
    return outcome


def _reason(error: Exception) -> str:
    """Ray's error in one line; a traceback in a task begins with "ray::" and the task's name."""
    kinds = {"NodeDiedError": "its node died", "WorkerCrashedError": "its process died"}
    if known := kinds.get(type(error).__name__):
        return known
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"Ray: {lines[-1] if 'ray::' in lines[0] else lines[0]}"
