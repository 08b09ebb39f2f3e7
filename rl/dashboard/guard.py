"""Who may see the pages, and what the pages may do in the browser."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response

METHODS = ("GET", "HEAD")

# Our own files and nothing else; pictures of an episode stand in the page's own data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report brings its scripts along. They run apart from these pages, and reach no network.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
)


def guard(app: Flask, token: str | None, cookie: str) -> None:
    """Lets only those requests through that may be answered.

    Args:
        app: whose requests.
        token: that they must know; None where the address is this machine's alone.
        cookie: the name under which a browser keeps it.
    """
    app.before_request(_check_method)
    app.before_request(_check_host if token is None else _Door(token, cookie).check)
    app.after_request(_add_headers)


def _check_method() -> None:
    from flask import abort, request

    if request.method not in METHODS:
        abort(405, "This dashboard is only looked at.")


def _check_host() -> None:
    """Refuses a page of somewhere else whose name was made to mean this machine."""
    from flask import abort, request

    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        host = None
    if not is_local(host or ""):
        abort(403, "Open this dashboard as localhost or 127.0.0.1.")


def is_local(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Door:
    """Asks for the token once, and knows it again by a cookie."""

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
    headers = answer.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("Cache-Control", "no-cache")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer
