"""The trials of a shared study: an Optuna study in the database, in which each driver begins and ends its own trials.

A trial begins in one transaction, under a lock of the study: the driver sees everything that was begun before, decides, and
records the trial together with its lease. It ends in one transaction too, together with its lease, and only if it is still
running and still leased by the driver that records its end.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import func, insert, select, text, update

from ....spaces.errors import StorageError
from ..base import Notify, StudyPlace, StudyTrials
from ..records import Proposal, reading_trials
from .connection import STUCK_SECONDS, Connection
from .leases import BEATS_A_LEASE, Leases
from .optuna_tables import ATTRIBUTES, PARAMETERS, STUDIES, TRIALS, VALUES, utc_now, value_row

_RECORDER = "recorder"
"""Attribute of a trial that has ended: the driver that has recorded it."""


class SharedTrials(StudyTrials):
    """See `StudyTrials`.

    Args:
        place: Where the study is.
        connection: To its database.
        leases: Of this driver.
        study_id: Optuna's number of the study.
    """

    shared = True

    def __init__(self, place: StudyPlace, connection: Connection, leases: Leases, study_id: int) -> None:
        self._place = place
        self._connection = connection
        self._leases = leases
        self._study_id = study_id
        # Keeps what it has read of finished trials, which the storage by itself does not.
        self._study = connection.persist(lambda: optuna.load_study(study_name=place.name, storage=connection.optuna))
        self._ids: dict[int, int] = {}

    @contextlib.contextmanager
    def hold(self, notify: Notify) -> Iterator[None]:
        with self._connection.kept(notify), self._leases.beating():
            yield

    def trials(self) -> list[FrozenTrial]:
        with reading_trials(self._place, "a trial cannot be read"):
            return self._connection.persist(lambda: self._study.get_trials(deepcopy=False))

    def begin(
        self, propose: Callable[[], Proposal | None], as_stored: Callable[[Proposal], FrozenTrial]
    ) -> tuple[int, Proposal] | None:

        def attempt() -> tuple[int, int, Proposal] | None:
            with self._connection.engine.begin() as sql:
                if sql.dialect.name == "postgresql":
                    sql.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{STUCK_SECONDS}s'"))
                self._lock(sql)
                if (proposal := propose()) is None:
                    return None
                trial = as_stored(proposal)
                number = sql.execute(select(func.count()).where(TRIALS.c.study_id == self._study_id)).scalar_one()
                row = {"study_id": self._study_id, "number": number, "state": TrialState.RUNNING, "datetime_start": utc_now()}
                inserted = sql.execute(insert(TRIALS).values(row)).inserted_primary_key
                assert inserted is not None
                trial_id = inserted[0]
                # At once, where Optuna takes two statements for each of them: others are waiting.
                if parameters := _parameters(trial_id, trial):
                    sql.execute(insert(PARAMETERS), parameters)
                sql.execute(insert(ATTRIBUTES), _attributes(trial_id, trial.user_attrs))
                self._leases.take(sql, _task(number))
                return number, trial_id, proposal

        if (begun := self._connection.persist(attempt)) is None:
            return None
        number, trial_id, proposal = begun
        self._ids[number] = trial_id
        self._leases.note(_task(number))
        return number, proposal

    def measure(self, number: int, step: int, value: float) -> None:
        """See `StudyTrials`. Of a trial that another driver has taken over nothing is recorded."""
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            self._connection.persist(
                lambda: self._connection.optuna.set_trial_intermediate_value(self._id(number), step, value)
            )

    def finish(self, number: int, attributes: dict[str, Any], state: TrialState, values: Sequence[float] | None) -> bool:
        recorded = {**attributes, _RECORDER: self._leases.owner}

        def attempt() -> bool:
            trial_id = self._id(number)
            with self._connection.engine.begin() as sql:
                if not self._leases.end(sql, _task(number)):
                    return self._has_recorded(sql, trial_id)
                running = update(TRIALS).where(TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.RUNNING)
                if not sql.execute(running.values(state=state, datetime_complete=utc_now())).rowcount:
                    return False
                sql.execute(insert(ATTRIBUTES), _attributes(trial_id, recorded))
                for objective, value in enumerate(values or ()):
                    sql.execute(insert(VALUES).values(trial_id=trial_id, objective=objective, **value_row(value)))
                return True

        return self._connection.persist(attempt)

    def take_over(self, running: Sequence[int]) -> list[int]:
        if not running:
            return []
        others = self._connection.persist(self._leases.others)
        return [number for number in running if _task(number) not in others and self.claim(_task(number))]

    def owns(self, number: int) -> bool:
        return self._leases.owns(_task(number))

    def claim(self, task: str) -> bool:
        # After the database was away, the others get time to say that they are alive.
        patient = self._connection.answering_for() < 2 * self._leases.seconds / BEATS_A_LEASE
        return self._connection.persist(lambda: self._leases.claim(task, patient=patient))

    def release(self, task: str) -> None:
        self._connection.persist(lambda: self._leases.release(task))

    def storage(self, kind: type[RDBStorage]) -> RDBStorage:
        return self._connection.storage_of(kind)

    def _lock(self, sql: SqlConnection) -> None:
        """Until the end of the transaction; Optuna's own `create_new_trial` waits for it too."""
        # key_share: rows that refer to the study may be written.
        row = select(STUDIES.c.study_id).where(STUDIES.c.study_id == self._study_id)
        if sql.execute(row.with_for_update(key_share=True)).scalar() is None:
            raise StorageError(f"{self._place} must stay while it is searched, got no such study (deleted).")

    def _has_recorded(self, sql: SqlConnection, trial_id: int) -> bool:
        """Whether it was this driver that has recorded a trial's end: before the database was cut off, say."""
        own = select(ATTRIBUTES.c.value_json).where(ATTRIBUTES.c.trial_id == trial_id, ATTRIBUTES.c.key == _RECORDER)
        recorder = sql.execute(own).scalar()
        return recorder is not None and json.loads(recorder) == self._leases.owner

    def _id(self, number: int) -> int:
        if number not in self._ids:
            storage = self._connection.optuna
            self._ids[number] = storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]


def _task(number: int) -> str:
    return f"trial {number}"


def _attributes(trial_id: int, attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _parameters(trial_id: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]
