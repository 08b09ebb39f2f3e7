"""How fast runs under way are, and how long they still take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

SECONDS_KEPT = 60.0  # what was seen longer ago does not count
SECONDS_APART = 2.0  # of what is compared, at least


@dataclass(frozen=True)
class Seen:
    """How far a run was at a time."""

    seconds: float  # since 1970, when a table was written
    steps: int  # environment steps of all sessions
    share: float | None  # of all that is to do, from 0 to 1
    is_most: bool = False  # it may end earlier


@dataclass(frozen=True)
class Pace:
    """How fast a run is."""

    speed: float  # environment steps a second, of all sessions together
    left: float | None  # seconds; None if that is unknown
    is_most: bool  # it may end earlier

    @property
    def time_left(self) -> str:
        """Such as "at most 3 min left"; empty if that is unknown."""
        if self.left is None:
            return ""
        return f"{'at most' if self.is_most else 'about'} {duration(self.left)} left"

    def __str__(self) -> str:
        texts = (f"{self.speed:,.0f} steps/s", self.time_left)
        return ", ".join(filter(None, texts))


class Paces:
    """What was seen of runs under way lately."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[Seen]] = {}
        self._lock = Lock()

    def of(self, key: str, now: Seen, begun: float | None) -> Pace | None:
        """How fast a run is; None if that cannot be told yet.

        Args:
            key: of the run.
            now: how far it is.
            begun: when it began, for the first look; None if it has been interrupted since.
        """
        with self._lock:
            kept = self._seen.setdefault(key, deque())
            while kept and not now.seconds - SECONDS_KEPT <= kept[0].seconds <= now.seconds:
                kept.popleft()
            before = kept[0] if kept else None
            if not kept or kept[-1].seconds < now.seconds:
                kept.append(now)
        if before is None or now.seconds - before.seconds < SECONDS_APART:
            before = None if begun is None else Seen(begun, 0, 0.0)
        return _pace(before, now) if before else None


def _pace(before: Seen, now: Seen) -> Pace | None:
    seconds = now.seconds - before.seconds
    if seconds <= 0:
        return None
    left = None
    if now.share is not None and before.share is not None and now.share > before.share:
        left = (1 - now.share) * seconds / (now.share - before.share)
    return Pace((now.steps - before.steps) / seconds, left, now.is_most)


def duration(seconds: float) -> str:
    """A time to the precision of an estimate."""
    if seconds < 95:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{seconds / 3600:,.1f} h"
