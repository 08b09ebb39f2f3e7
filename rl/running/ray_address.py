"""What is asked of a Ray cluster before Ray connects to it, which would try for a minute."""

from __future__ import annotations

import os
import platform
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from rl.distribution import installing
from rl.errors import UserError

OLDEST = "2.60"  # Ray that has all that is used of it
SECONDS_TO_CONNECT = 5.0
SECONDS_TO_ANSWER = 12.0
# Ray says nothing of itself, and its processes get as much of the machine as local ones.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_worker_niceness": "0"}  # fmt: skip


def import_ray() -> Any:
    """Ray's package, with settings that the processes which it starts read too.

    Raises:
        UserError: it is not installed, or too old.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise UserError(f"Ray is not installed: {installing('ray')}") from None
    if _numbers(ray.__version__) < _numbers(OLDEST):
        raise UserError(f"Ray {ray.__version__} is too old: {installing('ray')} brings {OLDEST}")
    return ray


def _numbers(version: str) -> list[int]:
    """A version's numbers, to compare."""
    return [int(each) for each in re.findall(r"\d+", version)]


def address_around() -> str | None:
    """The address of the cluster that this process is part of, as for what `ray job submit` starts.

    That of a dashboard, which the variable may name too, is none.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    return None if address in ("", "local") or address.startswith("http") else address


def check_address(ray: Any, address: str) -> None:
    """Checks what Ray itself would try for a minute, and says in many lines.

    Raises:
        OSError: nothing answers at HOST:PORT.
        TimeoutError: what answers is not Ray.
        UserError: its token or version is another, or this machine is none of its nodes.
    """
    if address.startswith("ray://"):
        raise UserError(
            f"the Ray cluster at {address!r} cannot be reached through Ray Client: make this "
            "machine a node of it, `ray start --address=HOST:6379 --num-cpus=0`, and give HOST:6379"
        )
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not (host and port.isdecimal()):
        return
    socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    found: dict[str, Any] = {}
    thread = threading.Thread(target=_ask_head, args=(address, found), daemon=True)
    with _no_errors_shown():
        thread.start()
        thread.join(SECONDS_TO_ANSWER)
    if isinstance(found.get("error"), (ImportError, AttributeError)):
        return  # parts of Ray that are not public, and others now
    if "error" in found and "auth" in type(found["error"]).__name__.lower():
        is_shown = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        raise UserError(
            f"the Ray cluster at {address!r} asks for a{'nother' * is_shown} token: "
            f"{'put' if is_shown else 'set RAY_AUTH_MODE=token, and put'} its ~/.ray/auth_token "
            "here, or its text in RAY_AUTH_TOKEN"
        )
    if "error" in found:
        raise TimeoutError(first_line(found["error"]))
    if "nodes" not in found:
        raise TimeoutError(
            f"it is no Ray cluster, or hangs: no answer in {SECONDS_TO_ANSWER:.0f} s"
        )
    _check_versions(ray, address, found["metadata"])
    if not found["nodes"] & found["here"]:
        raise UserError(
            f"this machine is no node of the Ray cluster at {address!r}: `ray start "
            f"--address={address} --num-cpus=0` makes it one, which takes no sessions itself"
        )


def _check_versions(ray: Any, address: str, there: Mapping[str, Any]) -> None:
    """Refuses another version of Ray or Python than the cluster's, as Ray itself would.

    Raises:
        UserError: the message says what to install.
    """
    version, here = there.get("ray_version", ray.__version__), ray.__version__
    if version != here:
        remedy = f'python -m pip install "ray=={version}"'
        if _numbers(version) < _numbers(OLDEST):
            remedy = f"the cluster needs {OLDEST} or later"
        raise UserError(
            f"the Ray cluster at {address!r} has Ray {version}, and this machine {here}: {remedy}"
        )
    version, here = (
        there.get("python_version", platform.python_version()),
        platform.python_version(),
    )
    if version != here and os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL") != "minor":
        raise UserError(
            f"the Ray cluster at {address!r} runs Python {version}, and this command {here}: run "
            "it with the Python that Ray was started with"
        )


def _ask_head(address: str, found: dict[str, Any]) -> None:
    """Asks a cluster for its versions and nodes, and this machine for the nodes that it is."""
    try:
        raylet, services, usage = (
            import_module(f"ray.{name}")
            for name in ("_raylet", "_private.services", "_common.usage.usage_lib")
        )
        client = raylet.GcsClient(address=address)
        found["metadata"] = usage.get_cluster_metadata(client) or {}
        found["here"] = set(services.find_node_ids())
        found["nodes"] = {each.hex() for each in client.get_all_node_info()}
    except Exception as error:
        found["error"] = error


@contextmanager
def _no_errors_shown() -> Iterator[None]:
    """Within, what native code prints about its failures goes nowhere."""
    with open(os.devnull, "w") as nowhere:
        shown = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def first_line(error: BaseException) -> str:
    """What an error says, without what Ray adds; all of it, if the first line ends in a colon."""
    lines = str(error).split("\n") if str(error).strip() else [type(error).__name__]
    first, *rest = (line.strip() for line in lines if line.strip())
    return " ".join([first, *rest]) if first.endswith(":") else first
