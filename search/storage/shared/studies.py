"""The studies in a shared database: which there are, and how one is made, opened and deleted."""

from __future__ import annotations

from dataclasses import dataclass

from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from sqlalchemy import delete, exists, func, select

from ....spaces.errors import OptionError, StudyError
from ...selection import maximized
from ...settings import StudySettings
from ..address import Storage
from ..base import OpenedStudy, StudyPlace
from ..settings_file import SETTINGS, parse_settings, write_settings
from .connection import Connection, NoStudiesError
from .files import SharedFiles
from .leases import Leases
from .optuna_tables import STUDIES, TRIALS
from .owner import new_owner, shown
from .tables import FILES, LEASES
from .trials import SharedTrials

MAX_NAME = 255
"""Characters of a study's name: well within Optuna's 512, and what a file's name may have."""


@dataclass(frozen=True, slots=True)
class SharedStudy(StudyPlace):
    """See `StudyPlace`.

    Attributes:
        storage: The database.
        name: Of the study in it; of Optuna's study too.
    """

    storage: Storage
    name: str

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > MAX_NAME or not self.name.isprintable():
            raise OptionError(f"a shared study's name must have 1 to {MAX_NAME} printable characters, got {self.name!r}.")

    def __str__(self) -> str:
        return f"{self.name} in {self.storage}"

    @property
    def address(self) -> str:
        return str(self)

    def exists(self) -> bool:
        try:
            return self._find(Connection(self.storage, write=False)) is not None
        except NoStudiesError:
            return False

    def check(self, *, fresh: bool = False) -> None:
        self.exists()

    def settings(self) -> StudySettings:
        return self.open().settings

    def create(self, settings: StudySettings) -> OpenedStudy:
        connection = Connection(self.storage, write=True)
        with connection.alone():
            if (study_id := self._find(connection)) is None:
                direction = StudyDirection.MAXIMIZE if maximized(settings.metric) else StudyDirection.MINIMIZE
                study_id = connection.persist(lambda: self._make(connection, direction))
                # A kill between the two leaves a study of Optuna's without trials, which `_make` takes for its own.
                leases = Leases(connection.engine, study_id, new_owner())
                write_settings(SharedFiles(self, connection, leases, study_id), settings)
        return self._opened(connection, study_id)

    def open(self, *, salvage: bool = False) -> OpenedStudy:
        """See `StudyPlace`. The database keeps its tables sound: there is nothing to salvage."""
        connection = Connection(self.storage, write=False)
        if (study_id := self._find(connection)) is None:
            raise StudyError(
                f"STUDY must be the name of a study in {self.storage}, got {self.name} (no such study). "
                "`tlsearch studies --storage` lists those there are."
            )
        return self._opened(connection, study_id)

    def delete(self) -> None:
        connection = Connection(self.storage, write=True)
        if (study_id := self._find(connection)) is None:
            return
        leases = Leases(connection.engine, study_id, new_owner())
        if others := connection.persist(leases.others):
            raise StudyError(
                f"{self} is being searched by {shown(min(others.values()))}. Wait for it, or end it, then try again."
            )

        def remove() -> None:
            with connection.engine.begin() as sql:
                for table in (FILES, LEASES):
                    sql.execute(delete(table).where(table.c.study_id == study_id))
            connection.optuna.delete_study(study_id)

        connection.persist(remove)

    def _opened(self, connection: Connection, study_id: int) -> OpenedStudy:
        driver = new_owner()
        leases = Leases(connection.engine, study_id, driver)
        files = SharedFiles(self, connection, leases, study_id)
        settings = parse_settings(files.read(SETTINGS), self)
        return OpenedStudy(settings, SharedTrials(self, connection, leases, study_id), files, driver)

    def _find(self, connection: Connection) -> int | None:
        """Optuna's number of the study; None where there is none, or one that a kill left half made."""
        trials = exists().where(TRIALS.c.study_id == STUDIES.c.study_id)
        settings = exists().where(FILES.c.study_id == STUDIES.c.study_id, FILES.c.name == SETTINGS)
        query = select(STUDIES.c.study_id, settings, trials).where(STUDIES.c.study_name == self.name)
        if not (found := connection.rows(query)):
            return None
        study_id, ours, tried = found[0]
        if tried and not ours:
            raise self._foreign()
        return int(study_id) if ours else None

    def _make(self, connection: Connection, direction: StudyDirection) -> int:
        try:
            return connection.optuna.create_new_study([direction], self.name)
        except DuplicatedStudyError:
            study_id = connection.optuna.get_study_id_from_name(self.name)
            if connection.optuna.get_study_directions(study_id) != [direction]:
                raise self._foreign() from None
            return study_id

    def _foreign(self) -> StudyError:
        return StudyError(
            f"--study must be new or a study of tlsearch, got {self}, which another program made. Nothing was changed. "
            "Name another."
        )


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
        select(STUDIES.c.study_name)
        .join(FILES, FILES.c.study_id == STUDIES.c.study_id)
        .where(exists().where(FILES.c.study_id == STUDIES.c.study_id, FILES.c.name == SETTINGS).correlate(STUDIES))
        .group_by(STUDIES.c.study_name)
        .order_by(func.max(FILES.c.changed).desc(), STUDIES.c.study_name)
    )
    return [SharedStudy(storage, name) for (name,) in connection.rows(names)]
