"""Addresses of servers, without the passwords that they may hold."""

from __future__ import annotations

import re

_URL = re.compile(r"\w[\w+.-]*:/")
_IN_USER = re.compile(r"(\w://[^\s:/@]*):\S*@")  # up to the last @: a password may hold one
_IN_QUERY = re.compile(r"(?<=[?&])(\w*password)=[^&\s#]*&?", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Returns True for an address such as postgresql://me@host/db."""
    return bool(_URL.match(text))


def without_password(text: str) -> str:
    """A text without the passwords in its URLs."""
    shown = _IN_QUERY.sub("", _IN_USER.sub(r"\1@", text))
    return shown.replace("://@", "://").rstrip("?&") if shown != text else text
