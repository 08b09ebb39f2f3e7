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

import pytest

from tests.rl.conftest import wait_until

SECRET = "s3cr:t@/%"  # with what a URL has to quote
QUOTED = "s3cr%3At%40%2F%25"


class Running:
    """A server.

    Args:
        command: that starts it.
        port: where it listens.
        user: whose process it is; None for the user of this one.
        url: its address.
    """

    def __init__(self, command: list[str], port: int, user: int | None, url: str) -> None:
        self._command, self._port, self._user, self.url = command, port, user, url
        self._launch()

    def start(self) -> None:
        """Starts it again, unless it runs."""
        if self.process.poll() is not None:
            self._launch()

    def _launch(self) -> None:
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            self._command, user=self._user, stdout=nowhere, stderr=nowhere
        )
        wait_until(lambda: self.process.poll() is not None or _listens(self._port))
        assert self.process.poll() is None

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
    running = Running(command, port, user, url)
    try:
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
                   "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
                   "--appendfsync", "always", "--dir", folder]  # fmt: skip
        url = f"redis://:{QUOTED}@127.0.0.1:{port}/0"
        with _started(command, port, None, url) as running:
            yield running


SERVERS = {"postgresql": postgresql, "redis": redis}
