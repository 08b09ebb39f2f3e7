"""Servers that a test starts itself, for itself; without their programs the test is skipped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.rl.conftest import wait_until

SECRET = "s3cr:t@/%"  # with what a URL has to quote
QUOTED = "s3cr%3At%40%2F%25"


class Running(NamedTuple):
    """A server that has started."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends it; repeating that changes nothing."""
        self.process.send_signal(signal.SIGINT)  # which waits for no client
        self.process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def program(name: str) -> str:
    """The path of a program of PostgreSQL or Redis."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _started(command: list[str], port: int, user: int | None, url: str) -> Iterator[Running]:
    process = subprocess.Popen(
        command, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    running = Running(url, process)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None
        yield running
    finally:
        running.stop()


@contextmanager
def postgresql() -> Iterator[Running]:
    """A PostgreSQL server with a password."""
    pytest.importorskip("psycopg")
    initdb, postgres = program("initdb"), program("postgres")
    user = 65534 if os.getuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        data, secret, port = Path(folder) / "data", Path(folder) / "secret", free_port()
        secret.write_text(SECRET)
        for path in (folder, secret):
            os.chmod(path, 0o777)
        subprocess.run(
            [initdb, "-D", str(data), "-U", "lab", "-A", "scram-sha-256", "--pwfile", str(secret),
             "--no-sync"], user=user, check=True, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        command = [postgres, "-D", str(data), "-p", str(port), "-k", folder, "-F",
                   "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
        url = f"postgresql://lab:{QUOTED}@127.0.0.1:{port}/postgres"
        with _started(command, port, user, url) as running:
            yield running


@contextmanager
def redis() -> Iterator[Running]:
    """A Redis server with a password."""
    pytest.importorskip("redis")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program("redis-server"), "--port", str(port), "--requirepass", SECRET,
                   "--bind", "127.0.0.1", "--save", "", "--dir", folder]  # fmt: skip
        url = f"redis://:{QUOTED}@127.0.0.1:{port}/0"
        with _started(command, port, None, url) as running:
            yield running


SERVERS = {"postgresql": postgresql, "redis": redis}
