"""A study's parts, and how they are made and opened in a folder; `shared.studies` does the same in a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..spaces.errors import DamagedStudyError
from .database import Database
from .files import FolderFiles, StudyFiles
from .lock import hold
from .metrics import maximized
from .salvage import Salvage
from .settings import StudySettings
from .study_folder import DATABASE, check_folder, holds_study, read_settings, unusable, write_settings
from .trials import StudyTrials


@dataclass(frozen=True, slots=True)
class OpenedStudy:
    """A study's parts.

    Attributes:
        settings: What it was made for.
        trials: What records its trials, or what is left of that.
        files: Beside the trials.
        driver: This driver's name; empty where there can be no other.
    """

    settings: StudySettings
    trials: StudyTrials | Salvage
    files: StudyFiles
    driver: str = ""


def create_in_folder(path: Path, settings: StudySettings) -> OpenedStudy:
    """A new study in a new or empty folder; the one that is there where another process has just made it.

    Raises:
        StudyError: The folder holds something else, or cannot be written.
    """
    check_folder(path)
    files = FolderFiles(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with hold(path):
            if holds_study(path):
                return open_in_folder(path)
            database = Database.create(path / DATABASE, settings.name, maximize=maximized(settings.metric))
            # Last: a database without settings is what a kill leaves between the two.
            write_settings(files, settings)
    except OSError as error:
        raise unusable(path, error) from error
    return OpenedStudy(settings, database, files)


def open_in_folder(path: Path, *, salvage: bool = False) -> OpenedStudy:
    """The study in a folder.

    Args:
        path: The folder.
        salvage: Whether what is sound of a damaged database will do.

    Raises:
        StudyError: There is none, or another version of tlsearch made it.
        DamagedStudyError: It is damaged; with ``salvage``, beyond what can be read.
    """
    settings, database = read_settings(path), path / DATABASE
    trials: StudyTrials | Salvage
    try:
        if not database.is_file():
            raise DamagedStudyError(path, f"{DATABASE} is missing")
        trials = Database.open(database, settings.name)
    except DamagedStudyError as error:
        if not salvage:
            raise
        trials = salvaged(path, error)
    return OpenedStudy(settings, trials, FolderFiles(path))


def salvaged(path: Path, error: DamagedStudyError) -> Salvage:
    """What is sound of the damaged database in a folder.

    Raises:
        DamagedStudyError: Nothing is.
    """
    salvage = Salvage(path / DATABASE, error.what)
    if not salvage.trials():
        raise DamagedStudyError(path, salvage.damage) from error
    return salvage
