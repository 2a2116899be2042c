"""A connection to a shared database, which reconnects and retries while the database is away."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, Select, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, QueuePool

from ....spaces.errors import StorageError
from ..address import Storage
from ..base import Notify
from .tables import FILES, METADATA

Result = TypeVar("Result")

PATIENCE = 300.0
"""Seconds for which a database that is gone is tried again: restarts and failovers take less."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two tries; each pause is twice the one before."""

CONNECT_SECONDS = 10
"""Until a host that does not answer counts as not reachable."""

STUCK_SECONDS = 120
"""Until PostgreSQL ends a transaction in which nothing happens, so that a driver that is stopped or cut off stops no other.
A proposal is made within one, and takes seconds at most."""

_CREATION_LOCK = 7_310_579_013_640_301
"""Of PostgreSQL's advisory locks, any number that nothing else is likely to use."""


class NoStudiesError(StorageError):
    """A database in which no study was ever made."""


class Connection:
    """A database of shared studies.

    Args:
        storage: Which.
        write: Whether to make tables that are missing.

    Attributes:
        storage: Which.
        optuna: Optuna's storage in it. It knows how to connect, but not the URL.
        notify: Called once when the database goes away, and once when it is back.

    Raises:
        NoStudiesError: There is nothing in the database, and it is not to be written.
        StorageError: The database refuses or does not answer, or holds another version's studies.
    """

    def __init__(self, storage: Storage, *, write: bool) -> None:
        self.storage = storage
        self.notify: Notify = lambda sentence: None
        self._back_since = -math.inf
        self._kept = False
        self._hopeless = False
        self._local = threading.local()
        optuna.logging.disable_default_handler()
        try:
            # Of Optuna's engine all connections are in one pool; these are closed as soon as they are done with.
            self._opener = create_engine(storage.url, **{**_options(storage), "poolclass": NullPool})
            if write:
                with self.alone() as connection:
                    self.optuna = _open(self._opener, create=True)
                    METADATA.create_all(connection)
                    connection.commit()
            elif not {"studies", FILES.name} <= set(inspect(self._opener).get_table_names()):
                raise NoStudiesError(
                    f"{storage} must hold studies, got none of tlsearch's. `tlsearch run --storage` makes one."
                )
            else:
                self.optuna = _open(self._opener, create=False)
            self.engine.dispose()
        except RuntimeError as error:
            raise StorageError(
                f"{storage} was written by another version of Optuna, got {error} Nothing was changed. Install that version, "
                "or upgrade a copy with `optuna storage upgrade`."
            ) from error
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise StorageError(
                f"the storage {storage} must let this user in, got: {self._words(error)}. Check that the server runs, and "
                "host, port, user, password and database."
            ) from error

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, which Optuna uses too."""
        engine: Engine = self.optuna.engine
        return engine

    def storage_of(self, kind: type[RDBStorage]) -> RDBStorage:
        """Another of Optuna's storages in the same database, of the class ``kind``."""
        return _open(self._opener, create=False, kind=kind)

    def persist(self, operation: Callable[[], Result]) -> Result:
        """Runs an operation, and retries it while the database is away.

        Args:
            operation: Must be idempotent, also where an earlier attempt was committed before the connection was lost.

        Raises:
            StorageError: The database has been away for `PATIENCE` seconds, or refuses.
        """
        if getattr(self._local, "depth", 0):
            # Nested: the outer operation is retried as a whole.
            return operation()
        self._local.depth = 1
        try:
            return self._persist(operation)
        finally:
            self._local.depth = 0
            if not self._kept:
                self.engine.dispose()

    def rows(self, query: Select[Any]) -> list[Any]:
        """All rows that a query finds; retried as by `persist`."""

        def read() -> list[Any]:
            with self.engine.connect() as sql:
                return list(sql.execute(query).all())

        return self.persist(read)

    def _persist(self, operation: Callable[[], Result]) -> Result:
        gone_since, pause = 0.0, FIRST_PAUSE
        try:
            while True:
                try:
                    result = operation()
                except IntegrityError:
                    raise  # two drivers at once: the caller's to settle
                except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
                    gone_since = gone_since or time.monotonic()
                    self._check_patience(error, time.monotonic() - gone_since)
                    if pause == FIRST_PAUSE:
                        again = f"trying again for up to {PATIENCE / 60:g} minutes"
                        self.notify(f"{self.storage} does not answer ({self._words(error)}); {again}.")
                    # Connections of before the trouble are of no use after it.
                    self.engine.dispose()
                    time.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    self._note_answer(gone_since)
                    return result
        except KeyboardInterrupt:
            self._hopeless = gone_since > 0
            raise

    def _check_patience(self, error: Exception, seconds: float) -> None:
        if not _is_away(error):
            raise StorageError(f"{self.storage} refused, got: {self._words(error)}. {_GOES_ON}") from error
        if self._hopeless or seconds >= PATIENCE:
            # What is still to be recorded on the way out is not waited for again.
            self._hopeless = True
            raise StorageError(
                f"{self.storage} must not be away for more than {PATIENCE:g} s, got: {self._words(error)}. {_GOES_ON}"
            ) from error

    def _note_answer(self, gone_since: float) -> None:
        self._hopeless = False
        if gone_since:
            self._back_since = time.monotonic()
            self.notify(f"{self.storage} answers again after {self._back_since - gone_since:.0f} s.")

    @contextlib.contextmanager
    def alone(self) -> Iterator[SqlConnection]:
        """Keeps other drivers from making tables or studies: drivers that start together would make the same ones.

        The database releases the lock when the connection that this yields is closed, however the driver ends.
        """
        with self._opener.connect() as connection:
            postgresql = connection.dialect.name == "postgresql"
            lock = "SELECT pg_advisory_lock(:name)" if postgresql else "SELECT GET_LOCK(:name, 60)"
            unlock = "SELECT pg_advisory_unlock(:name)" if postgresql else "SELECT RELEASE_LOCK(:name)"
            name = {"name": _CREATION_LOCK if postgresql else f"tlsearch {_CREATION_LOCK}"}
            connection.execute(text(lock), name)
            try:
                yield connection
            finally:
                connection.execute(text(unlock), name)

    def answering_for(self) -> float:
        """Seconds since the database came back; infinite where it was never away."""
        return time.monotonic() - self._back_since

    @contextlib.contextmanager
    def kept(self, notify: Notify) -> Iterator[None]:
        """Stays connected for as long as the block lasts, instead of for as long as each operation takes.

        Args:
            notify: As the attribute.
        """
        self.notify, self._kept = notify, True
        try:
            yield
        finally:
            self.notify, self._kept = (lambda sentence: None), False
            self.engine.dispose()

    def _words(self, error: BaseException) -> str:
        """What the database itself said, in one line."""
        cause = _cause(error)
        said = str(getattr(cause, "orig", None) or cause)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        # psycopg tries every address of a host, and heads what each said with the same words.
        lines = [line.removeprefix("- ") for line in lines if "Multiple connection attempts failed" not in line]
        return self.storage.redact((lines[0] if lines else type(cause).__name__).rstrip("."))


