"""Serves the pages until Ctrl-C."""

from __future__ import annotations

import errno
import logging
import secrets
import socket
from importlib.util import find_spec
from pathlib import Path

from rl.console.output import say
from rl.dashboard.guard import is_local
from rl.distribution import installing
from rl.errors import UserError
from rl.storage.paths import user_path

EXTRA = f"rl dashboard needs more packages: {installing('dashboard')}"
ELSEWHERE = "is not an address of this machine; leave --host out for 127.0.0.1"
REMEDIES = {
    errno.EADDRINUSE: "is taken; name another --port, or 0 for any that is free",
    errno.EACCES: "is not permitted; name a --port from 1024 on, or 0 for any that is free",
    **dict.fromkeys((errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN), ELSEWHERE),
}


def serve(folder: Path, host: str, port: int, with_token: bool) -> None:
    """Serves the runs in a folder until it is interrupted.

    Args:
        folder: of the runs.
        host: the address to listen on.
        port: of it; 0 takes a free one.
        with_token: whether to ask for a token even on a local address.

    Raises:
        UserError: there is no such folder, a package is missing, or the address is not available.
    """
    if not (folder := user_path(folder)).is_dir():
        raise UserError(f"{folder}: there is no such folder; name the one that your runs are in")
    if not all(map(find_spec, ("flask", "waitress"))):
        raise UserError(EXTRA)
    from rl.dashboard.app import create_app
    from rl.dashboard.channel import make_server

    with listen(host, port) as listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe() if with_token or not is_local(host) else None
        app = create_app(folder.resolve(), token, f"rl-dashboard-{port}")
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page asks for a few at once
        server = make_server(app, listener)
        say(*_announcement(folder, host, port, token))
        server.run()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        UserError: the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except UnicodeError:  # not even a machine's name
        remedy = ELSEWHERE
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, f"cannot be listened on: {error.strerror}")
    raise UserError(f"{_at(host, port)}: {remedy}")


def _announcement(folder: Path, host: str, port: int, token: str | None) -> list[str]:
    """How to reach the pages."""
    machine = socket.gethostname() if host in ("0.0.0.0", "::") else host
    address = f"http://{_at(machine, port)}/{f'?token={token}' if token else ''}"
    lines = [f"the runs in {folder}: {address}"]
    if is_local(host):
        lines.append(
            f"from another machine: ssh -L {port}:{_at(host, port)} USER@MACHINE, and open the "
            "same address there"
        )
    return [*lines, "Ctrl-C stops it"]


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
