"""Studies on a server: PostgreSQL or Redis, through the storages of Optuna."""

from __future__ import annotations

import importlib.util
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rl.distribution import installing
from rl.errors import UserError
from rl.search.storages import Storage, T, quiet
from rl.storage.urls import without_password

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

SECONDS_TO_CONNECT = 10
SECONDS_TO_RETURN = 60.0  # in which a server that goes away during a search may come back
SECONDS_BETWEEN_TRIES = 1.0
SECONDS_TO_LOCK = 60  # at most, that a process of a machine that died has the server alone
DRIVERS = ("psycopg", "psycopg2")  # of PostgreSQL, by preference
_LOCK = 7_203_511  # the advisory lock in PostgreSQL of all that the lab does there


def server(url: str, study: str) -> Server:
    """The server of an address.

    Args:
        url: such as postgresql://me:secret@host/db or redis://host.
        study: the name of the study there.

    Raises:
        UserError: it is of another kind, or needs a package that is missing.
    """
    scheme = url.partition(":")[0].lower()
    kind = scheme.partition("+")[0]
    if kind in ("postgresql", "postgres"):
        return PostgreSQL(url, study)
    if scheme in ("redis", "rediss"):
        return Redis(url, study)
    shown = without_password(url)
    if kind == "sqlite":
        raise UserError(
            f"--storage: {shown} is a database, and a file is supported, such as study.journal; "
            "processes share it, also on several machines with a common file system"
        )
    raise UserError(
        f"--storage: {shown} is a database of another kind; postgresql://... and redis://... are "
        "supported, and files, such as study.journal"
    )


class Unreachable(UserError):
    """The server does not answer, or refuses."""


class Server(Storage):
    """A study on a server.

    Args:
        url: of the server.
        study: the name of the study.
    """

    is_server = True

    def __init__(self, url: str, study: str) -> None:
        super().__init__(without_password(url))
        self._url, self.study = url, study
        self._storage: BaseStorage | None = None
        self._is_alone = False

    def open(self, sampler: BaseSampler | None = None) -> Study:
        import optuna

        with self.exclusive(), quiet():
            if self._storage is None:
                self._storage = self._connect()
            return optuna.create_study(
                storage=self._storage, sampler=sampler, study_name=self.study,
                direction="maximize", load_if_exists=True,
            )  # fmt: skip

    @abstractmethod
    def _connect(self) -> BaseStorage: ...

    @abstractmethod
    def _alone(self) -> AbstractContextManager[object]: ...

    @property
    @abstractmethod
    def _failures(self) -> tuple[type[Exception], ...]:
        """What is raised if the server does not answer, or refuses."""

    def _check_kept(self) -> None:
        """Checks that a server which was away still has the study.

        Raises:
            UserError: it has not, or is still away.
        """

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        if self._is_alone:
            yield
            return
        with self.reached(), self._alone():
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    @contextmanager
    def reached(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise Unreachable(f"--storage {self.name}: {self._complaint(error)}") from None

    def patiently(self, call: Callable[[], T], back: Callable[[], object] = bool) -> T:
        deadline = 0.0
        while True:
            try:
                if deadline:
                    self._check_kept()
                found = call()
            except Unreachable as error:
                deadline = deadline or time.monotonic() + SECONDS_TO_RETURN
                if self.is_hurried() or time.monotonic() > deadline:
                    raise UserError(
                        f"{error} It was tried again for {SECONDS_TO_RETURN:.0f} s; the results "
                        "are kept, and `rl search --resume RUN --storage URL` goes on"
                    ) from None
                time.sleep(SECONDS_BETWEEN_TRIES)
            else:
                if deadline:
                    back()
                return found

    def _complaint(self, error: BaseException) -> str:
        """What the server, or its driver, says, without the password."""
        while inner := getattr(error, "orig", None) or error.__cause__:
            error = inner
        said = " ".join(str(error).split()) or type(error).__name__
        for secret in {_password(self._url), unquote(_password(self._url))} - {""}:
            said = said.replace(secret, "***")
        return f"{said}; is the server up, and are its name and the password right?"


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


class PostgreSQL(Server):
    """A study in a PostgreSQL database."""

    def __init__(self, url: str, study: str) -> None:
        super().__init__(url, study)
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool

        try:
            address = make_url(url)
            if address.drivername in ("postgresql", "postgres"):
                address = address.set(drivername=f"postgresql+{_driver()}")
            self._address = address.render_as_string(hide_password=False)
            timeout = {"connect_timeout": SECONDS_TO_CONNECT}
            # Each look has a connection of its own: a cluster would keep more than servers allow.
            self._options = {"poolclass": NullPool, "connect_args": timeout}
            self._engine = create_engine(self._address, **self._options)
        except (ArgumentError, NoSuchModuleError, ValueError):
            raise UserError(
                f"--storage: {self.name} is no address such as postgresql://me@host/database"
            ) from None
        except ImportError:
            raise UserError(f"--storage {self.name} needs {installing('postgresql')}") from None

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import DBAPIError

        return (StorageInternalError, DBAPIError)

    def _connect(self) -> BaseStorage:
        from optuna.storages import RDBStorage

        return RDBStorage(self._address, engine_kwargs=self._options)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from sqlalchemy import text

        with self._engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            yield


def _driver() -> str:
    return next((each for each in DRIVERS if importlib.util.find_spec(each)), DRIVERS[0])


class Redis(Server):
    """A study in a Redis server, as a journal."""

    def __init__(self, url: str, study: str) -> None:
        super().__init__(url, study)
        try:
            import redis
        except ImportError:
            raise UserError(f"--storage {self.name} needs {installing('redis')}") from None
        separator = "&" if "?" in url else "?"
        self._token = uuid.uuid4().hex.encode()
        self._address = f"{url}{separator}socket_connect_timeout={SECONDS_TO_CONNECT}"
        try:
            self._client = redis.Redis.from_url(self._address)
        except ValueError as error:
            raise UserError(f"--storage: {self.name}: {error}") from None

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        from redis.exceptions import RedisError

        return (RedisError,)

    def _connect(self) -> BaseStorage:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalRedisBackend

        backend = JournalRedisBackend(self._address, prefix=f"rl:{self.study}")
        return JournalStorage(backend)

    def _check_kept(self) -> None:
        with self.reached():
            if not self._client.exists(f"rl:{self.study}:log_number"):
                raise UserError(
                    f"--storage {self.name}: was restarted and has lost the study; let it keep its "
                    "data (`appendonly yes`). The results so far are in the run folder"
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from redis.exceptions import LockError

        lock = self._client.lock(f"rl:{self.study}:lock", timeout=SECONDS_TO_LOCK)
        lock.local.token = self._token
        with suppress(LockError):  # else a restart has kept this process from releasing it
            lock.release()
        lock.acquire(token=self._token)
        try:
            yield
        finally:
            lock.release()