_GOES_ON = "What was finished is kept, and the same command goes on."


def _cause(error: BaseException) -> BaseException:
    """SQLAlchemy's error below Optuna's."""
    while not isinstance(error, SQLAlchemyError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _is_away(error: BaseException) -> bool:
    """Whether the database is not there, is going or is coming; a statement that it refuses is another matter."""
    cause = _cause(error)
    if isinstance(cause, OperationalError | InterfaceError | DisconnectionError | PoolTimeoutError):
        return True
    return isinstance(cause, DBAPIError) and cause.connection_invalidated


def _options(storage: Storage) -> dict[str, Any]:
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if storage.url.get_backend_name() == "postgresql":
        # A connection whose other end has vanished is noticed within a minute, not after hours.
        arguments |= {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "application_name": "tlsearch"}
    else:
        arguments |= {"read_timeout": STUCK_SECONDS, "write_timeout": STUCK_SECONDS}
    return {
        "connect_args": arguments,
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
        "poolclass": QueuePool,
        "hide_parameters": True,
    }


def _open(engine: Engine, *, create: bool, kind: type[RDBStorage] = RDBStorage) -> RDBStorage:
    """Optuna's storage, connecting as the engine does: Optuna would keep a URL, and mistake braces in a password."""
    options = _options(Storage(engine.url))
    arguments, keywords = engine.dialect.create_connect_args(engine.url)
    keywords |= options.pop("connect_args")
    made: weakref.WeakSet[Any] = weakref.WeakSet()

    def connect() -> Any:
        made.add(connection := engine.dialect.connect(*arguments, **keywords))
        return connection

    try:
        return kind(
            f"{engine.url.drivername}://", engine_kwargs={**options, "creator": connect}, skip_table_creation=not create
        )
    except BaseException:
        # Those in the pool of what was not made.
        for connection in [*made]:
            connection.close()
        raise
