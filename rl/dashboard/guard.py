"""Who may see the pages, and what pages may do in the browser."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response

METHODS = ("GET", "HEAD")

COMMON = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
POLICY = f"{COMMON}; script-src 'self'; style-src 'self'; connect-src 'self'"  # our own files only
# A report contains its scripts. They are isolated from these pages and from the network.
REPORT_POLICY = (
    f"{COMMON}; script-src 'unsafe-inline'; style-src 'unsafe-inline'; sandbox allow-scripts"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def guard(app: Flask, token: str | None, cookie: str) -> None:
    """Refuses requests that may not be answered.

    Args:
        app: whose requests.
        token: that a request must know; None if only this machine reaches the address.
        cookie: the name under which a browser keeps the token.
    """
    app.before_request(_check_method)
    app.before_request(_check_host if token is None else _Door(token, cookie).check)
    app.after_request(_add_headers)


def _check_method() -> None:
    from flask import abort, request

    if request.method not in METHODS:
        abort(405, "This dashboard is read-only.")


def _check_host() -> None:
    """Refuses names of other sites that were made to resolve to this machine."""
    from flask import abort, request

    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        host = None
    if not is_local(host or ""):
        abort(403, "Open this dashboard as localhost or 127.0.0.1.")


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Door:
    """Asks for the token once, and then recognizes a cookie."""

    def __init__(self, token: str, cookie: str) -> None:
        self._token, self._cookie = token, cookie

    def check(self) -> Response | None:
        from flask import abort, redirect, request, url_for

        if self._fits(request.args.get("token")):
            answer = redirect(url_for("index"))  # the address no longer holds it
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
            return answer
        if not self._fits(request.cookies.get(self._cookie)):
            abort(401, "Open the address that `rl dashboard` printed, with its token.")
        return None

    def _fits(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _add_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
