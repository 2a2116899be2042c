"""The studies in a shared database: which there are, and how one is made, opened and deleted."""

from __future__ import annotations

from optuna.exceptions import DuplicatedStudyError
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from ....spaces.errors import StudyError
from ...selection import maximized
from ...settings import StudySettings
from ..address import SharedStudy, Storage
from ..base import OpenedStudy
from ..settings_file import SETTINGS, parse_settings, write_settings
from .connection import Connection, NoStudiesError
from .files import SharedFiles
from .leases import Leases
from .owner import new_owner, shown
from .tables import FILES, LEASES
from .trials import SharedTrials


def list_shared(storage: Storage) -> list[SharedStudy]:
    """The studies in a database, the one first that was written to last.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        connection = Connection(storage, write=False)
    except NoStudiesError:
        return []
    names = (
        select(models.StudyModel.study_name)
        .join(FILES, FILES.c.study_id == models.StudyModel.study_id)
        .where(
            exists()
            .where(FILES.c.study_id == models.StudyModel.study_id, FILES.c.name == SETTINGS)
            .correlate(models.StudyModel)
        )
        .group_by(models.StudyModel.study_name)
        .order_by(func.max(FILES.c.changed).desc(), models.StudyModel.study_name)
    )

    def read() -> list[str]:
        with Session(connection.engine) as session:
            return list(session.execute(names).scalars())

    return [SharedStudy(storage, name) for name in connection.persist(read)]


def shared_is_there(place: SharedStudy) -> bool:
    """Whether there is a study of this name.

    Raises:
        StorageError: The database cannot be read.
        StudyError: Another program made one of this name.
    """
    try:
        return _find(place, Connection(place.storage, write=False)) is not None
    except NoStudiesError:
        return False


def open_shared(place: SharedStudy) -> OpenedStudy:
    """The study that is there.

    Raises:
        StorageError: The database cannot be read.
        StudyError: There is none.
        DamagedStudyError: What it was made for cannot be read.
    """
    connection = Connection(place.storage, write=False)
    if (study_id := _find(place, connection)) is None:
        raise StudyError(
            f"STUDY must be the name of a study in {place.storage}, got {place.name} (no such study). "
            "`tlsearch studies --storage` lists those there are."
        )
    return _opened(place, connection, study_id)


def create_shared(place: SharedStudy, settings: StudySettings) -> OpenedStudy:
    """A new study; the one that is there where another driver has just made it.

    Raises:
        StorageError: The database cannot be written.
        StudyError: Another program's study has this name.
    """
    connection = Connection(place.storage, write=True)
    with connection.alone():
        if (study_id := _find(place, connection)) is None:
            direction = StudyDirection.MAXIMIZE if maximized(settings.metric) else StudyDirection.MINIMIZE
            study_id = connection.persist(lambda: _made(place, connection, direction))
            # A kill between the two leaves a study of Optuna's without trials, which `_made` takes for its own.
            leases = Leases(connection.engine, study_id, new_owner())
            write_settings(SharedFiles(place, connection, leases, study_id), settings)
    return _opened(place, connection, study_id)


def delete_shared(place: SharedStudy) -> None:
    """Deletes a study; does nothing where there is none.

    Raises:
        StorageError: The database cannot be written.
        StudyError: A driver is searching in it, or another program made it.
    """
    connection = Connection(place.storage, write=True)
    if (study_id := _find(place, connection)) is None:
        return
    leases = Leases(connection.engine, study_id, new_owner())
    if others := connection.persist(leases.others):
        raise StudyError(f"{place} is being searched by {shown(min(others.values()))}. Wait for it, or end it, then try again.")

    def remove() -> None:
        with Session(connection.engine) as session, session.begin():
            for table in (FILES, LEASES):
                session.execute(delete(table).where(table.c.study_id == study_id))
        connection.optuna.delete_study(study_id)

    connection.persist(remove)


def _opened(place: SharedStudy, connection: Connection, study_id: int) -> OpenedStudy:
    driver = new_owner()
    leases = Leases(connection.engine, study_id, driver)
    files = SharedFiles(place, connection, leases, study_id)
    settings = parse_settings(files.read(SETTINGS), place)
    return OpenedStudy(settings, SharedTrials(place, connection, leases, study_id), files, driver)


def _find(place: SharedStudy, connection: Connection) -> int | None:
    """Optuna's number of the study; None where there is none, or one that a kill left half made."""
    trials = exists().where(models.TrialModel.study_id == models.StudyModel.study_id)
    settings = exists().where(FILES.c.study_id == models.StudyModel.study_id, FILES.c.name == SETTINGS)
    query = select(models.StudyModel.study_id, settings, trials).where(models.StudyModel.study_name == place.name)

    def read() -> tuple[int, bool, bool] | None:
        with Session(connection.engine) as session:
            row = session.execute(query).one_or_none()
            return None if row is None else (row[0], bool(row[1]), bool(row[2]))

    if (found := connection.persist(read)) is None:
        return None
    study_id, ours, tried = found
    if not ours and tried:
        raise _foreign(place)
    return study_id if ours else None


def _made(place: SharedStudy, connection: Connection, direction: StudyDirection) -> int:
    try:
        return connection.optuna.create_new_study([direction], place.name)
    except DuplicatedStudyError:
        study_id = connection.optuna.get_study_id_from_name(place.name)
        if connection.optuna.get_study_directions(study_id) != [direction]:
            raise _foreign(place) from None
        return study_id


def _foreign(place: SharedStudy) -> StudyError:
    return StudyError(
        f"--study must be new or a study of tlsearch, got {place}, which another program made. Nothing was changed. "
        "Name another."
    )
