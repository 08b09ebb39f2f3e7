"""The connection to a Ray cluster, or to a Ray of this machine's own, and what becomes of it."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nn
from rl.console.ending import leave_broken
from rl.errors import UserError
from rl.running.executors import THREAD_VARIABLES
from rl.running.ray_address import address_around, check_address, first_line, import_ray
from rl.running.ray_watch import Watch

RESUME = "`rl resume RUN --executor ray`, from the checkpoints that had come"
SECONDS_WITHOUT_HEAD = 14.0  # after which a cluster counts as lost; Ray would end this process
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_FETCH = 3.0  # a piece of a folder, before the head is looked at
SECONDS_TO_WAIT = 15.0  # for a session to begin, before the user is told
ONE_THREAD = {"env_vars": dict.fromkeys(THREAD_VARIABLES, "1")}


class Cluster:
    """A connection to Ray.

    Args:
        address: of a cluster; by default that of Ray's own variable RAY_ADDRESS, and without one
            Ray is started here. If this process is connected already, that connection is used, and
            stays.
        processors: of a Ray that is started here; by default those of the machine.
        modules: folders and files that go to the nodes, where Python finds them first.

    Attributes:
        ray: the package.
        nodes: the nodes that are alive and have processors, by their identifier.
        free: the processors that nobody uses.
        is_ours: whether the connection ends with this object.
        is_shared: whether others may use the processors too.

    Raises:
        UserError: Ray is not installed, or the connection fails.
    """

    def __init__(
        self, address: str | None, processors: int | None, modules: Sequence[Path] = ()
    ) -> None:
        self.ray = ray = import_ray()
        address = address or address_around()
        self.is_ours = not ray.is_initialized()
        self.is_shared = bool(address) or not self.is_ours
        self._name = f"the Ray cluster at {address!r}" if address else "Ray on this machine"
        if self.is_ours:
            self._connect(address, processors, modules)
        elif modules:
            raise UserError("this process is connected to Ray already; give ray.init a runtime_env")
        self._raylet = _open_raylet(ray)
        self._last_word = Watch(
            f"rl: this command was killed, or Ray has ended it, as {self._name} has stopped here; "
            f"start it again (`ray start`), and then: {RESUME}"
        )
        self.nodes: dict[str, Any] = {}
        self.free = 0.0
        self._look()
        self._seen = time.monotonic()
        self._closing = threading.Event()
        threading.Thread(target=self._watch, name="Ray's head", daemon=True).start()

    @property
    def processors(self) -> int:
        """The number of processors of the cluster as it is now."""
        return max(1, int(sum(each["Resources"]["CPU"] for each in self.nodes.values())))

    @property
    def environment(self) -> dict[str, Any]:
        """What a task must ask for that this connection does not give to all."""
        return {} if self.is_ours else {"runtime_env": ONE_THREAD}

    def _connect(
        self, address: str | None, processors: int | None, modules: Sequence[Path]
    ) -> None:
        ray = self.ray
        own = {} if address else {"num_cpus": processors, "include_dashboard": False}
        brought = {"py_modules": list(map(str, modules))} if modules else {}
        try:
            if address:
                check_address(ray, address)
            ray.init(
                address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={**ONE_THREAD, **brought},
                **own,
            )
        except UserError:
            raise
        except Exception as error:  # Ray raises all kinds, and one of no kind if it is too slow
            reason = first_line(error)
            what = f"{self._name} cannot be reached" if address else "Ray does not start"
            raise UserError(f"{what}: {reason}") from None
        _hush(ray, True)

    def _watch(self) -> None:
        """Looks at the cluster until the connection is closed; what fails is tried again."""
        while not self._closing.wait(SECONDS_BETWEEN_LOOKS):
            with suppress(Exception):
                self._look()
                self._seen = time.monotonic()

    def _look(self) -> None:
        alive = [each for each in self.ray.nodes() if each["Alive"]]
        self.nodes = {each["NodeID"]: each for each in alive if each["Resources"].get("CPU")}
        self.free = float(self.ray.available_resources().get("CPU", 0))

    @property
    def is_lost(self) -> bool:
        """Returns True if the head has not answered for long, or Ray has ended on this machine."""
        return self._has_ended_here or time.monotonic() > self._seen + SECONDS_WITHOUT_HEAD

    @property
    def _has_ended_here(self) -> bool:
        """Returns True if Ray's process on this machine has ended."""
        return self._raylet is not None and bool(select.select([self._raylet], [], [], 0)[0])

    def check(self) -> None:
        """Checks that the cluster is there, before Ray finds out: it would end this process.

        Raises:
            UserError: Ray has ended on this machine, or the head does not answer.
        """
        if self._has_ended_here:
            raise UserError(self._stopped)
        if self.is_lost:
            raise UserError(
                f"{self._name} has not answered for {SECONDS_WITHOUT_HEAD:.0f} s: its head has "
                f"stopped, or the network is down; put that right, and then: {RESUME}"
            )

    @property
    def _stopped(self) -> str:
        return (
            f"{self._name} has stopped, or this machine's part of it; start it again (`ray start`),"
            f" and then: {RESUME}"
        )

    def get(self, reference: Any) -> Any:
        """The object of a reference, as `ray.get`, which would wait for a head that is gone.

        Raises:
            UserError: the cluster does not answer.
        """
        while True:
            self.check()
            try:
                return self.ray.get(reference, timeout=SECONDS_TO_FETCH)
            except self.ray.exceptions.GetTimeoutError:
                continue

    def ask(self, reference: Any) -> Any:
        """The answer of an actor beside this process.

        Raises:
            UserError: the cluster does not answer, or Ray has stopped on this machine.
        """
        try:
            return self.get(reference)
        except self.ray.exceptions.RayError:
            raise UserError(self._stopped) from None

    def put(self, value: Any) -> Any:
        """A reference to an object, as `ray.put`.

        Raises:
            UserError: the cluster does not answer.
        """
        self.check()
        return self.ray.put(value)

    def why_nothing_begins(self) -> str:
        """A line for the user whose sessions wait."""
        said = f"{self._name} has begun no session for {SECONDS_TO_WAIT:.0f} s"
        if not self.nodes:
            return f"{said}: it has no processor; `ray start --address=HOST:PORT` adds a node"
        if self.free < 1:
            return (
                f"{said}: it is busy, none of its {self.processors} processors is free; they wait "
                "for one (`ray status` shows what is used, Ctrl-C ends the waiting)"
            )
        return f"{said}; they wait"

    def close(self) -> None:
        """Ends the connection, if it is this one's."""
        self._closing.set()
        if self._has_ended_here:  # to say goodbye would end this process
            leave_broken(self._last_word.dismiss)
            return
        self._last_word.dismiss()
        if self._raylet is not None:
            os.close(self._raylet)
            self._raylet = None
        if not self.is_ours or not self.ray.is_initialized():
            return
        if self.is_lost:  # to say goodbye would take a minute
            threading.Thread(target=self.ray.shutdown, daemon=True).start()
        else:
            self.ray.shutdown()
        _hush(self.ray, False)


def lab_modules() -> list[Path]:
    """The folders of the lab's own packages."""
    return [Path(nn.__file__).parent, Path(__file__).parents[1]]


def _open_raylet(ray: Any) -> int | None:
    """A descriptor that is readable once Ray's process on this machine has ended.

    None where the system, or a version of Ray, does not tell.
    """
    with suppress(Exception), socket.socket(socket.AF_UNIX) as line:
        line.connect(ray._private.worker._global_node.raylet_socket_name)
        credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return os.pidfd_open(struct.unpack("3i", credentials)[0])
    return None


def _hush(ray: Any, silent: bool) -> None:
    """Silences Ray's messages about nodes, which ignore `log_to_driver`, as its debugger does."""
    ray._private.worker._worker_logs_enabled = not silent
