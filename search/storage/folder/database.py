"""A study's trials in an Optuna storage on SQLite, and what becomes of an error in it.

The file is opened by its path and not by a URL: a URL would take ``?``, ``#``, ``%`` and braces in a folder's name for
something else, and might make a file elsewhere.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ....spaces.errors import DamagedStudyError, StudyError
from ..base import Notify, StudyTrials
from ..records import Proposal, reading_trials
from .lock import hold

LOCK_SECONDS = 60.0
"""Time that another program may keep the database locked before a read or a write of ours gives up."""

SIDE_FILES = ("-journal", "-wal", "-shm")
"""What SQLite adds to a database's name for files that belong to it."""

# UnicodeDecodeError: SQLite's own message quotes the damaged bytes.
_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError, sqlite3.Error, UnicodeDecodeError)


class Database(StudyTrials):
    """See `StudyTrials`. Made by `create` and `open`; one driver at a time holds it.

    Raises:
        StudyError: From every method: the file is locked, its disk full or not writable, or its folder is gone.
        DamagedStudyError: From every method: it is no sound database.
    """

    def __init__(self, path: Path, storage: RDBStorage, name: str) -> None:
        self._path = path
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(name)
        # Keeps what it has read of finished trials, which the storage by itself does not.
        self._study = optuna.load_study(study_name=name, storage=storage)
        self._ids: dict[int, int] = {}

    @classmethod
    def create(cls, path: Path, name: str, *, maximize: bool) -> Database:
        """A new database, in place of one that a kill left half made."""
        for leftover in (path, *(path.with_name(path.name + suffix) for suffix in SIDE_FILES)):
            # A journal that outlives its database would be played back into the new one.
            leftover.unlink(missing_ok=True)
        with _explained(path):
            storage = _storage(path, "rwc")
            direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
            storage.create_new_study([direction], name)
            return cls(path, storage, name)

    @classmethod
    def open(cls, path: Path, name: str) -> Database:
        """The database that is there. One that holds something else, or is damaged anywhere, is left as it is."""
        with _explained(path):
            _check(path)
            storage = _storage(path, "rw")
            try:
                return cls(path, storage, name)
            except KeyError as error:
                raise DamagedStudyError(path.parent, f"{path.name} does not hold the study {name!r}") from error

    def hold(self, notify: Notify) -> AbstractContextManager[None]:
        return hold(self._path.parent)

    def storage(self, kind: type[RDBStorage]) -> RDBStorage:
        return _storage(self._path, "rw", kind)

    def begin(
        self, propose: Callable[[], Proposal | None], as_stored: Callable[[Proposal], FrozenTrial]
    ) -> tuple[int, Proposal] | None:
        if (proposal := propose()) is None:
            return None
        with _explained(self._path):
            trial_id = self._storage.create_new_trial(self._study_id, as_stored(proposal))
            number = self._storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return number, proposal

    def measure(self, number: int, step: int, value: float) -> None:
        with _explained(self._path):
            self._storage.set_trial_intermediate_value(self._id(number), step, value)

    def finish(self, number: int, attributes: dict[str, Any], state: TrialState, values: Sequence[float] | None) -> bool:
        """See `StudyTrials`. A kill before the last of these writes leaves the trial running."""
        with _explained(self._path):
            for name, value in attributes.items():
                self._storage.set_trial_user_attr(self._id(number), name, value)
            self._storage.set_trial_state_values(self._id(number), state, values)
        return True

    def take_over(self, running: Sequence[int]) -> list[int]:
        """See `StudyTrials`. Whoever holds the study is its only driver."""
        return [*running]

    def trials(self) -> list[FrozenTrial]:
        damage = f"{self._path.name} cannot be read (a trial is damaged)"
        with reading_trials(self._path.parent, damage), _explained(self._path):
            return self._study.get_trials(deepcopy=False)

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # From several threads where a listener asks for trials; SQLAlchemy's pool sees to it that it is one at a time.
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=LOCK_SECONDS, check_same_thread=False)


def _storage(path: Path, mode: str, kind: type[RDBStorage] = RDBStorage) -> RDBStorage:
    optuna.logging.disable_default_handler()
    options = {"creator": lambda: _connect(path, mode), "poolclass": QueuePool}
    try:
        return kind("sqlite://", engine_kwargs=options, skip_table_creation=mode == "rw")
    except RuntimeError as error:
        raise StudyError(
            f"{path} was written by another version of Optuna, got {error} "
            f"Nothing was changed. Install that version, or copy the study and upgrade the copy with `optuna storage upgrade`."
        ) from error


def _check(path: Path) -> None:
    """Raises where the file is not a whole database of Optuna's, before anything may be written to it."""
    with contextlib.closing(_connect(path, "rw")) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"studies", "trials", "trial_user_attributes", "alembic_version"} <= tables:
            raise DamagedStudyError(path.parent, f"{path.name} is no storage of Optuna's")
        verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise DamagedStudyError(path.parent, f"{path.name} cannot be read ({' '.join(verdict.split())[:100]})")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise _explain(path, error) from error


def _explain(path: Path, error: BaseException) -> StudyError:
    """What to tell the user: SQLite's own words are the only thing that tells these cases apart."""
    words = _words(error)
    goes_on = "What was finished is kept, and the same command goes on."
    if not path.parent.exists():
        return StudyError(f"the study's folder must stay while it is searched, got {path.parent} (deleted or moved).")
    if "locked" in words or "busy" in words:
        return StudyError(
            f"{path} must not be locked by another program for more than {LOCK_SECONDS:g} s, got: {words}. End that program. "
            + goes_on
        )
    if "is full" in words:
        return StudyError(f"{path} must have room to grow, got: {words}. Free some space. {goes_on}")
    if any(sign in words for sign in ("readonly", "unable to open", "disk i/o error")):
        what = words if path.exists() else "the file is gone"
        return StudyError(f"{path} must be writable, got: {what}. Mend that, or name another folder with --study. {goes_on}")
    return DamagedStudyError(path.parent, f"{path.name} cannot be read ({words[:100]})")


def _words(error: BaseException) -> str:
    """The first line of SQLite's error below the others, in small letters."""
    while True:
        inner = getattr(error, "orig", None) or error.__cause__
        if inner is None:
            return (str(error).strip().splitlines() or [type(error).__name__])[0].lower()
        error = inner
