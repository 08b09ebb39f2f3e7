"""Connections to browsers, and to attackers who mean to block them."""

from __future__ import annotations

import time
from socket import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

THREADS = 8
MOST = 100  # connections; with more, the oldest idle one is closed
SECONDS_OF_A_REQUEST = 10.0  # in which a request must be complete
SECONDS_OF_SILENCE = 30  # after which a connection is closed
SECONDS_OF_A_GUESS = 1.0  # the delay of the answer to a wrong token


def make_server(app: Flask, listener: socket) -> Any:
    """A Waitress server for `app` whose connections cannot block each other.

    A request must be complete in time, and the answer to a wrong token is delayed. No thread waits
    for either: a delayed connection is one that is not writable yet.
    """
    from waitress.channel import HTTPChannel
    from waitress.server import create_server

    class Channel(HTTPChannel):
        _held_until = 0.0
        _begun: float | None = None  # when the first part of a request came

        def __init__(self, server: Any, *arguments: Any, **more: Any) -> None:
            super().__init__(server, *arguments, **more)
            idle = [each for each in server.active_channels.values() if not each.requests]
            if len(server.active_channels) > MOST and idle:
                min(idle, key=lambda each: each.creation_time).will_close = True

        def readable(self) -> bool:
            now = time.monotonic()
            self._begun = (self._begun or now) if self.request else None
            if self._begun and now > self._begun + SECONDS_OF_A_REQUEST:
                self.will_close = True
            return bool(super().readable())

        def writable(self) -> bool:
            return not self._is_held() and bool(super().writable())

        def write_soon(self, data: Any) -> int:
            if isinstance(data, bytes) and data[:5] == b"HTTP/" and data[9:12] == b"401":
                self._held_until = time.monotonic() + SECONDS_OF_A_GUESS
            return int(super().write_soon(data))

        def send(self, data: bytes, do_close: bool = True) -> int:
            return 0 if self._is_held() else int(super().send(data, do_close))

        def _is_held(self) -> bool:
            return time.monotonic() < self._held_until

    server: Any = create_server(
        app, sockets=[listener], threads=THREADS, connection_limit=2 * MOST,
        channel_timeout=SECONDS_OF_SILENCE, cleanup_interval=5, asyncore_use_poll=True,
        max_request_header_size=16_384, max_request_body_size=1_024,
    )  # fmt: skip
    server.channel_class = Channel
    return server
