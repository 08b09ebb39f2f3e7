"""What runs on a node of a Ray cluster before it is known whether the lab is there.

Its functions and classes go to the node by value, so it imports the standard library alone; the
lab's own values go as bytes.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pickle
import platform
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

NO_LAB = "none"


def facts(distribution: str) -> dict[str, str]:
    """What results depend on here: the lab with a digest of its code, Python, NumPy, the kernel.

    Args:
        distribution: the name under which pip knows the lab.
    """
    found = {"lab": NO_LAB, "Python": platform.python_version()}
    digest = hashlib.sha256()
    for package in ("nn", "rl"):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.origin or not spec.submodule_search_locations:
            break
        folder = Path(spec.submodule_search_locations[0])
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".json"):
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    else:
        found["lab"] = digest.hexdigest()[:10]
        with suppress(metadata.PackageNotFoundError):  # of a checkout, or one brought along
            found["lab"] = f"{metadata.version(distribution)} {found['lab']}"
    for name, module in (("NumPy", "numpy"), ("BLAS kernel", "threadpoolctl")):
        try:
            loaded = importlib.import_module(module)
        except ImportError:
            found[name] = "none"
            continue
        found[name] = loaded.__version__
        if module == "threadpoolctl":
            pools = [each for each in loaded.threadpool_info() if each["user_api"] == "blas"]
            ours = [each for each in pools if "numpy" in each["filepath"]] or pools
            found[name] = str(ours[0].get("architecture")) if ours else "unknown"
    return found


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What differs on a node, a text each; the lab's version may, if its code is the same."""
    return [
        f"{name} {there[name]} there, {value} here"
        for name, value in here.items()
        if there[name].rpartition(" ")[2] != value.rpartition(" ")[2]
    ]


def run_on_node(
    number: int,
    content: bytes,
    pieces: list[Any],
    wanted: Mapping[str, str],
    distribution: str,
    mailbox: Any,
) -> tuple[str, Any]:
    """The task: compares this node with the driver's, and runs the session if nothing differs.

    Args:
        number: of the task.
        content: the pickled job, and the policy's file that it starts from.
        pieces: references to what there is of the session's folder.
        wanted: the driver's `facts`; empty to use a node that differs.
        distribution: the name under which pip knows the lab.
        mailbox: of the driver.

    Returns:
        "ended" with the outcome and the files, "unfit" with what differs on this node, "cannot"
        with what the session lacks here, or "stopped" with the status.
    """
    import ray

    host, node = socket.gethostname(), ray.get_runtime_context().get_node_id()
    there = facts(distribution)
    if there["lab"] == NO_LAB:
        return "unfit", (node, host, ["it has no lab"])
    if different := differences(wanted, there):
        return "unfit", (node, host, different)
    status = mailbox.begin.remote(number, node).future().result()
    if status:
        return "stopped", status
    try:
        from rl.running.ray_session import run_session
    except ImportError as error:
        return "unfit", (node, host, [f"the lab cannot be imported there ({error})"])
    here = {"node": host, **there}
    kind, result = run_session(number, mailbox, here, pieces, *pickle.loads(content))
    return kind, (node, host, [result]) if kind == "cannot" else result


class Mailbox:
    """Keeps messages between the driver and its tasks.

    It answers one call at a time, so a task has either begun before it is stopped or never begins.
    """

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._nodes: dict[int, str] = {}
        self._stopped: dict[int, str] = {}
        self._received: dict[int, int] = {}

    def begin(self, number: int, node: str) -> str:
        """Called by a task that begins on a node; returns the status it was stopped with, or ""."""
        if number in self._stopped:
            return self._stopped[number]
        self._nodes[number] = node
        self._messages.append((number, "begun", pickle.dumps(node), ()))
        return ""

    def put(self, number: int, kind: str, content: bytes, *objects: Any) -> tuple[str, int]:
        """Takes a task's message.

        Args:
            number: of the task.
            kind: of the message.
            content: pickled.
            objects: references to larger things.

        Returns:
            The status to stop with, or "", and how many parcels have been received.
        """
        self._messages.append((number, kind, content, objects))
        return self._stopped.get(number, ""), self._received.get(number, 0)

    def received(self, number: int, count: int) -> None:
        """Takes the driver's word that it has so many parcels of a task."""
        self._received[number] = count

    def stop(self, number: int, status: str) -> str:
        """Stops a task; returns the node on which it began, or ""."""
        self._stopped[number] = status
        return self._nodes.get(number, "")

    def empty(self) -> list[Any]:
        """The messages since the last call."""
        messages, self._messages = self._messages, []
        return messages
