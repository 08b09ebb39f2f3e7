"""Where the study of a search is: a journal, which is a file, or a server.

Processes that share a storage work on one study.
"""

from __future__ import annotations

import os
import shutil
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rl.errors import UserError, on_disk
from rl.storage.files import read_json, write_json
from rl.storage.paths import user_path

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

T = TypeVar("T")

STUDY = "search"  # the name of the study in a journal
_BEGINNING = b'{"op_code":'  # of a journal, and of each line of it


class Storage(ABC):
    """Where a study is.

    Args:
        name: as messages and the manifest have it.
    """

    is_server = False
    is_hurried: Callable[[], bool] = staticmethod(bool)  # whether waiting for it must end

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[object]:
        """Within, no other process changes what is there; it ends with the process."""

    @abstractmethod
    def open(self, sampler: BaseSampler | None = None) -> Study:
        """The study, which is created if it is missing.

        Raises:
            UserError: it cannot be.
        """

    def patiently(self, call: Callable[[], T], back: Callable[[], object] = bool) -> T:
        """What `call` returns; while a server is away, it is tried again.

        Args:
            call: may be called again after it failed.
            back: is called once the server has come back.

        Raises:
            UserError: the server stays away.
        """
        return call()

    def reached(self) -> AbstractContextManager[object]:
        """Within, a server that does not answer is a UserError."""
        return nullcontext()


class Journal(Storage):
    """A file of the file system, to which each change appends a line.

    Beside it, FILE.json says which run folder it belongs to.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path, self._known = path, Path(f"{path}.json")
        self._lock = _Mending(path)

    def exclusive(self) -> AbstractContextManager[object]:
        return self._lock.held()

    def open(self, sampler: BaseSampler | None = None) -> Study:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        path = self.path
        try:
            if not is_journal(path):
                raise ValueError
            with quiet(), self.exclusive():
                backend = JournalFileBackend(str(path), self._lock)  # type: ignore[arg-type]
                return optuna.create_study(
                    storage=optuna.storages.JournalStorage(backend), sampler=sampler,
                    study_name=STUDY, direction="maximize", load_if_exists=True,
                )  # fmt: skip
        except OSError as error:
            with suppress(OSError):  # of what it has begun nothing was written
                if not path.stat().st_size:
                    path.unlink()
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None
        except Exception:  # Optuna trusts what it reads
            raise UserError(f"{path}: is no journal of a search, or a damaged one") from None

    @property
    def run(self) -> Path | None:
        """The run folder that it belongs to; None if it belongs to none yet."""
        known = read_json(self._known)
        if "run" not in known:
            return None
        return Path(os.path.normpath(self.path.parent.resolve() / str(known["run"])))

    @property
    def has_trials(self) -> bool:
        """Returns True if a search has begun to use it."""
        return self.path.exists() and bool(self.open().get_trials(deepcopy=False))

    def place_from(self, run: Path) -> str:
        """Its path, relative to a run folder."""
        return os.path.relpath(os.path.realpath(self.path), os.path.realpath(run))

    def belongs_to(self, id: str) -> bool:
        """Returns True if it is there and the search has this id; an older one has none."""
        known = read_json(self._known)
        return "run" in known and known.get("id", id) == id

    def give_to(self, run: Path, id: str) -> None:
        """Writes down the run folder, by its place relative to the journal."""
        with on_disk(self._known):
            place = os.path.relpath(os.path.realpath(run), os.path.realpath(self.path.parent))
            write_json(self._known, {"run": place, **({"id": id} if id else {})})

    def copy_to(self, path: Path) -> None:
        """Copies it, as it is now."""
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with on_disk(path), self.exclusive():
            try:
                shutil.copyfile(self.path, beside)
                os.replace(beside, path)
            finally:
                beside.unlink(missing_ok=True)


class _Mending:
    """The lock of a journal, which ends with its process, as Optuna's locks do not.

    Whoever has it finds whole lines: that of a process that was killed while it wrote is removed.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._path, self._lock = path, FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        try:
            _mend(self._path)
        except OSError:
            self._lock.release()
            raise
        return True

    def release(self) -> None:
        self._lock.release()

    @contextmanager
    def held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _mend(journal: Path) -> None:
    """Removes the partial line that a killed process has left at the end."""
    with suppress(FileNotFoundError), open(journal, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) in (b"\n", b""):
            return
        file.seek(0)
        content = file.read()
        if content.startswith(_BEGINNING[: len(content)]):  # else it is another file
            file.truncate(content.rfind(b"\n") + 1)


def open_study(journal: Path) -> Study:
    """The study of a journal file.

    Raises:
        UserError: the file is no journal, or cannot be written.
    """
    return Journal(journal).open()


def checked_journal(storage: str | Path) -> Journal:
    """The journal that `--storage` names.

    Raises:
        UserError: its folder is missing, or it is another file.
    """
    path = user_path(storage)
    if not path.parent.is_dir():
        raise UserError(f"{path.parent}: there is no such folder for --storage")
    known = Path(f"{path}.json")
    if not is_journal(path) or (known.exists() and "run" not in read_json(known)):
        raise UserError(f"{storage}: --storage would take the place of what is there; name another")
    return Journal(path)


def is_journal(path: Path) -> bool:
    """Returns True if the file is missing, or a journal, perhaps cut off."""
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return _BEGINNING.startswith(file.read(len(_BEGINNING)))


@contextmanager
def quiet() -> Iterator[Any]:
    """Within, Optuna does not warn of its experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
