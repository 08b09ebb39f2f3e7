"""The run folders that share a study on a server, and the signs of life of their processes.

Each member has an attribute of the study that changes while one of its processes lives. One that
has not changed for `SECONDS_TO_LIVE`, by the clock of whoever looks, belongs to a machine that is
dead or cut off: its trials are begun again elsewhere.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.errors import UserError
from rl.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

    from rl.search.storages import Storage

SECONDS_BETWEEN_BEATS = 15.0
SECONDS_TO_LIVE = 60.0  # without a beat
OWNER = "member"  # the attribute of a trial that names the member which runs it
_MEMBER = "member:"  # begins the attribute of the study that a member has


def key_of(folder: RunFolder) -> str:
    """Which member a run folder is: another one if it is a copy, or seen from another machine."""
    status = folder.path.stat()
    own = folder.read_manifest()["search"].get("member", "")
    parts = (own, socket.gethostname(), status.st_dev, status.st_ino)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def find_folder(study: Study, path: Path | None = None) -> RunFolder | None:
    """A run folder of this machine that takes part in a study.

    Args:
        study: of a server.
        path: where it must be; None for anywhere.
    """
    for key, about in study.user_attrs.items():
        if key.startswith(_MEMBER):
            with suppress(OSError, UserError):  # of one that is on another machine, or gone
                folder = RunFolder.open(about["folder"])
                is_here = path is None or (path.exists() and path.samefile(folder.path))
                if is_here and key == _MEMBER + key_of(folder):
                    return folder
    return None


class Members:
    """The members of a study, seen from one of them.

    Args:
        folder: its run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._key = key_of(folder)
        self._about = {"host": socket.gethostname(), "folder": str(folder.path)}
        self._first: dict[str, tuple[str, float]] = {}  # beat and time at the first look
        self._living: set[str] = set()  # those that have beaten since

    def announce(self, study: Study) -> None:
        """Makes the folder known, as one whose process lives."""
        study.set_user_attr(_MEMBER + self._key, {**self._about, "beat": time.time()})

    @contextmanager
    def beating(self, study: Study, storage: Storage) -> Iterator[None]:
        """Within, the member shows that it lives."""
        self._study = study
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(SECONDS_BETWEEN_BEATS):
                with suppress(UserError), storage.reached():  # a server may come back
                    self.announce(study)

        with storage.reached():
            self.announce(study)
        threading.Thread(target=beat, name="heartbeat", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def forget(self) -> None:
        """Looks at all anew: the server was away, so nobody could beat."""
        self._first.clear()

    def take(self, trial: Trial) -> None:
        """Makes a trial that of this member."""
        trial.set_user_attr(OWNER, self._key)

    def is_ours(self, trial: FrozenTrial) -> bool:
        """Returns True if this member has a trial."""
        return trial.user_attrs.get(OWNER) == self._key

    def place_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """Where a trial was run: host and folder."""
        about = self._study.user_attrs.get(_MEMBER + trial.user_attrs.get(OWNER, ""), {})
        return {key: about.get(key, "") for key in self._about}

    def may_live(self, trial: FrozenTrial) -> bool:
        """Returns True if another member has a trial, and is not known to be dead."""
        owner = trial.user_attrs.get(OWNER)
        if owner in (None, self._key):
            return False
        beat = str(self._study.user_attrs.get(_MEMBER + owner, {}).get("beat"))
        now = time.monotonic()
        before, since = self._first.setdefault(owner, (beat, now))
        if beat != before:
            self._living.add(owner)
            self._first[owner] = (beat, now)
        elif now - since > SECONDS_TO_LIVE:
            self._living.discard(owner)
            return False
        return True

    def is_doubtful(self, trial: FrozenTrial) -> bool:
        """Returns True if another member has a trial and was not seen to live yet, or is dead."""
        return not self.is_ours(trial) and not (
            self.may_live(trial) and trial.user_attrs[OWNER] in self._living
        )
