"""Leases: which driver works on which task. A driver leases what it has begun, and sends a heartbeat every few seconds.

Optuna's heartbeats belong to trials, and nothing keeps a driver that was taken for dead from recording an end. What is leased
here is trials and confirmation runs alike, and an end is recorded in the transaction that ends the lease: a driver whose lease
is gone cannot record one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from .owner import known_dead
from .tables import LEASES, now

LEASE_SECONDS = 60.0
"""Without a heartbeat until a driver's tasks are given to others. A garbage collection, a slow network or a restart of the
database takes less. On the driver's own machine its end is noticed at once."""

BEATS_A_LEASE = 6
"""Heartbeats within a lease; all but one may be lost."""


class Leases:
    """The leases of one study, as one driver sees them. Errors are SQLAlchemy's.

    Args:
        engine: Of the database.
        study_id: Optuna's number of the study.
        owner: This driver's name.
        clock: Seconds on the clock that all drivers share.
        seconds: Of a lease; None for `LEASE_SECONDS`.
    """

    def __init__(
        self,
        engine: Engine,
        study_id: int,
        owner: str,
        *,
        clock: Callable[[], ColumnElement[float]] = now,
        seconds: float | None = None,
    ) -> None:
        self.owner = owner
        self.seconds = LEASE_SECONDS if seconds is None else seconds
        self._engine = engine
        self._clock = clock
        self._study = study_id
        self._held: set[str] = set()
        self._lost: frozenset[str] = frozenset()

    def take(self, sql: Connection, task: str) -> None:
        """Leases a task that nobody can have yet, within the caller's transaction; call `note` once that is committed."""
        sql.execute(insert(LEASES).values(study_id=self._study, task=task, owner=self.owner, beat=self._clock()))

    def end(self, sql: Connection, task: str) -> bool:
        """Ends a lease within the caller's transaction; False where another driver has taken it over."""
        self._held.discard(task)
        return sql.execute(delete(LEASES).where(*self._is(task), LEASES.c.owner == self.owner)).rowcount > 0

    def note(self, task: str) -> None:
        """Notes that a lease is this driver's."""
        self._held.add(task)

    def claim(self, task: str, *, patient: bool = False) -> bool:
        """Leases a task unless another driver has it.

        Args:
            task: What is to be done.
            patient: Whether a silent driver keeps what it has; one that is known to have ended never does.
        """
        try:
            with self._engine.begin() as connection:
                self.take(connection, task)
        except IntegrityError:
            with self._engine.begin() as connection:
                owner = connection.execute(select(LEASES.c.owner).where(*self._is(task))).scalar()
                if owner is None:
                    return False  # it has just ended; the next call sees its result
                if owner != self.owner and not self._take_from(connection, task, owner, patient=patient):
                    return False
        self._held.add(task)
        return True

    def release(self, task: str) -> None:
        """Ends a lease, if it is this driver's."""
        with self._engine.begin() as connection:
            self.end(connection, task)

    def others(self) -> dict[str, str]:
        """Task → driver, of the other drivers' leases that have not run out."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(LEASES.c.task, LEASES.c.owner).where(
                    LEASES.c.study_id == self._study, LEASES.c.owner != self.owner, ~self._silent()
                )
            ).all()
        dead = {owner for owner in {owner for _, owner in rows} if known_dead(owner)}
        return {task: owner for task, owner in rows if owner not in dead}

    def owns(self, task: str) -> bool:
        """Whether a lease that was taken is still this driver's, as of the last heartbeat."""
        return task not in self._lost

    def beat(self) -> None:
        """Sends a heartbeat for every task that this driver has."""
        before = set(self._held)
        mine = (LEASES.c.study_id == self._study, LEASES.c.owner == self.owner)
        with self._engine.begin() as connection:
            connection.execute(update(LEASES).where(*mine).values(beat=self._clock()))
            there = set(connection.execute(select(LEASES.c.task).where(*mine)).scalars())
        # What has been ended in the meantime is not lost.
        self._lost = frozenset(before & self._held - there)

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Sends heartbeats from a thread of its own for as long as the block lasts, then ends all leases."""
        stop = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(stop,), name="tlsearch leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # Where the database is away they run out by themselves.
            with contextlib.suppress(SQLAlchemyError), self._engine.begin() as connection:
                connection.execute(delete(LEASES).where(LEASES.c.study_id == self._study, LEASES.c.owner == self.owner))

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(self.seconds / BEATS_A_LEASE):
            # A database that is away is the search's to report; the next heartbeat comes in a few seconds.
            with contextlib.suppress(SQLAlchemyError):
                self.beat()

    def _take_from(self, connection: Connection, task: str, owner: str, *, patient: bool) -> bool:
        over = []
        if not known_dead(owner):
            if patient:
                return False
            over = [self._silent()]
        stolen = update(LEASES).where(*self._is(task), LEASES.c.owner == owner, *over)
        return connection.execute(stolen.values(owner=self.owner, beat=self._clock())).rowcount > 0

    def _silent(self) -> ColumnElement[bool]:
        return self._clock() - LEASES.c.beat > self.seconds

    def _is(self, task: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return LEASES.c.study_id == self._study, LEASES.c.task == task
