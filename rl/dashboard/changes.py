"""What of the list is new to a page that has seen it before."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from rl.dashboard.listing import AnyRow

LONGEST = 20  # digits of a number


class Changes:
    """The rows of the list as HTML, each with the number of its latest change.

    Args:
        render: makes the HTML of a row.
    """

    def __init__(self, render: Callable[[AnyRow], str]) -> None:
        self._render = render
        self._begun = secrets.token_hex(4)  # tells apart the numbers of two starts
        self._number = 0
        self._ordered = 0  # the number when the names or their order changed
        self._order: list[str] = []
        self._rows: dict[str, tuple[AnyRow, int, str]] = {}
        self._lock = Lock()

    def since(self, known: str, rows: Sequence[AnyRow], unread: int = 0) -> dict[str, Any]:
        """What has changed in the list.

        Args:
            known: the `version` of an earlier answer; anything else brings the whole list.
            rows: as they are now.
            unread: how many are to follow.

        Returns:
            `unread`, the new `version`, `changed` with the name and the HTML of each row that has
            changed, and `order` with the names of all rows, or None if it is the same.
        """
        with self._lock:
            self._update(rows)
            begun, _, number = known.partition("-")
            is_ours = begun == self._begun and number.isdecimal() and len(number) < LONGEST
            before = int(number) if is_ours else -1
            found = (self._rows[name] for name in self._order)
            return {
                "changed": [(row.name, text) for row, at, text in found if at > before],
                "order": self._order if self._ordered > before else None,
                "unread": unread,
                "version": f"{self._begun}-{self._number}",
            }

    def _update(self, rows: Sequence[AnyRow]) -> None:
        self._number += 1
        for row in rows:
            if row.name not in self._rows or self._rows[row.name][0] != row:
                self._rows[row.name] = row, self._number, self._render(row)
        order = [row.name for row in rows]
        if order != self._order:
            self._order, self._ordered = order, self._number
            self._rows = {name: self._rows[name] for name in order}
